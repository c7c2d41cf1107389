"""Shelf 84: tokens end and keys change while streams are open. Protocol.md 8."""

import os
import signal
import threading
import time

import pytest

from marks import serve
from patience import Deadline, eventually
from tokens import OTHER_SECRET, SECRET, bearer, token

RIGHTS = {"subscribe": ["news"], "publish": ["news"]}


@pytest.fixture
def keyed(idle_world):
    """A server with two keys in two files."""
    write_key(idle_world, "first", SECRET)
    write_key(idle_world, "second", OTHER_SECRET)
    return idle_world.start(token_keys=",".join(
        str(idle_world.directory / name) for name in ("first", "second")))


def write_key(world, name, secret):
    """As one whole, as it should be done."""
    fresh = world.directory / f"{name}.new"
    fresh.write_bytes(secret)
    fresh.rename(world.directory / name)


def put(world, data):
    response = world.post("/publish/news", data, bearer(**RIGHTS))
    assert response.status == 201, response


def reload(world):
    before = world.output().count("chapter=keys")
    world.process.send_signal(signal.SIGHUP)
    eventually(lambda: world.output().count("chapter=keys") > before,
               "the keys to be read")


def refused_everywhere(world, headers):
    """Every thread has come to know of the other keys."""
    eventually(lambda: all(world.get("/channels", headers).status == 401
                           for _ in range(12)), "the key to be withdrawn")


def ends_unauthorized(socket):
    """The close of a WebSocket, pings before it passed over."""
    while True:
        opcode, payload = socket.next_frame(what="a close")
        if opcode == 8:
            assert socket.read_close(payload)[0] == 3000
            return


def next_second(world, count):
    """A token of a few seconds, and when it is over."""
    end = int(time.time()) + count
    return bearer(**RIGHTS, exp=end), end


def until(end):
    while time.time() <= end:
        time.sleep(0.05)  # that a time passes is what is waited for


# ---- the end of a token -----------------------------------------------------------

def test_8_streams_of_every_flavor_end_before_their_token(keyed):
    short, end = next_second(keyed, 5)
    first = [keyed.sse("/events/news?hello=1", headers=short),
             keyed.lines("/events/news?xhr=1&hello=1", headers=short)]
    for stream in first:
        stream.next()
    socket = keyed.websocket("/events/news?hello=1", headers=short)
    socket.next()
    stays = keyed.sse("/events/news", headers=bearer(**RIGHTS))
    poll = keyed.begin_poll("/events/news?timeout=100", headers=short)
    keyed.wait_for_subscribers(5)
    put(keyed, "one")
    assert keyed.poll_answer(poll).events[0]["data"]["data"] == "one"
    poll = keyed.begin_poll("/events/news?timeout=100", headers=short)
    assert [stream.next() for stream in first][0].data == "one"
    assert socket.next_json()["data"]["data"] == "one"

    assert keyed.poll_answer(poll).events == []
    assert first[0].ends() == [] and first[0].retry
    assert first[1].ends() == []
    ends_unauthorized(socket)
    until(end)
    keyed.wait_for_metric("streams_expired", lambda count: count == 3)
    put(keyed, "two")
    assert [stays.next().data, stays.next().data] == ["one", "two"]
    keyed.wait_for_subscribers(1)


@serve(keepalive_ms=100)
def test_8_a_stream_that_is_never_silent_ends_too(keyed):
    short, _ = next_second(keyed, 3)
    stream = keyed.sse("/events/news", headers=short)
    ended = threading.Event()

    def chatter():
        connection = keyed.connect()
        while not ended.is_set():
            connection.request("POST", "/publish/news", bearer(**RIGHTS), b"x")
            assert connection.response().status == 201

    talker = threading.Thread(target=chatter)
    talker.start()
    try:
        assert len(stream.ends()) > 0
    finally:
        ended.set()
        talker.join()


def test_8_a_stream_that_is_not_read_ends_too(keyed):
    for _ in range(40):
        put(keyed, "x" * 200000)
    short, _ = next_second(keyed, 3)
    stream = keyed.sse("/events/news", "earliest", short, receive_buffer=4096)
    keyed.wait_for_metric("streams_expired", lambda count: count == 1)
    assert len(stream.ends()) < 40
    assert keyed.sse("/events/news", "earliest",
                     bearer(**RIGHTS)).next().data


