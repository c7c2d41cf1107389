"""Long runs, in a short version: much of everything at once, then a check of
each subscriber's history against the journal.
"""

import threading

from marks import serve

pytestmark = serve(nats=True)


class Follower(threading.Thread):
    """Reads a stream to the event `last`."""

    def __init__(self, stream):
        super().__init__()
        self.stream = stream
        self.ids = []
        self.start()

    def run(self):
        while True:
            event = self.stream.next()
            self.ids.append(int(event.id))
            if event.data == "last":
                return


def test_events_by_nats_and_http_reach_everybody_in_order(world):
    channels = [f"room.{n}" for n in range(20)]
    targets = ["/events/>", "/events/room.*", "/events/room.1,room.2",
               "/events/room.7"]
    followers = [Follower(world.sse(target)) for target in targets * 5]
    text = "x" * 200
    for turn in range(10):
        for number in range(1000):
            world.nats.publish(f"events.{channels[number % 20]}", text)
        world.publish_batch("room.0", [
            {"channel": channels[n % 20], "data": text} for n in range(300)])
    asked = [world.nats.ask(f"events.{c}", "end") for c in channels]
    for reply in asked:
        world.nats.answer(reply)
    world.publish_batch("room.0", [{"channel": c, "data": "last"} for c in
                                   ("room.1", "room.7", "room.2")])
    for follower in followers:
        follower.join()
    journal = world.dump()
    assert len(journal) == 10 * 1300 + 20 + 3
    check_histories(journal, followers, targets)
    world.verify()


def check_histories(journal, followers, targets):
    covers = {"/events/room.1,room.2": {"room.1", "room.2"},
              "/events/room.7": {"room.7"}}
    for index, follower in enumerate(followers):
        cover = covers.get(targets[index % len(targets)])
        wanted = [event["id"] for event in journal
                  if cover is None or event["channel"] in cover]
        assert follower.ids == wanted[:len(follower.ids)]
        assert len(wanted) - len(follower.ids) <= 2, "events after `last`"


@serve(keep_bytes=2000000)
def test_5_a_reader_behind_retention_is_told_of_each_gap(world):
    """A reader slower than retention sees a gap event, never a silent hole:
    each id that it misses lies up to the `resumed` of a gap before it."""
    slow = world.sse("/events/news", receive_buffer=4096)
    ids = []
    for _ in range(60):
        ids += world.publish_batch("news", [{"data": "x" * 1000}] * 200)
    ids.append(world.publish("news", "last"))
    next_index, resumed = 0, 0
    while next_index < len(ids):
        event = slow.next()
        if event.type == "tidings.gap":
            resumed = int(event.json()["resumed"])
            continue
        index = ids.index(int(event.id))
        assert index >= next_index, "twice or out of order"
        assert index == next_index or ids[index - 1] <= resumed, "a hole"
        next_index = index + 1


def test_a_thousand_channels_with_a_subscriber_each(world):
    streams = [world.sse(f"/events/user.{n}.inbox") for n in range(1000)]
    for turn in range(3):
        for number in range(1000):
            world.nats.publish(f"events.user.{number}.inbox",
                               f"{turn}/{number}")
    for number, stream in enumerate(streams):
        assert [event.data for event in stream.take(3)] == \
            [f"{turn}/{number}" for turn in range(3)]
