"""Compliance, cost, scanners' findings, exceptions."""
