"""Slow and rude clients: design.md 5 (lobby, deadlines), protocol.md 7 and 8.

Deadlines are made short by settings; the tests wait for the server to act, so
they are right on a slow machine too.
"""

import json
import socket

import pytest
from marks import serve
from patience import eventually
from streams import Lines

GOOD = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


def check_refused(connection, statuses=(400,)):
    """A problem answer, then the end of the connection."""
    response = connection.response()
    assert response.status in statuses, response
    assert response.error
    assert connection.is_ended()
    assert not connection.buffer, f"more after it: {bytes(connection.buffer)}"


# ---- slow -----------------------------------------------------------------

@serve(head_ms=300)
def test_a_head_that_drips_is_cut_off(world):
    """Each byte in time, the whole too late: no deadline per byte."""
    connection = world.connect()
    connection.socket.settimeout(0.02)
    for byte in b"GET / HTTP/1.1\r\nX: " + b"x" * 1000:
        try:
            connection.socket.send(bytes([byte]))
            if connection.socket.recv(65536) == b"":
                break
        except socket.timeout:
            pass
        except (BrokenPipeError, ConnectionResetError):
            break
    assert connection.is_ended()
    world.wait_for_metric("deadlines_missed", lambda figure: figure >= 1)


@serve(head_ms=200)
def test_a_connection_that_says_nothing_is_closed(world):
    assert world.connect().is_ended()


@serve(body_ms=300)
def test_a_body_that_does_not_come_is_cut_off(world):
    connection = world.connect()
    connection.send(b"POST /publish/news HTTP/1.1\r\nHost: a\r\n"
                    b"Content-Length: 10\r\n\r\nabc")
    assert connection.is_ended()
    assert world.dump() == []


@serve(idle_ms=200)
def test_an_idle_connection_is_closed(world):
    connection = world.connect()
    connection.send(GOOD)
    assert connection.response().status == 200
    assert connection.is_ended() and not connection.buffer


@serve(head_ms=60000, body_ms=60000)
def test_slow_clients_starve_nobody(world):
    for _ in range(200):
        world.connect().send(b"GET /events/ne")
        world.connect().send(b"POST /publish/news HTTP/1.1\r\nHost: a\r\n"
                             b"Content-Length: 5\r\n\r\nab")
    stream = world.sse("/events/news")
    world.publish("news", "x")
    assert stream.next().data == "x"


@serve(outbox_bytes=4096)
def test_a_stream_that_is_not_read_is_put_back_and_loses_nothing(world):
    """design.md 1.2: demoted to replaying; nothing lost, nothing twice."""
    slow = world.sse("/events/news", receive_buffer=4096)
    fast = world.sse("/events/news")
    ids = []
    for number in range(300):
        ids.append(world.publish("news", f"{number}".rjust(20000)))
        assert fast.next().id == str(ids[-1])
    world.wait_for_metric("demotions", lambda figure: figure >= 1)
    assert [int(event.id) for event in slow.take(300)] == ids
    world.publish("news", "marker")
    assert slow.next().data == fast.next().data == "marker"


@serve(outbox_bytes=4096)
def test_many_small_events_to_a_reader_that_stops_and_goes(world):
    slow = world.sse("/events/>", receive_buffer=4096)
    ids = []
    for turn in range(30):
        ids += world.publish_batch(
            "news", [{"channel": f"c{n % 5}", "data": "x" * (n * 3)}
                     for n in range(500)])
        taken = turn * 200
        assert [int(e.id) for e in slow.take(200)] == ids[taken:taken + 200]
    assert [int(e.id) for e in slow.take(len(ids) - 6000)] == ids[6000:]


@serve(outbox_bytes=4096)
def test_lines_that_are_not_read_lose_nothing(world):
    connection = world.connect(receive_buffer=4096)
    connection.request("GET", "/events/news?xhr=1&envelope=1")
    slow = Lines(connection)
    ids = [world.publish("news", "x" * 20000) for _ in range(200)]
    assert [slow.next_json()["id"] for _ in ids] == ids


