"""Shelf 74: sessions that all instances of a stream know. Protocol.md 2 and 7."""

import os
import time

import pytest

from marks import serve
from patience import eventually
from shared_sessions import (ack, alone, ids_of, open_stream, publish,
                             session, short, subject_of, texts,
                             wait_until_told, pair)
from stream_world import *
from tokens import SECRET, bearer


def test_a_session_that_was_made_at_a_is_known_at_b(pair):
    a, b = pair
    assert short(a, "s") == []
    publish(pair, "one")
    assert short(b, "s") == ["one"]
    assert session(a, "s")["sent"] == session(b, "s")["sent"] > 0


# ---- every flavor -----------------------------------------------------------

@serve(session_messages_per_second=1000)
@pytest.mark.parametrize("more", [{"flavor": "short-poll"}, {},
                                  {"longpoll": 1, "envelope": 1}],
                         ids=["short-poll", "long-poll", "lines"])
def test_polls_may_go_to_any_instance_in_turn(pair, more):
    """What one has answered the next one knows; each event comes once."""
    got, expected = [], []
    for turn in range(40):
        world = pair[turn % 2]
        number = world.publish("news", f"text {turn}")
        expected.append(number)
        answer = world.get("/events/news?" + world.query(
            session="s", last_event_id=expected[0] - 1, **more)
            if turn == 0 else
            "/events/news?" + world.query(session="s", **more))
        got += ids_of(answer)
    assert got == expected
    assert alone(pair) == 0


@serve(session_messages_per_second=1000)
def test_whoever_publishes_meanwhile_an_alternating_client_loses_nothing(
        pair, streams):
    """Hundreds of events, and no meeting point but the last one."""
    short(pair[0], "s")
    expected = [f"text {n}" for n in range(400)] + ["last"]
    replies = [streams.client.ask("events.news", text) for text in expected]
    got, turn = [], 0
    while not got or got[-1] != "last":
        turn += 1
        got += texts(pair[turn % 2].poll(
            "/events/news?session=s&timeout=2"))
    for reply in replies:
        streams.acknowledged(reply)
    assert got == expected
    assert turn < 402
    assert alone(pair) == 0


@serve(session_messages_per_second=2)
def test_what_a_has_not_told_yet_is_asked_for(pair):
    """Its messages are used up; the stream does not know what it answered."""
    a, b = pair
    for n in range(4):
        name = f"s{n}"
        short(a, name)  # the first
        publish(pair, "one")
        assert short(a, name) == ["one"]  # the second
        publish(pair, "two")
        assert short(a, name) == ["two"]  # no more in this second
        assert short(b, name) == []


@serve(session_messages_per_second=8)
def test_one_session_does_not_flood_the_stream(pair, streams):
    """What comes beyond the bound waits, and is not lost."""
    short(pair[0], "s")
    before, started = streams.last("EVENTS"), time.monotonic()
    got = []
    for turn in range(20):
        pair[0].publish("news", f"text {turn}")
        got += short(pair[0], "s")
    assert got == [f"text {turn}" for turn in range(20)]
    messages = streams.last("EVENTS") - before - 20
    assert messages <= 8 * (time.monotonic() - started + 2)
    assert alone(pair) == 0


@pytest.mark.parametrize("flavor", ["eventsource", "lines", "websocket"])
def test_a_stream_resumes_at_b_after_what_was_acknowledged_at_a(pair, flavor):
    a, b = pair
    for turn in range(6):
        here, there = (a, b) if turn % 2 == 0 else (b, a)
        stream, take, acknowledge = open_stream(here, flavor)
        if turn > 0:
            assert take() == left  # what was not acknowledged
        numbers = publish(pair, "one", "two", "three")
        assert [take() for _ in numbers] == numbers
        acknowledge(numbers[1])
        eventually(lambda: session(there, "s")["acked"] == numbers[1],
                   "the acknowledgement")
        left = numbers[2]
        here.hang_up(stream.connection)
    assert alone(pair) == 0


def test_a_poll_after_a_stream_and_a_stream_after_a_poll(pair):
    a, b = pair
    stream, take, _ = open_stream(a, "eventsource")
    numbers = publish(pair, "one", "two")
    assert [take(), take()] == numbers
    assert ack(b, "s", numbers[0]) == numbers[0]
    assert short(b, "s") == ["two"]
    again, take, _ = open_stream(a, "eventsource")
    number = publish(pair, "three")[0]
    assert take() == number


def test_who_waited_at_a_is_answered_there_and_goes_on_at_b(pair):
    a, b = pair
    short(b, "s")
    waiting = a.begin_poll("/events/news?session=s")
    a.wait_for_subscribers(1)
    publish(pair, "one")
    assert texts(a.poll_answer(waiting)) == ["one"]
    assert short(b, "s") == []
    assert short(a, "s") == []


def test_an_answer_on_its_way_at_a_is_given_again_at_b(pair):
    """It may be one that its client gave up; whole, it counts."""
    a, b = pair
    assert short(a, "s") == []
    numbers = publish(pair, *(f"{n}" + "x" * 250000 for n in range(3)))
    begun = a.connect(receive_buffer=4096)
    begun.request("GET", "/events/news?session=s&flavor=short-poll")
    assert begun.is_answered()
    eventually(lambda: session(a, "s")["sent"] == numbers[2],
               "the answer on its way")
    assert [text[0] for text in short(b, "s")] == ["0", "1", "2"]
    assert len(begun.response().json()) == 3
    assert short(a, "s") == []


