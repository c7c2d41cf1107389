"""Server-Sent Events: protocol.md 2 (flavors, headers) and 3."""

import re

import pytest
from marks import serve


def test_2_an_event_published_after_the_subscribe_arrives(world):
    news = world.sse("/events/news")
    published = world.publish("news", "hello")
    event = news.next()
    assert (event.id, event.data, event.type) == (str(published), "hello", "")


def test_2_events_of_other_channels_do_not_arrive(world):
    news = world.sse("/events/news")
    world.publish("sport", "no")
    world.publish("news.local", "no")
    world.publish("new", "no")
    world.publish("news", "yes")
    assert news.next().data == "yes"


def test_2_order_is_the_order_of_ids(world):
    news = world.sse("/events/news")
    ids = [world.publish("news", f"{n}") for n in range(50)]
    events = news.take(50)
    assert [int(event.id) for event in events] == ids == sorted(ids)
    assert [event.data for event in events] == [f"{n}" for n in range(50)]


SELECTORS = [
    ("/events/a,b.*", ["a", "b.one"], ["b", "b.one.two", "c"]),
    ("/events?channel=a&channel=b.c", ["a", "b.c"], ["b", "a.c"]),
    ("/events?channel=a,b", ["a", "b"], ["c"]),
    ("/events/orders.*", ["orders.1", "orders.x"], ["orders", "orders.1.2"]),
    ("/events/orders.>", ["orders.1", "orders.1.2.3"], ["orders", "order.1"]),
    ("/events/*", ["a", "b"], ["a.b"]),
    ("/events/*.x", ["a.x", "b.x"], ["x", "a.y", "a.b.x"]),
    ("/events/>", ["a", "b.c.d"], []),
    ("/events/a,a,a", ["a"], ["b"]),
    ("/events/a,*,>", ["a", "b", "c.d"], []),
]


@pytest.mark.parametrize("target, wanted, unwanted", SELECTORS,
                         ids=[row[0] for row in SELECTORS])
def test_2_selectors_are_channels_and_patterns(world, target, wanted,
                                               unwanted):
    """Each wanted event comes once, the unwanted ones never, live and from
    the journal."""
    live = world.sse(target)
    for channel in unwanted + wanted:
        world.publish(channel, channel)
    assert [event.data for event in live.take(len(wanted))] == wanted
    replay = world.sse(target, last_event_id="earliest")
    assert [event.data for event in replay.take(len(wanted))] == wanted
    world.publish(wanted[0], "marker")
    assert live.next().data == replay.next().data == "marker"


@pytest.mark.parametrize("target", [
    "/events/news/", "/events/news?", "/events/news/?", "/events/news?&",
    "/events/news?t=1&_=2&x&seed=1.0", "/events/news/?x=%20",
    "/events/n%65ws", "/events?channel=news&",
])
def test_2_spellings_that_are_tolerated(world, target):
    stream = world.sse(target)
    world.publish("news", "hello")
    assert stream.next().data == "hello"


@pytest.mark.parametrize("selectors", [
    "a..b", ".a", "a.", "a%20b", "k%C3%A4se", "a%2Fb", "a*", "a.>.b", ">.a",
    "a,,b", ",", "x" * 201, "a%7Cb", "%3Cscript%3E", "a,b..c",
])
def test_2_other_selectors_are_refused(world, selectors):
    response = world.sse(f"/events/{selectors}", status=None).response()
    assert 400 <= response.status < 500, response
    assert response.error
    assert "script" not in response.text.lower()


@serve(selectors_max=3)
def test_2_more_selectors_than_the_setting_are_refused(world):
    assert world.sse("/events/a,b,c").status == 200
    refused = world.sse("/events/a,b,c,d", status=None)
    assert refused.status == 400 and refused.response().error


@pytest.mark.parametrize("headers, query", [
    ({"Accept": "text/event-stream"}, ""),
    ({"Accept": "application/json, text/event-stream;q=0.9"}, ""),
    ({"Accept": "*/*", "flavor": "eventsource"}, ""),
    ({"Accept": "*/*"}, "?flavor=eventsource"),
])
def test_2_flavor_eventsource_is_asked_for_in_many_ways(world, headers, query):
    stream = world.sse(f"/events/news{query}", headers=headers)
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    world.publish("news", "x")
    assert stream.next().data == "x"


@pytest.mark.parametrize("where", ["query", "header"])
def test_2_an_unknown_flavor_is_refused(world, where):
    if where == "query":
        response = world.get("/events/news?flavor=vanilla")
    else:
        response = world.get("/events/news", {"flavor": "vanilla"})
    assert response.status == 400
    assert response.error and "vanilla" not in response.text


