"""What stands above a screen and asks or tells one thing."""
