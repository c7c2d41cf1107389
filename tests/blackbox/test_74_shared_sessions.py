"""Shelf 74: sessions that all instances of a stream know. Protocol.md 2 and 7."""

import hashlib
import json
import os
import shutil
import time

import pytest

from marks import serve
from patience import eventually
from stream_world import *
from stream_world import wait_for_check
from tokens import SECRET, bearer

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
    assert session(a, "s")["sent"] == session(b, "s")["sent"] > 0


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


def ids_of(answer):
    if answer.headers["Content-Type"].startswith("application/json"):
        return [event["id"] for event in answer.json()]
    return [json.loads(line)["id"] for line in answer.text.splitlines()]


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


def subject_of(name):
    return "events.$tidings.sessions." + \
        hashlib.sha256(name.encode()).hexdigest()


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


def state_of(name, number):
    """What an instance that is gone would have told of a session."""
    return json.dumps({"session": name, "born": 7, "acked": number,
                       "sent": number, "used": int(time.time() * 1000),
                       "by": "0123456789abcdef"})


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
    followed.wait_for_metric("stream_sequence", lambda at: at > 100)
    followed.kill()
    last = int(followed.dump()[-1]["data"])
    listed = followed.tidings("log", "sessions", "--data", followed.data)
    stored = json.loads(listed.stdout)
    assert (stored["session"], stored["born"]) == (name, 7)
    assert last <= stored["acked"] <= last + 1
    followed.start()


# ---- the stream is away -----------------------------------------------------

def test_without_the_stream_sessions_go_on_and_are_told_later(pair, js):
    a, b = pair
    short(a, "s")
    publish(pair, *(f"{n}" for n in range(3)))
    js.kill()
    eventually(lambda: a.metrics()["nats_connected"] == 0, "the loss")
    assert short(a, "s") == [0, 1, 2]
    assert short(a, "s") == []
    answer = a.post("/sessions/s/ack?id=1")
    assert (answer.status, answer.error) == (503, "stream_refuses")
    assert a.http("DELETE", "/sessions/s").status == 503
    assert a.metrics()["journal_sessions_owed"] == 1
    js.start()
    wait_until_back(b)
    wait_until_told(a)
    assert short(b, "s") == []
    publish(pair, "after")
    assert short(b, "s") == ["after"]
    assert short(a, "s") == []


def test_what_was_not_told_before_a_restart_is_told_after_it(pair, js):
    a, b = pair
    short(a, "s")
    publish(pair, "one")
    js.kill()
    eventually(lambda: a.metrics()["nats_connected"] == 0, "the loss")
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
    assert followed.metrics()["sessions_alone"] == 21
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
    js.kill()
    shutil.copytree(js.store, tmp_path / "copy")
    js.start()
    for world in pair:
        wait_until_back(world)
    publish(pair, "lost")
    assert short(a, "s") == ["lost"]
    assert ack(b, "s", session(a, "s")["sent"])
    js.kill()
    shutil.rmtree(js.store)
    shutil.copytree(tmp_path / "copy", js.store)
    js.start()
    for world in pair:
        world.wait_for_metric("stream_rewinds", lambda n: n == 1)
    publish(pair, "new")
    told = short(b, "s")
    assert told[0]["reason"] == "rewound" and told[1:] == ["new"]
    assert short(a, "s") == short(b, "s") == []
    publish(pair, "last")
    assert short(a, "s") == ["last"]
