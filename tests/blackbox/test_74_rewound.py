"""A stream that comes back with an older tail: who knew of it, who did not, who is
told; and a cut that outlasts what the stream keeps.

rewind_rounds.py (tests/fault) does the same at random, with roaming clients."""

import json
import signal
import time

import pytest
from patience import eventually
from rewinding import *
from rewinding import ids_of, lose_two, see_rewind, wait_for_text
from stream_world import *
from stream_world import wait_for_check, wait_until_stored
from test_71_stream import base_of, leave_note
from test_73_stream_faults import gap_of


# ---- one id, one event --------------------------------------------------------

def test_who_had_not_read_the_lost_tail_hears_of_it(reader, another, tape):
    """It cannot see it by itself: no message has come under the old ids yet, and
    none of those that it has read is missing."""
    late = another(stream_peers_ms=20000)
    tape.publish("a", "b")
    wait_until_stored(late, 2)
    late.stop()
    tape.keep()
    tape.publish("lost 3", "lost 4")
    wait_until_stored(reader, 4)
    tape.rewind()
    see_rewind(reader)
    late.start()
    see_rewind(late)
    tape.publish("new 3", "new 4")
    for world in (reader, late):
        wait_for_text(world, "new 4")
    theirs, ours = ids_of(reader), ids_of(late)
    assert ours == {text: theirs[text] for text in ours}
    assert theirs["new 3"] > theirs["lost 4"]
    assert len(set(theirs.values())) == 6


def test_an_empty_instance_hears_of_it_too(reader, another, tape):
    tape.publish("a")
    tape.keep()
    tape.publish("lost")
    wait_until_stored(reader, 2)
    tape.rewind()
    see_rewind(reader)
    fresh = another(stream_peers_ms=20000)
    tape.publish("new")
    for world in (reader, fresh):
        wait_for_text(world, "new")
    assert ids_of(fresh)["new"] == ids_of(reader)["new"]


def test_one_that_knows_nothing_says_nothing(reader, idle_another, tape):
    """Its word is no newer news than that of one that knows. The one that knows
    stands still meanwhile; its words are repeated here, as it said them."""
    tape.publish("a")
    tape.keep()
    tape.publish("lost")
    wait_for_text(reader, "lost")
    tape.rewind()
    see_rewind(reader)
    words = tape.streams.client.subscribe("tidings.position.EVENTS")
    known = words.next().data
    reader.process.send_signal(signal.SIGSTOP)
    try:
        idle_another.start(stream_peers_ms=1500)
        while words.next().data.split(b" ")[1][:1] != b"1":
            pass  # until it asks
        for word in (known, b"7 100 0 0 0 0 "):
            tape.streams.client.publish("tidings.position.EVENTS", word)
        see_rewind(idle_another)
    finally:
        reader.process.send_signal(signal.SIGCONT)
    tape.publish("new")
    for world in (reader, idle_another):
        wait_for_text(world, "new")
    assert ids_of(idle_another)["new"] == ids_of(reader)["new"]


def test_who_was_away_meanwhile_sees_it_at_the_start(reader, tape):
    tape.publish("a", "lost")
    wait_until_stored(reader, 2)
    reader.stop()
    tape.streams.purge("EVENTS")  # and what it had is not what is there
    tape.keep()
    tape.publish("kept")
    reader.start()
    wait_until_stored(reader, 3)
    reader.stop()
    tape.rewind()
    tape.publish("new")
    reader.start()
    see_rewind(reader)
    wait_for_text(reader, "new")
    ids = ids_of(reader)
    assert list(ids) == ["a", "lost", "kept", "new"]
    assert ids["new"] > ids["kept"]


def test_an_instance_that_is_alone_waits_for_nobody_for_long(idle_followed,
                                                             tape):
    tape.publish("a")
    idle_followed.start(stream_peers_ms=300)
    wait_until_stored(idle_followed, 1)
    assert idle_followed.metrics()["stream_peers"] == 0


def test_instances_count_each_other(reader, another):
    other = another()
    for world in (reader, other):
        world.wait_for_metric("stream_peers", lambda n: n == 1)
    other.stop()
    reader.wait_for_metric("stream_peers", lambda n: n == 0)
    other.start()


