"""Shelf 57: sessions, whose position the server keeps. Protocol.md 2 and 8."""

import json
import threading

import pytest

from http_raw import format_request
from marks import serve
from patience import Deadline, eventually
from ws_raw import TEXT, WebSocket, frame, upgrade_headers

JSON = {"Content-Type": "application/json"}


def acked(world, name):
    response = world.get(f"/sessions/{name}")
    return response.json()["acked"] if response.status == 200 else None


def ack(world, name, number):
    response = world.post(f"/sessions/{name}/ack",
                          json.dumps({"id": number}), JSON)
    assert response.status == 200, response
    return response.json()["acked"]


def texts(answer):
    return [event["data"]["data"] for event in answer.events]


def short(world, name, target="/events/news", **more):
    """What a short-poll of the session gets."""
    return texts(world.poll(f"{target}?" + world.query(
        session=name, flavor="short-poll", **more)))


# ---- polling --------------------------------------------------------------------

def test_2_a_new_session_begins_at_the_newest_event_and_is_kept(world):
    first = world.publish("news", "before")
    assert short(world, "s") == []
    session = world.get("/sessions/s").json()
    assert session["session"] == "s"
    assert session["acked"] == session["sent"] == first
    assert session["updated"] > 1600000000000


def test_2_nothing_is_lost_between_the_first_and_the_second_request(world):
    assert short(world, "s") == []
    world.publish("news", "between")
    assert short(world, "s") == ["between"]
    assert short(world, "s") == []


def test_2_the_next_request_acknowledges_what_the_answer_had(world):
    assert short(world, "s") == []
    start = acked(world, "s")
    number = world.publish("news", "one")
    assert short(world, "s") == ["one"]
    session = world.get("/sessions/s").json()
    assert (session["acked"], session["sent"]) == (start, number)
    assert short(world, "s") == []
    assert acked(world, "s") == number


def test_2_a_long_poll_that_waits_is_answered_and_then_acknowledged(world):
    waiting = world.begin_poll("/events/news?session=s")
    world.wait_for_subscribers(1)
    number = world.publish("news", "one")
    assert texts(world.poll_answer(waiting)) == ["one"]
    waiting = world.begin_poll("/events/news?session=s")
    world.wait_for_subscribers(1)
    assert acked(world, "s") == number
    world.publish("news", "two")
    assert texts(world.poll_answer(waiting)) == ["two"]


def test_2_more_than_one_answer_comes_in_order(world):
    assert short(world, "s") == []
    world.publish_batch("news", [{"data": f"{n}"} for n in range(2500)])
    told = []
    for _ in range(4):
        told += short(world, "s")
    assert told == list(range(2500))


@serve(crew_threads=4)
def test_2_quick_pollers_get_each_event_once(world):
    """They ask again before the thread that answered has noted that it did."""
    got = {f"s{n}": [] for n in range(8)}
    for name in got:
        short(world, name)

    deadline = Deadline()

    def follow(name):
        while not got[name] or got[name][-1] != "last":
            deadline.left("the last event")
            got[name] += short(world, name)

    threads = [threading.Thread(target=follow, args=(name,)) for name in got]
    for thread in threads:
        thread.start()
    for n in range(150):
        world.publish("news", f"text {n}")
    world.publish("news", "last")
    for thread in threads:
        thread.join()
    expected = [f"text {n}" for n in range(150)] + ["last"]
    assert {name: texts == expected for name, texts in got.items()} == \
        {name: True for name in got}


def test_2_one_answer_of_lines_is_acknowledged_too(world):
    target = "/events/news?session=s&longpoll=1&timeout=0"
    assert world.get(target).text == ""
    world.publish("news", "one")
    assert world.get(target).text == '"one"\n'
    world.publish("news", "two")
    assert world.get(target).text == '"two"\n'


def test_2_a_form_names_a_session(world):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = "session=s&flavor=short-poll"
    assert world.post("/events/news", body, form).json() == []
    world.publish("news", "one")
    answer = world.post("/events/news", body, form).json()
    assert [event["data"]["data"] for event in answer] == ["one"]


