"""Shelf 74: shared sessions when instances begin and end, and the stream is away.
Protocol.md 7."""

import base64
import json
import time

import pytest

from jetstream import JetStream, Refused
from marks import serve
from nats_raw import NatsClient
from patience import eventually
from rewinding import Tape, see_rewind
from shared_sessions import (ack, alone, publish, session, short, state_of,
                             subject_of, texts, wait_until_back,
                             wait_until_told, pair)
from stream_world import *
from stream_world import wait_for_check


# ---- ends and beginnings ----------------------------------------------------

def test_an_instance_that_begins_empty_knows_all_sessions(pair, another):
    a, b = pair
    for n in range(30):
        short(pair[n % 2], f"s{n}")
    publish(pair, "one", "two")
    for n in range(0, 30, 2):
        assert short(a, f"s{n}") == ["one", "two"]
    c = another()
    for n in range(30):
        assert short(c, f"s{n}") == ([] if n % 2 == 0 else ["one", "two"])
    assert c.metrics()["sessions_alone"] == 0


def test_an_instance_that_began_empty_has_read_them_all(
        followed, another, js, streams):
    """More than a handful; without the stream it knows what it has read."""
    number = followed.publish("news", "one")
    for n in range(530):
        streams.client.ask(subject_of(f"s{n}"), state_of(f"s{n}", number))
    c = another()
    eventually(lambda: c.metrics()["journal_sessions"] == 530, "530 sessions")
    c.verify()
    js.kill()
    eventually(lambda: c.metrics()["nats_connected"] == 0, "the loss")
    for n in range(0, 530, 53):
        assert session(c, f"s{n}")["acked"] == number
    js.start()


def test_a_kill_of_a_repeats_at_most_the_last_answer(pair):
    a, b = pair
    short(a, "s")
    told = []
    for turn in range(4):
        publish([a, b], f"{turn}")
        told.append(short(a, "s"))
        assert told[-1] in ([f"{turn}"], [turn])
        a.kill()
        again = short(b, "s")
        assert again in ([], told[-1])
        a.start()
        publish([a, b], f"again {turn}")
        assert short(a, "s") == [f"again {turn}"]


def test_what_was_acknowledged_outlives_a_kill_of_any_instance(pair):
    a, b = pair
    short(a, "s")
    for turn in range(4):
        here, there = (a, b) if turn % 2 == 0 else (b, a)
        numbers = publish(pair, "one", "two")
        assert ack(here, "s", numbers[0]) == numbers[0]
        here.kill()
        assert session(there, "s")["acked"] == numbers[0]
        assert short(there, "s") == ["two"]
        here.start()
        assert short(here, "s") == []


def test_a_stop_of_a_repeats_nothing_at_b(pair):
    """Polls that wait are answered at the stop, and others hear of it."""
    a, b = pair
    publish(pair, "before")
    waiting = []
    for n in range(40):
        short(b, f"s{n}")
        waiting.append(a.begin_poll(f"/events/news?session=s{n}"))
    a.wait_for_subscribers(40)
    b.publish("news", "last")
    for connection in waiting:
        assert texts(a.poll_answer(connection)) == ["last"]
    a.stop()
    for n in range(40):
        assert short(b, f"s{n}") == []
    a.start()


def test_a_message_is_learned_with_its_sequence(followed, streams):
    """Whenever it is killed: what stands before the newest event is known."""
    name, pairs = "s", []
    for n in range(1, 4001):
        pairs.append(streams.client.format(subject_of(name),
                                           state_of(name, n)))
        pairs.append(streams.client.format("events.news", str(n)))
    streams.client.send(b"".join(pairs))
    followed.wait_for_metric("journal_events", lambda stored: stored > 50)
    followed.kill()
    last = int(followed.dump()[-1]["data"])
    listed = followed.tidings("log", "sessions", "--data", followed.data)
    stored = json.loads(listed.stdout)
    assert (stored["session"], stored["born"]) == (name, 7)
    assert last <= stored["acked"] <= last + 1
    followed.start()


# ---- the stream is away -----------------------------------------------------

def wait_for_loss(world):
    """So that it is not taken for connected because it has not noticed yet."""
    world.wait_for_metric("nats_connected", lambda up: up == 0)


def test_without_the_stream_sessions_go_on_and_are_told_later(pair, js):
    a, b = pair
    short(a, "s")
    publish(pair, *(f"{n}" for n in range(3)))
    js.kill()
    for world in pair:
        wait_for_loss(world)
    assert short(a, "s") == [0, 1, 2]
    assert short(a, "s") == []
    answer = a.post("/sessions/s/ack?id=1")
    assert (answer.status, answer.error) == (503, "stream_refuses")
    assert a.http("DELETE", "/sessions/s").status == 503
    a.wait_for_metric("journal_sessions_owed", lambda owed: owed == 1)
    js.start()
    wait_until_back(b)
    wait_until_told(a)
    assert short(b, "s") == []
    publish(pair, "after")
    assert short(b, "s") == ["after"]
    assert short(a, "s") == []


