"""Verify an exported audit with Python alone: python verify_audit.py FILE [SEQ:HASH that was kept elsewhere]"""

import hashlib
import json
import re
import sys
from pathlib import Path

LINE = re.compile(r'\{"previous":"([0-9a-f]{64})","hash":"([0-9a-f]{64})","record":(\{.*\})\}', re.ASCII)
try:
    *lines, last = Path(sys.argv[1]).read_bytes().decode("ascii").removesuffix("\n").split("\n")
    told = json.loads(last)
    seq, digest = int(told["after"]), str(told["start"])
except IndexError:
    sys.exit(__doc__)
except OSError as error:
    sys.exit(f"the file cannot be read: {error.strerror}")
except (ValueError, KeyError, TypeError):
    sys.exit("the file does not end with the last line of an exported audit: it was cut off or changed")
seen = {f"{seq}:{digest}"}
for line in lines:
    found = LINE.fullmatch(line) or sys.exit(f"no record follows record {seq}")
    seq += 1
    if found[1] != digest or hashlib.sha256(f"{found[1]}\n{found[3]}".encode()).hexdigest() != found[2]:
        sys.exit(f"record {seq} was changed or does not follow record {seq - 1}")
    digest = found[2]
    seen.add(f"{seq}:{digest}")
if told["after"] == 0 and told["start"] != "0" * 64:
    sys.exit("an audit begins with 64 zeros")
if (told.get("records"), told.get("last"), told.get("hash")) != (len(lines), seq, digest):
    sys.exit("the last line does not fit the records")
if sys.argv[2:] and sys.argv[2] not in seen:
    sys.exit("the record that was kept elsewhere is not in it")
sys.stdout.write(f"{len(lines)} records hold, up to {seq}:{digest}\n")