def test_nonsense_about_positions_is_ignored(reader, tape):
    for text in ("", "x", "7 000", "7 001 1 2 3 4 5:5 5:5", "9" * 5000):
        tape.streams.client.publish("tidings.position.EVENTS", text)
    tape.publish("a")
    wait_until_stored(reader, 1)
    wait_for_check(reader, "ok")


def test_7_a_key_whose_event_was_lost_may_come_again(reader, another, tape):
    """It is an event at those who had the lost one, too, and under one id."""
    late = another(stream_peers_ms=20000)
    tape.publish("a")
    wait_until_stored(late, 1)
    late.stop()
    tape.keep()
    key = {"Nats-Msg-Id": "k"}
    tape.streams.publish("events.news", "lost", key)
    wait_for_text(reader, "lost")
    tape.rewind()
    see_rewind(reader)
    tape.streams.publish("events.news", "again", key)
    late.start()
    for world in (reader, late):
        wait_for_text(world, "again")
    assert ids_of(reader)["again"] == ids_of(late)["again"]
    again = tape.streams.publish("events.news", "twice", key)
    assert again["duplicate"]


def test_what_is_older_than_the_remembered_ids_is_left_out_and_told(
        idle_followed, tape):
    """So many rewinds that the note has no room for the first of them."""
    base = base_of(tape.streams)
    later = base + (24 << 20)
    tape.publish("a", "b", "c")
    leave_note(tape.streams, f"3:{later}")
    tape.publish("d")
    idle_followed.start()
    wait_for_text(idle_followed, "d")
    assert ids_of(idle_followed) == {"c": later + 3, "d": later + 5}
    news = idle_followed.sse("/events/news", base + 1)
    assert gap_of(news.next()) in ("trimmed", "unknown")
    assert [event.data for event in news.take(2)] == ["c", "d"]


def test_a_lost_message_of_early_in_a_second(reader, tape):
    """What came less than that second later is new all the same: the library
    writes times of such messages wrongly."""
    tape.publish("a")
    tape.keep()
    tape.streams.last("EVENTS")
    reader.wait_until_ready()
    eventually(lambda: time.time() % 1 < 0.03, "the next second")
    tape.publish("lost")
    wait_for_text(reader, "lost")
    tape.rewind()
    tape.publish("new", "newer")
    wait_for_text(reader, "newer")
    assert list(ids_of(reader)) == ["a", "lost", "new", "newer"]


# ---- who is told, and once ----------------------------------------------------

def test_5_a_poll_in_what_was_lost_is_told_once(reader, tape):
    lose_two(reader, tape)
    tape.publish("new")
    wait_for_text(reader, "new")
    tape.streams.publish("events.other", "x")
    first = reader.poll("/events/other,quiet", ids_of(reader)["lost 3"])
    assert gap_of_poll(first.events[0]) == "rewound"
    quiet = reader.poll("/events/quiet?timeout=0", ids_of(reader)["lost 3"])
    assert gap_of_poll(quiet.events[0]) == "rewound"
    assert reader.poll("/events/quiet?timeout=0", quiet.position).events == []
    pattern = reader.poll("/events/quiet.>?timeout=0",
                          ids_of(reader)["lost 3"])
    assert gap_of_poll(pattern.events[0]) == "rewound"
    assert reader.poll("/events/quiet.>?timeout=0",
                       pattern.position).events == []
    rest = reader.poll("/events/news", ids_of(reader)["lost 2"])
    assert [event["data"]["data"] for event in rest.events[1:]] == \
        ["lost 3", "new"]


def test_5_a_time_in_what_was_lost_is_told(reader, tape):
    """And one behind it is not."""
    lose_two(reader, tape)
    tape.publish("new", "newer")
    wait_for_text(reader, "newer")
    times = {event["data"]: event["time"] for event in reader.dump()}
    news = reader.sse("/events/news", times["lost 2"])
    assert gap_of(news.next()) == "rewound"
    assert [event.data for event in news.take(2)] in (
        ["lost 3", "new"], ["new", "newer"])  # in one millisecond
    assert reader.sse("/events/news", times["a"]).next().data == "lost 2"
    assert reader.poll("/events/news?timeout=0", times["newer"]).events == []


