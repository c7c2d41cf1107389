"""NATS: protocol.md 7, with a real nats-server."""

import json
import time

import pytest
from marks import serve
from nats_raw import NatsServer, free_port
from patience import eventually
from world import World

pytestmark = serve(nats=True)


def test_7_a_message_becomes_an_event(world):
    news = world.sse("/events/news")
    world.nats.publish("events.news", "Gruyère")
    event = news.next()
    assert (event.data, event.type) == ("Gruyère", "")


def test_7_a_request_is_answered_with_the_id(world):
    news = world.sse("/events/news")
    answer = world.nats.request("events.news", "one")
    assert answer["id"] == int(news.next().id)
    assert [event["id"] for event in world.dump()] == [answer["id"]]


def test_7_the_channel_is_the_rest_of_the_subject(world):
    stream = world.sse("/events/user.42.>")
    world.nats.publish("events.user.42.inbox", "x")
    assert stream.next().data == "x"
    assert world.dump()[0]["channel"] == "user.42.inbox"


@serve(nats_prefix="my.feed")
def test_7_the_prefix_is_a_setting(world):
    world.nats.publish("events.news", "no")
    assert "id" in world.nats.request("my.feed.news", "yes")
    assert [(e["channel"], e["data"]) for e in world.dump()] == [("news", "yes")]


def test_7_order_of_a_publisher_is_kept(world):
    news = world.sse("/events/news")
    for number in range(5000):
        world.nats.publish("events.news", f"{number}")
    events = news.take(5000)
    assert [event.data for event in events] == [f"{n}" for n in range(5000)]
    ids = [int(event.id) for event in events]
    assert ids == sorted(set(ids))


# ---- type and data --------------------------------------------------------

ENVELOPES = [
    ('{"type":"t","data":{"a":1}}', "t", '{"a":1}'),
    ('{"data":[1,2],"type":"t"}', "t", "[1,2]"),
    ('{"type":"t","data":"text"}', "t", "text"),
    ('{"type":"t","data":null}', "t", "null"),
    (' { "type" : "t" , "data" : 5 } ', "t", "5"),
    ('{"type":"t\\u00e9","data":"\\u2603\\n"}', "té", "☃\n"),
    ('{"type":"","data":"x"}', "", "x"),
]
NO_ENVELOPES = [
    "text", '{"type":"t"}', '{"data":1}', '{"type":"t","data":1,"x":2}',
    '{"type":5,"data":1}', "[1]", '{"type":"t","data":1', "{}", "",
    '"type"',
]


@pytest.mark.parametrize("payload, name, data", ENVELOPES)
def test_7_an_envelope_is_taken_apart(world, payload, name, data):
    assert "id" in world.nats.request("events.news", payload)
    event, = world.dump()
    assert (event["type"], event["data"]) == (name, data)


@pytest.mark.parametrize("payload", NO_ENVELOPES)
def test_7_anything_else_is_data_as_it_is(world, payload):
    assert "id" in world.nats.request("events.news", payload)
    event, = world.dump()
    assert (event["type"], event["data"]) == ("", payload)


@serve(envelope="never")
def test_7_envelope_never(world):
    payload = '{"type":"t","data":1}'
    world.nats.request("events.news", payload)
    event, = world.dump()
    assert (event["type"], event["data"]) == ("", payload)


@serve(envelope="always")
def test_7_envelope_always(world):
    assert "id" in world.nats.request("events.news", '{"type":"t","data":1}')
    assert "error" in world.nats.request("events.news", "text")
    event, = world.dump()
    assert (event["type"], event["data"]) == ("t", "1")


def test_7_the_type_in_a_header(world):
    answer = world.nats.request("events.news", '{"a":1}',
                                {"Event-Type": "cheese_created"})
    event, = world.dump()
    assert (event["id"], event["type"], event["data"]) == \
        (answer["id"], "cheese_created", '{"a":1}')


def test_7_the_time_in_a_header(world):
    world.nats.request("events.news", "x")
    first, = world.dump()
    wish = first["time"] + 500
    world.nats.request("events.news", "y", {"Event-Time": str(wish)})
    assert world.dump()[1]["time"] == wish
    world.nats.request("events.news", "older", {"Event-Time": "1000"})
    assert world.dump()[2]["time"] >= wish, "times never decrease"


