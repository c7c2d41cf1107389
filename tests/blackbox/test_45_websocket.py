"""WebSocket: protocol.md 6, and what it shares with sections 1, 2, 5 and 8.

Frames themselves are the matter of test_46_websocket_conformance.py, changes of
the subscription of test_47_resubscribe.py.
"""

import json

import pytest
from marks import serve
from patience import Deadline, eventually
from ws_raw import BINARY, CLOSE, KEY, PING, PONG, TEXT, WebSocket, \
    accept_of, frame, ids_of, upgrade_headers


# ---- the handshake --------------------------------------------------------

def test_6_the_upgrade_is_answered_as_rfc_6455_has_it(world):
    last = world.publish("news", "x")
    socket = world.websocket("/events/news")
    assert socket.headers["Sec-WebSocket-Accept"] == accept_of(KEY)
    assert socket.headers["Last-Event-ID"] == str(last)
    assert "Sec-WebSocket-Protocol" not in socket.headers


@pytest.mark.parametrize("offered, chosen", [
    ("tidings.v1", "tidings.v1"), ("chat, tidings.v1", "tidings.v1"),
    ("chat", None), ("TIDINGS.V1", None)])
def test_6_the_subprotocol_is_ours_or_none(world, offered, chosen):
    socket = world.websocket("/events/news",
                             headers={"Sec-WebSocket-Protocol": offered})
    assert socket.headers.get("Sec-WebSocket-Protocol") == chosen
    world.publish("news", "x")
    assert socket.next_json()["data"]["data"] == "x"


@pytest.mark.parametrize("change, status", [
    ({"Upgrade": None}, 426), ({"Upgrade": "h2c"}, 426),
    ({"Connection": "keep-alive"}, 400), ({"Connection": None}, 400),
    ({"Sec_WebSocket_Version": "8"}, 426),
    ({"Sec_WebSocket_Version": None}, 426),
    ({"Sec_WebSocket_Key": None}, 400),
    ({"Sec_WebSocket_Key": "short"}, 400),
    ({"Sec_WebSocket_Key": "*" * 22 + "=="}, 400),
    ({"Content_Length": "3"}, 400)])
def test_6_a_wrong_handshake_is_refused_with_a_sentence(world, change, status):
    connection = world.connect()
    connection.request("GET", "/events/news?flavor=websocket",
                       upgrade_headers(**change))
    response = connection.response()
    assert response.status == status and response.error, response
    if status == 426:
        assert response.headers["Upgrade"] == "websocket"
        assert response.headers["Connection"] == "Upgrade", "RFC 9110 7.8"
        assert response.headers["Sec-WebSocket-Version"] == "13"


def test_6_the_flavor_without_an_upgrade_is_426(world):
    response = world.get("/events/news?flavor=websocket")
    assert response.status == 426 and response.error
    assert response.headers["Upgrade"] == "websocket"


def test_6_an_upgrade_over_http_1_0_is_refused(world):
    response = world.http("GET", "/events/news", upgrade_headers(),
                          version="1.0")
    assert response.status == 400 and response.error


def test_6_head_and_post_are_no_upgrade(world):
    assert world.http("HEAD", "/events/news", upgrade_headers()).status == 400
    response = world.http("POST", "/events/news", {
        **upgrade_headers(),
        "Content-Type": "application/x-www-form-urlencoded"}, b"a=b")
    assert response.status == 400 and response.error


def test_6_a_refused_upgrade_leaves_the_connection_usable(world):
    connection = world.connect()
    connection.request("GET", "/events/news",
                       upgrade_headers(Sec_WebSocket_Version="7"))
    assert connection.response().status == 426
    connection.request("GET", "/healthz")
    assert connection.response().status == 200


def test_6_frames_may_come_right_behind_the_request(world):
    connection = world.connect()
    connection.send(
        b"GET /events HTTP/1.1\r\nHost: a\r\n"
        + "".join(f"{name}: {value}\r\n"
                  for name, value in upgrade_headers().items()).encode()
        + b"\r\n" + frame(PING, b"early"))
    assert connection.head().status == 101
    assert connection.take_exactly(7, Deadline(), "a pong") \
        == b"\x8a\x05early"


@serve(origins="https://www.example.org")
@pytest.mark.parametrize("origin, is_allowed", [
    (None, True), ("https://www.example.org", True),
    ("http://localhost", True), ("https://evil.example", False),
    ("null", False)])
