"""Intent → plan → carried out; one module a family."""
