"""streams.py -- answers that go on: Server-Sent Events, and lines of JSON.

Both are cursors over a Body. next() waits for the next event, whatever else
(comments, retry) comes before it is noted on the way. ends() waits for the end
of the stream and gives what came until then.

The parser of events is the one of the HTML standard: lines end with CR LF, CR
or LF; a block ends with an empty line; a last block without one is dropped.
"""

import json

from http_raw import Body
from patience import Deadline


class Event:
    def __init__(self, fields):
        self.id = None
        self.type = ""
        self.data = None
        data = []
        for name, value in fields:
            if name == "id":
                assert self.id is None, f"two ids in one block: {fields}"
                self.id = value
            elif name == "event":
                self.type = value
            elif name == "data":
                data.append(value)
        if data:
            self.data = "\n".join(data)

    def __repr__(self):
        return f"<event id={self.id} type={self.type!r} data={self.data!r}>"

    def json(self):
        return json.loads(self.data)


class Stream:
    """What Sse and Lines share: the connection and the undecoded text."""

    def __init__(self, connection):
        self.connection = connection
        self.head = connection.head()
        self.body = Body(connection, self.head)
        self.seen = 0  # bytes of body.taken that are parsed

    @property
    def headers(self):
        return self.head.headers

    @property
    def status(self):
        return self.head.status

    @property
    def raw(self):
        return bytes(self.body.taken)

    def response(self):
        """The whole answer, when the server refused to stream."""
        while self.body.more():
            pass
        self.head.body = self.raw
        return self.head

    def hang_up(self):
        self.connection.close()

    def more(self, deadline, what):
        return self.body.more(deadline, what=what)

    def take(self, count, seconds=None):
        return [self.next(seconds) for _ in range(count)]

    def ends(self):
        """Waits for the end of the stream; everything not yet taken."""
        rest = []
        while True:
            item = self.next_or_end(Deadline())
            if item is None:
                return rest
            rest.append(item)

    def next(self, seconds=None):
        item = self.next_or_end(Deadline(seconds))
        assert item is not None, f"the stream ended; last: {self.raw[-500:]!r}"
        return item


class Sse(Stream):
    def __init__(self, connection):
        super().__init__(connection)
        self.comments = []
        self.retries = []

    @property
    def retry(self):
        """The newest reconnection time that the server asked for, in ms."""
        return self.retries[-1] if self.retries else None

    def next_or_end(self, deadline):
        while True:
            block = self.next_block(deadline)
            if block is None:
                return None
            if block.data is not None:
                return block

    def next_block(self, deadline):
        """The fields up to the next empty line. None at the end."""
        fields = []
        while True:
            line = self.next_line(deadline)
            if line is None:
                return None
            if line == "":
                return Event(fields)
            self.note(line, fields)

    def note(self, line, fields):
        name, colon, value = line.partition(":")
        if value.startswith(" "):
            value = value[1:]
        if name == "" and colon:
            self.comments.append(value)
        elif name == "retry":
            assert value.isdigit(), f"retry: {value!r}"
            self.retries.append(int(value))
        else:
            assert name in ("id", "event", "data"), f"unknown field {line!r}"
            fields.append((name, value))

    def next_line(self, deadline):
        taken = self.body.taken
        while True:
            at = min((i for i in (taken.find(b"\n", self.seen),
                                  taken.find(b"\r", self.seen)) if i >= 0),
                     default=-1)
            # A CR at the very end may be half of a CR LF: read on.
            if at >= 0 and (taken[at] == 10 or at + 1 < len(taken)):
                line = bytes(taken[self.seen:at]).decode("utf-8")
                is_pair = taken[at:at + 2] == b"\r\n"
                self.seen = at + (2 if is_pair else 1)
                return line
            if not self.more(deadline, "an event"):
                return None

    def wait_for_comment(self, seconds=None):
        """Waits for a comment line that was not there yet and gives it."""
        before = len(self.comments)
        deadline = Deadline(seconds)
        fields = []
        while len(self.comments) == before:
            line = self.next_line(deadline)
            assert line is not None, "the stream ended"
            if line:
                self.note(line, fields)
        assert not fields, f"an event came before a comment: {fields}"
        return self.comments[-1]

    def wait_for_retry(self, seconds=None):
        """Waits until the first `retry:` was read."""
        deadline = Deadline(seconds)
        while not self.retries:
            line = self.next_line(deadline)
            assert line is not None, "the stream ended"
            if line:
                self.note(line, [])
        return self.retry


class Lines(Stream):
    """Flavor `lines`: each line one JSON text, given as text. Empty lines are
    counted: keep-alives."""

    empty = 0

    def next_or_end(self, deadline):
        taken = self.body.taken
        while True:
            at = taken.find(b"\n", self.seen)
            if at >= 0:
                line = bytes(taken[self.seen:at]).decode("utf-8")
                self.seen = at + 1
                if line:
                    return line
                self.empty += 1
            elif not self.more(deadline, "a line"):
                assert self.seen == len(taken), "a last line without its end"
                return None

    def next_json(self, seconds=None):
        return json.loads(self.next(seconds))
