"""Limits of connections, by themselves and by address: operations.md, Limits.
Who is over one may publish and ask for health as long as the reserve has room,
is told what it is over when it wants more, and what it held is given back.
"""

import pytest

from http_raw import CutOff
from marks import serve
from patience import eventually
from streams import Sse

# Addresses of this machine, so that one test can be several clients.
ATTACKER, OTHER, THIRD = "127.0.0.2", "127.0.0.3", "127.0.0.4"


def ask(world, source, method, target, headers=(), body=None):
    connection = world.connect(source=source)
    connection.request(method, target, {"Connection": "close",
                                        **dict(headers)}, body)
    try:
        return connection.response(method)
    finally:
        world.hang_up(connection)


def is_served(world, source):
    """Is a request answered 200? False also if the connection is closed."""
    try:
        return ask(world, source, "GET", "/channels").status == 200
    except (CutOff, ConnectionResetError, BrokenPipeError):
        return False


def fill(world, source, count):
    """So many connections that are really served."""
    held = []
    for _ in range(count):
        connection = world.connect(source=source)
        connection.request("GET", "/channels")
        assert connection.response().status == 200
        held.append(connection)
    return held


def check_reserve(world, source, status):
    """What somebody is answered who is over a limit with that status."""
    response = ask(world, source, "GET", "/channels")
    assert response.status == status and response.error
    assert int(response.headers["Retry-After"]) >= 1
    assert response.headers["Connection"] == "close"
    for target in ("/healthz", "/readyz", "/metrics"):
        assert ask(world, source, "GET", target).status == 200, target
    assert ask(world, source, "POST", "/publish/news", (), b"x").status == 201
    assert ask(world, source, "GET", "/events/news").status == status
    assert ask(world, source, "GET", "/").status == status


def check_stream_is_turned_away(world, source):
    """EventSource gives up at any status but 200: protocol.md 3."""
    connection = world.connect(source=source)
    connection.request("GET", "/events/news", {"Accept": "text/event-stream"})
    stream = Sse(connection)
    assert stream.status == 200
    assert "Last-Event-ID" not in stream.headers
    body = connection_body(stream)
    assert b"retry: " in body and b"id:" not in body
    world.hang_up(connection)


def connection_body(stream):
    while stream.body.more():
        pass
    return bytes(stream.body.taken)


@serve(connections_per_address=5, trusted_proxies="")
def test_one_address_has_so_many_and_others_are_served(world):
    held = fill(world, ATTACKER, 5)
    check_reserve(world, ATTACKER, 429)
    check_stream_is_turned_away(world, ATTACKER)
    fill(world, OTHER, 5)
    assert world.metrics()["over_connections_per_address"] >= 8
    assert world.metrics()["reserve_refused"] >= 4
    world.hang_up(held.pop())
    eventually(lambda: is_served(world, ATTACKER), "the place to be given back")


@serve(connections_max=10, connections_reserve=8)
def test_the_reserve_is_kept_for_publishers_and_health(world):
    fill(world, ATTACKER, 5)
    held = fill(world, OTHER, 5)
    check_reserve(world, THIRD, 503)
    check_stream_is_turned_away(world, THIRD)
    for connection in held:  # those who were there before are not concerned
        connection.request("GET", "/channels")
        assert connection.response().status == 200
    world.hang_up(held.pop())
    eventually(lambda: is_served(world, THIRD), "the place to be given back")
