"""Pages of other origins: who may see answers, and who may change something.
protocol.md 8."""

import pytest
from marks import serve

PAGE = "https://www.example.org"
LISTED = f"{PAGE},http://localhost:3000"
EXPOSED = ["Last-Event-ID", "x-ps-reconnect-in", "x-shortpoll-info",
           "x-tidings-keepalive"]

STRANGERS = ["https://evil.example", "http://www.example.org",
             "https://www.example.org:444", "https://www.example.org.evil",
             "https://sub.www.example.org", "null", "*", "https://",
             f"{PAGE}, {PAGE}"]


def from_page(origin=PAGE, **headers):
    return {"Origin": origin, **{name.replace("_", "-"): value
                                 for name, value in headers.items()}}


def is_shown(headers, origin=PAGE):
    """A browser would show this answer to a page of that origin, cookies or
    not; and each line is there once."""
    if "Access-Control-Allow-Origin" not in headers:
        return False
    assert headers["Access-Control-Allow-Origin"] == origin
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert headers["Access-Control-Expose-Headers"].split(", ") == EXPOSED
    assert "Origin" in headers["Vary"].split(", ")
    return True


def words(headers, name):
    return {word.lower() for word in headers[name].split(", ")}


# ---- answers --------------------------------------------------------------

@pytest.mark.parametrize("method, target, status", [
    ("GET", "/healthz", 200), ("GET", "/readyz", 200), ("GET", "/metrics", 200),
    ("GET", "/channels", 200), ("GET", "/demo/", 200), ("GET", "/demo", 308),
    ("GET", "/nowhere", 404), ("GET", "/events/a..b", 400),
    ("GET", "/events/a?flavor=short-poll", 200), ("HEAD", "/events/a", 200),
    ("DELETE", "/healthz", 405), ("OPTIONS", "/healthz", 200),
    ("POST", "/publish/a", 201), ("POST", "/publish/a..b", 400)])
@serve(origins=LISTED)
def test_8_every_answer_is_shown_to_a_listed_page(world, method, target,
                                                  status):
    response = world.http(method, target, from_page(),
                          b"x" if method == "POST" else None)
    assert response.status == status
    assert is_shown(response.headers)


@serve(origins=LISTED)
def test_8_each_listed_origin_is_named_alone(world):
    for origin in LISTED.split(","):
        assert is_shown(world.get("/healthz", from_page(origin)).headers,
                        origin)


@serve(origins="HTTPS://WWW.Example.org:443, http://localhost:3000 ")
def test_8_the_setting_may_be_written_carelessly(world):
    """Browsers compare byte by byte: what they are told is their spelling."""
    assert is_shown(world.get("/healthz", from_page()).headers)


@pytest.mark.parametrize("origin", STRANGERS)
@serve(origins=LISTED)
def test_8_an_origin_that_is_not_listed_is_told_nothing(world, origin):
    response = world.get("/channels", from_page(origin))
    assert response.status == 200
    assert not is_shown(response.headers)
    assert "Origin" in response.headers["Vary"].split(", ")


def test_8_without_the_setting_no_page_is_named(world):
    response = world.get("/healthz", from_page())
    assert not is_shown(response.headers) and "Vary" not in response.headers


@serve(origins=LISTED)
def test_8_caches_are_told_that_answers_differ(world):
    assert "Origin" in world.get("/healthz").headers["Vary"].split(", ")
    stream = world.sse("/events/a")
    assert "Origin" in stream.headers["Vary"].split(", ")


@serve(origins=LISTED)
def test_8_the_next_request_of_a_connection_is_its_own(world):
    """A proxy sends the requests of many pages on one connection."""
    connection = world.connect()
    for origin, shown in ((PAGE, True), (None, False), (PAGE, True),
                          ("https://evil.example", False)):
        connection.request("GET", "/events/a?flavor=short-poll",
                           {"Origin": origin})
        assert is_shown(connection.response().headers) == shown


# ---- streams and long-polls: answered elsewhere, or together ---------------

@serve(origins=LISTED, crew_threads=4)
def test_8_streams_are_shown_on_every_thread(world):
    """A stream is opened on its channel's home thread, wherever it came in."""
    for channel in "abcdefgh":
        stream = world.sse(f"/events/{channel}", headers=from_page())
        assert is_shown(stream.headers)
        number = world.publish(channel, "x")
        assert stream.next().id == str(number)


@serve(origins=LISTED, crew_threads=1)
def test_8_one_event_answers_polls_of_different_origins(world):
    """Answers to many waiting polls are made once and shared, but not this
    part of them."""
    origins = [None, PAGE, None, "http://localhost:3000",
               "https://evil.example", PAGE]
    polls = [world.begin_poll("/events/news", headers={"Origin": origin})
             for origin in origins]
    world.wait_for_subscribers(len(polls))

    number = world.publish("news", "x")

    for origin, poll in zip(origins, polls):
        answer = world.poll_answer(poll)
        assert [event["id"] for event in answer.events] == [number]
        listed = origin in LISTED.split(",")
        assert is_shown(answer.headers, origin) == listed


