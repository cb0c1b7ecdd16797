"""A tenant of Microsoft Graph with state, played on the loopback.

`fixtures` gives it to tests; `families` lists what it plays, one module a resource family; `faults` makes it misbehave;
`contract` holds each request and each answer against ../shared/contracts/graph-subset.yaml.
"""
