"""Scheduled shutdown (section 8): browsers stay away, everything else goes on.

A shutdown here lasts an hour unless its end is what the test is about.
"""

import datetime
import json
import os
import zoneinfo

import pytest

from http_raw import Connection
from marks import serve
from patience import eventually

JSON = {"Content-Type": "application/json"}
HOUR_S = 3600


def iso(seconds):
    """So many seconds from now."""
    at = datetime.datetime.now(datetime.timezone.utc) + \
        datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def ask(world, until):
    return world.post("/admin/shutdown", json.dumps({"until": until}), JSON)


def shut(world, seconds=HOUR_S):
    """Begins a shutdown and gives its end as announcements show it."""
    until = iso(seconds)
    response = ask(world, until)
    assert response.status == 200, response
    assert response.json()["active"] is True
    return until.replace("T", " ").replace("Z", " UTC")


def state(world):
    return world.get("/admin/shutdown").json()


def cancel(world):
    response = world.http("DELETE", "/admin/shutdown")
    assert response.status == 200, response
    return response.json()


def note(world):
    return world.data / "shutdown.txt"


def wait_until_shut(world, wanted=True):
    eventually(lambda: state(world)["active"] is wanted,
               f"the shutdown to be {'on' if wanted else 'over'}")


def check_message(message, until, at_most=HOUR_S):
    assert message["action"] == "scheduled_shutdown"
    assert message["until"] == until
    assert at_most - 60 <= message["until_secs"] <= at_most


def check_object(element, until, position):
    """An object of section 4 that has the message's members beside its own."""
    check_message(element, until)
    assert element["data"]["type"] == "tidings.shutdown"
    check_message(element["data"]["data"], until)
    assert element["id"] == position
    assert element["channel_id"] == "news"
    assert element["ts"].endswith("Z")


# ---- every flavor is told --------------------------------------------------

@pytest.mark.parametrize("query", ["", "?envelope=1"])
@pytest.mark.parametrize("coding", [None, "gzip"])
def test_an_event_stream_is_told_and_ends(world, coding, query):
    news = world.sse("/events/news" + query,
                     headers={"Accept-Encoding": coding})
    until = shut(world)
    event = news.next()
    check_message(json.loads(event.data), until)
    assert event.id is None and event.type == ""
    assert news.ends() == []
    assert len(news.retries) >= 1


@pytest.mark.parametrize("query", ["?xhr=1", "?xhr=1&format=envelope"])
def test_a_stream_of_lines_gets_the_message_as_a_line(world, query):
    news = world.lines("/events/news" + query)
    until = shut(world)
    check_message(news.next_json(), until)
    assert news.ends() == []


def test_lines_with_envelopes_get_the_object(world):
    last = world.publish("news", "one")
    news = world.lines("/events/news?xhr=1&envelope=1")
    until = shut(world)
    check_object(news.next_json(), until, last)
    assert news.ends() == []


def test_a_websocket_gets_the_object_and_is_closed(world):
    last = world.publish("news", "one")
    news = world.websocket("/events/news")
    until = shut(world)
    check_object(news.next_json(), until, last)
    assert news.is_closed() == (1001, "")
    early = world.websocket("/events/news", last_event_id="earliest")
    check_message(early.next_json(), until)
    assert early.is_closed()


@pytest.mark.parametrize("form", ["data", "envelope"])
def test_a_websocket_of_bare_data_gets_the_bare_message(world, form):
    news = world.websocket(f"/events/news?format={form}")
    until = shut(world)
    message = news.next_json()
    check_message(message, until)
    assert set(message) == {"action", "until", "until_secs"}
    assert news.is_closed()


def test_a_websocket_without_channels_is_told_too(world):
    none, left = world.websocket("/events"), world.websocket("/events/news")
    left.say(unsubscribe=["news"])
    left.meet()
    until = shut(world)
    for socket in none, left, world.websocket("/events"):
        check_message(socket.next_json(), until)
        assert socket.is_closed() == (1001, "")


