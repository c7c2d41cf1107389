"""Compressed streams and answers: protocol.md 3 (Accept-Encoding: gzip).

The events are compressed once and shared, so what is looked at here is that
each client can read its own stream at every moment, and that its end is whole.
"""

import pytest

GZIP = {"Accept-Encoding": "gzip"}


def packed(world, target="/events/news", **options):
    stream = world.sse(target, headers=GZIP, **options)
    assert stream.headers["Content-Encoding"] == "gzip"
    return stream


def ends_whole(stream):
    """What came before the end; zlib checks checksum and length there."""
    rest = stream.ends()
    assert stream.body.unpack.eof and stream.body.unpack.unused_data == b""
    return rest


def test_3_a_compressed_stream_can_be_read_event_by_event(world):
    stream = packed(world)
    assert "accept-encoding" in stream.headers["Vary"].lower()
    for number in range(5):
        world.publish("news", f"event {number}")
        assert stream.next().data == f"event {number}"


def test_3_the_end_of_a_compressed_stream_is_whole(world):
    first = world.publish("news", "missed")
    stream = packed(world, last_event_id="earliest")
    assert stream.next().id == str(first)
    second = world.publish("news", "live")
    assert stream.next().id == str(second)
    world.ask_to_stop()
    assert ends_whole(stream) == []
    world.wait_for_end()


def test_3_clients_with_and_without_gzip_share_a_channel(world):
    plain, both = world.sse("/events/news"), packed(world)
    ids = [str(world.publish("news", "x" * number)) for number in range(10)]
    late = packed(world, last_event_id="last-3")
    ids += [str(world.publish("news", "y" * number)) for number in range(10)]
    assert [event.id for event in plain.take(20)] == ids
    assert [event.id for event in both.take(20)] == ids
    assert [event.id for event in late.take(13)] == ids[7:]


def test_3_a_slow_compressed_reader_gets_all_and_a_right_end(idle_world):
    world = idle_world
    world.start(outbox_bytes=8192)
    stream = packed(world, receive_buffer=4096)
    noise = [f"{number * 7919 % 10007:05}" * 200 for number in range(400)]
    ids = []
    for begin in range(0, 400, 50):
        ids += world.publish_batch("news", [{"data": data} for data in
                                            noise[begin:begin + 50]])
    events = stream.take(400)
    assert [event.data for event in events] == noise
    assert [event.id for event in events] == [str(number) for number in ids]
    world.ask_to_stop()
    assert ends_whole(stream) == []
    world.wait_for_end()


@pytest.mark.parametrize("target", ["/events/news?xhr=1",
                                    "/events/news?xhr=1&envelope=1",
                                    "/events/news?xhr=1&format=envelope"])
def test_2_lines_are_compressed_too(world, target):
    stream = world.lines(target, headers=GZIP)
    assert stream.headers["Content-Encoding"] == "gzip"
    for number in range(3):
        world.publish("news", '{"a":%d}' % number)
        assert '"a":%d' % number in stream.next()


def test_4_an_answer_is_compressed_when_it_is_worth_it(world):
    world.publish("news", "small")
    small = world.http("GET", "/events/news?last_event_id=earliest", GZIP)
    assert "Content-Encoding" not in small.headers
    world.publish("news", "large " * 200)
    large = world.http("GET", "/events/news?last_event_id=earliest", GZIP)
    assert large.headers["Content-Encoding"] == "gzip"
    assert int(large.headers["Content-Length"]) < 600 < len(large.body)
    assert [event["data"]["data"] for event in large.json()] == ["small", "large " * 200]


def test_4_waiting_polls_with_and_without_gzip_get_the_same_event(world):
    polls = [world.connect() for _ in range(6)]
    for number, poll in enumerate(polls):
        poll.request("GET", "/events/news", GZIP if number % 2 else {})
    world.wait_for_subscribers(6)
    world.publish("news", "y" * 1000)
    for number, poll in enumerate(polls):
        answer = poll.response()
        assert ("Content-Encoding" in answer.headers) == bool(number % 2)
        event, = answer.json()
        assert event["data"]["data"] == "y" * 1000


