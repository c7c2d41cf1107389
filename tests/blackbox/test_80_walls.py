"""Walls: what a stranger sends never becomes protocol. protocol.md 1, 8."""

import json

import pytest
from marks import serve

EVIL_DATA = ["x\n\nid: 5\ndata: evil", "x\r\rdata: evil\r\r", "x\r\n\r\nevent: e",
             "\ndata: evil\n\n", "x\u2028\u2029\u0085data: evil",
             "</script><script>alert(1)</script>", "0\r\n\r\nHTTP/1.1 200 OK"]


@pytest.mark.parametrize("data", EVIL_DATA)
def test_3_data_cannot_forge_events(world, data):
    """No line of the stream is one that the server did not make."""
    live = world.sse("/events/news")
    number = world.publish("news", data)
    live_event = live.next()
    replayed = world.sse("/events/news", "earliest").next()
    wanted = data.replace("\r\n", "\n").replace("\r", "\n")
    for event in (live_event, replayed):
        assert (event.id, event.type, event.data) == (str(number), "", wanted)
    world.publish("news", "marker")
    assert live.next().data == "marker"


@pytest.mark.parametrize("name", ["a\nb", "a\rb", "a\r\ndata: x", "a\0b"])
@serve(nats=True)
def test_1_a_type_cannot_forge_lines(world, name):
    """By NDJSON and by an envelope, where a type can hold any character."""
    assert world.post_batch("news", [{"data": "x", "type": name}]).status == 400
    envelope = json.dumps({"type": name, "data": "x"})
    live = world.sse("/events/news")
    world.nats.publish("events.news", envelope)
    world.nats.publish("events.news", "marker")
    events = [live.next()]
    if events[0].data != "marker":
        events.append(live.next())
    assert events[-1].data == "marker"
    assert all(event.type == "" for event in events)
    assert b"event:" not in live.raw


@pytest.mark.parametrize("data", EVIL_DATA)
def test_2_a_line_stays_one_line(world, data):
    stream = world.lines("/events/news?xhr=1")
    world.publish("news", data)
    world.publish("news", "marker")
    assert stream.next_json() == data
    assert stream.next_json() == "marker"


@pytest.mark.parametrize("data", ['[1,\n2]', '{"a":\r"b"}', '[\r\n]'])
def test_2_json_with_line_breaks_stays_one_line(world, data):
    stream = world.lines("/events/news?xhr=1")
    world.publish("news", data)
    assert stream.next_json() == json.loads(data)


INPUT = "<script>x</script>"
QUOTED = "%3Cscript%3Ex%3C/script%3E"


@pytest.mark.parametrize("method, target, headers", [
    ("GET", f"/{QUOTED}", {}),
    ("GET", f"/events/{QUOTED}", {}),
    ("GET", f"/events/a?flavor={QUOTED}", {}),
    ("GET", f"/events/a?last_event_id={QUOTED}", {}),
    ("GET", "/events/a", {"Last-Event-ID": INPUT}),
    ("GET", "/events/a", {"flavor": INPUT}),
    ("GET", f"/channels/{QUOTED}", {}),
    ("GET", f"/channels?match={QUOTED}", {}),
    ("POST", f"/publish/{QUOTED}", {}),
    ("POST", "/publish/a?type=tidings.%3Cscript%3E", {}),
    ("POST", "/publish/a", {"Event-Time": INPUT}),
    ("POST", "/publish/a", {"Content-Type": "application/x-ndjson"}),
])
def test_8_input_is_never_echoed_raw(world, method, target, headers):
    body = INPUT.encode() if method == "POST" else None
    response = world.http(method, target, headers, body)
    assert 400 <= response.status < 500, response
    assert response.error
    for text in (response.text, *response.headers.values()):
        assert "<script" not in text


def test_8_headers_cannot_be_forged_by_a_position(world):
    world.publish("news", "x")
    for target in ("/events/news?last_event_id=1%0d%0aX-Evil:%201",
                   "/events/news?flavor=a%0d%0aX-Evil:%201"):
        response = world.get(target)
        assert response.status == 400 and "X-Evil" not in response.headers


@pytest.mark.parametrize("target", [
    "/../../etc/passwd", "/..%2f..%2fetc/passwd", "/events/../channels",
    "/demo/../../x", "/demo/%2e%2e/x", "//etc/passwd", "/events/a%2f..%2fb"])
def test_no_way_to_files(world, target):
    response = world.get(target)
    assert "root:" not in response.text
    assert response.status in (200, 400, 404), response


def test_answers_of_json_cannot_be_taken_for_html(world):
    world.publish("news", "<script>x</script>")
    answer = world.poll("/events/news", "earliest")
    assert b"<script" not in answer.body, "as \\u003c"
    assert answer.events[0]["data"]["data"] == "<script>x</script>"


def test_the_log_cannot_be_forged(world):
    connection = world.connect()
    connection.request("GET", "/events/%0aFORGED", {"flavor": "x"})
    connection.response()
    world.get("/events/a?flavor=%0aFORGED%0a")
    assert not [line for line in world.output().splitlines()
                if line.startswith("FORGED")]