def test_8_who_comes_back_with_another_token_misses_nothing(keyed):
    short, end = next_second(keyed, 2)
    stream = keyed.sse("/events/news", headers=short)
    put(keyed, "one")
    last = stream.next().id
    assert stream.ends() == []
    put(keyed, "two")
    assert keyed.sse("/events/news", last, bearer(**RIGHTS)).next().data == "two"


# ---- keys change ------------------------------------------------------------------

def test_8_a_withdrawn_key_ends_what_it_let_in_at_once(keyed):
    first, second = bearer(**RIGHTS), bearer(OTHER_SECRET, **RIGHTS)
    ending = keyed.sse("/events/news?hello=1", headers=second)
    ending.next()
    socket = keyed.websocket("/events/news?hello=1", headers=second)
    socket.next()
    poll = keyed.begin_poll("/events/news", headers=second)
    staying = keyed.sse("/events/news?hello=1", headers=first)
    staying.next()
    keyed.wait_for_subscribers(4)
    for _ in range(8):  # every thread knows the token
        assert keyed.get("/channels", second).status == 200

    write_key(keyed, "second", b"a third secret, of thirty-two bytes too")
    reload(keyed)
    assert ending.ends() == [] and ending.retry
    ends_unauthorized(socket)
    assert keyed.poll_answer(poll).events == []
    keyed.wait_for_metric("streams_revoked", lambda count: count == 3)
    put(keyed, "one")
    assert staying.next().data == "one"
    refused_everywhere(keyed, second)
    assert keyed.get("/events/news?flavor=short-poll", second).status == 401
    assert keyed.get("/events/news?flavor=short-poll", first).status == 200
    assert keyed.get("/events/news?flavor=short-poll", bearer(
        b"a third secret, of thirty-two bytes too", **RIGHTS)).status == 200


def test_8_a_key_withdrawn_while_a_body_comes(keyed):
    connection = keyed.connect()
    head = ("POST /publish/news HTTP/1.1\r\nHost: localhost\r\n"
            "Content-Length: 3\r\nAuthorization: Bearer "
            f"{token(OTHER_SECRET, **RIGHTS)}\r\n\r\n")
    connection.send(head.encode() + b"o")
    eventually(lambda: keyed.metrics()["tokens_remembered"] >= 0, "a turn")
    write_key(keyed, "second", b"a third secret, of thirty-two bytes too")
    reload(keyed)
    refused_everywhere(keyed, bearer(OTHER_SECRET, **RIGHTS))
    connection.send(b"ne")
    assert connection.response().status == 401


def withdraw(world, *connections):
    """The second key goes while these have sent their heads."""
    for connection in connections:
        eventually(lambda: world.metrics()["tokens_remembered"] >= 0, "a turn")
    write_key(world, "second", b"a third secret, of thirty-two bytes too")
    reload(world)
    refused_everywhere(world, bearer(OTHER_SECRET, **RIGHTS))


def test_8_a_key_withdrawn_while_an_order_or_a_form_comes(keyed):
    admin, form = keyed.connect(), keyed.connect()
    claims = {**RIGHTS, "admin": True, "sub": "one"}
    authorization = f"Bearer {token(OTHER_SECRET, **claims)}"
    order = b'{"until":"2036-01-01T00:00:00Z"}'
    admin.send(f"POST /admin/shutdown HTTP/1.1\r\nHost: localhost\r\n"
               f"Content-Type: application/json\r\n"
               f"Content-Length: {len(order)}\r\n"
               f"Authorization: {authorization}\r\n\r\n".encode())
    form.send(f"POST /events/news?session=s&flavor=short-poll HTTP/1.1\r\n"
              f"Host: localhost\r\nContent-Length: 3\r\n"
              f"Content-Type: application/x-www-form-urlencoded\r\n"
              f"Authorization: {authorization}\r\n\r\n".encode())
    withdraw(keyed, admin, form)
    admin.send(order)
    form.send(b"x=1")
    assert admin.response().status == 401
    assert form.response().status == 401
    holds = bearer(**claims)
    assert keyed.get("/admin/shutdown", holds).json()["active"] is False
    assert keyed.get("/sessions/s", holds).status == 404