@serve(session_wait_ms=300)
@pytest.mark.parametrize("silence", ["freeze", "kill"])
def test_what_is_unknown_is_not_begun_anew_while_nobody_can_be_asked(
        followed, another, js, silence):
    """It may be a session of another instance, which is further back."""
    short(followed, "s")
    b = another(stream_start="new")
    wait_for_check(b, "ok")
    publish((followed, b), "one")
    js.freeze() if silence == "freeze" else js.kill()
    for answer in (b.get("/events/news?session=s&flavor=short-poll"),
                   b.get("/sessions/s"), b.post("/sessions/s/ack?id=1"),
                   b.http("DELETE", "/sessions/s")):
        assert (answer.status, answer.error) in [(503, "not_acknowledged"),
                                                 (503, "stream_refuses")]
        assert "Retry-After" in answer.headers
    stream = b.sse("/events/news?session=s")
    assert stream.ends() == [] and stream.retry > 0
    js.thaw() if silence == "freeze" else js.start()
    for world in (followed, b):
        wait_until_back(world)
    assert short(b, "s")[-1] == "one"  # a gap before it: b began behind
    assert short(followed, "s") == []


def test_what_was_not_told_before_a_restart_is_told_after_it(pair, js):
    a, b = pair
    short(a, "s")
    publish(pair, "one")
    js.kill()
    for world in pair:
        wait_for_loss(world)
    assert short(a, "s") == ["one"]
    a.stop()
    js.start()
    a.start()
    wait_until_back(b)
    wait_until_told(a)
    assert short(b, "s") == []


def test_a_kill_of_the_nats_server_loses_no_position(pair, js):
    a, b = pair
    short(a, "s")
    for turn in range(4):
        number = publish(pair, f"text {turn}")[0]
        assert short(pair[turn % 2], "s") == [f"text {turn}"]
        for world in pair:
            wait_until_told(world)
        js.kill()
        for world in pair:
            wait_for_loss(world)
        js.start()
        for world in pair:
            wait_until_back(world)
        assert short(pair[(turn + 1) % 2], "s") == []
        assert session(a, "s")["acked"] == number


def test_a_full_stream_takes_no_acknowledgement(pair, streams):
    a, b = pair
    short(a, "s")
    number = publish(pair, "one")[0]
    streams.update("EVENTS", discard="new",
                   max_msgs=streams.info("EVENTS")["state"]["messages"])
    answer = a.post(f"/sessions/s/ack?id={number}")
    assert (answer.status, answer.error) == (503, "stream_refuses")
    assert "Retry-After" in answer.headers
    assert a.http("DELETE", "/sessions/s").status == 503
    assert short(a, "s") == []  # it has it, as it says
    streams.update("EVENTS", discard="old", max_msgs=-1)
    wait_until_told(a)
    assert session(b, "s")["acked"] == number


@serve(session_wait_ms=500)
def test_an_instance_that_starts_without_the_stream_does_not_wait_for_ever(
        followed, js):
    """For a moment, as it may know nothing yet; then no more."""
    short(followed, "s")
    followed.kill()
    js.kill()
    followed.start(nats=f"nats://localhost:{js.port}")  # which is not there
    assert session(followed, "s") is not None
    started = time.monotonic()
    for _ in range(20):
        assert short(followed, "s") == []
    followed.wait_for_metric("sessions_alone", lambda figure: figure == 21)
    assert time.monotonic() - started < 20 * 0.5  # each would wait so long
    js.start()


@pytest.mark.parametrize("subjects", [["events.news"], ["events.*"]])
def test_a_stream_without_their_subjects_leaves_sessions_local(
        idle_followed, streams, subjects):
    streams.create("EVENTS", subjects=subjects)
    a = idle_followed.start()
    wait_for_check(a, "ok")
    assert short(a, "s") == []
    number = a.publish("news", "one")
    assert short(a, "s") == ["one"]
    assert ack(a, "s", number) == number
    a.restart()
    assert short(a, "s") == []
    assert a.output().count("the stream's subjects do not have those of "
                            "sessions") == 2  # once in each life
    assert a.http("DELETE", "/sessions/s").status == 200


@serve(sessions_max=3)
def test_beyond_its_limit_an_instance_asks_the_stream(followed, another):
    b = another(sessions_max=2)
    for n in range(3):
        short(followed, f"s{n}")
    b.wait_for_metric("journal_sessions", lambda count: count == 2)
    eventually(lambda: b.metrics()["journal_sessions_left_out"] == 1,
               "one left out")
    answer = b.get("/events/news?session=new&flavor=short-poll")
    assert (answer.status, answer.error) == (503, "sessions_full")
    for answer in (b.get("/sessions/s2"), b.http("DELETE", "/sessions/s2"),
                   b.post("/sessions/s2/ack?id=1"),
                   b.get("/events/news?session=s2&timeout=1")):
        # there is one, so it is neither unknown nor made anew
        assert (answer.status, answer.error) == (503, "sessions_full")
    assert b.http("DELETE", "/sessions/s1").status == 200
    eventually(lambda: session(b, "s2") is not None, "room for it")
    assert session(b, "s2")["acked"] == session(followed, "s2")["acked"]


