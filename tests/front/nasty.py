"""nasty.py -- random strings that would like to be something else.

strings(count, seed)    bytes, made of pieces that end lines, fields, commands,
                        quotes and tags in some format that is spoken here, of
                        bytes that are no UTF-8, and now and then very many of
                        them. The same seed gives the same strings.
"""

import random

PIECES = [piece.encode("utf-8") for piece in (
    "\r", "\n", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "\0", "\t", "\x0b", "\x1f",
    "\x7f", "\x1b[2J", "\x1b]0;evil\x07", "\u0085", "\u2028", "\u2029",
    "\ufeff", "\u202e", "\U0001f9c0", "è", " ", "  ", ":", ": ", ",", ";", "=",
    "&", "?", "#", "/", "//", "..", "%", "%0d%0a", "%00", "*", ">", ".>", "\"",
    "'", "\\", "\\n", "\\u000a", "{", "}", "[", "]", "data: evil", "id: 1",
    "event: evil", "retry: 1", "data:", "id:\n", ":\n\n",
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</script>",
    "]]>", "&lt;", "javascript:alert(1)", "HTTP/1.1 200 OK\r\n",
    "Set-Cookie: evil=1", "X-Evil: 1", "\r\nX-Evil: 1\r\n",
    "PUB events.evil 1\r\nx\r\n", "+OK\r\n", "SUB > 9\r\n", "NATS/1.0\r\n",
    "level=error what=evil", "time=2026-01-01T00:00:00.000Z level=error",
    "{\"level\":\"error\"}", "tidings.gap", "news", "a", "b", "1", "-1",
    "last-5", "earliest", "{\"a\":1}", "Bearer x", "$(id)", "`id`", "%s%n",
    "../../etc/passwd")] + [
    b"\xff", b"\xfe", b"\x80", b"\xc0\xaf", b"\xc0\x8a", b"\xe0\x80\x8a",
    b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x80", b"\xc2"]


def strings(count, seed):
    chosen = random.Random(seed)
    for _ in range(count):
        pieces = chosen.choices(PIECES, k=chosen.randint(1, 8))
        if chosen.random() < 0.01:
            pieces *= chosen.randint(10, 60)
        yield b"".join(pieces)[:4000]
