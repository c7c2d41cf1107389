"""Shelf 74: sessions that all instances of a stream know. Protocol.md 2 and 7."""

import json

import pytest

from marks import serve
from patience import eventually
from stream_world import *
from stream_world import wait_until_stored

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def pair(followed, another):
    return followed, another()


def texts(answer):
    return [event["data"]["data"] for event in answer.events]


def short(world, name, target="/events/news", **more):
    """What a short-poll of the session gets."""
    return texts(world.poll(f"{target}?" + world.query(
        session=name, flavor="short-poll", **more)))


def ack(world, name, number):
    answer = world.post(f"/sessions/{name}/ack", json.dumps({"id": number}),
                        JSON)
    assert answer.status == 200, answer
    return answer.json()["acked"]


def session(world, name):
    answer = world.get(f"/sessions/{name}")
    return answer.json() if answer.status == 200 else None


def publish(worlds, *texts):
    """Published, and in every journal."""
    numbers = [worlds[0].publish("news", text) for text in texts]
    for world in worlds:
        wait_until_there(world, numbers[-1])
    return numbers


def wait_until_there(world, number):
    eventually(lambda: (world.get("/channels/news").status == 200 and
                        world.get("/channels/news").json()["last_id"] >= number),
               f"event {number} in the journal")


def test_a_session_that_was_made_at_a_is_known_at_b(pair):
    a, b = pair
    assert short(a, "s") == []
    publish(pair, "one")
    assert short(b, "s") == ["one"]
    assert session(a, "s") == session(b, "s")


def test_polls_may_go_to_any_instance_in_turn(pair):
    a, b = pair
    short(a, "s")
    got, expected = [], [f"text {n}" for n in range(100)]
    for n, text in enumerate(expected):
        publish(pair, text)
        got += short(pair[n % 2], "s")
        got += short(pair[(n + 1) % 2], "s")
    assert got == expected
    assert a.metrics()["sessions_alone"] == b.metrics()["sessions_alone"] == 0