@pytest.mark.parametrize("value, is_packed", [
    ("gzip", True), ("GZIP", True), ("br, gzip;q=0.5", True),
    ("gzip; q=1.0", True), ("identity", False), ("*", False),
    ("gzip;q=0", False), ("gzip; q=0.000", False), ("x-gzips", False),
    ("", False), (None, False),
])
def test_3_gzip_is_for_who_asks_for_it(world, value, is_packed):
    stream = world.sse("/events/news", headers={"Accept-Encoding": value})
    assert ("Content-Encoding" in stream.headers) == is_packed


def test_3_a_subscribe_by_post_is_compressed_too(world):
    form = {**GZIP, "Content-Type": "application/x-www-form-urlencoded"}
    number = world.publish("news", "x" * 300)
    stream = world.sse("/events/news", headers=form, method="POST",
                       body=b"last_event_id=earliest")
    assert stream.headers["Content-Encoding"] == "gzip"
    assert stream.next().id == str(number)
    answer = world.post("/events/news", b"last_event_id=earliest", form)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.json()[0]["id"] == number
    agent = {**form, "User-Agent": "python-requests/2.28.1"}
    assert "Content-Encoding" not in world.sse(
        "/events/news", headers=agent, method="POST", body=b"").headers


def test_3_gzip_is_off_where_the_settings_say_so(idle_world, tmp_path):
    world = idle_world
    config = tmp_path / "tidings.conf"
    config.write_text("[channel secret.>]\ngzip = off\n")
    world.start(config=config)
    for target, is_packed in [("/events/news", True), ("/events/secret.a", False),
                              ("/events/news,secret.a", False)]:
        stream = world.sse(target, headers=GZIP)
        assert ("Content-Encoding" in stream.headers) == is_packed, target
    world.restart(gzip="no")
    assert "Content-Encoding" not in world.sse("/events/news",
                                               headers=GZIP).headers


def test_3_http_1_0_is_not_compressed(world):
    connection = world.connect()
    connection.request("GET", "/events/news?flavor=eventsource", GZIP, version="1.0")
    assert "Content-Encoding" not in connection.head().headers


def test_2_head_says_what_get_would(world):
    answer = world.http("HEAD", "/events/news?flavor=eventsource", GZIP)
    assert answer.headers["Content-Encoding"] == "gzip" and answer.body == b""


def test_3_who_reads_below_the_coding_gets_none(world):
    """Python's sseclient asks for gzip, through requests, and reads the raw
    socket. Its answers of other flavors are unpacked by requests."""
    agent = {**GZIP, "User-Agent": "python-requests/2.28.1"}
    stream = world.sse("/events/news", headers=agent)
    world.publish("news", "plain")
    assert stream.next().data == "plain"
    assert "Content-Encoding" not in stream.headers
    lines = world.lines("/events/news?flavor=lines", headers=agent)
    assert lines.headers["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("path", ["/", "/demo/", "/tidings.js"])
def test_8_pages_and_scripts_are_compressed_for_who_asks(world, path):
    plain = world.http("GET", path)
    packed = world.http("GET", path, GZIP)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.body == plain.body
    assert int(packed.headers["Content-Length"]) < len(plain.body)
    assert "accept-encoding" in plain.headers["Vary"].lower()
    assert packed.headers["ETag"] == "W/" + plain.headers["ETag"]


def test_8_a_page_that_is_known_is_not_sent_again_in_either_coding(world):
    for headers in ({}, GZIP):
        tag = world.http("GET", "/tidings.js", headers).headers["ETag"]
        for again in ({}, GZIP):
            answer = world.http("GET", "/tidings.js",
                                {**again, "If-None-Match": tag})
            assert answer.status == 304 and answer.body == b""
            assert "Content-Encoding" not in answer.headers
