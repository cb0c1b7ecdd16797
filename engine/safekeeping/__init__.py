"""Backup, prune, audit export."""