def gap_of_poll(element):
    assert element["data"]["type"] == "tidings.gap", element
    return reason_in(element["data"]["data"])


def reason_in(data):
    return (json.loads(data) if isinstance(data, str) else data)["reason"]


def test_5_who_comes_with_a_lost_id_to_one_that_never_had_it(reader, another,
                                                             tape):
    other = another(stream_peers_ms=20000, ahead_wait_ms=20000)
    tape.publish("a")
    wait_until_stored(other, 1)
    other.stop()
    tape.keep()
    tape.publish("lost 2", "lost 3")
    wait_until_stored(reader, 3)
    tape.rewind()
    see_rewind(reader)
    tape.publish("new")
    other.start()
    wait_for_text(other, "new")
    news = other.sse("/events/news", ids_of(reader)["lost 3"])
    assert gap_of(news.next()) == "rewound"
    tape.publish("newer")
    assert [event.data for event in news.take(2)] == ["new", "newer"]


def test_5_what_was_kept_and_what_is_new_in_one_commit(proxy, reader, another,
                                                       tape):
    """One that was cut off reads both at once: who is connected to it is told in
    between."""
    other = another(stream_peers_ms=20000,
                    nats=f"nats://127.0.0.1:{proxy.port}")
    other.wait_until_ready()
    news = other.sse("/events/news")
    tape.publish("a")
    assert news.next().data == "a"
    proxy.refuse()
    proxy.next_link().reset()
    wait_for_check(other, "not connected")
    kept, new = ([f"{word} {n}" for n in range(10)]
                 for word in ("kept", "new"))
    tape.publish(*kept)
    wait_for_text(reader, kept[-1])
    tape.keep()
    tape.publish("lost")
    wait_for_text(reader, "lost")
    tape.rewind()
    see_rewind(reader)
    tape.publish(*new)
    wait_for_text(reader, new[-1])
    proxy.listen()
    assert [event.data for event in news.take(10)] == kept
    assert gap_of(news.next()) == "rewound"
    assert [event.data for event in news.take(10)] == new


def test_8_readyz_names_the_alarm_though_it_serves(reader, tape):
    def alarm():
        return reader.get("/readyz").json()["alarm"]
    assert alarm() is None
    tape.publish("a")
    tape.keep()
    tape.publish("lost")
    wait_until_stored(reader, 2)
    tape.rewind()
    see_rewind(reader)
    tape.publish("new")
    wait_for_check(reader, "rewound")
    reader.wait_until_ready()
    assert alarm() == "the stream: rewound since the start"
    reader.wait_for_metric("stream_alarm", lambda figure: figure == 1)
    assert "the stream was rewound" in reader.output()
    tape.streams.update("EVENTS", sealed=True)
    wait_for_check(reader, "sealed")
    assert reader.get("/readyz").status == 200
    assert alarm() == "the stream: sealed: takes no events"
    reader.restart()  # waits until it is ready
    wait_for_check(reader, "sealed")
    assert alarm() == "the stream: sealed: takes no events"
    reader.wait_for_metric("stream_alarm", lambda figure: figure == 1)
    tape.streams.delete("EVENTS")
    wait_for_check(reader, "no such stream")
    assert reader.get("/readyz").status == 503
    assert alarm() == "the stream: there is no such stream"


# ---- at the start ---------------------------------------------------------------

def test_a_stream_that_was_made_again_while_away(reader, tape):
    first = tape.publish("a")
    wait_until_stored(reader, first[-1])
    old = ids_of(reader)["a"]
    reader.stop()

    def is_later():
        tape.streams.delete("EVENTS")
        tape.streams.create("EVENTS")
        return base_of(tape.streams) > old
    eventually(is_later, "a later second")
    tape.publish("b")
    reader.start()
    wait_for_check(reader, "ok")
    eventually(lambda: len(reader.dump()) == 2, "what the new one has")
    for after, told in ((old, []), (old + 1, ["rewound"])):
        news = reader.sse("/events/news", after)
        assert [gap_of(news.next()) for _ in told] == told
        assert news.next().data == "b"
    reader.wait_for_metric("stream_recreations", lambda figure: figure == 1)


