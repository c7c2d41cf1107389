"""Corrections and withdrawals: protocol.md 7."""

import json

import pytest
from marks import serve


def correct(world, channel, number, data, headers=()):
    body = data.encode() if isinstance(data, str) else data
    return world.http("PUT", f"/publish/{channel}/{number}", headers, body)


def withdraw(world, channel, number, headers=()):
    return world.http("DELETE", f"/publish/{channel}/{number}", headers)


def listed(world, target, position="earliest"):
    """What a short-poll gives: ids, types and data."""
    events = world.get(f"{target}?flavor=short-poll&last_event_id={position}")
    return [(e["id"], e["data"]["type"], e["data"]["data"])
            for e in events.json()]


# ---- what everybody sees --------------------------------------------------

def test_7_a_correction_is_answered_with_its_own_id(world):
    number = world.publish("news", "wrong")
    answer = correct(world, "news", number, "right")
    assert answer.status == 200
    assert answer.json() == {"id": number + 1, "corrects": number}
    assert answer.headers["Content-Type"].startswith("application/json")


def test_7_live_clients_are_told_of_a_correction(world):
    streams = [world.sse(target) for target in
               ("/events/news", "/events/>", "/events/other,news")]
    lines = world.lines("/events/news?xhr=1&envelope=1")
    number = world.publish("news", "wrong", event_type="t")
    told = correct(world, "news", number, '{"a":1}').json()["id"]
    news = {"corrects": number, "type": "t", "data": {"a": 1}}
    for stream in streams:
        assert stream.next().data == "wrong"
        event = stream.next()
        assert (int(event.id), event.type) == (told, "tidings.correction")
        assert event.json() == news
    assert lines.next_json()["data"]["data"] == "wrong"
    assert lines.next_json()["data"] == {"type": "tidings.correction",
                                         "data": news}


def test_7_a_long_poll_that_waits_is_told(world):
    number = world.publish("news", "wrong")
    waiting = world.begin_poll("/events/news", str(number))
    world.wait_for_subscribers(1)
    told = withdraw(world, "news", number).json()["id"]
    answer = world.poll_answer(waiting)
    assert [(e["id"], e["data"]) for e in answer.events] == [
        (told, {"type": "tidings.withdrawal",
                "data": {"withdraws": number}})]


def test_7_who_returns_from_before_reads_the_corrected_event(world):
    first = world.publish("news", "one", event_type="t")
    wrong = world.publish("news", "wrong", event_type="t")
    last = world.publish("news", "three", event_type="t")
    told = correct(world, "news", wrong, "right").json()["id"]
    news = {"corrects": wrong, "type": "t", "data": "right"}
    whole = [(first, "t", "one"), (wrong, "t", "right"), (last, "t", "three"),
             (told, "tidings.correction", news)]
    assert listed(world, "/events/news") == whole
    assert listed(world, "/events/news", first) == whole[1:]
    assert listed(world, "/events/*", first) == whole[1:]
    assert listed(world, "/events/news", wrong) == whole[2:], \
        "who has it already is told by the correction"
    assert listed(world, "/events/news", "last-3") == whole[1:]
    stream = world.sse("/events/news", last_event_id=str(first))
    assert [event.data for event in stream.take(2)] == ["right", "three"]
    lines = world.lines("/events/news?xhr=1", last_event_id=str(first))
    assert [lines.next_json() for _ in range(3)] == ["right", "three", news]
    before = {e["id"]: e for e in world.dump()}
    assert before[wrong]["corrected_by"] == told


def test_7_a_withdrawn_event_is_given_to_nobody(world):
    first = world.publish("news", "one")
    secret = world.publish("news", "secret")
    last = world.publish("news", "three")
    told = withdraw(world, "news", secret).json()["id"]
    rest = [(first, "", "one"), (last, "", "three"),
            (told, "tidings.withdrawal", {"withdraws": secret})]
    for target in ("/events/news", "/events/>", "/events/news,other"):
        assert listed(world, target) == rest
        assert listed(world, target, secret) == rest[1:]
    assert listed(world, "/events/news", "last-3") == rest
    stream = world.sse("/events/news", last_event_id="earliest")
    assert [int(event.id) for event in stream.take(3)] == [first, last, told]
    lines = world.lines("/events/news?xhr=1&envelope=1", "earliest")
    assert [lines.next_json()["id"] for _ in range(3)] == [first, last, told]
    stone = {e["id"]: e for e in world.dump()}[secret]
    assert stone["withdrawn_by"] == told and "data" not in stone


