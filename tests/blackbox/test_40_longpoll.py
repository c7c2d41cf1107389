"""Long-poll, short-poll, lines, wait keys: protocol.md 2 and 4."""

import json
import re

import pytest
from marks import serve


def data_of(answer):
    return [event["data"]["data"] for event in answer.events]


def test_4_missed_events_are_answered_at_once_all_of_them(world):
    first = world.publish("news", "one")
    world.publish("news", "two")
    last = world.publish("news", "three")
    answer = world.poll("/events/news", last_event_id=first)
    assert data_of(answer) == ["two", "three"]
    assert answer.position == str(last)


def test_4_the_form_of_an_answer(world):
    number = world.publish(
        "cheese", '{"pieces":92,"cheese_type":"Gruyère"}',
        event_type="cheese_created")
    answer = world.poll("/events/cheese", last_event_id="earliest")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["x-ps-reconnect-in"] == "0"
    assert answer.headers["x-shortpoll-info"] == "true"
    assert answer.headers["Last-Event-ID"] == str(number)
    event, = answer.events
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
                        event.pop("ts"))
    assert event == {
        "id": number, "channel_id": "cheese",
        "data": {"type": "cheese_created",
                 "data": {"pieces": 92, "cheese_type": "Gruyère"}}}


@pytest.mark.parametrize("data, expected", [
    ('{"a":[1,2]}', {"a": [1, 2]}), ("17", 17), ('"x"', "x"), ("null", None),
    ("true", True), ("text", "text"), ("{bad", "{bad"), ("", ""),
    ("1.50", 1.5), ("[1,\n 2]", [1, 2]), ("01", "01"), ("NaN", "NaN"),
    ('{"a":1} x', '{"a":1} x'), ("a\nb\t\u2028\"\\", "a\nb\t\u2028\"\\"),
    ("🧀", "🧀"), ("\x01\x7f", "\x01\x7f"), ("\0", "\0"),
])
def test_4_data_is_json_if_it_is_json_else_a_string(world, data, expected):
    world.publish("news", data)
    answer = world.poll("/events/news", last_event_id="earliest")
    assert data_of(answer) == [expected]


def test_4_a_poll_waits_for_the_next_event(world):
    waiting = world.begin_poll("/events/news")
    world.wait_for_subscribers(1)
    number = world.publish("news", "x")
    answer = world.poll_answer(waiting)
    assert data_of(answer) == ["x"] and answer.position == str(number)


@serve(longpoll_ms=150)
def test_4_an_empty_poll_ends_with_an_empty_array(world):
    answer = world.poll("/events/news")
    assert answer.events == [] and answer.headers["x-ps-reconnect-in"] == "0"


def test_4_timeout_of_the_query_is_in_seconds(world):
    """The default of 25 s stays; the query asks for less."""
    assert world.poll("/events/news?timeout=1").events == []


@pytest.mark.parametrize("timeout", ["x", "-1", "1e3", "301", "1;2"])
def test_4_a_bad_timeout_never_hangs_and_never_breaks(world, timeout):
    """At most 300 s: refused, or brought into the range."""
    world.publish("news", "x")
    response = world.get(
        f"/events/news?last_event_id=earliest&timeout={timeout}")
    assert response.status in (200, 400), response


@serve(longpoll_ms=150)
def test_4_nothing_is_lost_between_two_polls(world):
    """Events that come while no poll is waiting: the client sends the
    Last-Event-ID of the empty answer and gets them."""
    answer = world.poll("/events/news")
    assert answer.events == []
    world.publish("news", "one")
    answer = world.poll("/events/news", last_event_id=answer.position)
    assert data_of(answer) == ["one"]
    world.publish("news", "two")
    answer = world.poll("/events/news", last_event_id=answer.position)
    assert data_of(answer) == ["two"]


def collect(world, target, position="earliest"):
    """Polls until an answer is empty. All events and the answers."""
    events, answers = [], []
    while True:
        answer = world.poll(target, last_event_id=position)
        answers.append(answer)
        if not answer.events:
            return events, answers
        events += answer.events
        position = answer.position


def test_4_more_than_1000_missed_events_come_in_several_answers(world):
    ids = []
    for start in range(0, 2500, 500):
        ids += world.publish_batch("news", [{"data": n} for n in
                                            range(start, start + 500)])
    events, answers = collect(world, "/events/news?flavor=short-poll")
    assert [event["id"] for event in events] == ids
    assert [event["data"]["data"] for event in events] == list(range(2500))
    assert max(len(answer.events) for answer in answers) <= 1000


