"""Facts read once for whoever decides, and the engine's own audit lines."""
