"""HTTP publishes through the stream (protocol.md 7): answered when the stream has
them, and by default this journal too; never 201 for what is not there."""

import pytest
from marks import serve
from patience import eventually
from stream_world import *
from stream_world import wait_for_check, wait_until_stored
from test_71_stream import base_of

STREAM_ACK = serve(stream_ack="stream")


def put(world, channel, identity, data, headers=()):
    return world.http("PUT", f"/publish/{channel}/{identity}", dict(headers),
                      data.encode())


def withdraw(world, channel, identity, headers=()):
    return world.http("DELETE", f"/publish/{channel}/{identity}",
                      dict(headers))


def test_7_a_publish_goes_through_the_stream(followed, streams):
    news = followed.sse("/events/news")
    answer = followed.post("/publish/news", "Gruyère", {"Event-Type": "made"})
    assert answer.status == 201
    event = news.next()
    assert (event.type, event.data) == ("made", "Gruyère")
    assert answer.json() == {"id": int(event.id)} == \
        {"id": base_of(streams) + 1}
    assert streams.message("EVENTS", 1) == "Gruyère"


def test_7_another_instance_has_it_under_the_same_id(followed, streams,
                                                      another):
    other = another()
    at_other = other.sse("/events/news")
    identity = followed.post("/publish/news", "x").json()["id"]
    assert int(at_other.next().id) == identity
    wait_until_stored(followed, 1)
    assert other.dump() == followed.dump()


@pytest.mark.parametrize("ack", ["journal", "stream"])
def test_7_the_same_key_is_the_same_event(idle_followed, streams, ack):
    streams.create("EVENTS")
    idle_followed.start(stream_ack=ack)
    first = idle_followed.post("/publish/news", "x", {"Idempotency-Key": "k"})
    again = idle_followed.post("/publish/news", "x", {"Idempotency-Key": "k"})
    assert (first.status, again.status) == (201, 200)
    assert first.json() == again.json()
    wait_until_stored(idle_followed, 1)
    assert len(idle_followed.dump()) == 1


def test_7_a_key_counts_within_its_channel(followed):
    for channel in "ab":
        answer = followed.post(f"/publish/{channel}", "x",
                               {"Idempotency-Key": "k"})
        assert answer.status == 201
    assert [e["channel"] for e in followed.dump()] == ["a", "b"]


def test_7_a_key_outlives_the_memory_of_the_stream(idle_followed, streams):
    streams.create("EVENTS", duplicate_window=100_000_000)
    idle_followed.start()
    key = {"Idempotency-Key": "k"}
    first = idle_followed.post("/publish/news", "x", key).json()["id"]
    # The stream forgets it and takes another one, which the journal knows.
    eventually(lambda: idle_followed.post("/publish/news", "x", key) and
               streams.last("EVENTS") > 1, "the stream to forget the key")
    again = idle_followed.post("/publish/news", "x", key)
    assert (again.status, again.json()) == (200, {"id": first})
    assert len(idle_followed.dump()) == 1


@pytest.mark.parametrize("key", ["a b", "ü", "a\r\nNats-Msg-Id: 1", "\t", " x"])
def test_7_any_key_is_a_key(followed, key):
    target = "/publish/news?" + followed.query(key=key)
    answers = [followed.post(target, "x") for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 200]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize("data", ['{"type":"t","data":1}', "", "{}", "x" * 9000])
def test_7_data_is_data_as_it_is(followed, data):
    assert followed.post("/publish/news", data).status == 201
    event, = followed.dump()
    assert (event["type"], event["data"]) == ("", data)


def test_7_a_type_that_no_header_can_carry_is_refused(followed):
    answer = followed.post("/publish/news?" + followed.query(type=" x"), "x")
    assert answer.status == 400


@serve(channels_max=1)
def test_7_what_the_journal_refused_is_no_duplicate(followed):
    """The stream has it and knows its key; here it never was."""
    assert followed.post("/publish/one", "x").status == 201
    for _ in range(3):
        answer = followed.post("/publish/two", "x", {"Idempotency-Key": "k"})
        assert answer.status == 507 and answer.error == "channels_full"
    first = followed.post("/publish/one", "x", {"Idempotency-Key": "k"})
    again = followed.post("/publish/one", "x", {"Idempotency-Key": "k"})
    assert (first.status, again.status) == (201, 200)
    assert first.json() == again.json()


def test_7_a_batch_has_an_id_each(followed, streams):
    ids = followed.publish_batch("news", [{"data": n, "key": f"{n}"}
                                          for n in range(100)])
    assert ids == [base_of(streams) + n + 1 for n in range(100)]
    again = followed.post_batch("news", [{"data": n, "key": f"{n}"}
                                         for n in range(100)])
    assert (again.status, again.json()["ids"]) == (200, ids)


def test_7_corrections_and_withdrawals_are_messages(followed, another):
    first = followed.post("/publish/news", "mistake", {"Event-Type": "t"})
    second = followed.post("/publish/news", "secret")
    other = another()
    first, second = first.json()["id"], second.json()["id"]
    done = put(followed, "news", first, "right")
    assert done.status == 200 and done.json()["corrects"] == first
    assert withdraw(followed, "news", second).status == 200
    assert put(followed, "news", second, "again").status == 410
    assert put(followed, "news", first - 1, "nothing").status == 404
    assert put(followed, "news", first, "right").status == 200, "in force"
    corrected = followed.dump()[0]
    assert (corrected["id"], corrected["type"], corrected["data"]) == \
        (first, "t", "right")
    wait_until_stored(other, 7)
    wait_until_stored(followed, 7)
    assert other.dump() == followed.dump()
    followed.verify()
    other.verify()


