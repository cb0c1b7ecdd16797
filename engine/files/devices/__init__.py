"""Device lists from files: our CSV and JSON, and the device export of Intune's admin centre.

Imports call it. It reads and checks, one row at a time; what becomes of the rows is decided elsewhere.
"""

from engine.files.devices.columns import COLUMNS, ImportColumn, format_table
from engine.files.devices.reading import IMPORT_PROVIDER, DeviceFile, FileForm, read_devices
from engine.files.devices.rows import BadRow, ImportedRow, Row, SkippedRow
from engine.files.moments import DateOrder

__all__ = [
    "COLUMNS",
    "IMPORT_PROVIDER",
    "BadRow",
    "DateOrder",
    "DeviceFile",
    "FileForm",
    "ImportColumn",
    "ImportedRow",
    "Row",
    "SkippedRow",
    "format_table",
    "read_devices",
]