def test_6_the_origin_is_checked_before_the_upgrade(world, origin, is_allowed):
    """`http://localhost` is the server's own: the tests' Host header."""
    socket = WebSocket(world.connect(), "/events/news", {"Origin": origin})
    if is_allowed:
        socket.check_upgraded()
    else:
        assert socket.status == 403


# ---- events ---------------------------------------------------------------

def test_6_an_event_is_one_text_frame_with_the_object_of_section_4(world):
    socket = world.websocket("/events/cheese")
    data = '{"pieces":92,"cheese_type":"Gruyère"}'
    number = world.publish("cheese", data, event_type="cheese_created")
    event = socket.next_json()
    assert event.pop("ts").endswith("Z")
    assert event == {"id": number, "channel_id": "cheese",
                     "data": {"type": "cheese_created",
                              "data": json.loads(data)}}


def test_6_format_data_is_the_data_as_it_was_published(world):
    socket = world.websocket("/events/news?format=data")
    for data in ("x", "", '{ "a" :\n1 }', "line\r\nline", "x" * 125,
                 "x" * 126, "x" * 65535, "x" * 65536, "\U0001d11e" * 50000):
        world.publish("news", data)
        assert socket.next() == data


def test_6_format_envelope_has_the_type_only_if_there_is_one(world):
    socket = world.websocket("/events/news?format=envelope")
    world.publish("news", '{ "a": 1 }', event_type="made")
    world.publish("news", '{ "a": 2 }')
    assert socket.next() == '{"type":"made","data":{ "a": 1 }}'
    assert socket.next() == '{ "a": 2 }'


def test_6_what_was_missed_comes_first_whatever_the_position_is(world):
    ids = world.publish_some("news", 5)
    for position, expected in (("earliest", ids), ("last-2", ids[3:]),
                               (str(ids[2]), ids[3:]),
                               (json.dumps({"news": ids[1]}), ids[2:])):
        query = world.query(last_event_id=position)
        assert ids_of(world.websocket(f"/events/news?{query}")
                      .take(len(expected))) == expected
        assert ids_of(world.websocket("/events/news", position)
                      .take(len(expected))) == expected


@serve(nats=True)
def test_6_events_by_nats_come_too(world):
    socket = world.websocket("/events/news")
    world.nats.publish("events.news", "one")
    assert socket.next_json()["data"]["data"] == "one"


def test_6_after_a_kill_a_client_resumes_by_the_last_id(world):
    socket = world.websocket("/events/news")
    ids = world.publish_some("news", 10)
    seen = ids_of(socket.take(5))
    world.kill()
    world.start()
    ids += world.publish_some("news", 3)
    back = world.websocket(f"/events/news?lastId={seen[-1]}")
    assert seen + ids_of(back.take(8)) == ids


@serve(outbox_bytes=4096)
def test_6_a_reader_that_stops_is_put_back_and_loses_nothing(world):
    slow = world.websocket("/events/news", receive_buffer=4096)
    fast = world.websocket("/events/news")
    ids = []
    for number in range(300):
        ids.append(world.publish("news", f"{number}".rjust(20000)))
        assert fast.next_json()["id"] == ids[-1]
    world.wait_for_metric("demotions", lambda figure: figure >= 1)
    assert ids_of(slow.take(300)) == ids
    world.publish("news", "marker")
    assert slow.next_json()["data"]["data"] == "marker"


# ---- gaps -----------------------------------------------------------------

def test_5_a_gap_is_told_as_one_object(world):
    number = world.publish("news", "one")
    socket = world.websocket("/events/news", last_event_id="12")
    gap, event = socket.take(2)
    assert gap["data"]["type"] == "tidings.gap"
    assert gap["data"]["data"]["requested"] == "12"
    assert gap["data"]["data"]["reason"] == "unknown"
    assert event["id"] == number


def test_5_a_gap_in_other_formats(world):
    world.publish("news", "one")
    socket = world.websocket("/events/news?format=data", last_event_id="12")
    assert socket.next_json()["reason"] == "unknown"
    assert socket.next() == "one"
    socket = world.websocket("/events/news?format=envelope",
                             last_event_id="12")
    gap = socket.next_json()
    assert (gap["type"], gap["data"]["reason"]) == ("tidings.gap", "unknown")


