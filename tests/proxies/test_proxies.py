"""The four configurations in docs/proxies: what a stream needs of a proxy."""

import itertools
import json
import re

import pytest
from patience import Deadline
from proxy import HOST
from streams import Lines, Sse
from ws_raw import CLOSE, PING, WebSocket

MANY = 8  # more than the six connections that a browser opens to a host

MULTIPLEXING = pytest.mark.parametrize("name", ["nginx", "haproxy", "caddy"])

_names = itertools.count(1)


@pytest.fixture
def channel(served):
    """A name of its own; nobody subscribes any more."""
    served.wait_for_subscribers(0)
    return f"test{next(_names)}"


# ---- streams ------------------------------------------------------------------

def test_a_stream_passes_at_once(served, proxy, channel):
    """The opening without an event, then each event without the next one."""
    stream = proxy.sse(f"/events/{channel}")
    assert stream.wait_for_retry() > 0
    for text in ("one", "two", "three"):
        number = served.publish(channel, text)
        event = stream.next()
        assert (event.id, event.data) == (str(number), text)
    stream.hang_up()


def test_keepalives_pass_at_once(served, proxy, channel):
    stream = proxy.sse(f"/events/{channel}")
    stream.wait_for_comment()
    stream.wait_for_comment()
    stream.hang_up()


def test_a_compressed_stream_passes_at_once(served, proxy, channel):
    stream = proxy.sse(f"/events/{channel}", {"Accept-Encoding": "gzip"})
    assert stream.headers["Content-Encoding"] == "gzip"
    for text in ("one" * 100, "two" * 100):
        served.publish(channel, text)
        assert stream.next().data == text
    stream.hang_up()


def test_lines_pass_at_once(served, proxy, channel):
    connection = proxy.connect()
    connection.request("GET", f"/events/{channel}?xhr=1")
    lines = Lines(connection)
    for number in (1, 2):
        served.publish(channel, json.dumps(number))
        assert lines.next_json() == number
    lines.hang_up()


def test_a_stream_resumes(served, proxy, channel):
    first = served.publish(channel, "one")
    served.publish(channel, "two")
    stream = proxy.sse(f"/events/{channel}", {"Last-Event-ID": first})
    assert stream.next().data == "two"
    assert stream.headers["Last-Event-ID"] == str(first)
    stream.hang_up()


def test_a_client_that_leaves_is_not_kept(served, proxy, channel):
    stream = proxy.sse(f"/events/{channel}")
    served.wait_for_subscribers(1)
    stream.hang_up()
    served.wait_for_subscribers(0)


# ---- long-poll ----------------------------------------------------------------

def test_a_long_poll_waits_for_its_event(served, proxy, channel):
    connection = proxy.connect()
    connection.request("GET", f"/events/{channel}")
    served.wait_for_subscribers(1)
    number = served.publish(channel, "x")
    answer = connection.response()
    assert [event["id"] for event in answer.json()] == [number]
    assert answer.headers["x-ps-reconnect-in"] == "0"
    connection.close()


def test_a_long_poll_outlives_seconds_of_silence(served, proxies, channel):
    """All proxies in the same six seconds."""
    polls = []
    for proxy in proxies.values():
        polls.append(proxy.connect())
        polls[-1].request("GET", f"/events/{channel}?timeout=6")
    for poll in polls:
        answer = poll.response()
        assert (answer.status, answer.body) == (200, b"[]")
        poll.close()


# ---- WebSocket ----------------------------------------------------------------

def open_socket(proxy, target, **headers):
    return WebSocket(proxy.connect(), target, headers)


def test_a_websocket_passes_both_ways(served, proxy, channel):
    socket = open_socket(proxy, f"/events/{channel}",
                         Origin=f"https://{HOST}:{proxy.port}")
    socket.check_upgraded()
    first = served.publish(channel, "one")
    assert json.loads(socket.next())["id"] == first
    socket.say(subscribe=[f"{channel}.more"], after="earliest")
    second = served.publish(f"{channel}.more", "two")
    assert json.loads(socket.next())["id"] == second
    socket.close(1000)
    opcode, payload = PING, b""
    while opcode == PING:
        opcode, payload = socket.next_frame()
    assert (opcode, payload) == (CLOSE, b"\x03\xe8")
    assert socket.connection.is_ended()
    socket.connection.close()


def test_a_websocket_that_is_gone_is_not_kept(served, proxy, channel):
    socket = open_socket(proxy, f"/events/{channel}").check_upgraded()
    served.wait_for_subscribers(1)
    socket.connection.close()
    served.wait_for_subscribers(0)


def test_a_websocket_of_another_origin_is_refused(served, proxy, channel):
    socket = open_socket(proxy, f"/events/{channel}",
                         Origin="https://evil.example")
    assert socket.status == 403
    socket.connection.close()


# ---- HTTP/2 -------------------------------------------------------------------

def count_connections(said):
    return said.count(b"Connected to ")


@MULTIPLEXING
def test_many_streams_share_one_connection(served, proxies, channel, name):
    """Over HTTP/1.1 a browser's seventh stream would hang."""
    proxy = proxies[name]
    curl = proxy.curl("-v", "-H", "Accept: text/event-stream",
                      targets=[f"/events/{channel}?{n}" for n in range(MANY)])
    try:
        served.wait_for_subscribers(MANY)
        served.publish(channel, "to-all")
        deadline, heard = Deadline(), b""
        while heard.count(b"data: to-all\n") < MANY:
            deadline.left("all streams to hear it")
            heard += curl.stdout.read1()
    finally:
        curl.terminate()
        said = curl.communicate()[1]
    assert b"using HTTP/2" in said or b"Using HTTP2" in said, said
    assert count_connections(said) == 1, said
    served.wait_for_subscribers(0)


