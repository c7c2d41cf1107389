"""Random strings through every input of a real server with NATS: nothing becomes
an SSE field, a header, a line of the log, or a command to NATS.

TIDINGS_INJECTIONS says how many strings; by hand 100,000. Each goes through one
input of the table in turn, half of them to a server whose log is text and half to
one whose log is JSON.
"""

import itertools
import json
import os
import re
from urllib.parse import quote_from_bytes

import pytest
from http_raw import Connection
from nasty import strings
from nats_raw import NatsClient
from patience import DEADLINE_S, Deadline, eventually
from strict import check_answer, check_log_line, events_of, nats_commands
from tap import Tap

COUNT = int(os.environ.get("TIDINGS_INJECTIONS", "10000"))
SEED = int(os.environ.get("TIDINGS_INJECTION_SEED", "1"))


def get(target, fields=b""):
    return b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n"


def post(target, body=b"x", fields=b"", method=b"POST"):
    return method + b" " + target + b" HTTP/1.1\r\nHost: a\r\n" + fields + \
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def quoted(text):
    return quote_from_bytes(text[:1500], safe="").encode()


def poll(rest):
    return b"/events/evil?flavor=short-poll&" + rest


def words(text):
    return text.decode("utf-8", "replace")


def line(**members):
    return post(b"/publish/evil", json.dumps({"data": "x", **members}).encode()
                + b"\n", b"Content-Type: application/x-ndjson\r\n")


HTTP_INPUTS = {
    "data": lambda s: post(b"/publish/evil", s),
    "type in the query": lambda s: post(b"/publish/evil?type=" + quoted(s)),
    "key in the query": lambda s: post(b"/publish/evil?key=" + quoted(s)),
    "channel in the path": lambda s: post(b"/publish/" + quoted(s)),
    "id in the path": lambda s: post(b"/publish/evil/" + quoted(s), method=b"PUT"),
    "data of a line": lambda s: line(data=words(s)),
    "type of a line": lambda s: line(type=words(s)),
    "channel of a line": lambda s: line(channel=words(s)),
    "key of a line": lambda s: line(key=words(s)),
    "a whole line": lambda s: post(b"/publish/evil", s, b"Content-Type: application/x-ndjson\r\n"),
    "selector": lambda s: get(b"/events/" + quoted(s) + b"?flavor=short-poll"),
    "selector in the query": lambda s: get(b"/events?flavor=short-poll&channel=" + quoted(s)),
    "wait key": lambda s: get(b"/events/evil/" + quoted(s) + b"?flavor=short-poll"),
    "position": lambda s: get(poll(b"last_event_id=" + quoted(s))),
    "flavor": lambda s: get(b"/events/evil?flavor=" + quoted(s)),
    "session": lambda s: get(poll(b"session=" + quoted(s))),
    "session in the path": lambda s: get(b"/sessions/" + quoted(s)),
    "acknowledgement": lambda s: post(b"/sessions/x/ack", s, b"Content-Type: application/json\r\n"),
    "token": lambda s: get(poll(b"token=" + quoted(s))),
    "unknown parameter": lambda s: get(poll(quoted(s) + b"=" + quoted(s))),
    "match": lambda s: get(b"/channels?match=" + quoted(s)),
    "channel of the list": lambda s: get(b"/channels/" + quoted(s)),
    "path": lambda s: get(b"/" + quoted(s)),
    "raw target": lambda s: get(b"/" + s),
    "form": lambda s: post(b"/events/evil", b"flavor=short-poll&last_event_id=" + s, b"Content-Type: application/x-www-form-urlencoded\r\n"),
    "shutdown": lambda s: post(b"/admin/shutdown", s, b"Content-Type: application/json\r\n"),
    "Event-Type": lambda s: post(b"/publish/evil", fields=b"Event-Type: " + s + b"\r\n"),
    "Idempotency-Key": lambda s: post(b"/publish/evil", fields=b"Idempotency-Key: " + s + b"\r\n"),
    "Event-Time": lambda s: post(b"/publish/evil", fields=b"Event-Time: " + s + b"\r\n"),
    "Last-Event-ID": lambda s: get(poll(b""), b"Last-Event-ID: " + s + b"\r\n"),
    "Origin": lambda s: post(b"/publish/evil", fields=b"Origin: " + s + b"\r\n"),
    "Authorization": lambda s: get(poll(b""), b"Authorization: Bearer " + s + b"\r\n"),
    "Cookie": lambda s: get(poll(b""), b"Cookie: tidings_token=" + s + b"\r\n"),
    "X-Forwarded-For": lambda s: get(poll(b""), b"X-Forwarded-For: " + s + b"\r\n"),
    "Content-Type": lambda s: post(b"/publish/evil", fields=b"Content-Type: " + s + b"\r\n"),
    "Accept-Encoding": lambda s: get(b"/demo/", b"Accept-Encoding: " + s + b"\r\n"),
    "Host": lambda s: b"GET /healthz HTTP/1.1\r\nHost: " + s + b"\r\n\r\n",
    "name of a header": lambda s: get(b"/healthz", s + b": x\r\n"),
    "method": lambda s: s + get(b"/healthz"),
}


def hpub(subject, name, value, data=b"x"):
    """A message with a header of these bytes; CR LF would be NATS's own."""
    value = value.replace(b"\r", b"\n")
    head = b"NATS/1.0\r\n" + name + b": " + value + b"\r\n\r\n"
    return b"HPUB %s %d %d\r\n%s%s\r\n" % (subject, len(head),
                                          len(head) + len(data), head, data)


def pub(subject, data, reply=b""):
    return b"PUB %s %s%d\r\n%s\r\n" % (subject, reply and reply + b" ",
                                      len(data), data)


