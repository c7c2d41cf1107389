"""Publishing by HTTP: protocol.md 7."""

import pytest
from marks import serve


def test_7_the_answer_is_201_with_the_id(world):
    response = world.post("/publish/news", "hello")
    assert response.status == 201
    assert response.headers["Content-Type"].startswith("application/json")
    event, = world.dump()
    assert response.json() == {"id": event["id"]}
    assert (event["channel"], event["data"], event["type"]) == \
        ("news", "hello", "")


def test_7_type_and_key_in_headers_or_query(world):
    world.post("/publish/news", "x", {"Event-Type": "t1"})
    world.post("/publish/news?type=t2", "x")
    world.post("/publish/news?type=Gruy%C3%A8re&key=k%20k", "x")
    again = world.post("/publish/news?key=k%20k", "x")
    assert again.status == 200
    assert [e["type"] for e in world.dump()] == ["t1", "t2", "Gruyère"]


def test_7_the_time_in_a_header(world):
    world.publish("news", "x")
    wish = world.dump()[0]["time"] + 400
    world.publish("news", "y", event_time=wish)
    assert world.dump()[1]["time"] == wish


@pytest.mark.parametrize("value", ["soon", "-1", "1.5", "99999999999999999999"])
def test_7_a_malformed_time_is_refused(world, value):
    response = world.post("/publish/news", "x", {"Event-Time": value})
    assert response.status == 400 and response.error
    assert world.dump() == []


@pytest.mark.parametrize("content_type", [
    None, "text/plain", "application/json", "application/octet-stream",
    "application/x-www-form-urlencoded"])
def test_7_the_body_is_data_whatever_its_content_type(world, content_type):
    data = '{"type":"t","data":1}'
    response = world.post("/publish/news", data,
                          {"Content-Type": content_type})
    assert response.status == 201
    event, = world.dump()
    assert (event["type"], event["data"]) == ("", data)


def test_7_an_empty_body_is_an_event_too(world):
    world.publish("news", "")
    assert world.dump()[0]["data"] == ""


@pytest.mark.parametrize("channel", [
    "a..b", ".a", "a.", "a%20b", "k%C3%A4se", "a*", "a.*", ">", "x" * 201,
    "a,b", "a%0ab"])
def test_7_other_channels_are_refused(world, channel):
    response = world.post(f"/publish/{channel}", "x")
    assert response.status in (400, 404) and response.error
    assert world.dump() == []


@pytest.mark.parametrize("target", ["/publish/", "/publish"])
def test_7_a_channel_must_be_named(world, target):
    assert world.post(target, "x").status in (400, 404)


@pytest.mark.parametrize("body", [b"\xff", b"abc\xc3", b"\xc0\x80",
                                  b"\xed\xa0\x80", b"\xf4\x90\x80\x80"])
def test_7_what_is_not_utf_8_is_refused(world, body):
    response = world.post("/publish/news", body)
    assert response.status == 400 and response.error
    assert world.dump() == []


@pytest.mark.parametrize("headers, query", [
    ({"Event-Type": "t" * 129}, ""), ({"Event-Type": "tidings.gap"}, ""),
    ({}, "?type=a%0Ab"), ({}, "?type=a%0Db"), ({}, "?type=%FF"),
    ({}, "?type=a%01b"), ({}, "?type=tidings.x"),
    ({"Idempotency-Key": "k" * 10000}, ""),
])
def test_7_bad_types_and_keys_are_refused(world, headers, query):
    response = world.post(f"/publish/news{query}", "x", headers)
    assert response.status == 400 and response.error
    assert world.dump() == []


def test_1_a_type_may_have_128_bytes(world):
    world.publish("news", "x", event_type="t" * 128)
    assert world.dump()[0]["type"] == "t" * 128


def test_7_a_type_may_be_any_text(world):
    name = "Käse & 🧀 \"<b>\""
    live = world.sse("/events/news")
    world.publish("news", "x", event_type=name)
    assert live.next().type == name
    assert world.poll("/events/news", "earliest").events[0]["data"]["type"] \
        == name


@serve(event_max_bytes=100)
def test_7_an_event_too_big_is_refused(world):
    response = world.post("/publish/news", "x" * 101)
    assert response.status == 413 and response.error
    world.publish("news", "x" * 100)
    batch = world.post_batch("news", [{"data": "x" * 101}])
    assert batch.status in (400, 413)
    assert len(world.dump()) == 1