def test_a_waiting_long_poll_is_answered_with_it(world):
    last = world.publish("news", "one")
    poll = world.begin_poll("/events/news")
    world.wait_for_subscribers(1)
    until = shut(world)
    response = world.poll_answer(poll)
    [element] = response.events
    check_object(element, until, last)
    assert response.position == str(last)


def test_a_waiting_long_poll_for_lines_is_answered_with_a_line(world):
    poll = world.connect()
    poll.request("GET", "/events/news?longpoll=1")
    world.wait_for_subscribers(1)
    until = shut(world)
    check_message(json.loads(poll.response().text), until)


@pytest.mark.parametrize("target", ["/events/news", "/events/news?timeout=0",
                                    "/events/news?flavor=short-poll",
                                    "/events/news/key"])
def test_a_poll_gets_what_it_missed_and_then_the_message(world, target):
    first = world.publish("news", "one")
    last = world.publish("news", "two")
    until = shut(world)
    response = world.poll(target, last_event_id="earliest")
    *events, element = response.events
    assert [event["id"] for event in events] == [first, last]
    check_object(element, until, last)
    assert response.position == str(last)


def test_a_poll_that_knows_no_shutdown_is_kept_away_by_the_header(world):
    shut(world)
    seconds = int(world.poll("/events/news").headers["x-ps-reconnect-in"])
    assert HOUR_S - 60 <= seconds <= HOUR_S + 60


def test_all_holders_and_waiters_of_a_wait_key_are_told(world):
    stream = world.sse("/events/news/key")
    shut(world)
    assert "scheduled_shutdown" in stream.next().data
    stream.ends()
    early = [world.sse("/events/news/key") for _ in range(2)]
    for one in early:
        assert "scheduled_shutdown" in one.next().data
        one.ends()


@serve(crew_threads=3)
def test_five_hundred_streams_are_all_told(world):
    streams = [world.sse(f"/events/c{i % 7}") for i in range(500)]
    world.wait_for_subscribers(500)
    until = shut(world)
    for stream in streams:
        check_message(json.loads(stream.next().data), until)
        assert stream.ends() == []
    world.wait_for_subscribers(0)


# ---- who comes back early --------------------------------------------------

def test_who_comes_back_early_is_told_again_at_once(world):
    world.publish("news", "one")
    until = shut(world)
    for _ in range(2):
        back = world.sse("/events/news", last_event_id="earliest")
        event = back.next()
        check_message(json.loads(event.data), until)
        assert event.id is None
        assert back.ends() == []
        assert back.retry is not None
    lines = world.lines("/events/news?xhr=1")
    check_message(lines.next_json(), until)
    assert lines.ends() == []


def test_the_head_alone_is_as_ever(world):
    shut(world)
    response = world.http("HEAD", "/events/news",
                          {"Accept": "text/event-stream"})
    assert response.status == 200


def test_seconds_are_whole_and_never_zero(world):
    shut(world, 4)
    told = []
    while True:
        stream = world.sse("/events/news")
        if state(world)["active"]:
            told.append(json.loads(stream.next().data)["until_secs"])
            stream.ends()
            continue
        break
    assert told and told == sorted(told, reverse=True)
    assert all(isinstance(one, int) and one >= 1 for one in told), told


# ---- everything else goes on -----------------------------------------------

@serve(nats=True)
def test_intake_goes_on_and_nothing_is_missed_afterwards(world):
    news = world.sse("/events/news")
    before = world.publish("news", "before")
    assert news.next().id == str(before)
    shut(world)
    assert "scheduled_shutdown" in news.next().data
    news.ends()

    by_http = world.publish("news", "by http")
    by_nats = world.nats.request("events.news", b"by nats")["id"]
    assert world.get("/healthz").status == 200
    assert world.get("/channels/news").json()["count"] == 3
    ready = world.get("/readyz")
    assert ready.status == 200 and ready.json()["shutdown"] is True

    cancel(world)
    back = world.sse("/events/news", last_event_id=str(before))
    assert [back.next().id, back.next().id] == [str(by_http), str(by_nats)]