def test_7_the_time_and_the_place_stay(world):
    world.publish("news", "one")
    number = world.publish("news", "wrong")
    before = {e["id"]: e["time"] for e in world.dump()}
    correct(world, "news", number, "right")
    after = {e["id"]: e["time"] for e in world.dump()}
    assert after[number] == before[number]
    assert list(after) == sorted(after)


def test_7_what_was_read_before_a_correction_is_not_given_after_it(world):
    """Slices of the journal are shared by those who come back together."""
    number = world.publish("news", "wrong")
    for _ in range(3):
        assert world.sse("/events/news", "earliest").next().data == "wrong"
        assert world.poll("/events/news", "earliest").events[0]["data"][
            "data"] == "wrong"
    correct(world, "news", number, "right")
    assert world.sse("/events/news", "earliest").next().data == "right"
    assert world.poll("/events/news", "earliest").events[0]["data"][
        "data"] == "right"
    told = withdraw(world, "news", number).json()["id"]
    stream = world.sse("/events/news", "earliest")
    assert [event.type for event in stream.take(2)] == [
        "tidings.correction", "tidings.withdrawal"]
    assert world.poll("/events/news", "earliest").events[-1]["id"] == told


# ---- types ----------------------------------------------------------------

def test_7_a_correction_keeps_the_type_unless_it_names_one(world):
    number = world.publish("news", "a", event_type="t")
    correct(world, "news", number, "b")
    assert listed(world, "/events/news")[0] == (number, "t", "b")
    correct(world, "news", number, "b", {"Event-Type": "u"})
    assert listed(world, "/events/news")[0] == (number, "u", "b")
    correct(world, "news", f"{number}?type=", "b")
    assert listed(world, "/events/news")[0] == (number, "", "b")
    assert [e[2]["type"] for e in listed(world, "/events/news")[1:]] == [
        "t", "u", ""]


# ---- once -----------------------------------------------------------------

def test_7_the_same_correction_again_is_no_event(world):
    number = world.publish("news", "wrong")
    assert correct(world, "news", number, "wrong").json() == {
        "id": number, "corrects": number}
    first = correct(world, "news", number, "right")
    again = correct(world, "news", number, "right")
    assert (again.status, again.json()) == (200, first.json())
    gone = withdraw(world, "news", number)
    assert withdraw(world, "news", number).json() == gone.json()
    assert len(world.dump()) == 3


def test_7_a_key_makes_a_late_retry_exact(world):
    number = world.publish("news", "x", idempotency_key="k")
    key = {"Idempotency-Key": "k"}
    first = correct(world, "news", number, "y", key)
    assert first.json()["id"] > number
    correct(world, "news", number, "z")
    assert correct(world, "news", number, "y", key).json() == first.json()
    assert listed(world, "/events/news")[0][2] == "z"


def test_7_a_key_of_what_is_in_force_makes_a_late_retry_exact_too(world):
    number = world.publish("news", "x")
    key = {"Idempotency-Key": "k"}
    first = correct(world, "news", number, "x", key)
    assert first.json()["id"] == number, "the event says so already"
    correct(world, "news", number, "y")
    assert correct(world, "news", number, "x", key).json() == first.json()
    assert listed(world, "/events/news")[0][2] == "y"
    world.restart()
    assert correct(world, "news", number, "x", key).json() == first.json()
    assert listed(world, "/events/news")[0][2] == "y"


# ---- refusals -------------------------------------------------------------

