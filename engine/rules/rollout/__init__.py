"""When a ring opens, what an approval allows, when an install is due: pure."""
