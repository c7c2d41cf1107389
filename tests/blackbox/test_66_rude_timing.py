"""Clients whose timing is rude: design.md 1.2 (replaying and live), 5 (states).

Each of these met two things at once that the other tests bring one at a time.
"""

import json
import select
import ssl

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


# ---- positions -------------------------------------------------------------

@pytest.mark.parametrize("first", ["own", "plain"])
def test_positions_per_channel_do_not_change_what_others_get(world, first):
    """protocol.md 1: {"a":12,"b":5} on one channel leaves out what it names;
    somebody else at the same place gets everything."""
    ids = [world.publish("a", str(n)) for n in range(10)]
    own = json.dumps({"a": ids[5], "b": ids[0]})
    wanted = {own: ids[6:], str(ids[0]): ids[1:]}
    for position in sorted(wanted, reverse=first == "plain",
                           key=lambda p: p != own):
        stream = world.sse("/events/a", position)
        got = [int(stream.next().id) for _ in wanted[position]]
        assert got == wanted[position]


@pytest.mark.parametrize("selectors", ["a.*,a.b", "a.b,a.*", ">,a.*,a.b"])
def test_a_channel_with_a_position_is_covered_by_a_pattern_too(world,
                                                              selectors):
    """The pattern's other channels start at the latest, this one where its
    position says, in whichever order they are named."""
    ids = [world.publish("a.b", str(n)) for n in range(10)]
    world.publish("a.c", "not this")
    stream = world.sse(f"/events/{selectors}", json.dumps({"a.b": ids[5]}))
    marker = world.publish("a.c", "marker")
    assert [int(event.id) for event in stream.take(5)] == ids[6:] + [marker]


# ---- pipelined requests ----------------------------------------------------

@serve(crew_threads=1)
def test_a_pipelined_poll_behind_a_long_search_is_answered(world):
    """The search takes several slices; the poll's bytes are looked at because
    more came, while the connection was already noted to be looked at."""
    first = world.publish("a", "x")
    for _ in range(14):
        world.publish_batch("a", [{"data": 1}] * 10000)
    connection = world.connect()
    connection.send(GOOD + f"GET /events/rare.*?timeout=1&last_id={first} "
                    "HTTP/1.1\r\nHost: a\r\n\r\n".encode() + GOOD * 6000)
    assert connection.response().status == 200
    answer = connection.response()
    assert answer.status == 200 and answer.json() == []


def _if_ready(call, argument):
    """TLS may have nothing for us although its socket has."""
    try:
        return call(argument)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return None



def test_pipelined_requests_do_not_pile_up_in_the_server(world):
    """A client that sends faster than it is answered is not read: what it sent
    lies in the kernel's buffers, not in the server's memory."""
    request = GOOD[:-2] + b"X: " + b"x" * 10000 + b"\r\n\r\n"
    connection = world.connect()
    client = connection.socket
    client.setblocking(False)
    rest, sent, answered, tail = b"", 0, 0, b""
    while sent < 60_000_000:
        readable, writable, _ = select.select([client], [client], [])
        if writable:
            rest = rest or request * 20
            count = _if_ready(client.send, rest) or 0
            rest, sent = rest[count:], sent + count
        if readable:
            tail += _if_ready(client.recv, 65536) or b""
            answered += tail.count(b"HTTP/1.1 200")
            tail = tail[tail.rfind(b"\n") + 1:]
        assert sent - answered * len(request) < 20_000_000


@serve(keepalive_ms=3600000)
@pytest.mark.parametrize("channel", ["a", "b", "c", "d"])
def test_a_stream_whose_client_talked_too_much_is_seen_to_end(world, channel):
    connection = world.connect()
    connection.send(f"GET /events/{channel} HTTP/1.1\r\nHost: a\r\n"
                    "Accept: text/event-stream\r\n\r\n".encode() + GOOD * 2000)
    world.wait_for_subscribers(1)
    world.hang_up(connection)
    world.wait_for_subscribers(0)


def test_a_refusal_after_a_head_request_has_its_body(world):
    connection = world.connect()
    connection.send(b"HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    assert connection.response("HEAD").status == 200
    connection.send(b"nonsense\r\n\r\n")
    assert connection.response().error


@pytest.mark.parametrize("version, word, is_kept", [
    ("1.0", "keep-alive", True), ("1.0", None, False),
    ("1.1", None, True), ("1.1", "close", False)])
def test_2_a_head_of_a_stream_says_whether_the_connection_ends(
        world, version, word, is_kept):
    connection = world.connect()
    connection.request("HEAD", "/events/a", {
        "Accept": "text/event-stream", "Connection": word}, None, version)
    said = connection.response("HEAD").headers.get("Connection", "")
    assert ("close" not in said) == is_kept
    if is_kept:
        connection.send(GOOD)
        assert connection.response().status == 200
    else:
        assert connection.is_ended()


# ---- stopping --------------------------------------------------------------

def _quiet_streams(world):
    """Streams whose sockets have nothing to read until they are told to go."""
    streams = [world.sse("/events/a") for _ in range(40)]
    for stream in streams:
        stream.wait_for_retry()
    return streams


def _wait_for_a_farewell(streams):
    sockets = [stream.connection.socket for stream in streams]
    eventually(lambda: select.select(sockets, [], [], 0)[0],
               "the first stream to be told")


@serve(drain_ms=60000)
def test_a_head_request_while_stopping_has_no_body(world):
    streams = _quiet_streams(world)
    connection = world.connect()
    connection.send(b"HEAD /healthz HTTP/1.1\r\nHos")
    world.ask_to_stop()
    _wait_for_a_farewell(streams)
    connection.try_send(b"t: a\r\n\r\n")
    if connection.is_answered():
        assert connection.head().status == 503
        assert connection.is_ended() and not connection.buffer
    for stream in streams:
        stream.ends()
    assert world.wait_for_end() == 0


@serve(drain_ms=60000)
def test_streams_end_politely_when_asked_twice(world):
    streams = _quiet_streams(world)
    world.ask_to_stop()
    _wait_for_a_farewell(streams)
    world.ask_to_stop()
    assert world.wait_for_end() == 0
    for stream in streams:
        stream.ends()
        assert stream.body.is_complete


# ---- a start that fails ----------------------------------------------------

def test_a_port_that_is_taken_is_said_and_nothing_worse(world):
    done = world.tidings("serve", "--listen", f"127.0.0.1:{world.port}",
                         "--data", world.directory / "other")
    assert done.returncode == 1, done
    said = (done.stdout + done.stderr).decode()
    assert "cannot start" in said and "this must hold" not in said


# ---- wait keys -------------------------------------------------------------

def test_4_a_comma_in_a_wait_key_is_no_channel(world):
    """The key `b,x` on channel a is not the key `x` on channels a and b."""
    holder = world.begin_poll("/events/a/b,x")
    world.wait_for_subscribers(1)
    other = world.begin_poll("/events/a,b/x")
    world.wait_for_subscribers(2)
    world.publish("a", "1")
    for poll in (holder, other):
        answer = world.poll_answer(poll)
        assert answer.headers["x-shortpoll-info"] == "true"
        assert len(answer.events) == 1
