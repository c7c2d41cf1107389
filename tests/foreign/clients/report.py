"""report.py -- what every client here does with an event: one line of JSON on
standard output, with a hash in place of the data.

    python3 CLIENT.py URL TYPES

TYPES is of no interest to these clients: they give every event."""

import hashlib
import json
import sys

URL = sys.argv[1]
OUTPUT = sys.stdout
sys.stdout = sys.stderr  # what a library prints is not an event


def report(number, kind, data):
    data_bytes = data.encode("utf-8")
    OUTPUT.write(json.dumps({
        "id": number or "", "type": kind or "", "begins": data[:60],
        "sha256": hashlib.sha256(data_bytes).hexdigest(),
        "length": len(data_bytes)}) + "\n")
    OUTPUT.flush()
