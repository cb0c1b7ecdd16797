"""The seven screens, one a file; each composes widgets, asks, listens, and offers verbs."""