def test_7_what_cannot_be_amended(world):
    number = world.publish("news", "x")
    told = correct(world, "news", number, "y").json()["id"]
    world.publish("other", "x")
    for channel, which, status, error in [
            ("news", number + 100, 404, "not_found"),
            ("other", number, 404, "not_found"),
            ("nobody", number, 404, "not_found"),
            ("news", told, 409, "reserved")]:
        for answer in (correct(world, channel, which, "z"),
                       withdraw(world, channel, which)):
            assert (answer.status, answer.json()["error"]) == (status, error)
    withdraw(world, "news", number)
    answer = correct(world, "news", number, "z")
    assert (answer.status, answer.json()["error"]) == (410, "withdrawn")
    assert world.get("/channels/nobody").status == 404
    assert len(world.dump()) == 4


@pytest.mark.parametrize("path", [
    "news/x", "news/", "news", "news/-1", "news/1.5", "news/1/2",
    "news/99999999999999999999", "a..b/1", "news/1x", "/1", ""])
def test_7_a_malformed_name_is_refused(world, path):
    world.publish("news", "x")
    for method in ("PUT", "DELETE"):
        answer = world.http(method, f"/publish/{path}", {}, b"y")
        assert answer.status == 400 and answer.error, (method, path)
    assert len(world.dump()) == 1


@serve(event_max_bytes=100)
def test_7_the_rules_of_a_publish_count(world):
    number = world.publish("news", "x")
    assert correct(world, "news", number, "y" * 101).status == 413
    assert correct(world, "news", number, b"\xff").status == 400
    assert correct(world, "news", number, "y", {
        "Event-Type": "tidings.gap"}).status == 400
    assert correct(world, "news", number, "y", {
        "Event-Type": "t" * 129}).status == 400
    assert len(world.dump()) == 1
    assert correct(world, "news", number, '"' * 100).status == 200
    assert listed(world, "/events/news")[0][2] == '"' * 100


def test_8_the_methods_are_told(world):
    answer = world.http("OPTIONS", "/publish/news/1")
    for method in ("POST", "PUT", "DELETE"):
        assert method in answer.headers["Allow"]


# ---- NATS -----------------------------------------------------------------

@serve(nats=True)
def test_7_by_nats(world):
    number = world.publish("news", "wrong", event_type="t")
    live = world.sse("/events/news")
    answer = world.nats.request("events.news", "right",
                                {"Corrects": str(number)})
    assert answer == {"id": number + 1, "corrects": number}
    assert live.next().json() == {"corrects": number, "type": "t",
                                  "data": "right"}
    again = world.nats.request("events.news", "right",
                               {"Corrects": str(number)})
    assert again == {**answer, "duplicate": True}
    world.nats.request("events.news", '{"type":"u","data":[1]}',
                       {"Corrects": str(number)})
    assert listed(world, "/events/news")[0] == (number, "u", [1])
    gone = world.nats.request("events.news", b"\xff is not looked at",
                              {"Withdraws": str(number)})
    assert gone == {"id": number + 3, "withdraws": number}
    assert listed(world, "/events/news")[-1] == (
        number + 3, "tidings.withdrawal", {"withdraws": number})
    world.verify()


@serve(nats=True)
@pytest.mark.parametrize("headers, error", [
    ({"Corrects": "soon"}, "bad_id"), ({"Withdraws": "-1"}, "bad_id"),
    ({"Corrects": "1", "Withdraws": "1"}, "bad_id"),
    ({"Corrects": "12345"}, "not_found"),
    ({"Corrects": "12345", "Event-Type": "tidings.x"}, "reserved_type"),
])
def test_7_nats_refusals_are_told_and_sent_on(world, headers, error):
    rejected = world.nats.subscribe(f"events_rejected.{error}")
    world.publish("news", "x")
    assert world.nats.request("events.news", "y", headers)["error"] == error
    assert rejected.next().data == b"y"
    world.nats.publish("events.news", "z", headers)
    assert rejected.next().data == b"z"
    assert len(world.dump()) == 1


@serve(nats=True)
def test_7_nats_refuses_what_is_withdrawn_or_reserved(world):
    number = world.publish("news", "x")
    gone = withdraw(world, "news", number).json()["id"]
    assert world.nats.request("events.other", "", {
        "Withdraws": str(number)})["error"] == "not_found"
    assert world.nats.request("events.news", "y", {
        "Corrects": str(number)})["error"] == "withdrawn"
    assert world.nats.request("events.news", "y", {
        "Corrects": str(gone)})["error"] == "reserved_event"