@serve(stall_ms=300)
def test_an_answer_that_is_not_taken_is_cut_off_but_never_a_stream(world):
    """The setting's words: (streams never)."""
    for _ in range(20):
        world.publish("news", "x" * 1000000)
    stream = world.sse("/events/news", "earliest", receive_buffer=4096)
    before = world.metrics()["deadlines_missed"]
    connection = world.connect(receive_buffer=4096)
    for _ in range(20):
        connection.request("GET", "/events/news?flavor=short-poll",
                           {"Last-Event-ID": "earliest"})
    world.wait_for_metric("deadlines_missed", lambda n: n > before,
                          "the stalled answer to be cut off")
    assert [len(event.data) for event in stream.take(20)] == [1000000] * 20


def test_a_client_that_vanishes_is_forgotten(world):
    for _ in range(10):
        world.sse("/events/news")
        world.begin_poll("/events/news")
    world.wait_for_subscribers(20)
    world.hang_up_all()
    world.wait_for_subscribers(0)


def test_a_reset_at_any_moment_does_no_harm(world):
    for cut in range(0, 90, 7):
        connection = world.connect()
        connection.send((b"POST /publish/news HTTP/1.1\r\nHost: a\r\n"
                         b"Content-Length: 40\r\n\r\n" + b"x" * 40)[:cut])
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                     b"\1\0\0\0\0\0\0\0")
        world.hang_up(connection)
    assert world.get("/healthz").status == 200


# ---- keep-alive and pipelining --------------------------------------------

def test_keep_alive_serves_many_requests(world):
    connection = world.connect()
    for _ in range(50):
        connection.send(GOOD)
        assert connection.response().status == 200


def test_pipelined_requests_are_answered_in_their_order(world):
    connection = world.connect()
    publishes = b"".join(
        b"POST /publish/news HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"
        b"%d" % number for number in range(10))
    connection.send(publishes + GOOD + b"GET /nowhere HTTP/1.1\r\nHost: a\r\n"
                    b"\r\n" + GOOD)
    ids = [connection.response().json()["id"] for _ in range(10)]
    assert ids == sorted(ids)
    assert [connection.response().status for _ in range(3)] == [200, 404, 200]
    assert [event["data"] for event in world.dump()] == \
        [f"{n}" for n in range(10)]


def test_a_request_may_come_in_single_bytes(world):
    connection = world.connect()
    for byte in (b"POST /publish/news HTTP/1.1\r\nHost: a\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"):
        connection.send(bytes([byte]))
    assert connection.response().status == 201
    assert world.dump()[0]["data"] == "abc"


