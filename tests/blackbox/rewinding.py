"""rewinding.py -- a stream that comes back with an older tail, and who reads it.

tape          the store of the nats-server, to be kept and wound back
reader        an instance that follows the stream
idle_another  one more, not started
proxy         between it and the nats-server, if it is to be cut off
"""

import shutil

import pytest
from fault_proxy import FaultProxy
from jetstream import JetStream
from nats_raw import NatsClient
from patience import eventually
from stream_world import make, wait_until_stored


class Tape:
    """The store of a nats-server; publishes, keeps what there is, and winds back
    to it."""

    def __init__(self, js, place):
        self.js, self.place = js, place
        self.client = None

    @property
    def streams(self):
        if self.client is None:
            self.client = NatsClient(self.js.port, is_patient=True)
        return JetStream(self.client)

    def publish(self, *texts):
        return self.streams.publish_many("events.news", texts)

    def pull(self):
        if self.client is not None:
            self.client.close()
        self.client = None
        self.js.kill()

    def keep(self):
        self.pull()
        shutil.copytree(self.js.store, self.place)
        self.js.start()

    def cut(self):
        """The tail is gone; nobody can know of it yet."""
        self.pull()
        shutil.rmtree(self.js.store)
        shutil.copytree(self.place, self.js.store)

    def rewind(self):
        self.cut()
        self.js.start()


@pytest.fixture
def tape(js, streams, tmp_path):
    streams.create("EVENTS")
    tape = Tape(js, tmp_path / "copy")
    yield tape
    if tape.client is not None:
        tape.client.close()


@pytest.fixture
def reader(idle_followed, tape):
    return idle_followed.start()


@pytest.fixture
def proxy(js):
    with FaultProxy(js.port) as proxy:
        yield proxy


@pytest.fixture
def idle_another(js, tmp_path):
    """Not started; its start does not wait until it is ready."""
    world = make(tmp_path / "later", js)
    world.nats_server = None
    try:
        yield world
        world.end()
    finally:
        world.abandon()


def see_rewind(world):
    world.wait_for_metric("stream_rewinds", lambda n: n == 1)


def ids_of(world):
    return {event["data"]: event["id"] for event in world.dump()}


def wait_for_text(world, text):
    """Sequences come again: by the text."""
    eventually(lambda: text in ids_of(world), f"{text!r} in the journal")


def lose_two(reader, tape):
    """Of three messages that it has read the stream loses the latter two."""
    tape.publish("a")
    tape.keep()
    tape.publish("lost 2", "lost 3")
    wait_until_stored(reader, 3)
    tape.rewind()
    see_rewind(reader)
