"""Streams that are purged, made again, sealed or rewound, and processes that are
killed: 0 lost, 0 twice, and clients are told of what is gone."""

import json
import shutil

import pytest
from fault_proxy import FaultProxy
from jetstream import JetStream
from marks import serve
from nats_raw import NatsClient
from patience import eventually
from stream_world import *
from stream_world import stream_check, wait_for_check, wait_until_stored
from test_71_stream import base_of, leave_note


def gap_of(event):
    assert event.type == "tidings.gap", event
    return json.loads(event.data)["reason"]


def test_a_message_that_is_no_event_is_a_step(followed, streams):
    streams.publish("events.a b".replace(" ", "!"), "no channel")
    streams.publish("events.news", b"\xff\xfe")
    streams.publish("events.news", "x")
    wait_until_stored(followed, 3)
    base = base_of(streams)
    assert [(e["id"] - base, e["data"]) for e in followed.dump()] == [(3, "x")]
    followed.wait_for_metric("nats_rejected", lambda figure: figure == 2)


def test_sequences_that_were_deleted_are_no_gap(followed, streams, another):
    news = followed.sse("/events/news")
    streams.publish_many("events.news", ["a", "b", "c"])
    assert [event.data for event in news.take(3)] == ["a", "b", "c"]
    streams.remove("EVENTS", 2)
    other = another()
    wait_until_stored(other, 3)
    assert [e["data"] for e in other.dump()] == ["a", "c"]
    late = other.sse("/events/news", base_of(streams) + 1)
    assert late.next().data == "c"


def test_what_was_purged_unread_is_a_gap_that_is_told(followed, streams):
    news = followed.sse("/events/news")
    streams.publish_many("events.news", ["a", "b"])
    first = news.take(2)[0]
    followed.stop()
    streams.publish_many("events.news", ["c", "d", "e"])
    streams.purge("EVENTS", seq=5)
    followed.start()
    wait_until_stored(followed, 5)
    resumed = followed.sse("/events/news", first.id)
    assert gap_of(resumed.next()) == "trimmed"
    assert [event.data for event in resumed.take(2)] == ["b", "e"]
    followed.wait_for_metric("stream_missing", lambda figure: figure == 1)


def test_a_purged_stream_goes_on(followed, streams):
    streams.publish_many("events.news", ["a", "b"])
    wait_until_stored(followed, 2)
    news = followed.sse("/events/news", "earliest")
    assert [event.data for event in news.take(2)] == ["a", "b"]
    streams.purge("EVENTS")
    sequence = streams.publish("events.news", "c")["seq"]
    event = news.next()
    assert (event.data, int(event.id)) == ("c", base_of(streams) + sequence)


@serve(stream_start="new")
def test_a_new_instance_can_begin_at_the_end(idle_followed, streams):
    streams.create("EVENTS")
    streams.publish_many("events.news", ["a", "b"])
    idle_followed.start()
    streams.publish("events.news", "c")
    wait_until_stored(idle_followed, 3)
    assert [e["data"] for e in idle_followed.dump()] == ["c"]
    late = idle_followed.sse("/events/news", base_of(streams) + 1)
    assert gap_of(late.next()) == "trimmed"
    assert late.next().data == "c"


@serve(stream_create=True)
def test_the_stream_is_made_if_it_is_missing(idle_followed, streams):
    idle_followed.start()
    assert idle_followed.post("/publish/news", "x").status == 201
    config = streams.info("EVENTS")["config"]
    assert config["subjects"] == ["events.>"]
    assert config["max_age"] > 0 and config["max_bytes"] > 0


def test_a_stream_that_is_made_again(followed, streams):
    news = followed.sse("/events/news")
    streams.publish("events.news", "a")
    first = news.next()
    old = streams.info("EVENTS")["created"]
    streams.delete("EVENTS")
    wait_for_check(followed, "no such stream")
    eventually(lambda: base_of_new(streams) > int(first.id), "a later second")
    wait_for_check(followed, "ok")
    sequence = streams.publish("events.news", "b")["seq"]
    assert streams.info("EVENTS")["created"] != old
    assert gap_of(news.next()) == "rewound"
    event = news.next()
    assert (event.data, int(event.id)) == ("b", base_of(streams) + sequence)
    followed.wait_for_metric("stream_recreations", lambda figure: figure == 1)


def base_of_new(streams):
    if streams.exists("EVENTS"):
        streams.delete("EVENTS")
    streams.create("EVENTS")
    return base_of(streams)


