"""http_raw.py -- HTTP as bytes on a socket.

No library stands between the tests and the wire, so malformed requests can be
sent and every byte of an answer is seen. Reading is strict: a chunk size that
is not hexadecimal, a missing CR LF, a body after HEAD is an error of the test.

Connection   one TCP connection: send(), request(), response(), is_ended().
Response     status, headers and body of one answer.
Body         the decoded body of an answer that goes on, taken piece by piece.
"""

import json
import socket
import ssl
import zlib

from patience import Deadline, TimedOut


class CutOff(AssertionError):
    """The connection ended in the middle of something."""


class Headers(dict):
    """Lower-case names; a repeated name keeps all values, joined by comma."""

    @classmethod
    def parse(cls, lines):
        headers = cls()
        for line in lines:
            name, colon, value = line.partition(b":")
            assert colon and name == name.strip(), f"bad header line {line!r}"
            name = name.decode("ascii").lower()
            value = value.strip().decode("utf-8")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return headers

    def __getitem__(self, name):
        return super().__getitem__(name.lower())

    def __contains__(self, name):
        return super().__contains__(name.lower())

    def get(self, name, default=None):
        return super().get(name.lower(), default)


class Response:
    def __init__(self, version, status, headers, body=b""):
        self.version = version
        self.status = status
        self.headers = headers
        self.body = body

    def __repr__(self):
        return f"<{self.status} {dict(self.headers)} {self.body[:500]!r}>"

    @property
    def text(self):
        return self.body.decode("utf-8")

    def json(self):
        return json.loads(self.body.decode("utf-8"))

    @property
    def error(self):
        """The code of an error answer, whose form is checked (section 8)."""
        problem = self.json()
        assert isinstance(problem["error"], str) and problem["error"], self
        assert isinstance(problem["message"], str) and problem["message"], self
        assert "json" in self.headers["Content-Type"], self
        return problem["error"]


def format_request(method, target, headers=(), body=None, version="1.1"):
    """The bytes of a request. Header values may be None: then left out."""
    given = dict(headers)
    lines = [f"{method} {target} HTTP/{version}"]
    if "Host" not in given:
        lines.append("Host: localhost")
    for name, value in given.items():
        if value is not None:
            lines.append(f"{name}: {value}")
    if body is not None and "Transfer-Encoding" not in given \
            and "Content-Length" not in given:
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join(lines) + "\r\n\r\n"
    return head.encode("utf-8") + (body or b"")