# ---- batches --------------------------------------------------------------

def test_7_a_batch_is_one_commit_in_its_order(world):
    live = world.sse("/events/>")
    ids = world.publish_batch("news", [
        {"data": "one"}, {"channel": "sport", "type": "goal", "data": {"a": 1}},
        {"data": [1, 2], "channel": "news"}, {"data": "four", "type": ""}])
    assert ids == sorted(set(ids)) and len(ids) == 4
    assert [int(event.id) for event in live.take(4)] == ids
    assert [(e["channel"], e["type"], e["data"]) for e in world.dump()] == [
        ("news", "", "one"), ("sport", "goal", '{"a": 1}'),
        ("news", "", "[1, 2]"), ("news", "", "four")]


def test_7_a_batch_answers_201_then_200(world):
    lines = [{"data": "a", "key": "1"}, {"data": "b", "key": "2"}]
    first = world.post_batch("news", lines)
    again = world.post_batch("news", lines)
    assert (first.status, again.status) == (201, 200)
    assert first.json() == again.json()


@pytest.mark.parametrize("bad", [
    "nonsense", "{}", '{"data":1,"x":2}', '{"data":"x","channel":"a..b"}',
    '{"data":"x","type":"tidings.gap"}', '{"data":"x","type":5}', "[]",
    '{"data":"x","time":"soon"}', '{"data":"\\ud800"}', '{"data":"x"',
])
def test_7_one_bad_line_refuses_the_whole_batch(world, bad):
    body = f'{{"data":"good"}}\n{bad}\n{{"data":"good"}}\n'
    response = world.post("/publish/news", body,
                          {"Content-Type": "application/x-ndjson"})
    assert response.status == 400 and response.error
    assert world.dump() == []


def test_7_the_last_line_may_lack_its_end_and_lines_may_be_empty(world):
    body = '{"data":"a"}\r\n\n{"data":"b"}'
    response = world.post("/publish/news", body,
                          {"Content-Type": "application/x-ndjson"})
    assert response.status == 201 and len(response.json()["ids"]) == 2


def test_7_a_batch_of_thousands(world):
    ids = world.publish_batch("news", [{"data": n} for n in range(5000)])
    assert len(set(ids)) == 5000 and ids == sorted(ids)


def test_7_a_batch_with_the_time(world):
    world.publish("news", "x")
    wish = world.dump()[0]["time"] + 300
    world.publish_batch("news", [{"data": "y", "time": wish}])
    assert world.dump()[1]["time"] == wish


# ---- methods and paths ----------------------------------------------------

@pytest.mark.parametrize("method, target, statuses", [
    ("GET", "/publish/news", (405,)),
    ("PATCH", "/publish/news", (405, 501)),
    ("DELETE", "/events/news", (405,)),
    ("PUT", "/events/news", (405,)),
    ("POST", "/healthz", (405,)),
    ("DELETE", "/channels", (405,)),
    ("BREW", "/publish/news", (400, 405, 501)),
    ("TRACE", "/events/news", (400, 405, 501)),
    ("GET", "/nowhere", (404,)),
    ("POST", "/nowhere", (404, 405)),
    ("GET", "/eventsx/news", (404,)),
    ("GET", "/publish/news/extra/parts", (404, 405)),
])
def test_8_wrong_methods_and_paths(world, method, target, statuses):
    response = world.http(method, target, {},
                          b"" if method not in ("GET", "HEAD") else None)
    assert response.status in statuses, response
    assert response.error
    if response.status == 405:
        assert "Allow" in response.headers


def test_7_publishers_side_by_side(world):
    """Many connections at once share commits; every one gets its own id."""
    connections = [world.connect() for _ in range(64)]
    ids = []
    for turn in range(20):
        for number, connection in enumerate(connections):
            connection.request("POST", f"/publish/c{number % 7}", {},
                               f"{turn}/{number}".encode())
        for connection in connections:
            response = connection.response()
            assert response.status == 201
            ids.append(response.json()["id"])
    assert len(set(ids)) == 64 * 20
    by_id = {event["id"]: event for event in world.dump()}
    assert set(by_id) == set(ids)
    world.verify()