def test_a_stream_that_was_rewound(followed, js, streams, tmp_path, another):
    """Its tail is lost and its sequences are used again: nobody gets two events
    under one id, and everybody is told."""
    other = another()
    news, at_other = (world.sse("/events/news") for world in (followed, other))
    streams.publish_many("events.news", ["a", "b"])
    streams.client.close()
    wait_until_stored(followed, 2)
    wait_until_stored(other, 2)
    js.kill()
    shutil.copytree(js.store, tmp_path / "copy")
    js.start()
    client = NatsClient(js.port)
    wait_for_check(followed, "ok")
    JetStream(client).publish_many("events.news", ["lost 3", "lost 4"])
    wait_until_stored(followed, 4)
    wait_until_stored(other, 4)
    client.close()
    js.kill()
    shutil.rmtree(js.store)
    shutil.copytree(tmp_path / "copy", js.store)
    js.start()
    client = NatsClient(js.port)
    again = JetStream(client)
    followed.wait_for_metric("stream_rewinds", lambda n: n == 1)
    other.wait_for_metric("stream_rewinds", lambda n: n == 1)
    sequences = again.publish_many("events.news", ["new 3", "new 4", "new 5"])
    assert sequences[0] == 3, "the sequence is used again"
    for world, stream in ((followed, news), (other, at_other)):
        events = stream.take(8)
        assert [event.data for event in events[:4]] == \
            ["a", "b", "lost 3", "lost 4"]
        assert gap_of(events[4]) == "rewound"
        assert [event.data for event in events[5:]] == \
            ["new 3", "new 4", "new 5"]
        assert "rewound" in stream_check(world)
        ids = [e["id"] for e in world.dump()]
        assert ids == sorted(set(ids)) and len(ids) == 7
    assert followed.dump() == other.dump(), "the same ids everywhere"
    # two that stayed, three new ones, and the note, perhaps among them
    eventually(lambda: again.last("EVENTS") >= 6, "the note")
    late = another()
    wait_for_check(late, "rewound")
    late.wait_for_metric("journal_events", lambda n: n == 5)
    assert [e["id"] for e in late.dump()][2:] == \
        [e["id"] for e in followed.dump()][4:], "the note tells newcomers"
    resumed = followed.sse("/events/news", events[2].id)
    assert gap_of(resumed.next()) == "rewound"
    assert [e.data for e in resumed.take(4)] == \
        ["lost 4", "new 3", "new 4", "new 5"]
    client.close()


def test_kills_of_either_side_lose_nothing(followed, js, streams):
    """A publisher that asks for acknowledgements; nobody else is careful."""
    import random
    sent = []
    streams.client.close()
    for round_ in range(10):
        client = NatsClient(js.port)
        publisher = JetStream(client)

        def publish(count):
            for _ in range(count):
                text = f"{len(sent)}"
                sent.append((publisher.publish("events.news", text)["seq"],
                             text))

        publish(50)
        if round_ % 3 == 2:
            js.kill()
            js.start()
        else:
            wait_until_stored(followed, sent[-1][0])
            publish(1 + 7 * round_)
            followed.kill()
            followed.start()
        client.close()
    client = NatsClient(js.port)
    base = base_of(JetStream(client))
    wait_until_stored(followed, sent[-1][0])
    assert [(e["id"] - base, e["data"]) for e in followed.dump()] == sent
    followed.verify()
    client.close()


@serve(map_bytes="4M", keep_bytes=0, keep_age_ms=0)
def test_no_room_stops_the_following_and_skips_nothing(followed, streams):
    texts = [f"{n} ".ljust(2000, "x") for n in range(4000)]
    last = streams.fill("events.news", texts)
    wait_for_check(followed, "no room")
    assert followed.http("GET", "/readyz").status == 503
    stored = followed.metrics()["stream_sequence"]
    assert len(followed.dump()) == stored < last
    followed.stop()
    followed.start(map_bytes="64M")
    wait_until_stored(followed, last)
    assert [e["data"] for e in followed.dump()] == texts


@serve(stream_lag_max=10, keep_age_ms=0)
def test_catching_up_starves_nobody_and_is_not_ready(idle_followed, streams):
    """What lies in the stream comes in order to one who is there from the
    start, and the instance is ready when it is near the end."""
    streams.create("EVENTS")
    last = streams.fill("events.news", (f"{n}" for n in range(60000)))
    idle_followed.nats_server = None  # does not wait until it is ready
    idle_followed.start()
    news = idle_followed.sse("/events/news", "earliest")
    events = news.take(last)
    assert [event.data for event in events] == [f"{n}" for n in range(60000)]
    wait_for_check(idle_followed, "ok")
    assert idle_followed.metrics()["stream_lag"] == 0


