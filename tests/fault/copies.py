"""copies.py -- what each nats-server has on its disk, read without nats-server.

    read_store(directory, "EVENTS")     sequence -> Stored, of one server
    testimony = Testimony("EVENTS", {"n0": directory, ...})
    testimony.hear()                    now and again: what is there is remembered
    testimony.conclude()                once they have stopped
    testimony.contradictions(told)      sentences: what no honest servers have

A stream's messages lie in blocks, NUMBER.blk, one record after the other: length (its
top bit: there are headers), sequence, time, the subject and its length, headers,
data, eight bytes of checksum. A replica puts a message there once its group has agreed
upon it. So two replicas that ever had different messages at one sequence, or one that
has another than was acknowledged, have broken what JetStream promises, whatever those
who follow the stream have made of it. A copy that lacks the newest is only behind.
"""

import collections
import hashlib
import pathlib
import struct

HEAD = struct.Struct("<IQqH")
CHECKSUM_BYTES = 8
NO_MESSAGE = 3 << 62  # erased, or the mark of a deletion
EXAMPLES = 3
TAIL_BYTES = 64

Stored = collections.namedtuple("Stored", "time_ns key hash")


def records(block):
    """(end, sequence, Stored) of each, up to the first that is not whole: it is
    being written. The sequence is 0 where nothing is left."""
    at = 0
    while at + HEAD.size <= len(block):
        length, sequence, time_ns, subject_bytes = HEAD.unpack_from(block, at)
        has_headers, length = length >> 31, length & 0x7fffffff
        if length < HEAD.size + CHECKSUM_BYTES or at + length > len(block):
            return
        begin = at + HEAD.size + subject_bytes
        subject = block[at + HEAD.size:begin]
        if has_headers:
            begin += 4 + struct.unpack_from("<I", block, begin)[0]
        data = block[begin:at + length - CHECKSUM_BYTES]
        digest = hashlib.sha256(subject + b"\0" + data).digest()[:8]
        at += length
        yield at, 0 if sequence & NO_MESSAGE else sequence, Stored(
            time_ns, data.split(b" ")[0].decode("utf-8", "replace"), digest)


def blocks(directory, stream):
    place = pathlib.Path(directory) / "jetstream/$G/streams" / stream / "msgs"
    return sorted(place.glob("*.blk"), key=lambda path: int(path.stem))


def read_store(directory, stream):
    return {sequence: stored for path in blocks(directory, stream)
            for _, sequence, stored in records(path.read_bytes()) if sequence}


class Heard:
    """How much of a block was read, and how that ended."""

    def __init__(self):
        self.end = 0
        self.tail = b""

    def more(self, file):
        """What was added; all, if the block was written anew."""
        file.seek(self.end - len(self.tail))
        if file.read(len(self.tail)) != self.tail:
            self.end, self.tail = 0, b""
            file.seek(0)
        return file.read()


class Testimony:
    """All that the copies ever had, and what they have at the end."""

    def __init__(self, stream, directories):
        self.stream, self.directories = stream, directories
        self.first = {}  # sequence -> (Stored, who had it)
        self.others = collections.defaultdict(dict)  # likewise, if different
        self.heard = collections.defaultdict(Heard)  # block -> what of it
        self.last = {}  # server -> sequence -> Stored

    def hear(self):
        for server, directory in self.directories.items():
            for path in blocks(directory, self.stream):
                try:
                    with open(path, "rb") as file:
                        self.hear_block(server, self.heard[path], file)
                except FileNotFoundError:  # the server has just removed it
                    continue

    def hear_block(self, server, heard, file):
        more, end = heard.more(file), 0
        for end, sequence, stored in records(more):
            if sequence and self.first.setdefault(
                    sequence, (stored, server))[0] != stored:
                self.others[sequence].setdefault(stored, server)
        if end > 0:
            heard.end += end
            heard.tail = more[max(0, end - TAIL_BYTES):end]

    def stories(self, sequence):
        """Every message that was ever there, and who had it."""
        if sequence in self.first:
            yield self.first[sequence]
        yield from self.others.get(sequence, {}).items()

    def conclude(self):
        self.hear()
        self.last = {server: read_store(directory, self.stream)
                     for server, directory in self.directories.items()}

    def contradictions(self, told):
        """told: key -> sequence, as it was acknowledged. Each kind's count comes
        with some examples."""
        return [f"{len(found)} {kind}: {'; '.join(found[:EXAMPLES])}"
                for kind, found in (
                    ("sequences with several messages", self.two_messages()),
                    ("acknowledged, but with another message",
                     self.other_messages(told)),
                    ("acknowledged, but in no copy", self.nowhere(told)))
                if found]

    def two_messages(self):
        return [f"{sequence} is " + " and ".join(
                    f"{stored.key} {stored.hash.hex()} {stored.time_ns} on "
                    f"{server}" for stored, server in self.stories(sequence))
                for sequence in sorted(self.others)]

    def other_messages(self, told):
        return [f"{sequence} was {key}, is {stored.key} {stored.hash.hex()} on "
                f"{server}"
                for key, sequence in told.items()
                for stored, server in self.stories(sequence)
                if stored.key != key]

    def nowhere(self, told):
        return [f"{key} at {sequence}" for key, sequence in told.items()
                if not any(sequence in copy for copy in self.last.values())]