def test_a_purged_stream_moves_no_session_back(pair, streams):
    """Its messages are gone, also about sessions; the journals know."""
    a, b = pair
    short(a, "s")
    publish(pair, "one")
    assert short(a, "s") == ["one"]
    wait_until_told(a)
    streams.purge("EVENTS")
    assert short(a, "s") == []
    publish(pair, "two")
    assert short(b, "s") == ["two"]
    assert short(a, "s") == []


def test_a_rewound_stream_moves_no_session_back(pair, js, tmp_path):
    """It has lost what was told last; who read that tells it again."""
    a, b = pair
    short(a, "s")
    publish(pair, "one")
    assert short(b, "s") == ["one"]
    wait_until_told(b)
    tape = Tape(js, tmp_path / "copy")
    tape.keep()
    for world in pair:
        wait_until_back(world)
    publish(pair, "lost")
    assert short(a, "s") == ["lost"]
    assert ack(b, "s", session(a, "s")["sent"])
    tape.rewind()
    for world in pair:
        see_rewind(world)
    publish(pair, "new")
    told = short(b, "s")
    assert told[0]["reason"] == "rewound" and told[1:] == ["new"]
    assert short(a, "s") == short(b, "s") == []
    publish(pair, "last")
    assert short(a, "s") == ["last"]


# ---- what the stream has lost -----------------------------------------------

def told_in(streams, name):
    """The newest message about it that the stream has."""
    try:
        found = streams.call("STREAM.MSG.GET.EVENTS",
                             last_by_subj=subject_of(name))
    except Refused:
        return None
    return json.loads(base64.b64decode(found["message"]["data"]))


@serve(sessions_max=64)
def test_what_the_stream_has_dropped_is_told_again(pair, another, streams):
    a, b = pair
    short(a, "s")
    publish(pair, "one")
    assert short(a, "s") == ["one"]
    wait_until_told(a)
    streams.update("EVENTS", max_msgs=2)
    publish(pair, "two", "three")
    eventually(lambda: told_in(streams, "s") is not None, "s to be told again")
    streams.update("EVENTS", max_msgs=100)
    publish(pair, "four")
    a.stop()
    b.stop()
    c = another()
    assert short(c, "s")[-1] == "four"
    a.start()
    b.start()


@serve(sessions_max=64)
@pytest.mark.parametrize("first", ["a", "b"])
def test_one_made_where_the_stream_had_dropped_it_ends_none(
        pair, another, streams, first):
    """Who knows nothing begins it anew; who knows better says so."""
    a, b = pair
    short(a, "s")
    number = publish(pair, "one", "two")[0]
    ack(b, "s", number)
    for world in pair:
        wait_until_told(world)
    born = told_in(streams, "s")["born"]
    state = json.loads(state_of("s", publish(pair, "three")[0]))
    assert state["born"] != born
    streams.publish(subject_of("s"), json.dumps(state))  # as c would
    eventually(lambda: told_in(streams, "s")["born"] == born, "the first again")
    c = another()
    assert short(a if first == "a" else b, "s") == ["two", "three"]
    assert short(c, "s") == []


def test_one_made_after_a_removal_is_another(pair, streams):
    a, b = pair
    short(a, "s")
    publish(pair, "one", "two")
    assert a.http("DELETE", "/sessions/s").status == 200
    assert short(b, "s") == []
    wait_until_told(b)
    assert told_in(streams, "s")["anew"] is True
    assert short(a, "s") == []


def events_of(world, name):
    """But for the gap."""
    return [text for text in short(world, name) if isinstance(text, str)]


@serve(sessions_max=64)
def test_a_rewound_stream_is_told_what_it_has_lost(
        pair, another, js, tmp_path):
    """Also of sessions that nobody asks for, and before the next event."""
    a, b = pair
    names = [f"s{n}" for n in range(20)]
    for name in names:
        short(a, name)
    publish(pair, "one")
    for name in names:
        assert short(a, name) == ["one"]
    wait_until_told(a)
    tape = Tape(js, tmp_path / "copy")
    tape.keep()
    for world in pair:
        wait_until_back(world)
    publish(pair, "lost")
    for name in names:
        assert short(a, name) == ["lost"]
    number = publish(pair, "lost too")[0]
    for name in names:
        assert short(a, name) == ["lost too"]
    wait_until_told(a)
    tape.rewind()
    for world in pair:
        see_rewind(world)
    before = alone(pair)
    assert events_of(b, "s0") == []
    assert ack(a, "s1", session(a, "s1")["sent"])
    assert alone(pair) == before
    streams = JetStream(NatsClient(js.port))
    eventually(lambda: all(told_in(streams, name)["sent"] >= number
                           for name in names), "all to be told again")
    streams.client.close()
    for world in pair:
        world.stop()
    c = another()
    publish([c], "new")
    for name in names:
        assert events_of(c, name) == ["new"]
    for world in pair:
        world.start()
