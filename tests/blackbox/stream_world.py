"""stream_world.py -- a nats-server with JetStream and an instance that follows.

js        a NatsServer of this test's own, with streams
streams   the JetStream API of it
followed  a World whose server follows the stream EVENTS, made before
idle_followed  the same, not started
another   more Worlds on the same stream: another() gives a started one
"""

import pytest

from jetstream import JetStream
from nats_raw import NatsClient, NatsServer, free_port
from patience import eventually
from server_fixtures import settings_of
from world import World

__all__ = ["js", "streams", "followed", "idle_followed", "another"]


@pytest.fixture
def js(tmp_path):
    directory = tmp_path / "js"
    directory.mkdir()
    server = NatsServer(directory, free_port(), has_streams=True)
    yield server
    server.stop()


@pytest.fixture
def streams(js):
    client = NatsClient(js.port)
    yield JetStream(client)
    client.close()


def make(directory, js, **settings):
    directory.mkdir(exist_ok=True)
    world = World(directory, js)
    world.settings.update({"nats": js.url, "stream": "EVENTS",
                           "stream_peers_ms": 0, **settings})
    return world


@pytest.fixture
def idle_followed(request, tmp_path, js):
    world = make(tmp_path / "a", js, **settings_of(request))
    request.node.world = world
    try:
        yield world
        world.end()
    finally:
        world.abandon()


@pytest.fixture
def followed(idle_followed, streams):
    streams.create("EVENTS")
    return idle_followed.start()


@pytest.fixture
def another(request, tmp_path, js):
    worlds = []

    def start(**settings):
        world = make(tmp_path / f"other{len(worlds)}", js,
                     **{**settings_of(request), **settings})
        worlds.append(world)
        return world.start()

    try:
        yield start
        for world in worlds:
            world.end()
    finally:
        for world in worlds:
            world.abandon()


def wait_until_stored(world, sequence):
    """Meeting point: the journal has all up to this sequence."""
    world.wait_for_metric("stream_sequence", lambda at: at >= sequence,
                          f"sequence {sequence} in the journal")


def stream_check(world):
    """What /readyz says of the stream."""
    return world.http("GET", "/readyz").json()["checks"].get("stream")


def wait_for_check(world, text):
    eventually(lambda: text in (stream_check(world) or ""),
               f"/readyz to say {text!r} of the stream")