def test_2_an_explicit_position_wins(world):
    numbers = [world.publish("news", text) for text in ("one", "two", "three")]
    assert short(world, "s", last_event_id="earliest") == \
        ["one", "two", "three"]
    assert short(world, "s", last_event_id=numbers[1]) == ["three"]
    # The client said that it has the second, not what was sent after it.
    assert acked(world, "s") == numbers[1]
    assert short(world, "s", last_event_id="last-1") == ["three"]
    assert acked(world, "s") == numbers[1]
    assert short(world, "s") == []
    assert acked(world, "s") == numbers[2]


def begin_long_answer(world):
    """An answer of which the client reads the beginning only."""
    numbers = [world.publish("news", f"{n}" + "x" * 250000) for n in range(3)]
    connection = world.connect(receive_buffer=4096)
    connection.request("GET", "/events/news?session=s&flavor=short-poll")
    assert connection.is_answered()
    eventually(lambda: world.get("/sessions/s").json()["sent"] == numbers[2],
               "the answer on its way")
    return connection


def test_2_an_answer_that_was_cut_off_is_given_again(world):
    """The server knows that it could not write all of it."""
    assert short(world, "s") == []
    start = acked(world, "s")
    world.hang_up(begin_long_answer(world))
    eventually(lambda: world.get("/sessions/s").json()["sent"] == start,
               "the answer taken back")
    assert [text[0] for text in short(world, "s")] == ["0", "1", "2"]


def test_2_an_answer_on_its_way_is_not_acknowledged(world):
    """The next request may be of a client that gave the first one up."""
    assert short(world, "s") == []
    start = acked(world, "s")
    begun = begin_long_answer(world)
    assert [text[0] for text in short(world, "s")] == ["0", "1", "2"]
    assert acked(world, "s") == start
    assert len(begun.response().json()) == 3
    assert short(world, "s") == []


def test_2_an_answer_in_whose_middle_the_server_dies_is_given_again(world):
    assert short(world, "s") == []
    begin_long_answer(world)
    world.publish("news", "3")  # a commit that could store what was sent
    world.kill()
    world.start()
    assert [str(text)[0] for text in short(world, "s")] == list("0123")


def test_2_parallel_long_polls_of_a_session_both_get_the_event(world):
    waiting = [world.begin_poll("/events/news?session=s") for _ in range(2)]
    world.wait_for_subscribers(2)
    number = world.publish("news", "one")
    for connection in waiting:
        assert texts(world.poll_answer(connection)) == ["one"]
    assert short(world, "s") == []
    assert acked(world, "s") == number


def test_4_a_session_with_a_wait_key(world):
    """Who finds the key busy is answered at once, from the session's place."""
    holder = world.begin_poll("/events/news/tab?session=holder")
    world.wait_for_subscribers(1)
    assert short(world, "s", "/events/news/tab") == []
    busy = world.poll("/events/news/tab?session=s")
    assert busy.headers["x-shortpoll-info"] == "false"
    number = world.publish("news", "one")
    assert texts(world.poll_answer(holder)) == ["one"]
    assert texts(world.poll("/events/news/tab?session=s")) == ["one"]
    assert texts(world.poll("/events/news/tab?session=s&timeout=0")) == []
    assert acked(world, "s") == number


# ---- streams --------------------------------------------------------------------

def test_2_a_stream_resumes_after_what_was_acknowledged(world):
    stream = world.sse("/events/news?session=s")
    numbers = [world.publish("news", text) for text in ("one", "two", "three")]
    assert [event.data for event in stream.take(3)] == ["one", "two", "three"]
    assert ack(world, "s", numbers[1]) == numbers[1]
    stream.hang_up()
    back = world.sse("/events/news?session=s")
    assert back.headers["Last-Event-ID"] == str(numbers[1])
    assert back.next().data == "three"


def test_2_a_stream_of_lines_resumes_too(world):
    lines = world.lines("/events/news?session=s&xhr=1")
    number = world.publish("news", "one")
    assert lines.next_json() == "one"
    lines.hang_up()
    again = world.lines("/events/news?session=s&xhr=1")
    assert again.next_json() == "one"  # nothing was acknowledged
    assert ack(world, "s", number) == number
    again.hang_up()
    last = world.lines("/events/news?session=s&xhr=1")
    world.publish("news", "two")
    assert last.next_json() == "two"