@pytest.mark.parametrize("request_bytes, is_kept", [
    (GOOD, True),
    (b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", False),
    (b"GET /healthz HTTP/1.0\r\n\r\n", False),
])
def test_the_connection_ends_when_the_client_asks(world, request_bytes,
                                                  is_kept):
    connection = world.connect()
    connection.send(request_bytes)
    assert connection.response().status == 200
    if is_kept:
        connection.send(GOOD)
        assert connection.response().status == 200
    else:
        assert connection.is_ended()


def test_half_closed_clients_get_their_answer(world):
    connection = world.connect()
    connection.send(b"POST /publish/news HTTP/1.1\r\nHost: a\r\n"
                    b"Content-Length: 1\r\n\r\nx")
    connection.end_sending()
    assert connection.response().status == 201


def test_empty_lines_before_a_request_are_skipped(world):
    connection = world.connect()
    connection.send(b"\r\n" + GOOD)
    assert connection.response().status == 200


# ---- bodies ---------------------------------------------------------------

CHUNKED_HEAD = (b"POST /publish/news HTTP/1.1\r\nHost: a\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n")


@pytest.mark.parametrize("body, data", [
    (b"5\r\nhello\r\n0\r\n\r\n", "hello"),
    (b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc"),
    (b"0\r\n\r\n", ""),
    (b"5;ext=1\r\nhello\r\n0\r\n\r\n", "hello"),
    (b"A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n", "0123456789abcdefghij"),
    (b"1\r\na\r\n0\r\nTrailer: x\r\n\r\n", "a"),
])
def test_a_chunked_body_is_read(world, body, data):
    connection = world.connect()
    connection.send(CHUNKED_HEAD + body + GOOD)
    assert connection.response().status == 201
    assert connection.response().status == 200, "the next request"
    assert world.dump()[0]["data"] == data


@pytest.mark.parametrize("body", [
    b"x\r\n", b"-1\r\n", b"5\r\nhelloX", b"fffffffffffffffff\r\n", b"0x5\r\n",
    b"\r\n", b" 5\r\nhello\r\n", b"5\nhello\r\n0\r\n\r\n",
])
def test_a_malformed_chunk_is_refused(world, body):
    connection = world.connect()
    connection.send(CHUNKED_HEAD + body)
    check_refused(connection, (400, 413))
    assert world.dump() == []


def test_expect_100_continue(world):
    connection = world.connect()
    connection.send(b"POST /publish/news HTTP/1.1\r\nHost: a\r\n"
                    b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert connection.head().status == 100
    connection.send(b"hello")
    assert connection.response().status == 201
    assert world.dump()[0]["data"] == "hello"


@serve(body_max_bytes=1000)
def test_expect_100_continue_of_too_much_is_refused_before_it_is_sent(world):
    connection = world.connect()
    connection.send(b"POST /publish/news HTTP/1.1\r\nHost: a\r\n"
                    b"Content-Length: 5000\r\nExpect: 100-continue\r\n\r\n")
    assert connection.head().status == 413


@serve(body_max_bytes=1000)
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_7_a_body_too_big_is_refused(world, framing):
    connection = world.connect()
    if framing == "length":
        connection.send(b"POST /publish/news HTTP/1.1\r\nHost: a\r\n"
                        b"Content-Length: 1001\r\n\r\n")
    else:
        connection.send(CHUNKED_HEAD)
        connection.try_send(b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n")
    response = connection.response()
    assert response.status == 413 and response.error
    assert connection.is_ended()
    world.publish("news", "x" * 1000)


# ---- heads ----------------------------------------------------------------

def test_a_head_above_16_kib_is_431(world):
    connection = world.connect()
    connection.try_send(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: "
                        + b"x" * 20000 + b"\r\n\r\n")
    assert connection.response().status == 431
    assert connection.is_ended()


def test_more_than_64_headers_are_431(world):
    connection = world.connect()
    connection.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n"
                    + b"".join(b"X-%d: 1\r\n" % n for n in range(64)) + b"\r\n")
    check_refused(connection, (431,))


def test_a_long_target_is_414_or_431(world):
    connection = world.connect()
    connection.send(b"GET /" + b"x" * 10000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    check_refused(connection, (414, 431))


HOST = b"Host: a\r\n"
POST = b"POST /publish/news HTTP/1.1\r\n" + HOST
MALFORMED = {
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "no version": b"GET /\r\n\r\n",
    "version 2": b"GET / HTTP/2.0\r\n" + HOST + b"\r\n",
    "version 1.2": b"GET / HTTP/1.2\r\n" + HOST + b"\r\n",
    "http 2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "not http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\n" + HOST + b"X : 1\r\n\r\n",
    "folded header": b"GET / HTTP/1.1\r\n" + HOST + b"X: 1\r\n 2\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\n" + HOST + b"nonsense\r\n\r\n",
    "empty name": b"GET / HTTP/1.1\r\n" + HOST + b": 1\r\n\r\n",
    "nul in header": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n",
    "control in header": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x01b\r\n\r\n",
    "bare cr": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\rb\r\n\r\n",
    "bare lf": b"GET / HTTP/1.1\n" + HOST + b"\r\n\r\n",
    "bad method": b"G(T / HTTP/1.1\r\n" + HOST + b"\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
    "percent nul": b"GET /events/a%00b HTTP/1.1\r\n" + HOST + b"\r\n",
    "percent cr lf": b"GET /events/a%0d%0ab HTTP/1.1\r\n" + HOST + b"\r\n",
    "bad percent": b"GET /events/a%zz HTTP/1.1\r\n" + HOST + b"\r\n",
    "length and chunks": POST + b"Content-Length: 5\r\n"
                                b"Transfer-Encoding: chunked\r\n\r\n",
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "length 3abc": POST + b"Content-Length: 3abc\r\n\r\nabc",
    "length +3": POST + b"Content-Length: +3\r\n\r\nabc",
    "length -1": POST + b"Content-Length: -1\r\n\r\n",
    "huge length": POST + b"Content-Length: 99999999999999999999\r\n\r\n",
    "encoding space": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "encoding identity": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "encoding gzip": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "encoding twice": POST + b"Transfer-Encoding: chunked\r\n"
                             b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks in 1.0": b"POST /publish/news HTTP/1.0\r\n" + HOST
                     + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "other expectation": POST + b"Content-Length: 1\r\nExpect: x\r\n\r\nx",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_heads_are_refused_and_the_connection_closed(world, name):
    """What could smuggle a request (facts.md, parser weaknesses) gets a 4xx or
    505/501 and an end: a second request behind it is never served."""
    connection = world.connect()
    connection.try_send(MALFORMED[name] + b"POST /publish/smuggled HTTP/1.1\r\n"
                        b"Host: a\r\nContent-Length: 1\r\n\r\nx")
    response = connection.response()
    assert 400 <= response.status < 500 or response.status in (501, 505), \
        response
    assert connection.is_ended()
    assert not connection.buffer, bytes(connection.buffer)
    assert world.dump() == []


@pytest.mark.parametrize("head", [
    b"X:\r\n", b"X: \t a\tb \r\n", b"X:1\r\n", b"x-UTF: K\xc3\xa4se\r\n",
    b"Connection: keep-alive, x\r\n", b"Accept: */*\r\nAccept: a/b\r\n",
], ids=repr)
def test_strange_but_right_heads_are_served(world, head):
    connection = world.connect()
    for _ in range(2):
        connection.send(b"GET /healthz HTTP/1.1\r\nhost:a\r\n" + head + b"\r\n")
        assert connection.response().status == 200


def test_bytes_after_a_subscribe_do_no_harm(world):
    """A client that talks on a stream: ignored or closed, never served."""
    stream = world.sse("/events/news")
    stream.connection.try_send(b"POST /publish/news HTTP/1.1\r\nHost: a\r\n"
                               b"Content-Length: 8\r\n\r\nsmuggled")
    world.publish("news", "marker")
    events = [event["data"] for event in world.dump()]
    assert events == ["marker"]


def test_a_bad_request_error_is_json(world):
    connection = world.connect()
    connection.send(b"GET / HTTP/1.1\r\n\r\n")
    response = connection.response()
    assert set(json.loads(response.body)) >= {"error", "message"}
    assert "Content-Length" in response.headers
    assert "close" in response.headers["Connection"].lower()


@serve(connections_max=20, connections_reserve=0)
def test_more_connections_than_the_setting_are_closed_at_once(world):
    held = [world.sse("/events/news") for _ in range(10)]
    extra = [world.connect() for _ in range(30)]
    closed = 0
    for connection in extra:
        connection.try_send(GOOD)
        if not connection.is_answered():
            closed += 1
    assert closed >= 10
    for stream in held:
        stream.wait_for_retry()
    world.hang_up_all()

    def is_served():
        connection = world.connect()
        connection.try_send(GOOD)
        return connection.is_answered()

    eventually(is_served, "room for a new connection")