def test_the_shutdown_shows_in_the_figures_and_the_log(world):
    assert world.metrics()["shutdown_active"] == 0
    shut(world)
    figures = world.metrics()
    assert figures["shutdown_active"] == 1
    assert figures["shutdown_until"] > 1_000_000_000
    cancel(world)
    figures = world.metrics()
    assert figures["shutdown_active"] == figures["shutdown_until"] == 0
    assert "browsers stay away" in world.output()
    assert "how=cancelled" in world.output()


# ---- how it is asked --------------------------------------------------------

def test_the_state_says_until_when(world):
    assert state(world) == {"active": False}
    until = iso(HOUR_S)
    ask(world, until)
    answer = state(world)
    assert answer["until"].startswith(until[:-1])
    assert HOUR_S - 60 <= answer["until_secs"] <= HOUR_S


def test_the_last_word_counts(world):
    shut(world, 2 * HOUR_S)
    until = shut(world, HOUR_S)
    early = world.sse("/events/news")
    check_message(json.loads(early.next().data), until)


def test_who_cancels_lets_everybody_in(world):
    shut(world)
    assert cancel(world) == {"active": False}
    assert not note(world).exists()
    news = world.sse("/events/news")
    last = world.publish("news", "one")
    assert news.next().id == str(last)
    assert cancel(world) == {"active": False}


@pytest.mark.parametrize("until", [
    "2014-03-02T22:00:00Z", iso(-1), iso(32 * 24 * HOUR_S), "tomorrow", "",
    iso(HOUR_S)[:-1], 1793797600, None], ids=[
        "long ago", "a second ago", "32 days", "a word", "empty", "no zone",
        "a number", "null"])
def test_a_time_that_cannot_be_is_refused(world, until):
    response = ask(world, until)
    assert response.status == 400, response
    assert response.error == "bad_request"
    assert state(world) == {"active": False}
    assert not note(world).exists()


def test_an_offset_is_understood(world):
    at = datetime.datetime.now(datetime.timezone(
        datetime.timedelta(hours=5, minutes=30))) + \
        datetime.timedelta(seconds=HOUR_S)
    response = ask(world, at.isoformat(timespec="seconds"))
    assert response.status == 200
    assert HOUR_S - 60 <= response.json()["until_secs"] <= HOUR_S


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"until":"x"}',
                                  "\x00", '{"until":"a","until":"b"}'])
def test_a_body_that_is_no_order_is_refused(world, body):
    assert world.post("/admin/shutdown", body, JSON).status == 400
    assert world.post("/admin/shutdown", " " * 2000, JSON).status == 413


def test_the_command_begins_tells_and_cancels(world):
    url = f"http://127.0.0.1:{world.port}"

    def command(*words):
        done = world.tidings("shutdown", *words, "--url", url)
        return done.returncode, (done.stdout + done.stderr).decode()

    assert command() == (0, "no shutdown\n")
    code, said = command("--until", iso(HOUR_S))
    assert code == 0 and "stay away until" in said
    assert state(world)["active"] is True
    assert "stay away until" in command("--status")[1]
    assert command("--cancel") == (0, "no shutdown\n")
    assert state(world) == {"active": False}
    code, said = command("--until", iso(-HOUR_S))
    assert code == 1 and "has passed" in said
    assert command("--until", "soon")[0] == 2
    assert command("--status", "--cancel")[0] == 2


# ---- who may ask ------------------------------------------------------------

@pytest.mark.parametrize("headers", [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://evil.example", "Host": "evil.example"},
    {"X-Forwarded-For": "192.0.2.1"},
    {"Forwarded": "for=192.0.2.1"},
    {"Via": "1.1 proxy"}])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_strangers_may_not(world, method, headers):
    response = world.http(method, "/admin/shutdown", {**JSON, **headers},
                          json.dumps({"until": iso(HOUR_S)}).encode())
    assert response.status == 403, response
    assert state(world) == {"active": False}


@serve(origins="http://friend.example")
def test_a_listed_origin_may_publish_but_not_this(world):
    response = world.post("/admin/shutdown",
                          json.dumps({"until": iso(HOUR_S)}),
                          {**JSON, "Origin": "http://friend.example"})
    assert response.status == 403


def test_a_form_of_a_page_is_no_order(world):
    response = world.post("/admin/shutdown",
                          json.dumps({"until": iso(HOUR_S)}),
                          {"Content-Type": "text/plain"})
    assert response.status == 415


