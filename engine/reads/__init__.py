"""Every question that both fronts ask."""
