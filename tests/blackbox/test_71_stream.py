"""Following a JetStream stream: real nats-server processes, real kills.

The stream is the log of record: every event has the id base + sequence, base
being the second of the stream's creation times 2^20, on every instance.
"""

import datetime

import pytest
from marks import serve
from stream_world import *
from stream_world import stream_check, wait_for_check, wait_until_stored


def base_of(streams, name="EVENTS"):
    created = streams.info(name)["created"]
    return int(datetime.datetime.fromisoformat(
        created[:19] + "+00:00").timestamp()) << 20


def leave_note(streams, epochs, name="EVENTS", **headers):
    """Of the ids of that stream, as an instance that follows it leaves one."""
    created = streams.info(name)["created"]
    nanoseconds = created[19:].strip(".Z").ljust(9, "0")
    seconds = base_of(streams, name) >> 20
    return streams.publish("events.$tidings.epochs", "", {
        "Tidings-Epochs": epochs,
        "Tidings-Stream-Created": f"{seconds}{nanoseconds}", **headers})


def test_a_message_of_the_stream_is_an_event_with_its_id(followed, streams):
    news = followed.sse("/events/news")
    sequence = streams.publish("events.news", "Gruyère")["seq"]
    event = news.next()
    assert event.data == "Gruyère"
    assert int(event.id) == base_of(streams) + sequence


def test_a_new_instance_gets_all_under_the_same_ids(followed, streams,
                                                     another):
    streams.publish_many("events.news", [f"{n}" for n in range(50)])
    wait_until_stored(followed, 50)
    late = another()
    wait_until_stored(late, 50)
    assert late.dump() == followed.dump()


def test_a_restart_goes_on_where_it_stopped(followed, streams):
    streams.publish_many("events.news", ["a", "b"])
    wait_until_stored(followed, 2)
    followed.stop()
    streams.publish_many("events.news", ["c", "d"])
    followed.start()
    wait_until_stored(followed, 4)
    base = base_of(streams)
    assert [(e["id"] - base, e["data"]) for e in followed.dump()] == \
        [(1, "a"), (2, "b"), (3, "c"), (4, "d")]


def test_nats_away_at_the_start_and_for_a_while(idle_followed, js, streams):
    streams.create("EVENTS")
    streams.publish_many("events.news", ["a"])
    streams.client.close()
    js.kill()
    idle_followed.settings["nats"] = js.url
    idle_followed.nats_server = None  # does not wait for it
    idle_followed.start()
    assert idle_followed.http("GET", "/readyz").status == 503
    js.start()
    wait_until_stored(idle_followed, 1)
    js.kill()
    wait_for_check(idle_followed, "not connected")
    js.start()
    wait_for_check(idle_followed, "ok")
    assert [e["data"] for e in idle_followed.dump()] == ["a"]