def test_the_servers_own_page_may(world):
    host = f"127.0.0.1:{world.port}"
    response = world.post("/admin/shutdown",
                          json.dumps({"until": iso(HOUR_S)}),
                          {**JSON, "Host": host, "Origin": f"http://{host}"})
    assert response.status == 200, response


@serve(admin="off")
def test_nobody_may_when_it_is_off(world):
    assert ask(world, iso(HOUR_S)).status == 403
    assert world.get("/admin/shutdown").status == 403


# ---- the file ----------------------------------------------------------------

@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%SZ",
                                  " %Y-%m-%d %H:%M:%S UTC\r\n"])
def test_a_file_that_appears_changes_and_vanishes_counts(world, form):
    def write(seconds):
        at = datetime.datetime.now(datetime.timezone.utc) + \
            datetime.timedelta(seconds=seconds)
        note(world).write_text(at.strftime(form))

    news = world.sse("/events/news")
    write(HOUR_S)
    first = json.loads(news.next().data)
    check_message(first, first["until"])
    write(2 * HOUR_S)
    eventually(lambda: state(world)["until_secs"] > HOUR_S,
               "the file's change")
    note(world).unlink()
    wait_until_shut(world, False)


@pytest.mark.parametrize("text", ["", "tomorrow", "x" * 100000,
                                  "\x00\xff", iso(40 * 24 * HOUR_S)],
                         ids=["empty", "a word", "too long", "bytes", "40 days"])
def test_a_file_that_makes_no_sense_is_logged_once_and_ignored(world, text):
    news = world.sse("/events/news")
    note(world).write_text(text)
    eventually(lambda: "is ignored" in world.output(), "a line in the log")
    assert state(world) == {"active": False}
    note(world).write_text(iso(HOUR_S))
    assert "scheduled_shutdown" in news.next().data
    assert world.output().count("is ignored") == 1


def test_a_pipe_in_its_place_holds_nothing_up(world):
    os.mkfifo(note(world))
    eventually(lambda: "is ignored" in world.output(), "a line in the log")
    assert state(world) == {"active": False}


def test_the_file_goes_when_its_time_has_come(world):
    shut(world, 2)
    assert note(world).exists()
    eventually(lambda: not note(world).exists(), "the file to go")
    wait_until_shut(world, False)
    news = world.sse("/events/news")
    last = world.publish("news", "one")
    assert news.next().id == str(last)


def test_a_passed_file_at_the_start_is_removed(idle_world):
    idle_world.data.mkdir()
    note(idle_world).write_text("2014-03-02 22:00:00 UTC")
    idle_world.start()
    assert state(idle_world) == {"active": False}
    assert not note(idle_world).exists()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restart_goes_on_with_it(world, how):
    until = shut(world)
    getattr(world, how)()
    world.start()
    news = world.sse("/events/news")
    check_message(json.loads(news.next().data), until)
    assert news.ends() == []
    cancel(world)
    world.kill()
    world.start()
    assert state(world) == {"active": False}


def test_a_file_that_cannot_be_written_changes_nothing(world):
    (world.data / "shutdown.txt.new").mkdir()
    response = ask(world, iso(HOUR_S))
    assert response.status == 500, response
    assert response.error == "not_written"
    assert state(world) == {"active": False}


def test_stopping_during_one_is_as_ever(world):
    shut(world)
    connection = Connection(world.port)
    world.ask_to_stop()
    assert connection.is_ended()
    connection.close()
    assert world.wait_for_end() == 0


# ---- the schedule -------------------------------------------------------------

DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def week_time(at, offset):
    """A time of the week, whole hours from `at`."""
    at = at + datetime.timedelta(hours=offset)
    return f"{DAYS[at.weekday()]} {at:%H}:00"


def window_around(now):
    return f"{week_time(now, -2)} .. {week_time(now, 3)}"


