"""shared_sessions.py -- two instances of one stream, and what tests of their
sessions ask them.

pair      an instance that follows the stream EVENTS, and another
"""

import hashlib
import json
import time

import pytest

from patience import eventually
from stream_world import *

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


def wait_until_told(world):
    """What it has answered is in the stream."""
    world.wait_for_metric("journal_sessions_owed", lambda owed: owed == 0)


def wait_until_back(world):
    """It is connected again, and has looked at the stream."""
    world.wait_for_metric("nats_connected", lambda up: up == 1)
    eventually(lambda: world.get("/readyz").status == 200, "/readyz to say 200")


def alone(worlds):
    """Requests that were served without knowing what others know."""
    return sum(world.metrics()["sessions_alone"] for world in worlds)


def subject_of(name):
    return "events.$tidings.sessions." + \
        hashlib.sha256(name.encode()).hexdigest()


def state_of(name, number):
    """What an instance that is gone would have told of a session."""
    return json.dumps({"session": name, "born": 7, "acked": number,
                       "sent": number, "used": int(time.time() * 1000),
                       "by": "0123456789abcdef"})


def ids_of(answer):
    if answer.headers["Content-Type"].startswith("application/json"):
        return [event["id"] for event in answer.json()]
    return [json.loads(line)["id"] for line in answer.text.splitlines()]


def open_stream(world, flavor):
    target = "/events/news?session=s"
    if flavor == "websocket":
        socket = world.websocket(target)
        return socket, lambda: socket.next_json()["id"], \
            lambda number: socket.say(ack=number)
    if flavor == "lines":
        lines = world.lines(target + "&xhr=1&envelope=1")
        return lines, lambda: lines.next_json()["id"], \
            lambda number: ack(world, "s", number)
    stream = world.sse(target)
    return stream, lambda: int(stream.next().id), \
        lambda number: ack(world, "s", number)