def test_7_a_time_far_ahead_is_not_taken(world):
    world.nats.request("events.news", "x")
    far = world.dump()[0]["time"] + 3600000
    world.nats.request("events.news", "y", {"Event-Time": str(far)})
    times = [event["time"] for event in world.dump()]
    assert all(time < far for time in times)


# ---- dedup ----------------------------------------------------------------

def test_7_nats_msg_id_is_the_dedup_key(world):
    headers = {"Nats-Msg-Id": "order-1"}
    first = world.nats.request("events.news", "x", headers)
    again = world.nats.request("events.news", "x", headers)
    assert first["id"] == again["id"]
    assert len(world.dump()) == 1


def test_7_the_key_is_one_for_nats_and_http(world):
    first = world.nats.request("events.news", "x", {"Nats-Msg-Id": "k"})
    again = world.post("/publish/news", "x", {"Idempotency-Key": "k"})
    assert (again.status, again.json()["id"]) == (200, first["id"])


def test_7_nats_msg_id_survives_a_kill(world):
    first = world.nats.request("events.news", "x", {"Nats-Msg-Id": "k"})
    world.kill()
    world.start()
    again = world.nats.request("events.news", "x", {"Nats-Msg-Id": "k"})
    assert first["id"] == again["id"]


# ---- rejected -------------------------------------------------------------

REJECTED = {
    "bad character": ("events.a$b", b"x", None),
    "space of another kind": ("events.a\u00a0b", b"x", None),
    "not ascii": ("events.k\u00e4se", b"x", None),
    "too long": ("events." + "x" * 201, b"x", None),
    "not utf-8": ("events.news", b"\xff\xfe", None),
    "cut utf-8": ("events.news", b"abc\xc3", None),
    "overlong utf-8": ("events.news", b"\xc0\xaf", None),
    "surrogate": ("events.news", b"\xed\xa0\x80", None),
    "reserved type": ("events.news", b"x", {"Event-Type": "tidings.gap"}),
    "reserved type in envelope":
        ("events.news", b'{"type":"tidings.gap","data":1}', None),
    "long type": ("events.news", b"x", {"Event-Type": "t" * 129}),
}


@pytest.mark.parametrize("name", REJECTED)
def test_7_what_is_refused_is_answered_counted_and_sent_on(world, name):
    """Section 7: counted, logged, answered with the error, and sent to
    events_rejected.<reason>; nothing of it in the journal."""
    subject, payload, headers = REJECTED[name]
    rejected = world.nats.subscribe("events_rejected.>")
    answer = world.nats.request(subject, payload, headers)
    assert isinstance(answer["error"], str) and "id" not in answer
    message = rejected.next()
    assert message.data == payload
    reason = message.subject.removeprefix("events_rejected.")
    assert reason.replace("_", "").replace("-", "").isalnum(), reason
    world.wait_for_metric("nats_rejected", lambda figure: figure == 1)
    assert world.dump() == []
    assert "reject" in world.output() or "refus" in world.output()


@serve(event_max_bytes=1000)
def test_7_too_big_is_refused(world):
    assert "error" in world.nats.request("events.news", "x" * 1001)
    assert "id" in world.nats.request("events.news", "x" * 1000)


@serve(nats_rejected=False)
def test_7_sending_on_is_a_setting(idle_world):
    path = idle_world.directory / "made.conf"
    path.write_text("nats_rejected = false\n")
    world = idle_world.start(config=path)
    rejected = world.nats.subscribe("events_rejected.>")
    assert "error" in world.nats.request("events.news", b"\xff")
    world.nats.publish("events_rejected.marker", "marker")
    assert rejected.next().data == b"marker"


def test_7_many_refusals_do_not_flood_the_log(world):
    for _ in range(500):
        world.nats.publish("events.news", b"\xff")
    assert "id" in world.nats.request("events.news", "ok")
    lines = [line for line in world.output().splitlines()
             if "reject" in line or "refus" in line]
    assert 1 <= len(lines) <= 50, len(lines)
    world.wait_for_metric("nats_rejected", lambda figure: figure == 500)


