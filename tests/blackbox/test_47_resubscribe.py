"""Other channels on an open WebSocket: protocol.md 6, resubscribe.c."""

import json
import random
import threading

import pytest
from marks import serve
from ws_raw import TEXT, frame, ids_of


def test_6_a_websocket_may_begin_without_channels(world):
    world.publish("news", "before")
    for target in ("/events", "/events/"):
        socket = world.websocket(target)
        socket.say(subscribe=["news"])
        assert socket.meet() == []
        number = world.publish("news", "x")
        assert socket.next_json()["id"] == number
    assert world.get("/events").status == 400


@pytest.mark.parametrize("make, expected", [
    (lambda ids: ids[2], 7), (lambda ids: str(ids[2]), 7),
    (lambda ids: "earliest", 10), (lambda ids: "last-4", 4),
    (lambda ids: {"b": ids[6]}, 3), (lambda ids: {"b": str(ids[6])}, 3),
    (lambda ids: "latest", 0), (lambda ids: None, 0),
    (lambda ids: "rt-1406125522.25", 10), (lambda ids: 1406125522250, 10)])
def test_6_a_subscription_has_every_form_of_position(world, make, expected):
    world.publish("a", "x")
    ids = world.publish_some("b", 10)
    socket = world.websocket("/events/a")
    socket.say(subscribe=["b"], after=make(ids))
    last = world.publish("a", "marker")
    got = ids_of(socket.take(expected + 1))
    assert got == ids[10 - expected:] + [last]


def test_6_a_new_channel_brings_nothing_of_the_old_again(world):
    mine, theirs = [], []
    for _ in range(5):
        mine += world.publish_some("mine", 1)
        theirs += world.publish_some("theirs", 1)
    socket = world.websocket("/events/mine?last_event_id=earliest")
    assert ids_of(socket.take(5)) == mine
    socket.say(subscribe=["theirs"], after="earliest")
    assert ids_of(socket.take(5)) == theirs
    both = world.publish_some("mine", 1) + world.publish_some("theirs", 1)
    assert ids_of(socket.take(2)) == both


def test_6_a_second_change_before_the_first_has_caught_up_repeats_nothing(
        world):
    """The cursor is far back for the first; what was held is not."""
    mine, first, second = [], [], []
    for _ in range(50):
        mine += world.publish_some("mine", 1)
        first += world.publish_some("first", 1)
        second += world.publish_some("second", 1)
    socket = world.websocket("/events/mine?last_event_id=earliest")
    assert ids_of(socket.take(50)) == mine
    socket.send_raw(b"".join(
        frame(TEXT, json.dumps({"subscribe": [name], "after": "earliest"}))
        for name in ("first", "second")))
    assert ids_of(socket.take(100)) == sorted(first + second)
    both = world.publish_some("mine", 1) + world.publish_some("second", 1)
    assert ids_of(socket.take(2)) == both


class Publisher(threading.Thread):
    """Publishes to all channels until it is told to stop."""

    def __init__(self, world, names):
        super().__init__()
        self.world = world
        self.names = names
        self.ids = {name: [] for name in names}
        self.is_stopped = threading.Event()
        self.start()

    def run(self):
        chance = random.Random(2)
        while not self.is_stopped.is_set():
            batch = [{"channel": chance.choice(self.names),
                      "data": "x" * chance.randrange(300)}
                     for _ in range(chance.randrange(1, 20))]
            for line, number in zip(batch, self.world.publish_batch(
                    "any", batch)):
                self.ids[line["channel"]].append(number)

    def stop(self):
        self.is_stopped.set()
        self.join()
        return self.ids


@serve(outbox_bytes=4096)
def test_6_channels_that_come_and_go_while_events_flow_stay_complete(world):
    """A client that leaves channels at random and comes back to each from the
    last id that it had of it has everything once, in order."""
    names = [f"c{number}" for number in range(6)]
    chance = random.Random(1)
    publisher = Publisher(world, names)
    socket = world.websocket("/events", receive_buffer=4096)
    taken = {name: [] for name in names}

    def note(events):
        for event in events:
            taken[event["channel_id"]].append(event["id"])

    def come_back(some):
        away = [name for name in some if name not in held]
        if away:
            socket.say(subscribe=away, after={
                name: taken[name][-1] if taken[name] else 0 for name in away})
        held.update(away)

    held = set()
    try:
        for _ in range(200):
            some = chance.sample(names, chance.randrange(1, 4))
            if chance.random() < 0.5:
                socket.say(unsubscribe=some)
                held.difference_update(some)
                note(socket.meet())
            else:
                come_back(some)
                note(socket.meet())
                note(socket.take(chance.randrange(3)))
    finally:
        published = publisher.stop()
    come_back(names)
    while any(taken[name] != published[name] for name in names):
        assert all(taken[name] == published[name][:len(taken[name])]
                   for name in names), "lost, repeated or out of order"
        note([socket.next_json()])
    assert sum(map(len, published.values())) > 100
    assert socket.meet() == []