@serve(origins=LISTED)
def test_8_a_refused_stream_is_shown(world):
    """410 of gap=reject is found on the stream's own thread."""
    response = world.get("/events/news?gap=reject&last_event_id=5",
                         from_page(Accept="text/event-stream"))
    assert response.status == 410 and is_shown(response.headers)


@serve(origins=LISTED, body_max_bytes=100, body_ms=300)
def test_8_late_refusals_are_shown(world):
    big = world.post("/publish/a", b"x" * 101, from_page())
    assert big.status == 413 and is_shown(big.headers)
    slow = world.connect()
    slow.request("POST", "/publish/a", from_page(Content_Length="5"))
    answer = slow.response()
    assert answer.status == 408 and is_shown(answer.headers)


@serve(origins=LISTED, drain_ms=60000, crew_threads=1)
def test_8_stopping_is_shown(world):
    connection = world.connect()
    connection.send(f"GET /healthz HTTP/1.1\r\nOrigin: {PAGE}\r\n".encode())
    streams = [world.sse("/events/a") for _ in range(40)]
    world.ask_to_stop()
    streams[0].ends()
    connection.send(b"Host: a\r\n\r\n")
    answer = connection.response()
    assert answer.status == 503 and is_shown(answer.headers)


# ---- preflights -----------------------------------------------------------

@pytest.mark.parametrize("target, method, allowed", [
    ("/events/news", "GET", {"get", "head", "post", "options"}),
    ("/publish/news", "POST", {"post", "options"}),
    ("/channels", "GET", {"get", "head", "options"})])
@serve(origins=LISTED)
def test_8_a_preflight_says_what_is_allowed(world, target, method, allowed):
    response = world.http("OPTIONS", target, from_page(
        Access_Control_Request_Method=method,
        Access_Control_Request_Headers="last-event-id"))
    assert response.status == 200 and response.body == b""
    assert is_shown(response.headers)
    assert allowed <= words(response.headers, "Access-Control-Allow-Methods")
    assert {"last-event-id", "authorization", "content-type", "event-type",
            "idempotency-key"} <= words(response.headers,
                                        "Access-Control-Allow-Headers")
    assert int(response.headers["Access-Control-Max-Age"]) > 0


@pytest.mark.parametrize("origin", STRANGERS)
@serve(origins=LISTED)
def test_8_a_preflight_of_a_stranger_says_nothing(world, origin):
    response = world.http("OPTIONS", "/events/news", from_page(
        origin, Access_Control_Request_Method="GET"))
    assert not [name for name in response.headers
                if name.startswith("access-control-")]


@serve(origins=LISTED)
def test_8_a_preflight_runs_nothing(world):
    world.http("OPTIONS", "/publish/news",
               from_page(Access_Control_Request_Method="POST"), b"x")
    assert world.get("/channels/news").status == 404


# ---- what changes something -------------------------------------------------

@pytest.mark.parametrize("origin", STRANGERS)
@serve(origins=LISTED)
def test_8_a_strange_page_cannot_publish(world, origin):
    """Any page can make a browser send a form to this server; that it may not
    see the answer does not undo what was done."""
    response = world.post("/publish/news", b"x",
                          from_page(origin, Content_Type="text/plain"))
    assert response.status == 403 and response.error == "foreign_origin"
    assert world.get("/channels/news").status == 404


@pytest.mark.parametrize("headers", [
    {}, {"Origin": PAGE},
    {"Origin": "http://localhost", "Host": "localhost"},
    {"Origin": "https://Shop.example", "Host": "shop.example:443"},
    {"Origin": "http://127.0.0.1:8080", "Host": "127.0.0.1:8080"}])
@serve(origins=LISTED)
def test_8_programs_own_pages_and_listed_pages_publish(world, headers):
    assert world.post("/publish/news", b"x", headers).status == 201


@serve(origins=LISTED)
def test_8_a_strange_page_is_not_kept_from_a_form_subscribe(world):
    """It changes nothing, and the browser hides the answer."""
    response = world.post("/events/news", b"flavor=short-poll", from_page(
        "https://evil.example",
        Content_Type="application/x-www-form-urlencoded"))
    assert response.status == 200 and not is_shown(response.headers)


# ---- the setting ------------------------------------------------------------

@pytest.mark.parametrize("value", ["*", "null", "https://a,*", "https://a/",
                                   "www.example.org", "https://*.example.org"])
def test_8_what_is_no_exact_origin_is_refused_at_start(idle_world, value):
    done = idle_world.tidings("serve", "--origins", value)
    assert done.returncode != 0
    assert b"exact origins" in done.stderr and b"never *" in done.stderr
