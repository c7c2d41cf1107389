"""The EventSource that browsers have: it is given every event as it was published,
comes back by itself with its position, and sees a gap. protocol.md 3, 5 and 9."""

import json
import pathlib
import random
import sys

from both import both_browsers
from fault_proxy import FaultProxy
from firefox import Guest
from marks import serve
from other_origin import OtherOrigin

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "foreign"))

from libraries import line_ends  # noqa: E402
from random_events import TYPES, in_batches, random_events  # noqa: E402

pytestmark = both_browsers

# Keeps what it is given, and shows in the document how far it is.
LISTEN = """
window.given = [];
window.last = document.createElement('p');
document.body.append(last);
window.stream = new EventSource(%s);
stream.onopen = () => last.append('open ');
for (const type of %s) {
  stream.addEventListener(type, (event) => {
    if (event.data === undefined) return;
    given.push([event.lastEventId, event.type, event.data]);
    last.append(event.lastEventId + ' ');
  });
}
true"""


class Listener:
    """A page whose EventSource listens; it is the server's own start page, unless
    `page` says which."""

    def __init__(self, browser, world, target, page=None):
        types = sorted({"message", "tidings.gap", *TYPES} - {""})
        self.page = browser.open(page or f"http://127.0.0.1:{world.port}/")
        self.page.run(LISTEN % (json.dumps(target), json.dumps(types)))

    def wait_for(self, number):
        self.page.until(f"last.textContent.includes('{number} ')",
                        f"the event {number}")

    def wait_until_open(self):
        self.page.until("last.textContent.includes('open ')", "a stream")

    def given(self):
        """[id, type, data] of each event."""
        return [tuple(event) for event in self.page.run("given")]

    def ids(self):
        return [int(event[0]) for event in self.given()]


def as_shown(browser, event):
    """Type and data as the page must see them. Firefox's EventSource leaves out
    each NUL of the data."""
    kind, data = line_ends(event["type"] or "message", event["data"])
    return kind, data.replace("\0", "") if isinstance(browser, Guest) else data


def stay_on_this_port(world):
    world.settings["listen"] = f"127.0.0.1:{world.port}"


def test_events_arrive_identical_in_order_and_once(world, browser):
    events = random_events(1000, seed=1)
    listener = Listener(browser, world, "/events/random")
    listener.wait_until_open()

    ids = [number for batch in in_batches(events, 900_000)
           for number in world.publish_batch("random", batch)]

    listener.wait_for(ids[-1])
    given = listener.given()
    assert [int(number) for number, _, _ in given] == ids
    for (_, kind, data), event in zip(given, events):
        assert (kind, data) == as_shown(browser, event), event


@serve(retry_ms=500)
def test_it_comes_back_after_a_kill_with_its_position(world, browser):
    """The header goes before the older position in the URL, which it repeats."""
    listener = Listener(browser, world,
                        "/events/news?last_event_id=earliest")
    listener.wait_until_open()
    stay_on_this_port(world)
    ids = [world.publish("news", f"before {n}") for n in range(5)]
    listener.wait_for(ids[-1])

    world.hang_up_all()
    world.kill()
    world.start()
    ids += [world.publish("news", f"after {n}") for n in range(5)]

    listener.wait_for(ids[-1])
    assert listener.ids() == ids


CUT_BYTES = 45_001


def cut_twice(link):
    """The first link is reset, the second ends, the rest is left alone."""
    endings = {0: link.reset, 1: link.close}
    ending = endings.get(len(link.proxy.links))
    if ending is not None:
        link.to_client.end_after(CUT_BYTES, ending)


def noise(number):
    """Data that does not become small by compression."""
    return random.Random(number).randbytes(4000).hex()


def test_cuts_inside_events_lose_and_repeat_nothing(idle_world, browser):
    """The page is of another origin, so that only the stream goes through the
    proxy."""
    with OtherOrigin() as other:
        world = idle_world.start(origins=other.origin, retry_ms=500)
        ids = [world.publish("news", noise(n)) for n in range(40)]
        with FaultProxy(world.port) as proxy:
            proxy.for_new_links = cut_twice
            listener = Listener(
                browser, world, f"http://127.0.0.1:{proxy.port}/events/news"
                "?last_event_id=earliest", other.origin + "/")

            listener.wait_for(ids[-1])

            assert listener.ids() == ids
            assert [link.to_client.moved_bytes == CUT_BYTES
                    for link in proxy.links] == [True, True, False]


@serve(retry_ms=500)
def test_a_gap_is_seen(world, browser):
    listener = Listener(browser, world, "/events/news")
    listener.wait_until_open()
    stay_on_this_port(world)
    first = world.publish("news", "of a journal that is lost")
    listener.wait_for(first)

    world.hang_up_all()
    world.kill()
    world.start(data=world.directory / "other", first_id=1 << 52)
    last = world.publish("news", "of another journal")

    listener.wait_for(last)
    kinds = [(kind, data) for _, kind, data in listener.given()]
    assert [kind for kind, _ in kinds] == ["message", "tidings.gap", "message"]
    gap = json.loads(kinds[1][1])
    assert (gap["requested"], gap["reason"]) == (str(first), "unknown")


def test_with_hello_a_break_before_the_first_event_loses_nothing(world, browser):
    """Without a position of its own the browser would come back at the newest."""
    world.settings["listen"] = f"127.0.0.1:{world.port}"
    listener = Listener(browser, world,
                        f"http://127.0.0.1:{world.port}/events/news?hello=1")
    listener.page.until("given.length === 1 && "
                        "last.textContent.includes('open ')", "the hello")
    world.kill()
    world.start()
    number = world.publish("news", "while it was away")
    listener.wait_for(number)
    assert listener.ids()[-1] == number
    assert [data for _, _, data in listener.given()].count(
        "while it was away") == 1