def test_a_start_inside_a_window_is_a_shutdown(idle_world):
    idle_world.environment["TZ"] = "UTC"
    now = datetime.datetime.now(datetime.timezone.utc)
    idle_world.start(shutdown=window_around(now))
    answer = state(idle_world)
    assert answer["active"] is True
    assert 2 * HOUR_S - 60 <= answer["until_secs"] <= 3 * HOUR_S
    assert answer["until"][13:] == ":00:00.000Z"
    assert answer["next"]["begin"] > answer["until"]
    news = idle_world.sse("/events/news")
    assert "scheduled_shutdown" in news.next().data


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Asia/Kolkata",
                                  "America/Los_Angeles"])
def test_the_window_is_the_local_clocks(idle_world, zone):
    idle_world.environment["TZ"] = zone
    now = datetime.datetime.now(zoneinfo.ZoneInfo(zone))
    idle_world.start(shutdown=window_around(now))
    assert state(idle_world)["active"] is True
    idle_world.stop()
    idle_world.start(shutdown=f"{week_time(now, 2)} .. {week_time(now, 4)}")
    answer = state(idle_world)
    assert answer["active"] is False and "begin" in answer["next"]


def test_a_cancelled_window_stays_cancelled_over_a_kill(idle_world):
    idle_world.environment["TZ"] = "UTC"
    now = datetime.datetime.now(datetime.timezone.utc)
    idle_world.start(shutdown=window_around(now))
    end = state(idle_world)["until"]
    answer = cancel(idle_world)
    assert answer["active"] is False
    assert answer["next"]["begin"] > end
    idle_world.kill()
    idle_world.start()
    answer = state(idle_world)
    assert answer["active"] is False
    assert answer["next"]["begin"] > end
    shut(idle_world)
    assert state(idle_world)["until"] == end  # goes over into the window


def test_a_window_begins_and_ends_by_the_clock(idle_world):
    idle_world.environment["TZ"] = "UTC"
    at = datetime.datetime.now(datetime.timezone.utc)
    begin, end = (at + datetime.timedelta(seconds=s) for s in (3, 6))
    idle_world.start(shutdown="{} {:%H:%M:%S} .. {} {:%H:%M:%S}".format(
        DAYS[begin.weekday()], begin, DAYS[end.weekday()], end))
    news = idle_world.sse("/events/news")
    message = json.loads(news.next().data)
    assert message["until"] == end.strftime("%Y-%m-%d %H:%M:%S UTC")
    news.ends()
    wait_until_shut(idle_world, False)
    assert datetime.datetime.now(datetime.timezone.utc) >= \
        end.replace(microsecond=0)


def test_a_file_of_dates_counts_too(idle_world):
    idle_world.environment["TZ"] = "UTC"
    now = datetime.datetime.now(datetime.timezone.utc)
    hour = datetime.timedelta(hours=1)
    dates = idle_world.directory / "dates"
    dates.write_text(f"# now\n{now - hour:%Y-%m-%d %H:%M} .. "
                     f"{now + hour:%Y-%m-%d %H:%M}\n")
    idle_world.start(shutdown_dates=dates)
    assert state(idle_world)["active"] is True


@pytest.mark.parametrize("settings, sentence", [
    ({"shutdown": "Fri 17:00 .. Fri 17:00"}, b"none ends where it begins"),
    ({"shutdown": "Freitag 17:00 .. Son 17:00"}, b"Mon Tue Wed"),
    ({"shutdown": "Fri 17:00 .. Sun 17:00, Sun 17:00 .. Fri 17:00"},
     b"some time of the week open"),
    ({"shutdown_dates": "not-there"}, b"no such thing"),
    ({"shutdown_dates": "dates"}, b"dates:2: the window does not end after"),
])
def test_a_wrong_schedule_is_told_at_the_start(idle_world, settings, sentence):
    (idle_world.directory / "dates").write_text(
        "# holidays\n2026-12-27 08:00 .. 2026-12-24 12:00\n")
    words = [f"--{name}={value}" for name, value in settings.items()]
    check = idle_world.tidings("check", *words)
    assert check.returncode == 1 and sentence in check.stderr, check
    serving = idle_world.tidings("serve", "--data", idle_world.data,
                                 "--listen", "127.0.0.1:0", *words)
    assert serving.returncode != 0 and sentence in serving.stderr, serving