# ---- restarts, kills, retention -------------------------------------------

@pytest.mark.parametrize("end", ["restart", "kill"])
def test_7_amendments_outlive_the_server(world, end):
    ids = [world.publish("news", f"{n}") for n in range(6)]
    world.restart()  # the channel's row counts them all now
    corrected = correct(world, "news", ids[1], "longer " * 1000).json()
    withdrawn = withdraw(world, "news", ids[2]).json()
    wanted = listed(world, "/events/news")
    figures = world.get("/channels/news").json()
    if end == "restart":
        world.restart()
    else:
        world.kill()
        world.start()
    assert listed(world, "/events/news") == wanted
    after = world.get("/channels/news").json()
    assert after == figures
    assert correct(world, "news", ids[1], "longer " * 1000).json() == corrected
    assert withdraw(world, "news", ids[2]).json() == withdrawn
    world.verify()


@serve(keep_count=5)
def test_7_retention_goes_on_over_amended_events(world):
    ids = [world.publish("news", f"{n}") for n in range(5)]
    for number in ids[1:4]:
        withdraw(world, "news", number)
    for n in range(30):
        world.publish("news", f"more {n}")
    world.wait_for_metric("journal_trimmed", lambda figure: figure == 33)
    assert [data for _, _, data in listed(world, "/events/news")] == [
        f"more {n}" for n in range(25, 30)]
    assert correct(world, "news", ids[0], "y").status == 404
    world.verify()


def test_7_a_full_count_has_what_was_withdrawn_too(world):
    number = world.publish("news", "x")
    withdraw(world, "news", number)
    assert world.get("/channels/news").json()["count"] == 2


# ---- the command ----------------------------------------------------------

@serve(nats=True)
@pytest.mark.parametrize("way", ["http", "nats"])
def test_the_command_publish_amends(world, way):
    words = ("--url", f"http://127.0.0.1:{world.port}") if way == "http" \
        else ("--nats", world.nats_url())
    number = world.publish("news", "wrong", event_type="t")
    done = world.tidings("publish", "news", "right", "--corrects", number,
                         *words)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == number + 1
    assert listed(world, "/events/news")[0] == (number, "t", "right")
    done = world.tidings("publish", "news", "--withdraws", number, *words)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == number + 2
    assert number not in [n for n, _, _ in listed(world, "/events/news")]
    done = world.tidings("publish", "news", "x", "--corrects", number, *words)
    assert done.returncode == 1 and b"withdrawn" in done.stderr
    for bad in (["x", "--corrects", "soon"], ["x", "--withdraws", "1"],
                ["--withdraws", "1", "--corrects", "1"],
                ["--lines", "--corrects", "1"]):
        assert world.tidings("publish", "news", *bad, *words).returncode == 2


def test_log_verify_and_stat_know_amendments(world):
    ids = [world.publish("news", f"{n}") for n in range(3)]
    correct(world, "news", ids[0], "x")
    withdraw(world, "news", ids[1])
    done = world.tidings("log", "verify", "--data", world.data)
    assert done.returncode == 0
    assert b"1 corrected, 1 withdrawn" in done.stdout
    assert b" 0 findings" in done.stdout
    withdraw(world, "news", ids[0])
    done = world.tidings("log", "stat", "--data", world.data)
    assert done.returncode == 0 and b"oldest id" in done.stdout
    line, = (line for line in done.stdout.splitlines()
             if line.startswith(b"oldest id"))
    assert str(ids[0]).encode() in line and line.endswith(b"Z"), line


def test_7_json_that_spans_lines_stays_one_line(world):
    number = world.publish("news", "x")
    correct(world, "news", number, '{\n "a":\n 1}')
    stream = world.sse("/events/news", str(number))
    assert json.loads(stream.next().data)["data"] == {"a": 1}
    assert b'{"corrects"' in stream.raw and stream.raw.count(b"data:") == 1