def test_a_stopped_nats_server_delays_and_loses_nothing(followed, js, streams):
    news = followed.sse("/events/news")
    streams.publish("events.news", "a")
    js.freeze()
    js.thaw()
    streams.publish("events.news", "b")
    assert [event.data for event in news.take(2)] == ["a", "b"]


@pytest.mark.parametrize("first", [[], ["a"]], ids=["empty", "read"])
def test_a_stream_that_nobody_answers_for(idle_followed, js, streams, first):
    """As after its leader's death. It is asked again and again, so that whoever
    leads it next is found at once; the consumer, which lives elsewhere, is kept;
    what it sends is taken when the stream was found to be the same."""
    streams.create("EVENTS")
    with FaultProxy(js.port) as proxy:
        idle_followed.start(nats=f"nats://127.0.0.1:{proxy.port}")
        lane = proxy.next_link().to_server
        wait_for_check(idle_followed, "ok")
        news = idle_followed.sse("/events/news")
        for text in first:
            streams.publish("events.news", text)
            assert news.next().data == text
        lane.swap(b"$JS.API.STREAM.INFO.", b"$JS.API.STREAM.NONE.")
        eventually(lambda: lane.swapped >= 8, "questions")
        streams.publish("events.news", "b")
        asked = lane.swapped
        eventually(lambda: lane.swapped >= asked + 3, "more questions")
        idle_followed.wait_for_metric("stream_sequence",
                                      lambda figure: figure == len(first))
        lane.swap(None, None)
        assert news.next().data == "b"
        wait_for_check(idle_followed, "ok")
        idle_followed.wait_for_metric("stream_resets",
                                      lambda figure: figure == 1)


def test_a_new_stream_while_nobody_answered(idle_followed, js, streams):
    """Nothing of it is taken for the old one's next message."""
    streams.create("EVENTS")
    with FaultProxy(js.port) as proxy:
        idle_followed.start(nats=f"nats://127.0.0.1:{proxy.port}")
        lane = proxy.next_link().to_server
        news = idle_followed.sse("/events/news")
        streams.publish("events.news", "a")
        first = news.next()
        lane.swap(b"$JS.API.STREAM.INFO.", b"$JS.API.STREAM.NONE.")
        eventually(lambda: lane.swapped >= 8, "questions")
        eventually(lambda: base_of_new(streams) > int(first.id),
                   "a later second")
        sequence = streams.publish("events.news", "b")["seq"]
        lane.swap(None, None)
        assert gap_of(news.next()) == "rewound"
        event = news.next()
        assert (event.data, int(event.id)) == \
            ("b", base_of(streams) + sequence)


def test_a_note_that_nobody_gave_is_asked_for_again(idle_followed, js,
                                                    streams):
    """Whether there is one is not known, so nothing is read."""
    streams.create("EVENTS")
    base = base_of(streams)
    later = base + (1 << 20)
    streams.publish_many("events.news", ["a", "b"])
    leave_note(streams, f"1:{base} 2:{later}")
    with FaultProxy(js.port) as proxy:
        proxy.for_new_links = lambda link: setattr(
            link.to_server, "swaps", [(b"STREAM.MSG.GET.",
                                       b"STREAM.MSG.NONE")])
        idle_followed.nats_server = None  # does not wait until it is ready
        idle_followed.start(nats=f"nats://127.0.0.1:{proxy.port}")
        lane = proxy.next_link().to_server
        eventually(lambda: lane.swapped >= 1, "the question")
        lane.swap(None, None)
        wait_until_stored(idle_followed, 3)
        assert [event["id"] for event in idle_followed.dump()] == \
            [base + 1, later + 2]


def test_a_stream_that_sources_others(idle_followed, streams):
    streams.create("ORDERS", ["events.orders.>"])
    streams.create("NEWS", ["events.news.>"])
    streams.create("EVENTS", [], sources=[{"name": "ORDERS"},
                                          {"name": "NEWS"}])
    idle_followed.start()
    streams.publish("events.orders.1", "a")
    streams.publish("events.news.today", "b")
    wait_until_stored(idle_followed, 2)
    assert sorted((e["channel"], e["data"]) for e in idle_followed.dump()) == \
        [("news.today", "b"), ("orders.1", "a")]


def test_a_journal_with_events_of_its_own_does_not_follow(idle_followed,
                                                          streams):
    streams.create("EVENTS")
    base = base_of(streams)
    idle_followed.start(stream=None, first_id=base + (1 << 40))
    idle_followed.publish("news", "mine")
    idle_followed.stop()
    idle_followed.nats_server = None
    idle_followed.start(stream="EVENTS", first_id=None)
    wait_for_check(idle_followed, "would not rise")
    assert idle_followed.http("GET", "/readyz").status == 503