def test_6_a_channel_that_stays_is_complete_while_others_change(world):
    socket = world.websocket("/events/stays")
    ids = []
    for turn in range(40):
        ids.append(world.publish("stays", f"{turn}"))
        world.publish("goes", f"{turn}")
        socket.say(**({"unsubscribe": ["goes", "g.*"]} if turn % 2
                      else {"subscribe": ["goes", "g.*"],
                            "after": "earliest"}))
    taken = []
    while len([e for e in taken if e["channel_id"] == "stays"]) < 40:
        taken.append(socket.next_json())
    assert ids_of(e for e in taken if e["channel_id"] == "stays") == ids
    assert [e for e in socket.meet() if e["channel_id"] == "stays"] == []


def test_6_subscribing_again_without_after_changes_nothing(world):
    first = world.publish("news", "one")
    socket = world.websocket("/events/news?last_event_id=earliest")
    assert socket.next_json()["id"] == first
    socket.say(subscribe=["news"])
    assert socket.meet() == []
    socket.say(subscribe=["news"], after="earliest")
    assert socket.next_json()["id"] == first
    assert world.publish("news", "two") == socket.next_json()["id"]


def test_6_unsubscribed_channels_are_silent_and_the_connection_stays(world):
    socket = world.websocket("/events/a,b,c.*")
    socket.say(unsubscribe=["a", "c.*", "never.held"])
    assert socket.meet() == []
    world.publish_some("a", 2)
    world.publish_some("c.d", 2)
    number = world.publish("b", "x")
    assert socket.next_json()["id"] == number
    socket.say(unsubscribe=["b"])
    assert socket.meet() == []
    world.wait_for_subscribers(0)
    world.wait_for_metric("websockets", lambda figure: figure == 1)
    world.publish("b", "not wanted")
    socket.say(subscribe=["b"])
    assert socket.meet() == []
    number = world.publish("b", "wanted")
    assert socket.next_json()["id"] == number


def test_6_a_pattern_and_a_channel_of_it_bring_an_event_once(world):
    socket = world.websocket("/events/a.*")
    socket.say(subscribe=["a.b", "\u003e"])
    assert socket.meet() == []
    ids = world.publish_some("a.b", 3) + world.publish_some("z", 1)
    assert ids_of(socket.take(4)) == ids


@pytest.mark.parametrize("text", [
    "", "{", "[]", "12", '"subscribe"', "{}", '{"subscribe":"news"}',
    '{"subscribe":[]}', '{"subscribe":[1]}', '{"subscribe":["no space"]}',
    '{"subscribe":["a..b"]}', '{"subscribe":["a"],"unsubscribe":["a"]}',
    '{"subscribe":["a"],"after":"yesterday"}',
    '{"subscribe":["a"],"after":-1}', '{"subscribe":["a"],"after":1.5}',
    '{"subscribe":["a"],"after":[1]}', '{"subscribe":["a"],"after":true}',
    '{"subscribe":["a"],"after":{"a":"x"}}', '{"subscribe":["a\\ud800"]}',
    '{"unsubscribe":["a"],"after":1}', '{"subscribe":["a"],"subscribe":["b"]}',
    '{"publish":"x"}', '{"ack":"x"}', '{"ack":-1}', '{"ack":5}',
    '{"ack":99999999999999999999}'])
def test_6_a_message_that_makes_no_sense_is_answered_and_changes_nothing(
        world, text):
    socket = world.websocket("/events/news")
    socket.send_text(text)
    answer = socket.next_json()
    assert answer["error"] == "bad_request" and answer["message"], answer
    number = world.publish("news", "x")
    assert socket.next_json()["id"] == number


@serve(selectors_max=3)
def test_6_too_many_channels_are_refused_and_the_rest_stays(world):
    socket = world.websocket("/events/a,b")
    socket.say(subscribe=["c", "d"])
    assert socket.next_json()["error"] == "bad_request"
    socket.say(subscribe=["a", "b", "c", "d"])
    assert socket.next_json()["error"] == "bad_request"
    socket.say(subscribe=["c", "b"])
    assert socket.meet() == []
    ids = [world.publish(name, "x") for name in "abcd"]
    assert ids_of(socket.take(3)) == ids[:3]
    assert socket.meet() == []
