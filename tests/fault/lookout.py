"""lookout.py -- how each instance of a stream gets on, from the outside.

    lookout = Lookout(fleet, worlds)    looks at every instance a few times a second
    lookout.end()
    lookout.worst()                     the longest that each stood still
    lookout.report()                    the same, with what the instance said meanwhile

An instance stands still while the stream has acknowledged more than it has and what
it has does not grow. A stream without a leader takes nothing, and then nobody can get
on: so `late` is how long it stood after the stream had taken something more, and
`taken` how much that was.
"""

import collections
import datetime
import threading
import time

from http_raw import Connection, CutOff
from patience import TimedOut

EVERY_S = 0.2
LINES = 25

Standstill = collections.namedtuple("Standstill",
                                    "late seconds taken sequence began ended")


def now():
    return datetime.datetime.now(datetime.timezone.utc)


class Open:
    """A standstill that is not over."""

    def __init__(self, sequence, newest):
        self.sequence, self.newest = sequence, newest
        self.at, self.wall = time.monotonic(), now()
        self.moved_at = None  # when the stream did


class Lookout(threading.Thread):
    def __init__(self, fleet, worlds):
        super().__init__(name="lookout", daemon=True)
        self.fleet, self.worlds = fleet, worlds
        self.is_over = threading.Event()
        self.found = {n: [] for n in range(len(worlds))}
        self.open = {}  # instance -> Open
        self.start()

    def run(self):
        while not self.is_over.wait(EVERY_S):
            for number in self.found:
                self.look(number)

    def look(self, number):
        sequence = self.sequence_of(number)
        newest = self.fleet.newest
        before = self.open.get(number)
        if sequence is None or before is None or before.sequence != sequence:
            self.close(number, newest)  # it got on, or was killed
            if sequence is not None and sequence < newest:
                self.open[number] = Open(sequence, newest)
        elif newest > before.newest and before.moved_at is None:
            before.moved_at = time.monotonic()

    def close(self, number, newest):
        begun = self.open.pop(number, None)
        if begun is not None:
            at = time.monotonic()
            self.found[number].append(Standstill(
                at - (begun.moved_at or at), at - begun.at,
                newest - begun.newest, begun.sequence, begun.wall, now()))

    def sequence_of(self, number):
        port = self.fleet.ports.get(number)
        if port is None:
            return None
        try:
            connection = Connection(port)
        except OSError:
            return None
        try:
            connection.request("GET", "/metrics", {"Connection": "close"})
            for line in connection.response(seconds=5).text.splitlines():
                if line.startswith("tidings_stream_sequence "):
                    return int(float(line.split(" ")[1]))
        except (OSError, CutOff, TimedOut, AssertionError):
            return None
        finally:
            connection.close()
        return None

    def end(self):
        self.is_over.set()
        self.join()
        for number in self.found:
            self.close(number, self.fleet.newest)

    def longest(self, number):
        return max(self.found[number], default=None)

    def worst(self):
        return ", ".join(
            f"{world.directory.name} {worst.seconds:.1f} s, {worst.late:.1f} s "
            f"of it while the stream moved on"
            for number, world in enumerate(self.worlds)
            for worst in [self.longest(number)] if worst is not None)

    def report(self):
        lines = []
        for number, world in enumerate(self.worlds):
            worst = self.longest(number)
            if worst is None:
                continue
            lines.append(f"{world.directory.name} stood still for "
                         f"{worst.seconds:.1f} s, {worst.late:.1f} s of it "
                         f"while the stream moved on by {worst.taken}, from "
                         f"{worst.began:%H:%M:%S.%f} at {worst.sequence}:")
            lines += [f"  {line}" for line in world.output().splitlines()
                      if is_within(line, worst)][-LINES:]
        return "\n".join(lines)


def is_within(line, standstill):
    stamp = line.partition("time=")[2][:24]
    try:
        at = datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    except ValueError:
        return False
    return standstill.began <= at <= standstill.ended + \
        datetime.timedelta(seconds=1)