def subject(text):
    """What NATS takes for a token of a subject: no blanks, dots at its ends,
    wildcards."""
    return re.sub(rb"[\s\x00.*>]+", b"_", text)[:200] or b"_"


NATS_INPUTS = {
    "data": lambda s: pub(b"events.evil", s),
    "subject": lambda s: pub(b"events." + subject(s), b"x"),
    "reply": lambda s: pub(b"events.evil", b"x", b"answers." + subject(s)),
    "reply of a refused one": lambda s: pub(b"events.evil", b"\xff", b"answers." + subject(s)),
    "envelope": lambda s: pub(b"events.evil", json.dumps({"type": words(s), "data": words(s)}).encode()),
    "Event-Type": lambda s: hpub(b"events.evil", b"Event-Type", s),
    "Nats-Msg-Id": lambda s: hpub(b"events.evil", b"Nats-Msg-Id", s),
    "Event-Time": lambda s: hpub(b"events.evil", b"Event-Time", s),
}


class Asker:
    """Asks one thing after another, on as few connections as the answers let."""

    def __init__(self, world):
        self.world = world
        self.connection = None
        self.answers = 0

    def ask(self, request):
        if self.connection is None:
            self.connection = Connection(self.world.port)
        self.connection.try_send(request)
        is_first = True
        while is_first or self.connection and self.connection.buffer:
            is_first = False
            self.take()

    def take(self):
        deadline = Deadline()
        head = self.connection.take_until(b"\r\n\r\n", deadline, "an answer")
        status, headers = check_answer(head)
        body = self.connection.take_exactly(
            int(headers[b"content-length"]), deadline, "a body")
        self.answers += 1
        if status >= 400:
            problem = json.loads(body)
            assert set(problem) <= {"error", "message"}, problem
            assert b"<" not in body, body
        if headers.get(b"connection") == b"close":
            assert self.connection.is_ended() and not self.connection.buffer
            self.connection.close()
            self.connection = None


def read_stream(world, last_id):
    """All events up to this id as a stream has them, by a reader of its own."""
    connection = Connection(world.port)
    fields = b"Accept: text/event-stream\r\nAccept-Encoding: identity\r\n"
    connection.send(get(b"/events/>"
                        b"?last_event_id=earliest", fields))
    connection.socket.settimeout(DEADLINE_S)
    raw = b""
    end = b"\nid: %d\n\n\r\n" % last_id
    while end not in raw[-200:]:
        piece = connection.socket.recv(1 << 20)
        assert piece, raw[-500:]
        raw += piece
    connection.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    check_answer(head)
    return unchunked(body).decode("utf-8")


def unchunked(body):
    out, at = [], 0
    while at < len(body):
        end = body.index(b"\r\n", at)
        size = int(body[at:end], 16)
        out.append(body[end + 2:end + 2 + size])
        at = end + 2 + size
        assert body[at:at + 2] == b"\r\n"
        at += 2
    return b"".join(out)


def check_events(world, last_id):
    """The streams' events are those of the journal, in number and in content."""
    stored = {}
    for event in world.dump():
        data = event["data"].replace("\r\n", "\n").replace("\r", "\n")
        stored[event["id"]] = (event["type"], data)
    seen = list(events_of(read_stream(world, last_id)))
    assert len(seen) == len(stored) > 0
    for number, kind, data in seen:
        assert (kind, data) == stored[number], number
    return len(seen)


def expected(verb, name):
    if verb in (b"SUB", b"UNSUB"):
        return True
    return bool(re.match(rb"(events_rejected\.[a-z_0-9]+|answers\.\S+)\Z", name))


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_nothing_becomes_what_it_is_not(idle_world, nats_server, log_format):
    world = idle_world
    tap = Tap(nats_server.port)
    world.start(nats=f"nats://127.0.0.1:{tap.port}", log_format=log_format,
                log_level="debug", shutdown="", sessions_max=10000000)
    world.wait_until_ready()
    asker = Asker(world)
    client = NatsClient(nats_server.port)
    inputs = list(HTTP_INPUTS.values()) + list(NATS_INPUTS.values())
    count = COUNT // 2
    thrown = strings(count, f"{SEED}{log_format}")
    sent_to_nats = 0
    for text, form in zip(thrown, itertools.cycle(inputs)):
        if form in NATS_INPUTS.values():
            client.send(form(text))
            sent_to_nats += 1
        elif form is not HTTP_INPUTS["shutdown"] or b"until" not in text:
            asker.ask(form(text))
    client.flush()
    eventually(lambda: world.metrics()["nats_received"] >= sent_to_nats,
               "all that was sent by NATS")
    last_id = world.publish("evil", "the last one")
    events = check_events(world, last_id)
    world.stop()
    client.close()

    lines = world.log.read_bytes().decode("utf-8").split("\n")
    assert lines.pop() == ""
    for one in lines:
        check_log_line(one, log_format == "json")
    commands = [command for said, _ in tap.taken()
                for command in nats_commands(said)]
    strange = [command for command in commands if not expected(*command[:2])]
    assert not strange, strange[:5]
    print(f"{count} strings: {asker.answers} answers, {events} events, "
          f"{len(lines)} lines of {log_format}, {sent_to_nats} messages, "
          f"{len(commands)} commands to NATS: nothing extra")
    tap.close()


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_what_is_logged_stays_on_its_line(idle_world, log_format):
    """A folder's name may be nearly anything, and is in the first line."""
    name = 'a" level=error what="x" \u2028\\'
    idle_world.start(log_format=log_format, data=idle_world.directory / name)
    idle_world.stop()
    lines = idle_world.log.read_bytes().decode("utf-8").split("\n")
    assert lines.pop() == "" and len(lines) >= 3
    for one in lines:
        check_log_line(one, log_format == "json")