def test_7_a_retried_correction_is_done_once(followed):
    identity = followed.post("/publish/news", "a").json()["id"]
    key = {"Idempotency-Key": "k"}
    first = put(followed, "news", identity, "b", key)
    assert put(followed, "news", identity, "c").status == 200
    again = put(followed, "news", identity, "b", key)
    assert again.json()["id"] == first.json()["id"]
    assert followed.dump()[0]["data"] == "c"


# ---- when the stream cannot take it -----------------------------------------

def refused(answer, code):
    assert answer.status == 503, answer
    assert answer.headers["Retry-After"]
    assert answer.json()["error"] == code
    return True


def test_7_a_stream_that_is_full(idle_followed, streams):
    streams.create("EVENTS", max_msgs=3, discard="new")
    idle_followed.start()
    statuses = [idle_followed.post("/publish/news", "x").status
                for _ in range(5)]
    assert statuses == [201, 201, 201, 503, 503]
    refused(idle_followed.post("/publish/news", "x"), "stream_refuses")
    assert len(idle_followed.dump()) == 3


@STREAM_ACK
def test_7_a_full_stream_and_an_answer_by_the_stream(idle_followed, streams):
    streams.create("EVENTS", max_msgs=1, discard="new")
    idle_followed.start(stream_ack="stream")
    assert idle_followed.post("/publish/news", "x").status == 201
    refused(idle_followed.post("/publish/news", "x"), "stream_refuses")


def test_7_a_batch_that_the_stream_takes_in_part(idle_followed, streams):
    streams.create("EVENTS", max_msgs=3, discard="new")
    idle_followed.start()
    lines = [{"data": n, "key": f"{n}"} for n in range(5)]
    answer = idle_followed.post_batch("news", lines)
    assert refused(answer, "partly_stored")
    base = base_of(streams)
    assert answer.json()["ids"] == [base + 1, base + 2, base + 3, None, None]
    streams.update("EVENTS", max_msgs=100)
    again = idle_followed.post_batch("news", lines)
    assert again.json()["ids"][:3] == [base + 1, base + 2, base + 3]
    assert len(idle_followed.dump()) == 5


def test_7_a_sealed_stream(followed, streams):
    followed.post("/publish/news", "x")
    streams.update("EVENTS", sealed=True)
    refused(followed.post("/publish/news", "x"), "stream_refuses")
    wait_for_check(followed, "sealed")
    assert followed.http("GET", "/readyz").status == 200, "it can be read"


def test_7_no_stream(followed, streams):
    streams.delete("EVENTS")
    refused(followed.post("/publish/news", "x"), "stream_refuses")
    wait_for_check(followed, "no such stream")
    assert followed.http("GET", "/readyz").status == 503


@serve(stream_ack_ms=1000)
def test_7_no_answer_in_time(followed, js):
    followed.post("/publish/news", "x")
    js.freeze()
    try:
        refused(followed.post("/publish/news", "y", {"Idempotency-Key": "k"}),
                "not_acknowledged")
    finally:
        js.thaw()
    again = followed.post("/publish/news", "y", {"Idempotency-Key": "k"})
    assert again.status in (200, 201)
    assert [e["data"] for e in followed.dump()] == ["x", "y"]


def test_7_no_connection(followed, js, streams):
    streams.client.close()
    js.kill()
    wait_for_check(followed, "not connected")
    refused(followed.post("/publish/news", "x"), "stream_refuses")
    js.start()
    wait_for_check(followed, "ok")
    assert followed.post("/publish/news", "x").status == 201


@serve(stream_in_flight=1, stream_ack_ms=1000)
def test_7_too_many_in_flight(followed, js):
    followed.post("/publish/news", "x")
    js.freeze()
    try:
        waiting = followed.connect()
        waiting.request("POST", "/publish/news", {}, b"y")
        followed.wait_for_metric("stream_in_flight", lambda n: n == 1)
        refused(followed.post("/publish/news", "z"), "overload")
        assert waiting.response().status == 503
    finally:
        js.thaw()


def test_7_the_server_stops_with_publishes_on_their_way(followed, js):
    js.freeze()
    waiting = followed.connect()
    waiting.request("POST", "/publish/news", {}, b"y")
    followed.wait_for_metric("stream_in_flight", lambda n: n == 1)
    followed.ask_to_stop()
    assert waiting.response().status == 503
    js.thaw()
    assert followed.wait_for_end() == 0


@serve(channels_max=1)
def test_7_a_batch_that_the_journal_refused_in_part_says_which(followed):
    first = followed.post("/publish/a", "x").json()["id"]
    answer = followed.post_batch("a", [{"data": "one"},
                                       {"channel": "b", "data": "two"}])
    assert (answer.status, answer.error) == (503, "partly_stored")
    assert answer.json()["ids"] == [first + 1, None]


def test_7_a_key_of_an_amendment_that_no_header_can_carry(followed):
    first = followed.post("/publish/a", "0").json()["id"]
    answers = [put(followed, "a", f"{first}?key={key}", data) for key, data in
               (("k%09k", "first"), ("other", "second"), ("k%09k", "first"))]
    assert answers[0].json() == answers[2].json() != answers[1].json()