def test_6_a_websocket_acknowledges_by_a_message(world):
    socket = world.websocket("/events/news?session=s").check_upgraded()
    numbers = [world.publish("news", text) for text in ("one", "two", "three")]
    assert [socket.next_json()["id"] for _ in numbers] == numbers
    socket.say(ack=numbers[1])
    socket.say(ack=numbers[0])
    eventually(lambda: acked(world, "s") == numbers[1], "the acknowledgement")
    socket.say(ack=numbers[2] + 1)
    assert socket.next_json()["error"] == "bad_request"
    assert acked(world, "s") == numbers[1]
    world.hang_up(socket.connection)
    world.restart()
    back = world.websocket("/events/news?session=s")
    assert back.next_json()["id"] == numbers[2]


def test_6_a_session_s_websocket_may_begin_without_channels(world):
    """Whatever the session's position is: there is nothing to resume yet."""
    number = world.publish("news", "x")
    stream = world.sse("/events/news?session=s&last_event_id=0")
    assert int(stream.next().id) == number
    assert world.post("/sessions/s/ack?id=5").status == 200
    socket = world.websocket("/events?session=s")
    assert socket.meet() == []
    socket.say(subscribe=["news"], after=number - 1)
    assert socket.next_json()["id"] == number


def test_6_what_a_websocket_says_while_its_session_is_stored_is_heard(world):
    """It may come before the handshake's answer is there."""
    number = world.publish("news", "one")
    for n in range(20):
        connection = world.connect()
        connection.send(
            format_request("GET", f"/events?session=s{n}", upgrade_headers()) +
            frame(TEXT, json.dumps({"subscribe": ["news"],
                                    "after": "earliest"})))
        assert connection.head().status == 101
        opened = WebSocket.__new__(WebSocket)
        opened.connection = connection
        assert opened.next_json()["id"] == number


def test_2_a_new_stream_loses_nothing_before_the_next_one(world):
    world.hang_up(world.sse("/events/news?session=s").connection)
    world.publish("news", "between")
    assert world.sse("/events/news?session=s").next().data == "between"


def test_2_head_makes_and_changes_no_session(world):
    head = {"Accept": "text/event-stream"}
    assert world.http("HEAD", "/events/news?session=s", head).status == 200
    assert world.get("/sessions/s").status == 404
    assert short(world, "s") == []
    start = acked(world, "s")
    world.publish("news", "one")
    assert short(world, "s") == ["one"]
    answer = world.http("HEAD", "/events/news?session=s", head)
    assert answer.headers["Last-Event-ID"] == str(start)
    assert acked(world, "s") == start


@serve(crew_threads=4)
def test_2_a_new_session_s_stream_goes_to_its_channel_s_home(world):
    """After the wait for the disk it may go on on another thread."""
    streams = [(n, world.sse(f"/events/channel{n}?session=s{n}"))
               for n in range(32)]
    for n, stream in streams:
        world.publish(f"channel{n}", f"to {n}")
        assert stream.next().data == f"to {n}"


def test_2_a_client_that_hangs_up_while_its_session_is_stored(world):
    for n in range(50):
        connection = world.connect()
        connection.send(format_request(
            "GET", f"/events/news?session=s{n}",
            {"Accept": "text/event-stream"}))
        world.hang_up(connection)
    world.wait_for_metric("subscribers", lambda figure: figure == 0)
    world.wait_for_metric("connections_open", lambda figure: figure == 1)


# ---- acknowledging --------------------------------------------------------------

def test_8_acknowledgements_only_rise(world):
    first, second = (world.publish("news", text) for text in ("a", "b"))
    short(world, "s", last_event_id="earliest")
    assert ack(world, "s", second) == second
    assert ack(world, "s", first) == second
    assert ack(world, "s", 0) == second
    assert acked(world, "s") == second


def test_8_an_id_from_before_the_journal_changes_nothing(world):
    number = world.publish("news", "a")
    assert short(world, "s", last_event_id=0) == ["a"]
    start = acked(world, "s")
    assert ack(world, "s", 5) == start
    assert short(world, "s") == []
    assert acked(world, "s") == number


