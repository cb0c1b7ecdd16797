"""Compliance, restarts, money and activity, counted from what was read: pure."""