def test_2_hello_and_a_gap_are_messages_of_their_own(world):
    number = world.publish("news", "one")
    hello, gap, event = world.websocket("/events/news?hello=1",
                                        last_event_id="12").take(3)
    assert hello["action"] == "hello" and hello["keepalive_secs"] == 15
    assert hello["last_event_id"] == gap["data"]["data"]["resumed"]
    assert event["id"] == number


def test_5_gap_reject_is_410_before_the_upgrade(world):
    world.publish("news", "one")
    socket = WebSocket(world.connect(),
                       "/events/news?gap=reject&last_event_id=12")
    assert socket.status == 410


def test_5_the_gap_of_a_new_subscription_is_told_in_band(world):
    socket = world.websocket("/events/other")
    number = world.publish("news", "one")
    socket.say(subscribe=["news"], after=12)
    gap, event = socket.take(2)
    assert gap["channel_id"] == "news"
    assert gap["data"]["data"] == {"requested": "12", "reason": "unknown",
                                   "resumed": gap["data"]["data"]["resumed"]}
    assert event["id"] == number


@serve(keep_count=3)
def test_5_a_subscription_beside_it_tells_no_gap_twice_or_falsely(world):
    """What retention took of a held channel after the client had it is no
    gap, though the new channel begins before that."""
    old = world.publish("old", "0")
    socket = world.websocket("/events/news")
    ids = world.publish_some("news", 10)
    assert ids_of(socket.take(10)) == ids
    eventually(lambda: world.get("/channels/news").json()["count"] == 3,
               "retention")
    socket.say(subscribe=["old"], after=old - 1)
    assert socket.next_json()["id"] == old
    assert socket.meet() == []


@serve(keep_count=3)
def test_5_a_pattern_that_is_up_to_date_is_told_no_gap_by_a_change(world):
    """Of a pattern it is not known what retention took, only where it was: a
    client that has all up to now has lost nothing."""
    world.publish("quiet.one", "0")
    socket = world.websocket("/events/quiet.*")
    world.publish_some("news", 10)
    eventually(lambda: world.get("/channels/news").json()["count"] == 3,
               "retention")
    socket.say(subscribe=["other"])
    socket.say(unsubscribe=["other"])
    socket.meet()
    number = world.publish("quiet.two", "x")
    assert socket.next_json()["id"] == number


# ---- silence --------------------------------------------------------------

@serve(keepalive_ms=100)
def test_6_silence_is_broken_by_pings_and_pongs_keep_it_open(world):
    socket = world.websocket("/events/news")
    for _ in range(6):
        opcode, payload = socket.next_frame()
        assert opcode == PING
        socket.send_frame(PONG, payload)
    number = world.publish("news", "x")
    assert socket.next_json()["id"] == number


@serve(keepalive_ms=100)
def test_6_a_client_that_answers_no_ping_is_closed(world):
    socket = world.websocket("/events/news")
    opcodes = []
    while not opcodes or opcodes[-1] == PING:
        opcodes.append(socket.next_frame()[0])
    assert opcodes == [PING, PING, 8]
    assert socket.connection.is_ended()
    world.wait_for_metric("websockets", lambda figure: figure == 0)


@serve(keepalive_ms=100)
def test_3_keepalive_as_message_is_a_text_that_the_page_sees(world):
    socket = world.websocket("/events/news?keepalive=message")
    alive = socket.next_json()
    assert set(alive) == {"action", "timestamp"}
    assert alive["action"] == "keep-alive" and socket.pings >= 1


# ---- rude -----------------------------------------------------------------

def test_6_a_client_that_asks_and_never_reads_is_closed(world):
    """Pongs are owed up to a limit; then 1008, and others live on."""
    socket = world.websocket("/events/news", receive_buffer=4096)
    flood = frame(PING, b"x" * 125) * 500
    while socket.connection.try_send(flood):
        if world.metrics()["websockets"] == 0:
            break
    world.wait_for_metric("websockets", lambda figure: figure == 0)
    assert world.get("/healthz").status == 200


@pytest.mark.parametrize("text", ["x", '{"subscribe":["a"],"after":5}'])
def test_6_a_flood_of_messages_with_answers_is_closed(world, text):
    """Errors, and gaps that are told in band."""
    socket = world.websocket("/events/news", receive_buffer=4096)
    while socket.connection.try_send(frame(TEXT, text) * 500):
        if world.metrics()["websockets"] == 0:
            break
    world.wait_for_metric("websockets", lambda figure: figure == 0)