def test_2_headers_that_are_always_sent(world):
    """Section 2: for every flavor."""
    answers = [world.sse("/events/news"),
               world.lines("/events/news?xhr=1"),
               world.get("/events/news?flavor=short-poll")]
    for answer in answers:
        headers = answer.headers
        assert headers["Cache-Control"] == \
            "no-cache, no-store, must-revalidate, no-transform"
        assert re.match(r"\w{3}, \d\d \w{3} (19|20)\d\d ", headers["Expires"])
        assert headers["X-Accel-Buffering"] == "no"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Type"].lower().endswith("charset=utf-8")


def test_2_head_gives_the_headers(world):
    world.publish("news", "x")
    for accept in ("text/event-stream", "*/*"):
        connection = world.connect()
        connection.request("HEAD", "/events/news?last_event_id=earliest",
                           {"Accept": accept})
        response = connection.response("HEAD")
        assert response.status == 200
        assert "Last-Event-ID" in response.headers
        connection.request("GET", "/healthz")
        assert connection.response().status == 200, "a body after HEAD?"


def test_3_the_first_bytes_come_at_once(world):
    """Never wait for an event: headers and `retry:` are there before any."""
    stream = world.sse("/events/news")
    assert stream.wait_for_retry() > 0
    assert stream.headers["Transfer-Encoding"] == "chunked"
    assert stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"


@serve(retry_ms=1000)
def test_3_retry_is_varied_by_a_fifth(world):
    retries = [world.sse("/events/news").wait_for_retry() for _ in range(30)]
    assert all(800 <= retry <= 1200 for retry in retries), retries
    assert len(set(retries)) > 5, retries


def test_3_every_block_carries_its_id_and_the_type_only_if_there_is_one(world):
    stream = world.sse("/events/news")
    plain = world.publish("news", "a")
    typed = world.publish("news", "b", event_type="cheese_created")
    assert stream.next().id == str(plain)
    event = stream.next()
    assert (event.id, event.type) == (str(typed), "cheese_created")
    assert stream.raw.count(b"event:") == 1
    assert stream.raw.count(b"\nid:") == 2


def test_3_the_form_of_a_block(world):
    """The example of section 3, byte for byte."""
    stream = world.sse("/events/cheese")
    number = world.publish("cheese", '{"pieces":92,"cheese_type":"Gruyère"}',
                           event_type="cheese_created")
    stream.next()
    text = stream.raw.decode("utf-8")
    assert re.fullmatch(
        r"retry: \d+\n\n?"
        r"event: cheese_created\n"
        r'data: {"pieces":92,"cheese_type":"Gruyère"}\n'
        rf"id: {number}\n\n", text), text


DATA = [
    ("", ""),
    (" leading and trailing ", " leading and trailing "),
    ("one\ntwo", "one\ntwo"),
    ("one\r\ntwo", "one\ntwo"),
    ("one\rtwo", "one\ntwo"),
    ("\n", "\n"),
    ("\r\n\r\n", "\n\n"),
    ("end\n", "end\n"),
    ("\rstart", "\nstart"),
    ("a\n\rb", "a\n\nb"),
    (":not a comment", ":not a comment"),
    ("id: 5", "id: 5"),
    ("data: x\n\nevent: evil\ndata: y", "data: x\n\nevent: evil\ndata: y"),
    ("Gruyère ☃ 🧀 \u2028 \u0085", "Gruyère ☃ 🧀 \u2028 \u0085"),
    ("tab\tand \x01 and \x7f", "tab\tand \x01 and \x7f"),
    ("x" * 100000, "x" * 100000),
]


def test_3_any_text_comes_through(world):
    """Section 1: CR and CR LF arrive as LF; everything else as it was; live
    and out of the journal the same."""
    live = world.sse("/events/text")
    for data, _ in DATA:
        world.publish("text", data)
    replayed = world.sse("/events/text", last_event_id="earliest")
    for stream in (live, replayed):
        for data, expected in DATA:
            assert stream.next().data == expected, repr(data)


def test_1_nul_in_data_comes_through(world):
    live = world.sse("/events/text")
    world.publish("text", "a\0b")
    assert live.next().data == "a\0b"


def test_3_padding_is_2_kib_of_comment_before_all(world):
    stream = world.sse("/events/news?padding=1")
    stream.wait_for_comment()
    world.publish("news", "x")
    assert stream.next().data == "x"
    assert len(stream.raw.partition(b"data:")[0]) >= 2048
    assert stream.raw.startswith(b":")


