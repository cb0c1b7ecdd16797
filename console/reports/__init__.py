"""Reports for people outside the console: compliance, readiness, cost, activity; as HTML, Markdown, CSV and tables.

A builder turns engine records into one `Report`; a renderer turns any `Report` into one format. Neither decides.
"""
