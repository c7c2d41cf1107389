"""Limits of connections, by themselves and by address: operations.md, Limits.
Who is over one may publish and ask for health as long as the reserve has room,
is told what it is over when it wants more, and what it held is given back.
"""

import socket
import struct
import time

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
    world.wait_for_metric("over_connections_per_address",
                          lambda figure: figure >= 8)
    world.wait_for_metric("reserve_refused", lambda figure: figure >= 4)
    world.hang_up(held.pop())
    eventually(lambda: is_served(world, ATTACKER), "the place to be given back")


@serve(connections_max=10, connections_reserve=64)
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


def count_connections(world):
    """From now on; the first is the server's test of itself."""
    made, connect = [1], world.connect

    def counted(*arguments, **more):
        made[0] += 1
        return connect(*arguments, **more)
    world.connect = counted
    return made


def wait_until_all_are_gone(world, made):
    """All that were made have come to the server, and have left it."""
    def are_gone():
        figures = world.metrics()
        return (figures["connections_accepted"] >= made[0] and
                figures["connections_open"] <= 1)
    eventually(are_gone, "all connections to be gone")


@serve(connections_per_address=2)
def test_what_is_held_is_given_back_however_a_connection_ends(world):
    """By keep-alive reuse, a kill, a refused head, a stream that moved between
    threads, a long-poll, a half-sent head, a reset."""
    made = count_connections(world)

    def by_reuse(connection):
        for _ in range(5):
            connection.request("GET", "/channels")
            assert connection.response().status == 200

    def by_refusal(connection):
        connection.send(b"nonsense\r\n\r\n")
        assert connection.response().status == 400

    def by_stream(connection):
        connection.request("GET", "/events/a,b", {"Accept": "text/event-stream"})
        assert connection.head().status == 200

    def by_poll(connection):
        connection.request("GET", "/events/c?timeout=10000")

    def by_half_a_head(connection):
        connection.send(b"GET /chan")

    def by_publish(connection):
        connection.request("POST", "/publish/news", (), b"x")

    def by_reset(connection):
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                     struct.pack("ii", 1, 0))

    for way in (by_reuse, by_refusal, by_stream, by_poll, by_half_a_head,
                by_publish, by_reset):
        for _ in range(4):
            wait_until_all_are_gone(world, made)
            connections = [world.connect(source=ATTACKER) for _ in range(2)]
            for connection in connections:
                way(connection)
                world.hang_up(connection)
    wait_until_all_are_gone(world, made)
    for connection in fill(world, ATTACKER, 2):
        world.hang_up(connection)


@serve(connections_per_second=20, connections_per_address_per_second=10)
def test_so_many_new_connections_come_in_a_second(world):
    """The eleventh at once of one address is over; others go on until all
    together are over; with time it passes."""
    begun = time.monotonic()
    served = sum(is_served(world, ATTACKER) for _ in range(40))
    seconds = time.monotonic() - begun
    assert 10 <= served <= 11 + 10 * seconds
    assert world.http("GET", "/healthz").status == 200
    figures = world.metrics()
    assert figures["over_connections_per_address_per_second"] >= 40 - served
    eventually(lambda: is_served(world, ATTACKER), "the rate to be earned")
    begun = time.monotonic()
    served = sum(is_served(world, f"127.0.1.{number}")
                 for number in range(1, 61))
    seconds = time.monotonic() - begun
    assert served <= 21 + 20 * seconds
    assert world.publish("news", "x")


@serve(connections_max=4, connections_per_address=4, connections_reserve=4,
       reserve_ms=300)
def test_a_silent_connection_of_the_reserve_is_gone_soon(world):
    fill(world, OTHER, 4)
    silent = world.connect(source=ATTACKER)
    half = world.connect(source=THIRD)
    half.send(b"POST /publish/news HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
              b"\r\nx")
    assert silent.is_answered() or silent.is_ended()
    assert half.response().status == 408
    assert half.is_ended()
    world.wait_for_metric("connections_reserved", lambda figure: figure <= 1)


@pytest.mark.parametrize("names,sentence", [
    ("10.0.0.1/8", "behind the prefix"), ("localhost", "networks"),
    ("10.0.0.0/8,", "networks"), ("*", "networks")])
def test_bad_networks_are_an_error(idle_world, names, sentence):
    done = idle_world.tidings("check", "--trusted_proxies", names)
    assert done.returncode == 1
    assert sentence in done.stderr.decode()
