"""Intent and facts → Plan: what a change would do, worked out without changing anything. Pure."""
