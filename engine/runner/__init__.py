"""What a turn of the runner does: open, offer, order, watch."""