class Connection:
    def __init__(self, port, receive_buffer=None, host="127.0.0.1",
                 source=None, tls=None):
        """`tls`: an ssl.SSLContext, or None."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                   receive_buffer)
        self.socket.settimeout(Deadline().left("a connection"))
        if source is not None:
            self.socket.bind((source, 0))
        self.socket.connect((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.is_at_end = False
        if tls is not None:
            self.shake_hands(tls)

    def shake_hands(self, tls):
        """A server that hangs up at once has ended the connection: what a test
        does with it then says so."""
        try:
            self.socket = tls.wrap_socket(self.socket,
                                          server_hostname="localhost")
        except (ConnectionResetError, ssl.SSLZeroReturnError,
                ssl.SSLEOFError):
            self.is_at_end = True

    # ---- sending -------------------------------------------------------

    def end_sending(self):
        """Half a close, without a word of TLS."""
        socket.socket.shutdown(self.socket, socket.SHUT_WR)

    def send(self, data):
        self.socket.settimeout(Deadline().left("room to send"))
        self.socket.sendall(data)

    def try_send(self, data):
        """For talking to a server that may have hung up: says if it took it."""
        if self.is_at_end:
            return False
        try:
            self.send(data)
            return True
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            return False

    def request(self, method, target, headers=(), body=None, version="1.1"):
        self.send(format_request(method, target, headers, body, version))

    # ---- receiving -----------------------------------------------------

    def fill(self, deadline, what):
        """One read. False at the end of the connection."""
        if self.is_at_end:
            return False
        self.socket.settimeout(deadline.left(what))
        try:
            data = self.socket.recv(262144)
        except socket.timeout:
            raise TimedOut(f"waited in vain for {what}; "
                           f"so far: {bytes(self.buffer[-500:])!r}") from None
        except ConnectionResetError:
            data = b""
        if not data:
            self.is_at_end = True
            return False
        self.buffer += data
        return True

    def is_answered(self):
        """Waits for the first bytes (true) or the end (false)."""
        return bool(self.buffer) or \
            self.fill(Deadline(), "an answer or the end")

    def take_until(self, mark, deadline, what):
        while mark not in self.buffer:
            if not self.fill(deadline, what):
                raise CutOff(f"connection ended before {what}; "
                             f"got {bytes(self.buffer)!r}")
        text, _, rest = bytes(self.buffer).partition(mark)
        self.buffer = bytearray(rest)
        return text

    def take_exactly(self, count, deadline, what):
        while len(self.buffer) < count:
            if not self.fill(deadline, what):
                raise CutOff(f"connection ended inside {what}; "
                             f"got {bytes(self.buffer)!r}")
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def head(self, seconds=None):
        """Status line and headers of the next answer."""
        deadline = Deadline(seconds)
        text = self.take_until(b"\r\n\r\n", deadline, "the head of an answer")
        first, *lines = text.split(b"\r\n")
        version, status, reason = first.decode("ascii").split(" ", 2)
        assert version in ("HTTP/1.1", "HTTP/1.0"), f"bad status line {first!r}"
        assert reason != "Other", f"a status without its words: {first!r}"
        return Response(version, int(status), Headers.parse(lines))

    def response(self, method="GET", seconds=None):
        """The next answer with all of its body. `100 Continue` is skipped and
        noted in `continues`."""
        response = self.head(seconds)
        continues = 0
        while response.status == 100:
            continues += 1
            response = self.head(seconds)
        response.continues = continues
        if method != "HEAD" and response.status not in (204, 304):
            body = Body(self, response)
            while body.more(seconds=seconds):
                pass
            response.body = bytes(body.taken)
        return response

    def is_ended(self, seconds=None):
        """Waits for the server to close; what still comes stays in buffer."""
        deadline = Deadline(seconds)
        while self.fill(deadline, "the server to close the connection"):
            pass
        return True

    def close(self):
        self.socket.close()


class Body:
    """The body of an answer: by length, by chunks, or up to the end; unpacked
    when it is gzip. `taken` grows with each more()."""

    def __init__(self, connection, response):
        self.connection = connection
        self.taken = bytearray()
        self.is_complete = False  # ended as its framing says
        headers = response.headers
        self.unpack = None
        if headers.get("Content-Encoding") == "gzip":
            self.unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)
        if "Transfer-Encoding" in headers:
            assert headers["Transfer-Encoding"] == "chunked", response
            assert "Content-Length" not in headers, response
            assert response.version == "HTTP/1.1", response
            self.read = self._read_chunk
        elif "Content-Length" in headers:
            self.left = int(headers["Content-Length"])
            self.read = self._read_length
        else:
            self.read = self._read_to_end

    def more(self, deadline=None, seconds=None, what="more of the body"):
        """Reads a piece. False at the end of the body."""
        if self.is_complete:
            return False
        piece = self.read(deadline or Deadline(seconds), what)
        if piece is None:
            return False
        self.taken += self.unpack.decompress(piece) if self.unpack else piece
        return True

    def _read_chunk(self, deadline, what):
        if not self.connection.buffer:
            if not self.connection.fill(deadline, what):
                return None  # is_complete stays false
        size = self.connection.take_until(b"\r\n", deadline, "a chunk's size")
        assert size and all(c in b"0123456789abcdefABCDEF" for c in size), size
        count = int(size, 16)
        data = self.connection.take_exactly(count + 2, deadline, "a chunk")
        assert data.endswith(b"\r\n"), data[-20:]
        if count == 0:
            self.is_complete = True
            return None
        return data[:-2]

    def _read_length(self, deadline, what):
        if self.left == 0:
            self.is_complete = True
            return None
        if not self.connection.buffer:
            if not self.connection.fill(deadline, what):
                raise CutOff("connection ended inside a body")
        count = min(self.left, len(self.connection.buffer))
        self.left -= count
        return self.connection.take_exactly(count, deadline, what)

    def _read_to_end(self, deadline, what):
        if not self.connection.buffer:
            if not self.connection.fill(deadline, what):
                self.is_complete = True
                return None
        return self.connection.take_exactly(len(self.connection.buffer),
                                            deadline, what)
