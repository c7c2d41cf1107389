"""Clients behind real proxies that are trusted: each is counted by its own
address, whether the proxy writes X-Forwarded-For or speaks the PROXY protocol.
"""

import contextlib

import pytest
from patience import eventually
from proxy import PROXIES, Haproxy
from streams import Sse
from world import World

LIMIT = 2
ONE, OTHER = "127.0.0.71", "127.0.0.72"


class HaproxyThatSays(Haproxy):
    """HAProxy as documented, but that it speaks the PROXY protocol."""

    how = None

    def documented(self):
        server = f"server tidings 127.0.0.1:{self.tidings_port}"
        text = super().documented().replace("option forwardfor", "# forwardfor")
        assert server in text
        return text.replace(server, f"{server} {self.how}")


class Version1(HaproxyThatSays):
    name, how = "haproxy-v1", "send-proxy"


class Version2(HaproxyThatSays):
    name, how = "haproxy-v2", "send-proxy-v2 check"


@contextlib.contextmanager
def running(kind, directory, **settings):
    """A server that trusts the proxy kind, and the proxy."""
    directory.chmod(0o755)
    world = World(directory)
    proxy = None
    try:
        world.start(trusted_proxies="127.0.0.1", connections_per_address=LIMIT,
                    keepalive_ms=500, drain_ms=100, **settings)
        proxy = kind(directory, world.port).start()
        yield world, proxy
        proxy.stop()
        proxy = None
        world.end()
    finally:
        if proxy is not None:
            proxy.stop()
        world.abandon()


def stream_of(proxy, source, headers=()):
    """A stream, and whether it stays."""
    connection = proxy.connect(source)
    connection.request("GET", "/events/news", {"Accept": "text/event-stream",
                                               **dict(headers)})
    stream = Sse(connection)
    assert stream.status == 200
    return stream, "Last-Event-ID" in stream.headers


def check_who_is_counted(proxy):
    held = []
    for invented in ("192.0.2.1", "127.0.0.1"):
        stream, stays = stream_of(proxy, ONE, {"X-Forwarded-For": invented})
        assert stays
        held.append(stream)
    assert not stream_of(proxy, ONE)[1]
    assert not stream_of(proxy, ONE, {"X-Forwarded-For": "192.0.2.99",
                                      "Forwarded": "for=192.0.2.98"})[1]
    stream, stays = stream_of(proxy, OTHER)
    assert stays
    stream.hang_up()
    for stream in held:
        stream.hang_up()

    def is_free():
        stream, stays = stream_of(proxy, ONE)
        stream.hang_up()
        return stays
    eventually(is_free, "the places to be given back")


@pytest.mark.parametrize("kind", PROXIES, ids=lambda kind: kind.name)
def test_the_client_that_a_header_names_is_counted(kind, tmp_path):
    with running(kind, tmp_path) as (_, proxy):
        check_who_is_counted(proxy)


@pytest.mark.parametrize("kind", (Version1, Version2),
                         ids=lambda kind: kind.name)
def test_the_client_that_the_proxy_protocol_names_is_counted(kind, tmp_path):
    with running(kind, tmp_path, proxy_protocol="on") as (_, proxy):
        check_who_is_counted(proxy)