def test_4_more_than_1_mib_comes_in_several_answers(world):
    for number in range(12):
        world.publish("news", f"{number}".rjust(200000))
    events, answers = collect(world, "/events/news?flavor=short-poll")
    assert len(events) == 12
    assert len(answers) >= 3
    assert [event["data"]["data"] if isinstance(event["data"]["data"], int)
            else int(event["data"]["data"]) for event in events] == \
        list(range(12))


def test_4_one_event_bigger_than_an_answer_still_comes(world):
    world.publish("news", "x" * (1 << 20))
    answer = world.poll("/events/news", last_event_id="earliest")
    assert len(answer.events[0]["data"]["data"]) == 1 << 20


def test_2_short_poll_never_waits(world):
    assert world.poll("/events/news?flavor=short-poll").events == []
    first = world.publish("news", "x")
    answer = world.poll("/events/news?flavor=short-poll&last_id=earliest")
    assert data_of(answer) == ["x"] and answer.position == str(first)


def test_4_one_connection_polls_again_and_again(world):
    connection = world.connect()
    position = "earliest"
    for number in range(5):
        world.publish("news", f"event {number}")
        connection.request("GET", "/events/news",
                           {"Last-Event-ID": position})
        answer = world.poll_answer(connection)
        assert data_of(answer) == [f"event {number}"]
        position = answer.position


def test_4_http_10_polls_too(world):
    world.publish("news", "x")
    connection = world.connect()
    connection.request("GET", "/events/news?lastId=earliest", version="1.0")
    response = connection.response()
    assert response.status == 200 and len(response.json()) == 1
    assert "Transfer-Encoding" not in response.headers
    assert connection.is_ended()


def test_4_several_channels_in_one_poll(world):
    waiting = world.begin_poll("/events/a,b.>")
    world.wait_for_subscribers(1)
    world.publish("c", "no")
    world.publish("b.x.y", "yes")
    event, = world.poll_answer(waiting).events
    assert (event["channel_id"], event["data"]["data"]) == ("b.x.y", "yes")


# ---- wait keys ------------------------------------------------------------

def test_4_a_second_poll_with_the_same_key_is_answered_at_once(world):
    first = world.begin_poll("/events/cheese/foobar")
    world.wait_for_subscribers(1)
    second = world.poll("/events/cheese/foobar")
    assert second.events == []
    assert second.headers["x-ps-reconnect-in"] == "5"
    assert second.headers["x-shortpoll-info"] == "false"
    world.publish("cheese", "x")
    answer = world.poll_answer(first)
    assert data_of(answer) == ["x"]
    assert answer.headers["x-ps-reconnect-in"] == "0"
    assert answer.headers["x-shortpoll-info"] == "true"


def test_4_a_busy_poll_gives_what_there_is(world):
    position = world.publish("cheese", "old")
    world.begin_poll("/events/cheese/foobar")
    world.wait_for_subscribers(1)
    second = world.poll("/events/cheese/foobar", last_event_id=position - 1)
    assert data_of(second) == ["old"]


@pytest.mark.parametrize("other", ["/events/cheese/other", "/events/wine/foobar",
                                   "/events/cheese"])
def test_4_another_key_or_channel_is_not_busy(world, other):
    world.begin_poll("/events/cheese/foobar")
    world.wait_for_subscribers(1)
    waiting = world.begin_poll(other)
    world.wait_for_subscribers(2)
    world.publish("wine", "x")
    world.publish("cheese", "x")
    assert data_of(world.poll_answer(waiting)) == ["x"]


def test_4_the_key_is_freed_only_by_its_holder(world):
    """The end of a request that found the key busy does not free it."""
    first = world.begin_poll("/events/cheese/foobar")
    world.wait_for_subscribers(1)
    for _ in range(3):
        busy = world.poll("/events/cheese/foobar")
        assert busy.headers["x-shortpoll-info"] == "false"
    world.hang_up(first)
    world.wait_for_subscribers(0)
    again = world.begin_poll("/events/cheese/foobar")
    world.wait_for_subscribers(1)
    world.publish("cheese", "x")
    answer = world.poll_answer(again)
    assert answer.headers["x-shortpoll-info"] == "true"
    assert data_of(answer) == ["x"]


