"""Several instances of one stream: a client may come back at any of them.

`a` is at the end of the stream. `b` is held back: its connection to NATS goes
through a proxy that stalls it. So whoever comes from a is ahead of b."""

import pytest
from marks import serve
from stream_world import *
from stream_world import wait_until_stored

from fault_proxy import FaultProxy
from patience import eventually


@pytest.fixture
def proxy(js):
    with FaultProxy(js.port) as proxy:
        yield proxy


@pytest.fixture
def pair(followed, proxy, another, streams):
    """a, and b with one event less: the ids of both are those of the stream."""
    b = another(nats=f"nats://127.0.0.1:{proxy.port}")
    b.link = proxy.next_link()
    streams.publish_many("events.cheese", ["one", "two"])
    for world in (followed, b):
        wait_until_stored(world, 2)
    b.link.stall()
    streams.publish_many("events.cheese", ["three"])
    wait_until_stored(followed, 3)
    followed.position = str(followed.dump()[-1]["id"])
    yield followed, b
    b.link.flow()  # else its good-bye to NATS waits for an answer


def catch_up(world, streams, *texts):
    """More events, and it hears of everything."""
    streams.publish_many("events.cheese", list(texts))
    world.link.flow()


def ahead(world, count=1):
    world.wait_for_metric("ahead", lambda figure: figure == count,
                          "a client that is ahead")


def test_the_ids_are_the_same(pair, streams):
    a, b = pair
    catch_up(b, streams, "four")
    wait_until_stored(b, 4)
    wait_until_stored(a, 4)
    assert a.dump() == b.dump()


def follow_sse(world, target, position):
    stream = world.sse(target, position)
    return lambda: stream.next().data


def follow_lines(world, target, position):
    stream = world.lines(f"{target}?xhr=1", position)
    return lambda: stream.next_json()


def follow_websocket(world, target, position):
    socket = world.websocket(target, position)
    return lambda: socket.next_json()["data"]["data"]


def follow_poll(world, target, position):
    connection = world.begin_poll(target, position)
    waiting = []

    def take():
        nonlocal connection
        if not waiting:
            answer = world.poll_answer(connection)
            waiting.extend(event["data"]["data"] for event in answer.events)
            connection = world.begin_poll(target, answer.position)
        return waiting.pop(0)
    return take


FLAVORS = [follow_sse, follow_lines, follow_websocket, follow_poll]
TARGETS = ["/events/cheese", "/events/cheese,wine", "/events/*"]


@pytest.mark.parametrize("follow", FLAVORS, ids=lambda f: f.__name__[7:])
@pytest.mark.parametrize("target", TARGETS)
def test_who_is_ahead_waits_and_gets_nothing_twice(pair, streams, follow,
                                                   target):
    a, b = pair
    take = follow(b, target, a.position)
    ahead(b)
    catch_up(b, streams, "four", "five")
    assert [take(), take()] == ["four", "five"]
    assert b.metrics()["gaps"] == 0


def test_a_short_poll_waits_only_when_it_is_ahead(pair, streams):
    a, b = pair
    connection = b.begin_poll("/events/cheese?flavor=short-poll", a.position)
    ahead(b)
    catch_up(b, streams, "four")
    answer = b.poll_answer(connection)
    assert [event["data"]["data"] for event in answer.events] == ["four"]
    answer = b.poll("/events/cheese?flavor=short-poll", answer.position)
    assert answer.events == []


def test_positions_per_channel_wait_each_for_their_own(pair, streams):
    a, b = pair
    streams.publish_many("events.wine", ["Fendant"])
    wait_until_stored(a, 4)
    stream = b.sse("/events/cheese,wine",
                   '{"cheese":%s,"wine":%d}' % (a.position,
                                                int(a.position) - 3))
    ahead(b)
    catch_up(b, streams, "four")
    assert [stream.next().data, stream.next().data] == ["Fendant", "four"]


@serve(ahead_wait_ms=200)
@pytest.mark.parametrize("target", TARGETS)
def test_who_cannot_be_served_in_time_is_told(pair, target):
    a, b = pair
    stream = b.sse(target, a.position)
    gap = stream.next()
    assert gap.type == "tidings.gap"
    assert gap.json() == {"requested": a.position, "reason": "future",
                          "resumed": str(int(a.position) - 1)}
    b.link.flow()
    assert stream.next().data == "three"  # it may have it, and was told so


@serve(ahead_wait_ms=200)
@pytest.mark.parametrize("flavor", ["long-poll", "short-poll"])
def test_a_poll_that_cannot_be_served_in_time_is_told(pair, flavor):
    a, b = pair
    answer = b.poll(f"/events/cheese?flavor={flavor}", a.position)
    assert [event["data"]["type"] for event in answer.events] == ["tidings.gap"]
    assert answer.position == str(int(a.position) - 1)


@serve(ahead_wait_ms=200)
def test_a_websocket_that_cannot_be_served_in_time_is_told(pair):
    a, b = pair
    socket = b.websocket("/events/cheese", a.position)
    assert socket.next_json()["data"]["type"] == "tidings.gap"


@serve(ahead_wait_ms=0)
def test_nobody_waits_where_the_setting_says_so(pair):
    a, b = pair
    assert b.sse("/events/cheese", a.position).next().type == "tidings.gap"


def test_an_id_that_no_stream_can_have_is_told_at_once(pair):
    _, b = pair
    stream = b.sse("/events/cheese", str((1 << 53) - 1))
    assert stream.next().type == "tidings.gap"


def test_the_wait_ends_when_the_instance_has_passed(pair, streams):
    a, b = pair
    stream = b.sse("/events/cheese", a.position)
    ahead(b)
    b.link.flow()
    wait_until_stored(b, 3)
    b.wait_for_subscribers(1)
    streams.publish_many("events.cheese", ["four"])
    assert stream.next().data == "four"
    assert b.metrics()["gaps"] == 0


def test_what_is_corrected_at_one_is_corrected_at_all(pair, streams):
    a, b = pair
    b.link.flow()
    wait_until_stored(b, 3)
    answer = a.http("PUT", f"/publish/cheese/{a.position}", body=b"drei")
    assert answer.status == 200, answer
    eventually(lambda: len(b.dump()) == 4, "the news of it at the other")
    answer = b.http("DELETE", f"/publish/cheese/{int(a.position) - 1}")
    assert answer.status == 200, answer
    eventually(lambda: len(a.dump()) == 5, "the news of it at the other")
    assert a.dump() == b.dump()
    texts = [event.get("data") for event in a.dump()[:3]]
    assert texts == ["one", None, "drei"]
