"""Files that others export, read bit by bit: lines in any encoding, CSV rows, JSON objects, written times.

Device lists (`engine.files.devices`) and scanner exports (`engine.files.scans`) stand on it. Its own modules know
no column and no device.
"""