def test_8_a_file_that_changes_is_noticed(keyed):
    write_key(keyed, "second", b"a third secret, of thirty-two bytes too")
    third = bearer(b"a third secret, of thirty-two bytes too", **RIGHTS)
    eventually(lambda: keyed.get("/events/news?flavor=short-poll",
                                 third).status == 200, "the new key to hold")
    assert keyed.get("/events/news?flavor=short-poll",
                     bearer(OTHER_SECRET, **RIGHTS)).status == 401
    assert keyed.output().count("what=read count") == 1


def test_8_a_broken_file_changes_nothing_and_is_told_once(keyed):
    stream = keyed.sse("/events/news?hello=1", headers=bearer(**RIGHTS))
    stream.next()
    write_key(keyed, "first", b"too short")
    eventually(lambda: "those of before hold" in keyed.output(), "an error")
    put(keyed, "one")
    assert stream.next().data == "one"
    reload(keyed)
    os.unlink(keyed.directory / "first")
    eventually(lambda: keyed.output().count("those of before hold") == 3,
               "an error for the file that is gone")
    put(keyed, "two")
    assert stream.next().data == "two"
    assert b"too short" not in keyed.output().encode()
    write_key(keyed, "first", SECRET)
    eventually(lambda: "what=read count" in keyed.output(), "the keys to be read")
    put(keyed, "three")
    assert stream.next().data == "three"


def test_8_a_key_can_be_changed_without_a_break(keyed):
    """Added, used, the old one taken away: nobody notices."""
    new = b"a third secret, of thirty-two bytes too"
    stream = keyed.sse("/events/news?hello=1", headers=bearer(**RIGHTS))
    stream.next()
    write_key(keyed, "second", new)
    reload(keyed)
    put(keyed, "one")
    assert stream.next().data == "one"
    moved = keyed.sse("/events/news?hello=1", headers=bearer(new, **RIGHTS))
    moved.next()
    write_key(keyed, "first", b"a fourth secret, of thirty-two bytes")
    reload(keyed)
    assert stream.ends() == []
    response = keyed.post("/publish/news", "two", bearer(new, **RIGHTS))
    assert response.status == 201
    assert moved.next().data == "two"


@serve(crew_threads=3)
def test_8_many_streams_end_together(keyed):
    """More than a turn looks at and ends."""
    second = bearer(OTHER_SECRET, **RIGHTS)
    streams = [keyed.sse("/events/news", headers=second) for _ in range(300)]
    keyed.wait_for_subscribers(300)
    write_key(keyed, "second", b"a third secret, of thirty-two bytes too")
    reload(keyed)
    for stream in streams:
        assert stream.ends() == []
    keyed.wait_for_subscribers(0)


# ---- what was checked is remembered -------------------------------------------------

@serve(crew_threads=1)
def test_8_a_token_is_checked_once(keyed):
    again = bearer(**RIGHTS)
    for _ in range(5):
        assert keyed.get("/events/news?flavor=short-poll", again).status == 200
    keyed.wait_for_metric("tokens_remembered", lambda figure: figure == 4)
    bad = bearer(b"a secret that nobody has, of 32 bytes", **RIGHTS)
    for _ in range(3):
        assert keyed.get("/events/news?flavor=short-poll", bad).status == 401
    figures = keyed.metrics()
    assert figures["tokens_remembered"] == 4
    assert figures["tokens_refused"] == figures["tokens_unsigned"] == 3
    for claims in ({"exp": 1}, {"exp": 1}, {"nbf": int(time.time()) + 900}):
        keyed.get("/events/news", bearer(**{**RIGHTS, **claims}))
    keyed.get("/events/news", {"Authorization": "Bearer x.y"})
    figures = keyed.metrics()
    assert [figures["tokens_" + name] for name in (
        "refused", "malformed", "unsigned", "expired")] == [7, 1, 3, 2]
    assert figures["access_unauthorized"] == 7


@serve(crew_threads=1)
def test_8_more_tokens_than_are_remembered(keyed):
    connection = keyed.connect()
    deadline = Deadline()
    for number in range(300):
        deadline.left("many tokens")
        for _ in range(2):
            connection.request("GET", "/events/news?flavor=short-poll",
                               bearer(**RIGHTS, jti=str(number)))
            assert connection.response().status == 200
    # Should the key files be read again meanwhile, one is looked at twice.
    keyed.wait_for_metric("tokens_remembered", lambda figure: figure >= 290)
