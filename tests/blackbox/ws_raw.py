"""ws_raw.py -- RFC 6455 as bytes: a client that can send anything.

WebSocket is a connection after its upgrade. What is sent need not be right:
frame() has a switch for each bit. What is received is checked strictly: frames
of the server are final, without mask, without reserved bits, with the shortest
length, and text is UTF-8.

    upgrade()          the handshake; a refusal is given as a Response
    send_text/ping/close, send_frame, send_raw
    next_frame()       (opcode, payload) of whatever comes next
    next()             the next text; pings before it are answered and counted
    is_closed()        waits for the server's close: (code, reason)
"""

import base64
import hashlib
import json

from patience import Deadline

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = base64.b64encode(b"the sample nonce").decode()
SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MASK = bytes((0x37, 0xfa, 0x21, 0x3d))


def accept_of(key):
    return base64.b64encode(
        hashlib.sha1((key + SUFFIX).encode()).digest()).decode()


def frame(opcode, payload=b"", final=True, reserved=0, mask=MASK,
          length_bytes=None, claimed=None):
    """The bytes of one frame. `length_bytes`: 0, 2 or 8 instead of the shortest
    form; `claimed`: another length than the payload's; `mask`: None for none."""
    payload = payload.encode() if isinstance(payload, str) else bytes(payload)
    length = len(payload) if claimed is None else claimed
    if length_bytes is None:
        length_bytes = 0 if length < 126 else 2 if length < 65536 else 8
    form = {0: length, 2: 126, 8: 127}[length_bytes]
    head = bytes(((0x80 if final else 0) | reserved << 4 | opcode,
                  (0x80 if mask is not None else 0) | form))
    if length_bytes:
        head += length.to_bytes(length_bytes, "big")
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[i % 4]
                               for i, byte in enumerate(payload))


def close_payload(code, reason=b""):
    reason = reason.encode() if isinstance(reason, str) else reason
    return (b"" if code is None else code.to_bytes(2, "big")) + reason


def ids_of(events):
    return [event["id"] for event in events]


def upgrade_headers(**changes):
    """The headers of a right handshake; a change to None leaves one out."""
    headers = {"Upgrade": "websocket", "Connection": "Upgrade",
               "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": KEY}
    headers.update({name.replace("_", "-"): value
                    for name, value in changes.items()})
    return headers


class WebSocket:
    def __init__(self, connection, target, headers=(), method="GET",
                 version="1.1"):
        self.connection = connection
        connection.request(method, target,
                           {**upgrade_headers(), **dict(headers)},
                           version=version)
        self.head = connection.head()
        self.pings = 0
        self.end = None
        self.has_closed = False

    @property
    def status(self):
        return self.head.status

    @property
    def headers(self):
        return self.head.headers

    def check_upgraded(self):
        headers = self.headers
        assert self.status == 101, self.head
        assert headers["Upgrade"].lower() == "websocket", self.head
        assert headers["Connection"].lower() == "upgrade", self.head
        assert headers["Sec-WebSocket-Accept"] == accept_of(KEY), self.head
        assert "Sec-WebSocket-Extensions" not in headers, self.head
        assert "Content-Length" not in headers, self.head
        assert "Transfer-Encoding" not in headers, self.head
        return self

    # ---- sending -------------------------------------------------------

    def send_raw(self, data):
        self.connection.send(data)

    def send_frame(self, opcode, payload=b"", **how):
        self.send_raw(frame(opcode, payload, **how))

    def send_text(self, text):
        self.send_frame(TEXT, text)

    def say(self, **members):
        """One JSON object: say(subscribe=["a"], after=12)."""
        self.send_text(json.dumps(members))

    def ping(self, payload=b""):
        self.send_frame(PING, payload)

    def close(self, code=1000, reason=""):
        self.has_closed = True
        self.send_frame(CLOSE, close_payload(code, reason))

    # ---- receiving -----------------------------------------------------

    def next_frame(self, seconds=None, what="a frame"):
        deadline = Deadline(seconds)
        take = self.connection.take_exactly
        first, second = take(2, deadline, what)
        assert first & 0x80, "a server's frame that is not final"
        assert not first & 0x70, "a server's frame with reserved bits"
        assert not second & 0x80, "a server's frame with a mask"
        opcode, length = first & 0x0f, second
        if length == 126:
            length = int.from_bytes(take(2, deadline, what), "big")
            assert length >= 126, "a length in more bytes than it needs"
        elif length == 127:
            length = int.from_bytes(take(8, deadline, what), "big")
            assert 65536 <= length < 2 ** 63, "a length that is not shortest"
        assert opcode in (TEXT, CLOSE, PING, PONG), opcode
        assert opcode == TEXT or length <= 125, "a long control frame"
        payload = take(length, deadline, what) if length else b""
        if opcode == TEXT:
            payload.decode("utf-8")
        return opcode, payload

    def next(self, seconds=None):
        """The next text; pings are answered, pongs passed over."""
        while True:
            opcode, payload = self.next_frame(seconds, "a text")
            if opcode == TEXT:
                return payload.decode("utf-8")
            if opcode == PING:
                self.pings += 1
                self.send_frame(PONG, payload)
            assert opcode != CLOSE, f"closed: {self.read_close(payload)}"

    def next_json(self, seconds=None):
        return json.loads(self.next(seconds))

    def take(self, count):
        return [self.next_json() for _ in range(count)]

    def next_pong(self):
        """The next frame must be a pong: its payload."""
        opcode, payload = self.next_frame(what="a pong")
        assert opcode == PONG, (opcode, payload)
        return payload

    def read_close(self, payload):
        assert len(payload) != 1, payload
        code = int.from_bytes(payload[:2], "big") if payload else None
        return code, payload[2:].decode("utf-8")

    def is_closed(self):
        """Waits for the server's close frame, which must come next; answers it
        if it is the first, and waits for the end of the connection."""
        opcode, payload = self.next_frame(what="a close")
        assert opcode == CLOSE, (opcode, payload[:200])
        self.end = self.read_close(payload)
        if not self.has_closed:
            self.connection.try_send(frame(CLOSE, payload))
        assert self.connection.is_ended()
        assert not self.connection.buffer, bytes(self.connection.buffer)
        return self.end

    def meet(self, mark=b"here"):
        """Meeting point: everything sent so far was taken by the server."""
        self.ping(mark)
        texts = []
        while True:
            opcode, payload = self.next_frame(what="the pong of meet()")
            if opcode == PONG and payload == mark:
                return texts
            assert opcode == TEXT, (opcode, payload)
            texts.append(json.loads(payload))

