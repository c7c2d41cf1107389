"""Shelf 74: what strangers, quiet clients and a stream that is away may cost.
Protocol.md 2 and 7, operations.md."""

import base64
import json
import time

import pytest

from marks import serve
from stream_world import *
from shared_sessions import (ack, pair, publish, session, short, subject_of,
                             wait_until_there)
from stream_world import wait_for_check
from world import World


def newest_state(streams, name):
    """What the stream says of a session."""
    subject = subject_of(name)
    reply = streams.call("STREAM.MSG.GET.EVENTS", last_by_subj=subject)
    return json.loads(base64.b64decode(reply["message"]["data"]))


def test_polls_without_events_leave_the_stream_alone(pair, streams):
    """Wherever they go: nobody needs to know who has answered nothing."""
    short(pair[0], "s")
    before = streams.last("EVENTS")
    for turn in range(20):
        assert short(pair[turn % 2], "s") == []
    assert streams.last("EVENTS") == before


@pytest.mark.parametrize("forged", [
    {"acked": 2 ** 53 - 1, "sent": 2 ** 53 - 1}, {"sent": 2 ** 53 - 1},
    {"used": 2 ** 53 - 1}, {"born": 1, "sent": 2 ** 53 - 1}])
def test_a_state_that_nobody_can_have_written_is_not_believed(
        pair, another, streams, forged):
    """By who may write there: all of its form, but of what is yet to come."""
    a, b = pair
    short(a, "s")
    publish(pair, "one")
    streams.publish(subject_of("s"),
                    json.dumps({**newest_state(streams, "s"), **forged}))
    publish(pair, "two")
    assert short(a, "s") == ["one", "two"]
    assert short(b, "s") == []
    a.wait_for_metric("sessions_malformed", lambda figure: figure > 0)
    assert short(another(), "s") == []  # which reads what a wrote over it


def test_an_instance_without_the_stream_passes_over_what_others_tell(
        followed, js, streams, tmp_path):
    """It hears all that is sent under the prefix; some of it is not for it."""
    (tmp_path / "core").mkdir()
    core = World(tmp_path / "core", js)
    core.settings["nats"] = js.url
    core.start()
    try:
        rejected = streams.client.subscribe("events_rejected.>")
        for n in range(5):
            short(followed, f"s{n}")
        followed.publish("news", "one")
        wait_until_there(core, core.publish("news", "two"))
        assert core.metrics()["nats_rejected"] == 0
        assert count(rejected) == 0
        core.end()
    finally:
        core.abandon()


@serve(session_messages_in_all=8)
def test_all_sessions_together_do_not_flood_the_stream(followed, streams):
    """One that is made anew each time has no bound of its own."""
    started = time.monotonic()
    for _ in range(12):
        assert short(followed, "s") == []
        assert followed.http("DELETE", "/sessions/s").status == 200
    assert streams.last("EVENTS") == 24
    assert 24 <= 8 * (time.monotonic() - started + 2)


@serve(keep_age_ms=0, dedup_window_ms=0)
def test_what_is_kept_without_a_time_is_not_told_at_each_use(pair, streams):
    a, _ = pair
    short(a, "s")
    before = streams.last("EVENTS")
    for _ in range(20):
        assert short(a, "s") == []
    assert session(a, "s") is not None
    assert streams.last("EVENTS") == before


@serve(session_messages_per_second=1, session_wait_ms=5000)
def test_who_answers_has_said_so_before(pair):
    """What became of the answer can be told later, but is asked for there."""
    a, b = pair
    for name in ("s", "t"):
        short(a, name)  # no more from a in this second
        ack(b, name, publish(pair, "one")[0])
        publish(pair, "two")
        assert short(a, name) == ["two"]
        assert short(b, name) == []


@serve(session_wait_ms=1500)
def test_a_poll_that_is_left_while_its_answer_is_claimed_has_had_none(
        pair, js):
    """The events are there, and others are told first who answers."""
    a, b = pair
    assert short(a, "s") == short(b, "s") == []
    publish(pair, "one")
    js.freeze()
    left = b.begin_poll("/events/news?session=s&flavor=short-poll")
    b.wait_for_metric("sessions_alone", lambda count: count == 1)
    b.hang_up(left)
    js.thaw()
    b.wait_for_metric("sessions_told", lambda count: count == 1)
    assert short(a, "s") == ["one"]


@serve(session_messages_per_second=2)
def test_a_question_without_a_reply_stops_no_answers(pair, streams):
    """Whoever may send it: what is not told yet is still said to others."""
    a, b = pair
    short(a, "s")  # the first message
    streams.client.publish(
        f"events_sessions.{newest_state(streams, 's')['by']}", "s")
    streams.client.flush()
    publish(pair, "one")
    assert short(a, "s") == ["one"]  # the second
    publish(pair, "two")
    assert short(a, "s") == ["two"]  # no more in this second
    assert short(b, "s") == []


def count(subscription):
    """Messages until there were none for a moment, or far too many."""
    number = 0
    try:
        while number < 1000:
            subscription.next(0.7)
            number += 1
    except AssertionError:
        pass
    return number


@serve(session_wait_ms=100)
def test_without_its_stream_what_is_owed_asks_nobody(pair, streams):
    """Nor does who waits: it is there or not, and somebody else finds out."""
    a, _ = pair
    for n in range(20):
        short(a, f"s{n}")
    publish(pair, "one")
    a.restart()
    wait_for_check(a, "ok")
    streams.delete("EVENTS")
    wait_for_check(a, "no such stream")
    asked = streams.client.subscribe("$JS.API.STREAM.MSG.GET.EVENTS")
    for n in range(20):
        assert short(a, f"s{n}") == ["one"]
    a.wait_for_metric("journal_sessions_owed", lambda owed: owed == 20)
    assert count(asked) <= 2 * 20  # each looks, and claims its answer
