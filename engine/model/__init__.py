"""Nouns, builds, intents, errors, clock, records, filter language, the audit's hash."""