def test_a_stream_that_was_purged_while_away_and_had_been_read(reader, tape):
    """Nothing was missed, so nothing is told."""
    tape.publish("a", "b")
    wait_until_stored(reader, 2)
    reader.stop()
    tape.streams.purge("EVENTS")
    tape.publish("c")
    reader.start()
    wait_until_stored(reader, 3)
    news = reader.sse("/events/news", ids_of(reader)["b"])
    assert news.next().data == "c"
    assert reader.metrics()["stream_missing"] == 0
    assert reader.get("/readyz").json()["alarm"] is None


# ---- between the stream and one that reads it -------------------------------------

@pytest.fixture
def far(proxy, idle_followed, tape):
    """Follows through the proxy."""
    return idle_followed.start(nats=f"nats://127.0.0.1:{proxy.port}")


def test_5_a_cut_longer_than_the_stream_keeps_is_told(proxy, idle_followed,
                                                      streams):
    streams.create("EVENTS", max_msgs=3)
    far = idle_followed.start(nats=f"nats://127.0.0.1:{proxy.port}")
    link = proxy.next_link()
    news, socket = far.sse("/events/news"), far.websocket("/events/news")
    pattern = far.lines("/events/>?xhr=1&envelope=1")
    streams.publish("events.news", "a")
    first = news.next()
    assert socket.next_json()["data"]["data"] == "a"
    assert pattern.next_json()["data"]["data"] == "a"
    poll = far.begin_poll("/events/news?timeout=100", first.id)
    proxy.refuse()
    link.reset()
    wait_for_check(far, "not connected")
    streams.publish_many("events.news", [f"m{n}" for n in range(8)])
    proxy.listen()
    assert gap_of(news.next()) == "trimmed"
    assert [event.data for event in news.take(3)] == ["m5", "m6", "m7"]
    for told in (socket, pattern):
        assert reason_in(told.next_json()["data"]["data"]) == "trimmed"
        assert [told.next_json()["data"]["data"] for _ in range(3)] == \
            ["m5", "m6", "m7"]
    events = far.poll_answer(poll).events
    assert gap_of_poll(events[0]) == "trimmed"
    far.wait_for_metric("stream_missing", lambda figure: figure == 1)
    early = far.sse("/events/news", "1000000000000")  # a time
    assert gap_of(early.next()) == "trimmed"
    assert [event.data for event in early.take(4)] == ["a", "m5", "m6", "m7"]


def test_messages_that_come_again_are_applied_once(proxy, far, tape):
    """A consumer that begins before the position, as one that a server has made
    anew from an older state."""
    link = proxy.next_link()
    tape.publish(*(f"{n}" for n in range(12)))
    wait_until_stored(far, 12)
    proxy.for_new_links = lambda link: setattr(
        link.to_server, "swaps",
        [(b'"opt_start_seq":13', b'"opt_start_seq":10')])
    link.reset()
    far.wait_for_metric("stream_redelivered", lambda n: n == 3)
    tape.publish("12")
    wait_until_stored(far, 13)
    assert [event["data"] for event in far.dump()] == \
        [f"{n}" for n in range(13)]


def test_a_new_leaders_short_word_is_no_rewind(proxy, far, tape):
    """Of several copies the one that begins to lead may not have put in yet what
    was agreed upon."""
    link = proxy.next_link()
    tape.publish(*(f"{n}" for n in range(12)))
    wait_until_stored(far, 12)
    link.to_client.swap(b'"last_seq":12', b'"last_seq":11',
                        b'"num_replicas":1', b'"num_replicas":3')
    eventually(lambda: "its leader may be behind" in far.output(), "a doubt")
    link.to_client.swap(None, None)
    news = far.sse("/events/news")
    tape.publish("12")
    assert news.next().data == "12"
    wait_for_check(far, "ok")
    assert far.metrics()["stream_rewinds"] == 0
    assert len(far.dump()) == 13
