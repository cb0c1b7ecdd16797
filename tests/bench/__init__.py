"""Measurements, printed as one Markdown table: ``make bench``, or ``python -m tests.bench --help``.

Everything is measured in one run and told as a ratio against something measured beside it. Asserts nothing.
"""
