"""Clients whose timing is rude: design.md 1.2 (replaying and live), 5 (states).

Each of these met two things at once that the other tests bring one at a time.
"""

import json
import select

import pytest
from marks import serve
from patience import Deadline, eventually

GOOD = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


# ---- many small things -----------------------------------------------------

def test_an_outbox_of_very_many_very_small_events(world):
    """Two channels alternate, so each event is a piece of its own; an event is
    seven bytes on the wire, so the limit of bytes is far away."""
    connection = world.connect(receive_buffer=4096)
    connection.request("GET", "/events/a,b?xhr=1")
    assert connection.head().status == 200
    digits = []
    for _ in range(8):
        lines = [{"channel": "ab"[n % 2], "data": n % 10}
                 for n in range(10000)]
        world.publish_batch("a", lines)
        digits += [str(line["data"]) for line in lines]
    wanted = "".join(f"2\r\n{digit}\n\r\n" for digit in digits).encode()
    assert connection.take_exactly(len(wanted), Deadline(),
                                   "all events") == wanted
