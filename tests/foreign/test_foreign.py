"""What clients that others wrote make of Tidings: every event arrives as it was
published, in order, once. They run unmodified; what their own parsers change is
told in libraries.py, and nothing else is forgiven."""

import hashlib

import pytest

from fault_proxy import FaultProxy
from marks import serve
from random_events import in_batches, random_events

BATCH_BYTES = 900_000


@pytest.fixture(scope="session")
def ten_thousand():
    return random_events(10_000, seed=20140723)


def publish(world, events):
    return [number for batch in in_batches(events, BATCH_BYTES)
            for number in world.publish_batch("random", batch)]


def digest(data):
    return hashlib.sha256(data.encode("utf-8")).hexdigest()


def without_what_is_no_event(seen, ids, library, connections):
    """Takes out what a library makes of `retry:` at the start of a connection. It
    has no id, and is empty; unless the library adds it to what it has of a block
    that broke off."""
    known = {str(number) for number in ids}
    strange = [one for one in seen if one.id not in known]
    assert len(strange) == (connections if library.tells_retry else 0)
    for one in strange:
        assert library.keeps_fragments or (one.id, one.length) == ("", 0), one
    return [one for one in seen if one.id in known]


def are_exactly(seen, ids, events, library, connections):
    """The first difference is the one to report."""
    seen = without_what_is_no_event(seen, ids, library, connections)
    assert [one.id for one in seen] == [str(number) for number in ids]
    for one, event in zip(seen, events):
        kind, data = library.shows(event)
        assert (one.type, one.digest) == (kind, digest(data)), (one, event)


def test_events_arrive_identical_in_order_and_once(world, connect, library,
                                                   ten_thousand):
    client = connect("/events/random")
    world.wait_for_subscribers(1)

    ids = publish(world, ten_thousand)

    seen = client.until(ids[-1])
    assert library.tells_retry == (seen[0].id == "" and seen[0].length == 0)
    are_exactly(seen, ids, ten_thousand, library, connections=1)


@serve(retry_ms=500)
def test_a_kill_in_the_middle_loses_and_repeats_nothing(world, connect,
                                                        library,
                                                        ten_thousand):
    events = library.breakable(ten_thousand)[:4000]
    ids = publish(world, events[:2000])
    client = connect("/events/random?lastEventId=earliest")
    seen = [client.next() for _ in range(10)]

    world.settings["listen"] = f"127.0.0.1:{world.port}"
    world.hang_up_all()
    world.kill()
    world.start()
    ids += publish(world, events[2000:])

    seen += client.until(ids[-1])
    are_exactly(seen, ids, events, library, connections=2)


CUT_BYTES = 100_001


def cut_twice(link):
    """The first link is reset, the second ends, the rest is left alone."""
    endings = {0: link.reset, 1: link.close}
    ending = endings.get(len(link.proxy.links))
    if ending is not None:
        link.to_client.end_after(CUT_BYTES, ending)


@serve(retry_ms=500)
def test_cuts_inside_events_lose_and_repeat_nothing(world, connect, library,
                                                    ten_thousand):
    events = library.breakable(ten_thousand)[:3000]
    ids = publish(world, events)
    with FaultProxy(world.port) as proxy:
        proxy.for_new_links = cut_twice
        client = connect("/events/random?lastEventId=earliest", proxy.port)

        seen = client.until(ids[-1])

        are_exactly(seen, ids, events, library, connections=3)
        assert [link.to_client.moved_bytes == CUT_BYTES
                for link in proxy.links] == [True, True, False]