def test_8_an_id_can_be_a_string_or_in_the_query(world):
    first, second = (world.publish("news", text) for text in ("a", "b"))
    short(world, "s", last_event_id="earliest")
    assert ack(world, "s", str(first)) == first
    answer = world.post(f"/sessions/s/ack?id={second}")
    assert answer.status == 200
    assert answer.json() == {"session": "s", "acked": second}


def test_8_an_id_that_was_never_given_cannot_be_acknowledged(world):
    number = world.publish("news", "a")
    short(world, "s")
    answer = world.post(f"/sessions/s/ack?id={number + 1}")
    assert (answer.status, answer.error) == (400, "bad_request")
    assert acked(world, "s") == number


@pytest.mark.parametrize("body", [
    "", "{}", "[]", "12", '{"id":-1}', '{"id":1.5}', '{"id":"x"}',
    '{"id":1,"more":2}', '{"id":9007199254740992}', '{"id":null}', '{"id":1'])
def test_8_a_malformed_acknowledgement_is_refused(world, body):
    short(world, "s")
    answer = world.post("/sessions/s/ack", body, JSON)
    assert (answer.status, answer.error) == (400, "bad_request")


def test_8_an_acknowledgement_is_json_or_has_no_body(world):
    """Else any page could make a browser send one."""
    short(world, "s")
    for kind in ("text/plain", "application/x-www-form-urlencoded", None):
        answer = world.post("/sessions/s/ack", '{"id":1}',
                            {"Content-Type": kind})
        assert answer.status == 415, kind
    answer = world.post("/sessions/s/ack?id=1", "", {
        "Origin": "https://elsewhere.example"})
    assert (answer.status, answer.error) == (403, "foreign_origin")


def test_8_what_is_no_session_is_404(world):
    for method, target in (("GET", "/sessions/s"), ("DELETE", "/sessions/s"),
                           ("POST", "/sessions/s/ack?id=1")):
        answer = world.http(method, target)
        assert (answer.status, answer.error) == (404, "not_found")


def test_8_a_removed_session_is_gone(world):
    short(world, "s")
    answer = world.http("DELETE", "/sessions/s")
    assert answer.status == 200
    assert answer.json() == {"session": "s", "removed": True}
    assert world.get("/sessions/s").status == 404
    world.publish("news", "between")
    assert short(world, "s") == []  # a new one
    world.restart()
    assert world.get("/sessions/s").status == 200


def test_8_other_methods_are_told_which_are_right(world):
    for method, target, allowed in (
            ("POST", "/sessions/s", "GET, HEAD, DELETE, OPTIONS"),
            ("GET", "/sessions/s/ack", "POST, OPTIONS"),
            ("PUT", "/sessions/s", "GET, HEAD, POST, DELETE, OPTIONS")):
        answer = world.http(method, target)
        assert (answer.status, answer.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "é", "x" * 129, "a,b"])
def test_2_a_bad_name_is_refused(world, name):
    answer = world.get("/events/news?" + world.query(session=name))
    assert (answer.status, answer.error) == (400, "bad_request")


def test_2_a_name_may_have_128_unreserved_characters(world):
    name = "Aa0._~-" + "x" * 121
    short(world, name)
    assert acked(world, name) is not None
    assert world.get("/sessions/a%20b").status == 400
    assert world.get("/sessions/").status == 400


@serve(sessions_max=2)
def test_2_beyond_the_limit_new_sessions_are_refused(world):
    assert short(world, "a") == short(world, "b") == []
    answer = world.get("/events/news?session=c&flavor=short-poll")
    assert (answer.status, answer.error) == (503, "sessions_full")
    assert "Retry-After" in answer.headers
    world.publish("news", "one")
    assert short(world, "a") == ["one"]
    assert world.http("DELETE", "/sessions/b").status == 200
    assert short(world, "c") == []


# ---- restarts, kills, retention -------------------------------------------------

def test_8_what_was_acknowledged_outlives_a_kill(world):
    """Every answered acknowledgement, whatever came after it."""
    numbers = [world.publish("news", f"{n}") for n in range(20)]
    short(world, "s", last_event_id="earliest", timeout=0)
    for number in numbers[::4]:
        ack(world, "s", number)
        world.kill()
        world.start()
        assert acked(world, "s") == number


