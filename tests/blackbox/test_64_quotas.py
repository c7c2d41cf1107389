"""What one publisher or subscriber may use up, by token subject or by address:
operations.md, Limits. Refused is told by 429 and when to come back, and passes
then; a batch counts its lines.
"""

import time

import pytest

from marks import serve
from patience import eventually
from test_62_connection_limits import ATTACKER, OTHER, ask, connection_body
from tokens import SECRET, bearer


def publish(world, body, source=ATTACKER, headers=()):
    return ask(world, source, "POST", "/publish/news", headers, body)


def batch(world, count, data, source=ATTACKER, channel="news"):
    lines = "".join(f'{{"channel":"{channel}{number}","data":"{data}"}}\n'
                    for number in range(count)).encode()
    return ask(world, source, "POST", "/publish",
               {"Content-Type": "application/x-ndjson"}, lines)


def check_refused(response):
    assert response.status == 429 and response.error == "too_many", response
    return int(response.headers["Retry-After"])


def when_it_passes(attempt):
    """Tries until it is taken; gives the seconds."""
    begun = time.monotonic()
    eventually(lambda: attempt().status == 201, "the rate to be earned")
    return time.monotonic() - begun


@serve(publish_events_per_second=10)
def test_events_in_a_second(world):
    begun = time.monotonic()
    answers = [publish(world, b"x") for _ in range(20)]
    seconds = time.monotonic() - begun
    taken = sum(answer.status == 201 for answer in answers)
    assert 10 <= taken <= 11 + 10 * seconds
    refused = [answer for answer in answers if answer.status != 201]
    assert all(check_refused(answer) == 1 for answer in refused)
    assert publish(world, b"x", OTHER).status == 201
    assert len(world.dump()) == taken + 1
    world.wait_for_metric("over_publish_events_per_second",
                          lambda figure: figure == len(refused))
    world.wait_for_metric("http_publish_refused",
                          lambda figure: figure == len(refused))
    when_it_passes(lambda: publish(world, b"x"))


@serve(publish_events_per_second=10)
def test_a_batch_counts_its_lines(world):
    """Thirty at once pass when nothing is owed; then three seconds are."""
    assert batch(world, 30, "x").status == 201
    assert check_refused(publish(world, b"x")) >= 2
    assert check_refused(batch(world, 2, "x")) >= 2
    assert batch(world, 2, "x", OTHER).status == 201


@serve(publish_bytes_per_second=1000)
def test_bytes_in_a_second(world):
    assert publish(world, b"x" * 900).status == 201
    assert check_refused(publish(world, b"x" * 900)) >= 1
    assert publish(world, b"").status == 201
    world.wait_for_metric("over_publish_bytes_per_second",
                          lambda figure: figure == 1)
    when_it_passes(lambda: publish(world, b"x" * 200))


@serve(publish_channels_per_second=5)
def test_new_channels_in_a_second(world):
    assert batch(world, 5, "x").status == 201
    assert check_refused(batch(world, 1, "x", channel="other")) >= 1
    assert batch(world, 5, "x").status == 201  # they are there by now
    world.wait_for_metric("over_publish_channels_per_second",
                          lambda figure: figure == 1)
    when_it_passes(lambda: batch(world, 1, "x", channel="other"))


@serve(publish_channels_per_second=1)
def test_a_new_channel_counts_once(world):
    """However many lines name it; and anew if it was refused."""
    lines = b'{"channel":"one","data":"x"}\n' * 20
    assert ask(world, ATTACKER, "POST", "/publish",
               {"Content-Type": "application/x-ndjson"}, lines).status == 201
    when_it_passes(lambda: batch(world, 5, "x", channel="five"))
    assert 2 <= check_refused(batch(world, 1, "x", channel="more")) <= 5
    assert check_refused(batch(world, 1, "x", channel="more")) >= 2


@serve(sessions_new_per_second=3)
def test_new_sessions_in_a_second(world):
    def poll(name):
        return ask(world, ATTACKER, "GET",
                   f"/events/news?session={name}&flavor=short-poll")

    for number in range(3):
        assert poll(f"one{number}").status == 200
    check_refused(poll("four"))
    assert poll("one1").status == 200
    world.wait_for_metric("over_sessions_new_per_second",
                          lambda figure: figure == 1)
    eventually(lambda: poll("four").status == 200, "the rate to be earned")