def test_7_a_payload_cannot_speak_nats(world):
    """What comes in is sent on as one message, whatever it contains."""
    rejected = world.nats.subscribe("events_rejected.>")
    injected = world.nats.subscribe("events.injected")
    payload = b"\xff\r\nPUB events.injected 1\r\nx\r\n"
    world.nats.publish("events.news", payload)
    assert rejected.next().data == payload
    world.nats.publish("events.injected", "marker")
    assert injected.next().data == b"marker"


# ---- coming and going -----------------------------------------------------

@pytest.fixture
def own_nats(tmp_path):
    directory = tmp_path / "own-nats"
    directory.mkdir()
    server = NatsServer(directory)
    yield server
    server.stop()


@serve(nats=None)
def test_a_nats_server_that_dies_and_comes_back(idle_world, own_nats):
    world = idle_world
    world.nats_server = own_nats
    world.start(nats=True)
    news = world.sse("/events/news")
    world.nats.publish("events.news", "one")
    assert news.next().data == "one"

    own_nats.kill()
    eventually(lambda: world.get("/readyz").status == 503, "not ready")
    assert world.get("/healthz").status == 200
    world.publish("news", "by http")
    assert news.next().data == "by http"

    own_nats.start()
    world.nats.close()
    world.nats_client = None
    world.wait_until_ready()
    world.nats.publish("events.news", "two")
    assert news.next().data == "two"
    world.wait_for_metric("nats_reconnects", lambda figure: figure >= 1)
    world.end()


@serve(nats=None)
def test_a_server_that_starts_before_nats(idle_world, tmp_path):
    """Ready only when NATS is there; HTTP is served meanwhile."""
    port = free_port()
    world = idle_world.start(nats=f"nats://127.0.0.1:{port}")
    not_ready = world.get("/readyz")
    assert not_ready.status == 503
    assert "nats" in not_ready.text.lower()
    world.publish("news", "by http")
    directory = tmp_path / "late-nats"
    directory.mkdir()
    server = NatsServer(directory, port)
    try:
        world.nats_server = server
        world.wait_until_ready()
        assert "id" in world.nats.request("events.news", "by nats")
        assert [e["data"] for e in world.dump()] == ["by http", "by nats"]
        world.end()
    finally:
        server.stop()


@serve(nats=None)
def test_without_nats_configured_it_is_ready(world):
    assert world.get("/readyz").status == 200


def test_8_what_nats_accepted_is_committed_at_sigterm(world):
    """Requests that were answered with an id are in the journal; the others
    get no id."""
    asked = [world.nats.ask("events.news", f"{n}",
                            {"Nats-Msg-Id": f"{n}"}) for n in range(2000)]
    first = world.nats.answer(asked[0])
    world.ask_to_stop()
    assert world.wait_for_end() == 0
    world.nats.flush()
    told = {json.loads(first.data)["id"]}
    for message in world.nats.inbox.messages:
        answer = json.loads(message.data) if message.data else {}
        if "id" in answer:
            told.add(answer["id"])
    assert told <= {event["id"] for event in world.dump()}


def test_two_servers_on_one_nats_both_get_everything(world, tmp_path):
    other = World(tmp_path / "other", world.nats_server)
    other.directory.mkdir()
    try:
        other.start(nats=True)
        streams = [world.sse("/events/news"), other.sse("/events/news")]
        world.nats.publish("events.news", "x")
        assert [stream.next().data for stream in streams] == ["x", "x"]
        other.end()
    finally:
        other.abandon()


def test_the_command_publish_by_nats(world):
    minute_ago = int(time.time() * 1000) - 60000
    done = world.tidings("publish", "news", "hello", "--type", "t",
                         "--time", str(minute_ago),
                         "--nats", world.nats_server.url)
    assert done.returncode == 0, done.stderr
    event, = world.dump()
    assert done.stdout.strip() == str(event["id"]).encode()
    assert (event["type"], event["data"]) == ("t", "hello")
    assert event["time"] == minute_ago
