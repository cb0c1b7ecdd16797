"""The pieces screens are made of; they know columns and messages, never the engine's doors."""