# ---- by subject -----------------------------------------------------------------

@pytest.fixture
def token_world(request, idle_world):
    """A world with a key."""
    idle_world.environment["TIDINGS_TOKEN_SECRET"] = SECRET.decode()
    idle_world.start()
    return idle_world


def as_subject(name):
    return bearer(sub=name, subscribe=[">"], publish=[">"])


@serve(publish_events_per_second=5)
def test_a_subject_is_one_publisher_wherever_it_comes_from(token_world):
    world = token_world
    sources = [f"127.0.0.{number}" for number in range(10, 30)]
    begun = time.monotonic()
    answers = [publish(world, b"x", source, as_subject("alice"))
               for source in sources]
    seconds = time.monotonic() - begun
    taken = sum(answer.status == 201 for answer in answers)
    assert 5 <= taken <= 6 + 5 * seconds
    assert publish(world, b"x", sources[0], as_subject("bob")).status == 201


@serve(streams_per_subject=2)
def test_streams_of_a_subject(token_world):
    world = token_world
    alice = {"Accept": "text/event-stream", **as_subject("alice")}
    held = [world.sse("/events/news", headers=alice)]
    socket = world.websocket("/events/news", headers=as_subject("alice"))
    stream = world.sse("/events/news", headers=alice)
    assert "Last-Event-ID" not in stream.headers
    assert b"retry: " in connection_body(stream)
    poll = ask(world, OTHER, "GET", "/events/news", as_subject("alice"))
    check_refused(poll)
    world.wait_for_metric("over_streams_per_subject",
                          lambda figure: figure == 2)
    bob = {"Accept": "text/event-stream", **as_subject("bob")}
    assert "Last-Event-ID" in world.sse("/events/news", headers=bob).headers
    world.hang_up(held[0].connection)
    socket.connection.close()

    def stays():
        stream = world.sse("/events/news", headers=alice)
        is_there = "Last-Event-ID" in stream.headers
        world.hang_up(stream.connection)
        return is_there
    eventually(stays, "the places to be given back")


@serve(streams_per_subject=1)
def test_a_kept_connection_gives_its_place_back_with_each_answer(token_world):
    world = token_world
    connection = world.connect()
    for _ in range(5):
        connection.request("GET", "/events/news?timeout=0",
                           as_subject("alice"))
        assert connection.response().status == 200


# ---- heads ----------------------------------------------------------------------

@serve(url_max_bytes=200, head_max_bytes=2000, headers_max=10,
       body_max_bytes=100, event_max_bytes=50, selectors_max=2)
def test_heads_and_bodies(world):
    def status(target="/channels", headers=()):
        return world.get(target, headers).status

    assert status("/channels?x=" + "x" * 188) == 200
    assert status("/channels?x=" + "x" * 189) == 414
    assert status("/channels?x=" + "x" * 9000) == 414
    assert status(headers={"X": "x" * 1800}) == 200
    assert status(headers={"X": "x" * 2000}) == 431
    assert status(headers={f"X{n}": "x" for n in range(8)}) == 200
    assert status(headers={f"X{n}": "x" for n in range(9)}) == 431
    assert status(headers={f"X{n}": "x" for n in range(70)}) == 431
    assert world.post("/publish/news", b"x" * 101).status == 413
    assert world.post("/publish/news", b"x" * 51).status == 413
    assert status("/events/a,b,c") == 400
    figures = world.metrics()
    for name, figure in (("url_max_bytes", 2), ("head_max_bytes", 1),
                         ("headers_max", 2), ("body_max_bytes", 1),
                         ("event_max_bytes", 1), ("selectors_max", 1)):
        assert figures[f"over_{name}"] == figure, name


@serve(channels_max=2, sessions_max=1)
def test_channels_and_sessions_in_all(world):
    for channel, status in (("a", 201), ("b", 201), ("c", 507)):
        assert world.post(f"/publish/{channel}", b"x").status == status
    for name, status in (("one", 200), ("two", 503)):
        assert world.get(f"/events/a?session={name}&flavor=short-poll"
                         ).status == status
    world.wait_for_metric("over_channels_max", lambda figure: figure == 1)
    world.wait_for_metric("over_sessions_max", lambda figure: figure == 1)