def test_2_a_new_session_outlives_a_kill(world):
    """Its client has been answered: what comes from then on is not lost."""
    assert short(world, "s") == []
    stream = world.sse("/events/news?session=t")
    world.kill()
    stream.hang_up()
    world.start()
    world.publish("news", "after the kill")
    assert short(world, "s") == ["after the kill"]
    assert world.sse("/events/news?session=t").next().data == "after the kill"


def test_2_a_kill_repeats_at_most_the_last_answer(world):
    assert short(world, "s") == []
    told = []
    for n in range(12):
        world.publish("news", f"{n}")
        told.append(short(world, "s"))
        if n % 3 == 2:
            world.kill()
            world.start()
            again = short(world, "s")
            assert again in ([], told[-1])
    assert told == [[n] for n in range(12)]


def test_2_a_restart_repeats_nothing(world):
    assert short(world, "s") == []
    world.publish("news", "one")
    assert short(world, "s") == ["one"]
    world.restart()
    assert short(world, "s") == []
    world.verify()
    stat = world.tidings("log", "stat", "--data", world.data)
    assert b"\nsessions    1\n" in stat.stdout


def test_2_a_long_poll_answered_at_the_stop_is_not_answered_again(world):
    assert short(world, "s") == []
    world.publish("other", "x")
    waiting = world.begin_poll("/events/news,late?session=s")
    world.wait_for_subscribers(1)
    world.publish("late", "one")
    assert texts(world.poll_answer(waiting)) == ["one"]
    world.restart()
    assert short(world, "s", "/events/news,late") == []


@serve(keep_count=2)
def test_5_a_session_is_told_of_what_retention_took(world):
    assert short(world, "s") == []
    world.publish_batch("news", [{"data": f"{n}"} for n in range(10)])
    world.wait_for_metric("journal_trimmed", lambda figure: figure >= 8)
    answer = world.poll("/events/news?session=s&flavor=short-poll")
    assert answer.events[0]["data"]["type"] == "tidings.gap"
    assert answer.events[0]["data"]["data"]["reason"] == "trimmed"
    assert texts(answer)[1:] == [8, 9]
    refused = world.get("/events/news?session=t&gap=reject&last_event_id=1")
    assert refused.status == 410
    assert world.get("/sessions/t").status == 404


@serve(keep_age_ms=300, dedup_window_ms=300)
def test_8_a_session_that_nobody_uses_goes_with_its_events(world):
    world.publish("news", "old")
    short(world, "s")
    eventually(lambda: acked(world, "s") is None, "the session to go")
    world.restart()
    assert world.get("/sessions/s").status == 404


@serve(map_bytes=1048576, keep_bytes=0, keep_age_ms=0)
def test_8_without_room_known_sessions_are_read_and_new_ones_refused(world):
    assert short(world, "s") == []
    numbers = []
    while world.post("/publish/news", "x" * 9000).status == 201:
        numbers.append(world.get("/channels/news").json()["last_id"])
    told = []
    for _ in range(3):
        told += world.poll("/events/news?session=s&flavor=short-poll").events
    assert [event["id"] for event in told] == numbers
    answer = world.get("/events/news?session=new&flavor=short-poll")
    assert (answer.status, answer.error) == (507, "no_space")


def test_8_many_sessions_at_once(world):
    """One commit stores many of them."""
    connections = [world.connect() for _ in range(200)]
    before = world.metrics()["journal_commits"]
    for n, connection in enumerate(connections):
        connection.request("GET",
                           f"/events/news?session=s{n}&flavor=short-poll")
    for connection in connections:
        assert connection.response().json() == []
    world.wait_for_metric("journal_sessions", lambda count: count == 200)
    assert world.metrics()["journal_commits"] - before < 200
    number = world.publish("news", "one")
    for n, connection in enumerate(connections):
        connection.request("GET",
                           f"/events/news?session=s{n}&flavor=short-poll")
    for connection in connections:
        assert connection.response().json()[0]["id"] == number
