"""Presence by NATS: who subscribes to what, on all instances together.

Two instances share a nats-server and nothing else. `presence_prefix` is of each
test's own, since the server is everybody's."""

import json
import os

import pytest

from patience import Deadline, eventually
from world import World

BEAT_MS = 100


@pytest.fixture
def pair(tmp_path, nats_server):
    """Two instances, a and b, and what is said under their prefix."""
    prefix = f"there.{os.urandom(4).hex()}"
    worlds = []
    for name in "ab":
        directory = tmp_path / name
        directory.mkdir()
        world = World(directory, nats_server)
        world.settings.update(
            nats=True, presence=True, presence_prefix=prefix, instance=name,
            presence_heartbeat_ms=BEAT_MS, presence_quiet_ms=50)
        worlds.append(world)
    a, b = worlds
    a.prefix = prefix
    try:
        a.said = a.nats.subscribe(f"{prefix}.>")
        a.start()
        b.start()
        yield a, b
        for world in worlds:
            world.end()
    finally:
        for world in worlds:
            world.abandon()
            print(world.output()[-5000:])


def figures(world, channel):
    """Local and total; None: 404."""
    answer = world.get(f"/channels/{channel}")
    if answer.status == 404:
        return None
    channel = answer.json()
    return channel["subscribers"], channel["subscribers_total"]


def await_figures(world, channel, wanted):
    eventually(lambda: figures(world, channel) == wanted,
               f"{channel} to have {wanted}")


def await_message(subscription, **wanted):
    """The next message in which these members are so."""
    deadline = Deadline()
    while True:
        message = json.loads(subscription.next(deadline.left(
            f"a message of {wanted}")).data)
        if all(message.get(name) == value for name, value in wanted.items()):
            return message


def test_first_and_last_are_told_and_the_total_is_of_all(pair):
    a, b = pair
    one = a.sse("/events/cheese")
    first = await_message(a.said, channel="cheese", instance="a")
    assert first["change"] == "first" and first["total"] == 1
    await_figures(b, "cheese", (0, 1))

    two = b.sse("/events/cheese")
    second = await_message(a.said, channel="cheese", instance="b")
    assert "change" not in second and second["total"] == 2
    await_figures(a, "cheese", (1, 2))
    await_figures(b, "cheese", (1, 2))

    a.hang_up(one.connection)
    await_figures(b, "cheese", (1, 1))
    b.hang_up(two.connection)
    last = await_message(a.said, channel="cheese", change="last")
    assert last["subscribers"] == 0 and last["total"] == 0
    await_figures(a, "cheese", None)


def test_a_channel_with_events_has_its_total_too(pair):
    a, b = pair
    a.publish("cheese", "x")
    assert figures(a, "cheese") == (0, 0)
    b.websocket("/events/cheese")
    await_figures(a, "cheese", (0, 1))


def test_every_channel_of_a_connection_counts_and_patterns_do_not(pair):
    a, b = pair
    a.sse("/events/cheese,wine,orders.*")
    await_figures(b, "cheese", (0, 1))
    await_figures(b, "wine", (0, 1))
    assert figures(b, "orders") is None


def test_the_counts_of_a_killed_instance_vanish_and_somebody_says_so(pair):
    a, b = pair
    b.sse("/events/cheese")
    await_figures(a, "cheese", (0, 1))
    b.kill()
    b.connections.clear()
    last = await_message(a.said, channel="cheese", change="last")
    assert last["instance"] == "a"
    await_figures(a, "cheese", None)


def test_an_instance_that_stops_says_good_bye(pair):
    a, b = pair
    signs = a.nats.subscribe(f"{a.prefix}_instance.b")
    b.sse("/events/cheese")
    await_figures(a, "cheese", (0, 1))
    b.hang_up_all()
    b.stop()
    await_message(signs, leaves=True)
    await_figures(a, "cheese", None)


def test_a_new_instance_is_told_what_was_before_it(pair):
    a, b = pair
    a.sse("/events/cheese")
    await_figures(b, "cheese", (0, 1))
    b.hang_up_all()
    b.stop()
    b.start()
    await_figures(b, "cheese", (0, 1))


def test_one_channel_is_not_told_more_often_than_it_may(pair):
    a, b = pair
    a.hang_up_all()
    a.stop()
    a.start(presence_quiet_ms=600000)
    said = a.nats.subscribe(f"{a.prefix}.cheese")
    streams = [a.sse("/events/cheese") for _ in range(20)]
    assert json.loads(said.next().data)["change"] == "first"
    for stream in streams:
        a.hang_up(stream.connection)
    a.wait_for_subscribers(0)
    beats = a.nats.subscribe(f"{a.prefix}_instance.a")
    beats.next()
    beats.next()
    a.nats.flush()
    assert not said.messages


def test_nonsense_under_the_prefix_is_counted_and_ignored(pair):
    a, b = pair
    for data in ["", "x", "{}", "[1]", '{"instance":"a b"}',
                 '{"instance":"c","channel":"..","subscribers":1}',
                 '{"instance":"' + "c" * 65 + '"}', "{" * 100]:
        a.nats.publish(f"{a.prefix}.cheese", data)
        a.nats.publish(f"{a.prefix}_instance.c", data)
    a.wait_for_metric("presence_malformed", lambda count: count >= 14)
    assert figures(a, "cheese") is None


def test_a_second_instance_of_our_name_is_told_in_the_log(pair):
    a, b = pair
    a.nats.publish(f"{a.prefix}_instance.a",
                   '{"instance":"a","boot":"abc"}')
    eventually(lambda: "another instance has our name" in a.output(),
               "the log to say so")


def test_counts_come_back_after_nats_was_gone(tmp_path_factory, tmp_path):
    from nats_raw import NatsServer, free_port
    server = NatsServer(tmp_path_factory.mktemp("nats"), free_port())
    worlds = []
    try:
        for name in "ab":
            (tmp_path / name).mkdir()
            world = World(tmp_path / name, server)
            worlds.append(world)
            world.start(nats=True, presence=True, instance=name,
                        presence_heartbeat_ms=BEAT_MS, presence_quiet_ms=50)
        a, b = worlds
        a.sse("/events/cheese")
        await_figures(b, "cheese", (0, 1))
        server.kill()
        await_figures(b, "cheese", None)
        a.sse("/events/cheese")
        server.start()
        await_figures(b, "cheese", (0, 2))
        for world in worlds:
            world.end()
    finally:
        for world in worlds:
            world.abandon()
        server.stop()