def test_4_the_key_is_free_after_an_answer(world):
    for number in range(3):
        waiting = world.begin_poll("/events/cheese/foobar")
        world.wait_for_subscribers(1)
        world.publish("cheese", "x")
        answer = world.poll_answer(waiting)
        assert answer.headers["x-shortpoll-info"] == "true", number
        world.wait_for_subscribers(0)


def test_4_a_busy_eventsource_gets_the_backlog_and_is_closed(world):
    """Section 4: the backlog, `retry: 5000`, close."""
    position = world.publish("cheese", "old")
    holder = world.sse("/events/cheese/foobar")
    world.wait_for_subscribers(1)
    busy = world.sse("/events/cheese/foobar", last_event_id=position - 1)
    assert [event.data for event in busy.ends()] == ["old"]
    assert busy.retry == 5000 and busy.body.is_complete
    world.publish("cheese", "new")
    assert holder.next().data == "new"


# ---- lines ----------------------------------------------------------------

def test_2_lines_as_a_stream(world):
    stream = world.lines("/events/fx?xhr=1")
    assert stream.headers["Content-Type"].startswith("text/plain")
    world.publish("fx", '{"a":1}')
    world.publish("fx", "not json")
    world.publish("fx", '{"spread":\n[1,\r\n2]}')
    assert stream.next() == '{"a":1}'
    assert stream.next() == '"not json"'
    assert stream.next_json() == {"spread": [1, 2]}


def test_2_lines_as_ndjson(world):
    stream = world.lines("/events/fx",
                         headers={"Accept": "application/x-ndjson"})
    assert stream.headers["Content-Type"].startswith("application/x-ndjson")
    world.publish("fx", "1")
    assert stream.next() == "1"


def test_2_lines_by_name(world):
    stream = world.lines("/events/fx?flavor=lines")
    world.publish("fx", "1")
    assert stream.next() == "1"


def test_2_lines_with_the_envelope(world):
    stream = world.lines("/events/fx?xhr=1&envelope=1")
    number = world.publish("fx", '{"a":1}', event_type="rate")
    event = stream.next_json()
    assert (event["id"], event["channel_id"], event["data"]) == \
        (number, "fx", {"type": "rate", "data": {"a": 1}})


def test_6_lines_in_the_other_formats(world):
    """Section 6: format=envelope and format=data work on lines too."""
    envelope = world.lines("/events/fx?xhr=1&format=envelope")
    data = world.lines("/events/fx?xhr=1&format=data")
    world.publish("fx", '{"a":1}', event_type="rate")
    world.publish("fx", '{"b":2}')
    assert envelope.next_json() == {"type": "rate", "data": {"a": 1}}
    assert envelope.next_json() == {"b": 2}
    assert [data.next_json(), data.next_json()] == [{"a": 1}, {"b": 2}]


def test_2_lines_as_one_answer(world):
    number = world.publish("fx", '{"a":1}')
    world.publish("fx", '{"b":2}')
    stream = world.lines("/events/fx?longpoll=1&t=1", last_event_id=number - 1)
    assert stream.headers["Content-Type"].startswith("text/plain")
    assert [json.loads(line) for line in stream.ends()] == [{"a": 1}, {"b": 2}]
    assert stream.headers["Last-Event-ID"] == str(number + 1)


def test_2_lines_as_one_answer_wait(world):
    connection = world.connect()
    connection.request("GET", "/events/fx?longpoll=1")
    world.wait_for_subscribers(1)
    world.publish("fx", '{"a":1}')
    assert connection.response().body == b'{"a":1}\n'


@serve(longpoll_ms=150)
def test_3_an_empty_answer_of_lines_is_empty_or_a_keep_alive(world):
    quiet = world.get("/events/fx?longpoll=1")
    assert quiet.status == 200 and quiet.body == b""
    spoken = world.get("/events/fx?longpoll=1&keepalive=message")
    assert spoken.json()["action"] == "keep-alive"


def test_2_head_of_a_poll_gives_its_headers(world):
    last = world.publish("news", "x")
    for target in ("/events/news", "/events/news?flavor=short-poll",
                   "/events/news?longpoll=1"):
        got = world.http("GET", target + "&timeout=0" if "?" in target
                         else target + "?timeout=0")
        head = world.http("HEAD", target)
        assert head.status == 200 and head.body == b""
        assert head.headers["Last-Event-ID"] == str(last)
        assert "Transfer-Encoding" not in head.headers
        assert {*got.headers} - {*head.headers} == {"content-length"}, target
