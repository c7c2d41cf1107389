"""Shelf 82: who may do what. Protocol.md 8, "Tokens"."""

import json
import signal
import time

import pytest

from http_raw import format_request
from marks import serve
from patience import eventually
from tokens import OTHER_SECRET, SECRET, bearer, cookie, token
from ws_raw import WebSocket


@pytest.fixture
def keyed(idle_world):
    """A server with one key, to which the tests of this shelf talk."""
    idle_world.keys = idle_world.directory / "keys"
    idle_world.keys.write_bytes(SECRET)
    return idle_world.start(token_keys=idle_world.keys,
                            anonymous_subscribe="public.>")


def all_rights(**claims):
    return bearer(subscribe=[">"], publish=[">"], **claims)


def put(world, channel, data, **claims):
    response = world.post(f"/publish/{channel}", data, all_rights(**claims))
    assert response.status == 201, response
    return response.json()["id"]


def assert_wants_token(response):
    assert response.status == 401, response
    assert response.error == "unauthorized"
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.headers["Cache-Control"] == "no-store"


def assert_not_there(response):
    assert response.status == 404, response
    assert response.error == "not_found"
    assert "WWW-Authenticate" not in response.headers


# ---- main ways ------------------------------------------------------------------

def test_8_nothing_without_a_token(keyed):
    put(keyed, "secret", "one")
    for method, target in (
            ("GET", "/events/secret"), ("HEAD", "/events/secret"),
            ("GET", "/events/%3E?flavor=short-poll"), ("POST", "/events/secret"),
            ("POST", "/publish/secret"), ("PUT", "/publish/secret/1"),
            ("DELETE", "/publish/secret/1"), ("GET", "/channels/secret"),
            ("GET", "/sessions/s"), ("POST", "/sessions/s/ack?id=1"),
            ("DELETE", "/sessions/s"), ("DELETE", "/admin/shutdown")):
        response = keyed.http(method, target)
        assert response.status == 401, (method, target, response)


def test_8_with_a_right_it_goes_on(keyed):
    number = put(keyed, "orders.1", "one")
    reader = bearer(subscribe=["orders.*"])
    assert keyed.sse("/events/orders.1", "earliest", reader).next().data == "one"
    assert keyed.poll("/events/orders.*?flavor=short-poll", "earliest",
                      reader).events[0]["id"] == number
    assert_not_there(keyed.get("/events/orders.%3E", reader))
    assert_not_there(keyed.get("/events/orders.1,secret", reader))
    assert_not_there(keyed.post("/publish/orders.1", "x", reader))
