"""strict.py -- readers that share nothing with the server or its other tests, and
take nothing that was not meant.

check_answer    the head of an answer: its lines and their names
events_of       an event stream: blocks of exactly the fields that we send
check_log_line  a line of the log, as text or JSON
nats_commands   what a client said to NATS, command by command
"""

import json
import re

HEADERS = {
    b"date", b"connection", b"content-type", b"content-length", b"allow",
    b"x-content-type-options", b"cache-control", b"expires", b"vary", b"etag",
    b"x-accel-buffering", b"last-event-id", b"x-ps-reconnect-in", b"retry-after",
    b"x-shortpoll-info", b"transfer-encoding", b"www-authenticate",
    b"x-tidings-keepalive", b"content-security-policy", b"referrer-policy",
    b"x-frame-options", b"tidings-session", b"x-tidings-session"}
LOG_KEYS = {"time", "level", "chapter", "what"}
TIME = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
WORD = r'(?:[^\s"=\\\x00-\x20\x7f-\xff]+|"(?:[^"\\\x00-\x1f\x7f]|\\u[0-9a-f]{4})*")'
TEXT_LINE = re.compile(
    rf'time={TIME} level=(?:debug|info|warn|error) chapter=[a-z-]+ what={WORD}'
    rf'(?: [a-z_]+={WORD})*\Z')


def check_answer(head):
    """Of the bytes before the empty line; gives the status and the headers."""
    first, *lines = head.split(b"\r\n")
    match = re.fullmatch(rb"HTTP/1\.1 (\d{3}) [A-Za-z ]+", first)
    assert match, first
    headers = {}
    for line in lines:
        name, colon, value = line.partition(b": ")
        assert colon and name.lower() in HEADERS, line
        assert name.lower() not in headers, f"twice: {line}"
        assert re.fullmatch(rb"[\x20-\x7e]*", value), line
        headers[name.lower()] = value
    return int(match.group(1)), headers


def events_of(stream):
    """(id, type, data) of each block; comments and retry: are passed over."""
    block = []
    for line in stream.split("\n"):
        assert "\r" not in line
        if line == "":
            if block:
                yield event_of(block)
            block = []
        elif line != ":" and not re.fullmatch(r"retry: \d+", line):
            block.append(line)
    assert not block, block


def event_of(block):
    kind, data = "", []
    lines = list(block)
    if lines[0].startswith("event: "):
        kind = lines.pop(0)[len("event: "):]
    while lines and lines[0].startswith("data: "):
        data.append(lines.pop(0)[len("data: "):])
    assert data and len(lines) == 1, block
    number = re.fullmatch(r"id: (\d+)", lines[0])
    assert number, block
    return int(number.group(1)), kind, "\n".join(data)


def check_log_line(line, is_json):
    if is_json:
        fields = json.loads(line)
        assert LOG_KEYS <= set(fields) and fields["level"] != "evil"
        assert all(re.fullmatch("[a-z_]+", name) for name in fields), line
    else:
        assert TEXT_LINE.match(line), line


def nats_commands(said):
    """(verb, subject, reply) of each command; payloads are skipped by their
    length, as NATS does."""
    at = 0
    while at < len(said):
        end = said.index(b"\r\n", at)
        verb, *words = said[at:end].split(b" ")
        at = end + 2
        if verb in (b"PUB", b"HPUB"):
            at += int(words[-1]) + 2
            assert said[at - 2:at] == b"\r\n", words
            count = 1 if verb == b"PUB" else 2
            reply = words[1] if len(words) > count + 1 else None
            yield verb, words[0], reply
        elif verb in (b"SUB", b"UNSUB"):
            yield verb, words[0], None
        else:
            assert verb in (b"PING", b"PONG", b"CONNECT"), (verb, words)