@pytest.mark.parametrize("selector, after, count", [
    ("a", "latest", 3000), ("a", "last-1", 100), ("a.*", "earliest", 100)])
def test_6_more_changes_at_once_than_a_page_makes_are_closed(
        world, selector, after, count):
    """Fewer of those that have to look at much."""
    socket = world.websocket("/events")
    change = json.dumps({"subscribe": [selector], "after": after})
    socket.send_raw(frame(TEXT, change) * count)
    assert socket.is_closed()[0] == 1008


def test_6_each_pattern_that_looks_at_much_is_paid_for(world):
    """Many at once are served; and then a while nothing more."""
    number = world.publish("p7.x", "one")
    socket = world.websocket("/events")
    change = json.dumps({"subscribe": [f"p{i}.*" for i in range(64)],
                         "after": "earliest"})
    socket.send_raw(frame(TEXT, change))
    assert socket.next_json()["id"] == number
    socket.send_raw(frame(TEXT, change) * 2)
    assert socket.is_closed()[0] == 1008


def test_6_a_vanished_client_leaves_nothing_behind(world):
    for _ in range(20):
        socket = world.websocket("/events/news")
        socket.send_raw(frame(TEXT, '{"subscribe":["a')[:-3])
        socket.connection.close()
    world.wait_for_metric("websockets", lambda figure: figure == 0)
    world.wait_for_subscribers(0)


# ---- ends -----------------------------------------------------------------

def test_6_a_close_is_answered_with_its_code(world):
    for code in (1000, 1001, 3000, 4999):
        socket = world.websocket("/events/news")
        socket.close(code, "enough")
        assert socket.is_closed()[0] == code


def test_6_the_client_may_answer_a_close_before_the_connection_ends(world):
    """What was on its way to the server is stepped over; then its close ends
    the connection, which was whole until then."""
    socket = world.websocket("/events/news")
    socket.send_frame(BINARY, b"x" * 100000)
    assert socket.next_frame()[0] == CLOSE
    socket.say(subscribe=["news"])
    socket.send_raw(frame(TEXT, "\xff" * 1000))
    world.publish("news", "too late")
    socket.close(1003)
    assert socket.connection.is_ended() and not socket.connection.buffer
    world.wait_for_subscribers(0)


def test_6_a_client_that_does_not_answer_a_close_is_not_waited_for_long(world):
    socket = world.websocket("/events/news")
    socket.send_frame(BINARY, b"x")
    assert socket.next_frame()[0] == CLOSE
    assert socket.connection.is_ended()
    world.wait_for_metric("websockets", lambda figure: figure == 0)


@serve(drain_ms=300)
def test_8_sigterm_closes_with_1001(world):
    sockets = [world.websocket("/events/news") for _ in range(5)]
    sockets.append(world.websocket("/events"))
    world.ask_to_stop()
    for socket in sockets:
        assert socket.is_closed()[0] == 1001
    assert world.wait_for_end() == 0


def test_2_a_busy_wait_key_gives_the_backlog_and_closes(world):
    first = world.websocket("/events/news/tab")
    number = world.publish("news", "x")
    assert first.next_json()["id"] == number
    second = world.websocket("/events/news/tab?last_event_id=earliest")
    assert second.next_json()["id"] == number
    assert second.is_closed()[0] == 1013


# ---- the root -------------------------------------------------------------

@serve(websocket_root="cheese")
def test_9_a_websocket_at_the_root_gets_the_published_envelope(world):
    page = world.get("/")
    assert page.status == 200 and page.headers["Content-Type"].startswith("text/html")
    socket = world.websocket("/")
    envelope = '{"type":"cheese_created","data":{"pieces":92}}'
    world.publish("cheese", '{"pieces":92}', event_type="cheese_created")
    assert socket.next() == envelope
    again = world.websocket("/?lastId=earliest")
    assert again.next() == envelope


def test_9_without_the_setting_the_root_is_the_page(world):
    response = world.http("GET", "/", upgrade_headers(Connection="close"))
    assert response.status == 200


def test_20_a_root_that_is_no_channel_is_refused_at_start(idle_world):
    done = idle_world.tidings("serve", "--websocket_root", "no space")
    assert done.returncode != 0 and b"websocket_root" in done.stderr


def test_6_a_wait_key_without_a_channel_holds_nothing(world):
    """Its end is the server's: a key that is left over would not let it stop."""
    world.websocket("/events//key").close()
    world.websocket("/events//key").close()
    world.restart()