# ---- made, removed, refused -------------------------------------------------

def test_a_removed_session_is_gone_everywhere(pair):
    a, b = pair
    assert short(a, "s") == []
    assert session(b, "s") is not None
    answer = a.http("DELETE", "/sessions/s")
    assert (answer.status, answer.json()["removed"]) == (200, True)
    assert session(b, "s") is None
    assert b.http("DELETE", "/sessions/s").status == 404
    assert b.post("/sessions/s/ack?id=1").status == 404
    publish(pair, "between")
    assert short(b, "s") == []  # a new one
    publish(pair, "after")
    assert short(a, "s") == ["after"]
    wait_until_told(a)
    for world in pair:
        world.kill()
        world.start()
    publish(pair, "last")
    assert short(a, "s") == ["last"]


def test_a_session_that_both_make_at_once_is_one(pair):
    a, b = pair
    number = publish(pair, "before")[0]
    for n in range(20):
        begun = [world.begin_poll(
            f"/events/news?session=s{n}&flavor=short-poll") for world in pair]
        for world, connection in zip(pair, begun):
            assert texts(world.poll_answer(connection)) == []
        assert session(a, f"s{n}")["acked"] == number
        assert session(b, f"s{n}")["acked"] == number


def test_acknowledgements_only_rise_wherever_they_come(pair):
    a, b = pair
    short(a, "s")
    first, second = publish(pair, "one", "two")
    assert ack(a, "s", second) == second
    assert ack(b, "s", first) == second
    assert session(a, "s")["acked"] == second
    assert short(b, "s") == []


@serve(ahead_wait_ms=300)
def test_b_that_has_not_read_so_far_does_not_say_that_an_id_is_wrong(
        followed, another, js, streams):
    """It can ask about the session, but its reading of the stream stands still:
    its journal has no room."""
    b = another(map_bytes=1048576, keep_bytes=0, keep_age_ms=0)
    short(followed, "s")
    number = 0
    for _ in range(200):
        number = followed.publish("news", "x" * 9000)
    eventually(lambda: b.metrics()["journal_no_space"] > 0, "a full journal")
    answer = b.post(f"/sessions/s/ack?id={number}")
    assert (answer.status, answer.error) == (503, "behind")
    assert "Retry-After" in answer.headers
    assert b.post(f"/sessions/s/ack?id={number + 2 ** 50}").status == 400


def test_the_sub_of_a_token_owns_its_sessions_on_every_instance(
        idle_followed, another, streams):
    streams.create("EVENTS")
    os.environ["TIDINGS_TOKEN_SECRET"] = SECRET.decode()
    try:
        a, b = idle_followed.start(), another()
    finally:
        del os.environ["TIDINGS_TOKEN_SECRET"]
    ann = bearer(sub="ann", subscribe=["news"], publish=["news"])
    bob = bearer(sub="bob", subscribe=["news"], publish=["news"])
    target = "/events/news?session=s&flavor=short-poll"
    assert texts(a.poll(target, headers=ann)) == []
    number = a.post("/publish/news", "one", ann).json()["id"]
    eventually(lambda: b.get("/channels/news", ann).status == 200 and
               b.get("/channels/news", ann).json()["last_id"] >= number,
               "the event at b")
    assert texts(b.poll(target, headers=ann)) == ["one"]
    assert texts(a.poll(target, headers=ann)) == []
    assert b.get("/sessions/s", ann).json()["sent"] == number
    assert b.get("/sessions/s", bob).status == 404
    assert texts(b.poll(target, headers=bob)) == []  # his own, new
    told = [streams.message("EVENTS", sequence)
            for sequence in range(1, streams.last("EVENTS") + 1)]
    assert any('"session":"~' in text for text in told)
    assert not any('"session":"s"' in text or "ann" in text for text in told)


def test_nobody_sees_the_messages_about_sessions(pair, streams):
    a, b = pair
    everything = b.sse("/events/>")
    short(a, "s")
    publish(pair, "one")
    assert short(b, "s") == ["one"]
    assert short(a, "s") == []
    publish(pair, "two")
    assert [everything.next().data, everything.next().data] == ["one", "two"]
    for world in pair:
        listed = world.get("/channels").json()["channels"]
        assert [channel["channel"] for channel in listed] == ["news"]
        assert [event["channel"] for event in world.dump()] == ["news"] * 2
        assert world.metrics()["nats_rejected"] == 0


def test_a_publisher_by_http_cannot_write_about_sessions(pair):
    for channel in ("$tidings.sessions.s", "%24tidings.sessions.s",
                    subject_of("s")[len("events."):]):
        answer = pair[0].post(f"/publish/{channel}", "{}")
        assert answer.status in (400, 404), answer


@pytest.mark.parametrize("text", [
    "", "{}", "nonsense", '{"session":"s"}', '{"session":"s","born":0,'
    '"acked":1,"sent":1,"used":1,"by":"0123456789abcdef"}',
    '{"session":"t","born":7,"acked":9007199254740991,"sent":1,"used":1,'
    '"by":"0123456789abcdef"}'])
def test_what_no_instance_wrote_moves_no_session(pair, streams, text):
    """Also under the right subject, by who may write there."""
    a, b = pair
    short(a, "s")
    streams.publish(subject_of("s"), text)
    publish(pair, "one")
    eventually(lambda: all(world.metrics()["sessions_malformed"] > 0
                           for world in pair), "the message to be counted")
    assert short(b, "s") == ["one"]
    assert short(a, "s") == []