@MULTIPLEXING
def test_many_long_polls_share_one_connection(served, proxies, channel, name):
    proxy = proxies[name]
    curl = proxy.curl("-w", "<%{http_version} %{num_connects}>",
                      targets=[f"/events/{channel}?{n}" for n in range(MANY)])
    served.wait_for_subscribers(MANY)
    number = served.publish(channel, "x")
    heard, said = curl.communicate()
    assert curl.returncode == 0, said
    assert sorted(re.findall(rb"<(\d+) (\d+)>", heard)) == \
        [(b"2", b"0")] * (MANY - 1) + [(b"2", b"1")]
    assert heard.count(b'"id":%d,' % number) == MANY


def test_apache_serves_six_requests_of_a_connection_at_once(served, proxies,
                                                            channel):
    """mod_http2 begins with six and has no setting for it, as its file and
    docs/using.md say: the others wait until one of the six has its answer."""
    curl = proxies["apache"].curl(
        targets=[f"/events/{channel}?{n}" for n in range(MANY)])
    served.wait_for_subscribers(6)
    served.publish(channel, "to-six")
    served.wait_for_subscribers(MANY - 6)
    served.publish(channel, "to-two")
    heard, said = curl.communicate()
    assert curl.returncode == 0, said
    assert heard.count(b"to-six") == 6 and heard.count(b"to-two") == 2


# ---- publishing, and who may ----------------------------------------------------

def test_a_publish_passes(served, proxy, channel):
    response = proxy.request("POST", f"/publish/{channel}?type=t", {}, b"x")
    assert response.status == 201
    assert response.json()["id"] == \
        served.get(f"/channels/{channel}").json()["last_id"]


def test_what_is_too_big_is_refused_by_tidings(served, proxy, channel):
    response = proxy.request("POST", f"/publish/{channel}", {},
                             b"x" * (1 << 20) + b"x")
    assert response.status == 413 and response.error == "too_big"


def test_a_page_of_the_proxys_own_origin_publishes(served, proxy, channel):
    """Host comes through unchanged: it is what Origin is compared with."""
    own = f"https://{HOST}:{proxy.port}"
    for origin, status in ((own, 201), ("https://evil.example", 403)):
        response = proxy.request("POST", f"/publish/{channel}",
                                 {"Origin": origin}, b"x")
        assert response.status == status, response


@pytest.mark.parametrize("target", ["/publish/a", "/publish", "/channels",
                                    "/channels/a", "/metrics", "/readyz"])
def test_strangers_reach_no_operators_path(proxy, target):
    method = "POST" if "publish" in target else "GET"
    response = proxy.request(method, target, {}, b"x" if method == "POST"
                             else None, source="127.0.0.2")
    assert response.status == 403
    assert "json" not in response.headers.get("Content-Type", ""), "the proxy's"


@pytest.mark.parametrize("target", [
    "/%70ublish/a", "//publish/a", "/./publish/a", "/x/../publish/a",
    "/publish%2fa", "/publish;x/a", "/PUBLISH/a", "/events/..%2fpublish/a"])
def test_no_other_spelling_of_a_path_reaches_it(served, proxy, target):
    before = served.metrics()["http_published"]
    response = proxy.request("POST", target, {}, b"x", source="127.0.0.2")
    assert response.status in (400, 403, 404, 405), response
    assert served.metrics()["http_published"] == before


@pytest.mark.parametrize("target", ["/admin", "/admin/shutdown",
                                    "/%61dmin/shutdown", "//admin/shutdown",
                                    "/events/../admin/shutdown"])
def test_nobody_reaches_admin_through_a_proxy(proxy, target):
    """For Tidings such a request would come from its own machine."""
    response = proxy.request("GET", target)
    assert response.status in (400, 403, 404), response
    assert b"active" not in response.body


def test_strangers_subscribe(served, proxy, channel):
    first = served.publish(channel, "x")
    response = proxy.request("GET", f"/events/{channel}?lastId={first - 1}",
                             source="127.0.0.2")
    assert response.status == 200


# ---- a restart ------------------------------------------------------------------

def test_a_restart_behind_the_proxy_ends_no_eventsource(served, proxies,
                                                        channel):
    """A browser's EventSource gives up at any status but 200. While Tidings is
    down nginx says when to come back; haproxy and caddy wait for it. (Apache
    answers 503: docs/using.md says so.)"""
    first = served.publish(channel, "before")
    served.hang_up_all()
    served.stop()
    streams = []
    for name in ("nginx", "haproxy", "caddy"):
        connection = proxies[name].connect()
        connection.request("GET", f"/events/{channel}", {
            "Accept": "text/event-stream", "Last-Event-ID": first})
        streams.append((name, connection))
    away = streams[0][1].response()
    assert away.status == 200 and away.body == b"retry: 3000\n\n"
    assert away.headers["Content-Type"].startswith("text/event-stream")
    assert proxies["nginx"].request("GET", f"/events/{channel}").status == 503
    assert proxies["apache"].request("GET", f"/events/{channel}").status == 503

    served.start()
    served.publish(channel, "after")

    for name, connection in streams[1:]:
        stream = Sse(connection)
        assert stream.status == 200, name
        assert stream.next().data == "after", name
        stream.hang_up()
    for proxy in proxies.values():
        stream = proxy.sse(f"/events/{channel}", {"Last-Event-ID": first})
        assert stream.next().data == "after"
        stream.hang_up()