@serve(keepalive_ms=100)
def test_3_a_silent_stream_gets_a_comment(world):
    stream = world.sse("/events/news")
    assert stream.wait_for_comment() == ""
    assert stream.wait_for_comment() == ""
    assert b"\n:\n" in stream.raw
    assert b":\n\n" not in stream.raw, "an empty message in some clients"
    world.publish("news", "x")
    assert stream.next().data == "x"


@serve(keepalive_ms=20, crew_threads=1)
def test_3_a_silent_stream_gets_comments_again_and_again(world):
    """A timer that comes due just before the loop looks at its sockets must
    not be lost: nothing else would wake a silent server."""
    stream = world.sse("/events/news")
    for _ in range(100):
        assert stream.wait_for_comment() == ""


def check_keepalive(message):
    assert message["action"] == "keep-alive"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
                        message["timestamp"])
    assert set(message) == {"action", "timestamp"}


@serve(keepalive_ms=100)
def test_3_keepalive_as_message_is_an_event_without_id(world):
    stream = world.sse("/events/news?keepalive=message")
    event = stream.next()
    assert event.id is None and event.type == ""
    check_keepalive(event.json())


def test_3_keepalive_as_message_is_a_setting_of_the_channel(idle_world):
    path = idle_world.directory / "made.conf"
    path.write_text("[channel fx.*]\nkeepalive = message\n")
    idle_world.start(keepalive_ms=100, config=path)
    check_keepalive(idle_world.sse("/events/fx.rates").next().json())
    assert idle_world.sse("/events/news").wait_for_comment() == ""


@serve(keepalive_ms=100)
def test_3_keepalive_on_lines_is_a_line(world):
    check_keepalive(world.lines("/events/news?xhr=1&keepalive=message")
                    .next_json())


@serve(keepalive_ms=300, keepalive_always=True)
def test_3_keepalive_always_comes_between_events_too(world):
    stream = world.sse("/events/news")
    while not stream.comments:
        world.publish("news", "x")
        assert stream.next().data == "x"
    assert stream.comments[0] == ""


def test_3_http_10_gets_the_same_without_chunks(world):
    stream = world.sse("/events/news", version="1.0")
    assert "Transfer-Encoding" not in stream.headers
    number = world.publish("news", "x")
    event = stream.next()
    assert (event.id, event.data) == (str(number), "x")


def test_3_gzip_if_chosen_is_flushed_per_event(world):
    stream = world.sse("/events/news",
                       headers={"Accept-Encoding": "gzip, deflate"})
    assert stream.headers.get("Content-Encoding", "gzip") == "gzip"
    for number in range(3):
        world.publish("news", f"{number}")
        assert stream.next().data == f"{number}"


def test_3_an_identity_client_gets_no_gzip(world):
    assert "Content-Encoding" not in world.sse("/events/news").headers


def test_3_last_event_id_shows_the_position_really_used(world):
    first = world.publish("news", "one")
    world.publish("news", "two")
    stream = world.sse("/events/news", last_event_id=first)
    assert stream.headers["Last-Event-ID"] == str(first)
    assert stream.next().data == "two"


def test_2_a_post_with_a_form_is_the_same_subscribe(world):
    first = world.publish("news", "one")
    world.publish("news", "two")
    stream = world.sse(
        "/events/news", method="POST", body=b"last_event_id=%d" % first,
        headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert stream.next().data == "two"
    world.publish("news", "three")
    assert stream.next().data == "three"


def test_many_subscribers_all_get_everything(world):
    streams = [world.sse("/events/news") for _ in range(100)]
    for number in range(20):
        world.publish("news", f"{number}")
    for stream in streams:
        assert [event.data for event in stream.take(20)] == \
            [f"{number}" for number in range(20)]


@serve(spread_after=4, crew_threads=3)
def test_a_hot_channel_that_spreads_over_threads_loses_nothing(world):
    streams = [world.sse("/events/hot") for _ in range(30)]
    for number in range(50):
        world.publish("hot", f"{number}")
    for stream in streams:
        assert [event.data for event in stream.take(50)] == \
            [f"{number}" for number in range(50)]


def test_2_hello_says_where_the_stream_begins_and_has_that_id(world):
    last = world.publish("news", "before")
    stream = world.sse("/events/news?hello=1")
    hello = stream.next()
    assert hello.json() == {"action": "hello", "last_event_id": str(last),
                            "keepalive_secs": 15}
    assert hello.id == str(last) and hello.type == ""
    number = world.publish("news", "after")
    assert stream.next().id == str(number)


def test_2_hello_has_no_id_where_positions_are_per_channel(world):
    first = world.publish("a", "x")
    world.publish("b", "y")
    target = world.query(last_event_id='{"a":%d,"b":%d}' % (first, first),
                         hello=1)
    assert world.sse("/events/a,b?" + target).next().id is None
