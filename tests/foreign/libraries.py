"""libraries.py -- the clients that others wrote, and what each is known to change.

A Library is a program in clients/ and the exceptions that its own parser makes, as
a function from type and data that were sent to those that its user gets. Everything
else must arrive as it was published, which over SSE means: with each CR and CR LF in
the data as an LF (protocol.md 1).
"""

import json
import os
import pathlib
import re
import select
import shutil
import subprocess

from patience import Deadline

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"  # Debian's: the one that has httpx and requests

MARK = "\ufeff"


# ---- what becomes of an event on its way -----------------------------------------

def parsed_by_splitlines(kind, data):
    """sseclient: str.splitlines() ends a line at \\v, \\f, U+2028 and the like
    too. What follows is a line of its own, and a field if it looks like one."""
    lines = [f"event: {kind}"] if kind else []
    lines += [f"data: {line}" for line in data.split("\n")]
    kind, data = "", ""
    for line in "\n".join(lines).splitlines():
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data = f"{data}\n{value}" if data else value
    return kind, data


def decoded_by_line(kind, data):
    """fetch-event-source: each line is decoded by itself, which takes a byte
    order mark off the value's beginning; and empty lines before the first other
    one vanish, since it adds `\\n` only to data that is not empty."""
    lines = [line.removeprefix(MARK) for line in data.split("\n")]
    return kind.removeprefix(MARK), "\n".join(lines).lstrip("\n")


def exactly(kind, data):
    return kind, data


def line_ends(kind, data):
    return kind, re.sub("\r\n?", "\n", data)


def json_values(kind, data):
    """protocol.md 4: data that is JSON travels as JSON, and the client prints it
    as JSON.stringify has it."""
    try:
        value = json.loads(data)
    except ValueError:
        return kind, data
    if isinstance(value, str):
        return kind, value
    return kind, json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# ---- the libraries ---------------------------------------------------------------

class Library:
    def __init__(self, program, carries=line_ends, changes=exactly,
                 tells_retry=False, keeps_fragments=False):
        self.program = program
        self.carries = carries  # what the wire does to type and data
        self.changes = changes  # and what the library then does
        self.tells_retry = tells_retry  # an empty event for a block `retry:`
        # After a break it adds that empty event to what it has of the block that
        # broke off, instead of dropping both.
        self.keeps_fragments = keeps_fragments

    def shows(self, event):
        """Type and data as its user must see them. No type is `message`."""
        kind, data = self.changes(*self.carries(event["type"], event["data"]))
        return kind or "message", data

    def breakable(self, events):
        """Those that may be cut in two. Who keeps fragments and sees lines where
        there are none takes text in the data for an id, and comes back with it:
        it is cut only in events that it reads right."""
        if not self.keeps_fragments:
            return events
        return [event for event in events if self.shows(event) ==
                (event["type"] or "message", line_ends("", event["data"])[1])]


LIBRARIES = {
    "eventsource": Library("eventsource.mjs"),
    "undici": Library("undici.mjs"),
    "event-source-polyfill": Library("event-source-polyfill.mjs"),
    "fetch-event-source": Library("fetch-event-source.mjs",
                                  changes=decoded_by_line, tells_retry=True),
    "sseclient": Library("sseclient_requests.py",
                         changes=parsed_by_splitlines, tells_retry=True,
                         keeps_fragments=True),
    "httpx-sse": Library("httpx_sse_loop.py", tells_retry=True),
    "ws": Library("ws.mjs", carries=json_values),
}


# ---- running one -----------------------------------------------------------------

class Seen:
    """An event as a client printed it."""

    def __init__(self, line):
        fields = json.loads(line)
        self.id = fields["id"]
        self.type = fields["type"] or "message"
        self.digest = fields["sha256"]
        self.length = fields["length"]
        self.begins = fields["begins"]

    def __repr__(self):
        return (f"<id={self.id} type={self.type!r} {self.length} bytes, "
                f"{self.begins!r}>")


class Client:
    """The process of a library's program."""

    def __init__(self, library, url, types, log):
        interpreter = PYTHON
        if library.program.endswith(".mjs"):
            interpreter = shutil.which("node")
        self.log = open(log, "ab")
        self.process = subprocess.Popen(
            [interpreter, str(HERE / "clients" / library.program), url,
             json.dumps(types)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log,
            env={**os.environ, "PYTHONPATH": str(HERE / "python_modules"),
                 "PYTHONDONTWRITEBYTECODE": "1"})
        self.lines = []
        self.rest = b""

    def next(self):
        """The next event that it prints, waited for."""
        deadline = Deadline()
        output = self.process.stdout
        while not self.lines:
            left = deadline.left(f"a line of {self.process.args[1]}")
            if not select.select([output], [], [], left)[0]:
                continue
            data = os.read(output.fileno(), 1 << 20)
            assert data, f"the client ended; see {self.log.name}"
            *lines, self.rest = (self.rest + data).split(b"\n")
            self.lines = lines[::-1]
        return Seen(self.lines.pop())

    def until(self, number):
        """Everything that it prints up to the event of this id."""
        seen = [self.next()]
        while seen[-1].id != str(number):
            seen.append(self.next())
        return seen

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()
