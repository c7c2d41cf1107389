"""The WebSocket that browsers have: every event as it was published, other
channels on the open connection, how it ends. protocol.md 6."""

import json

import pytest
from both import both_browsers
from marks import serve
from other_origin import OtherOrigin

pytestmark = both_browsers

# Keeps what it is given, and shows in the document how far it is.
OPEN = """
window.given = [];
window.said = document.createElement('p');
document.body.append(said);
window.socket = new WebSocket(%s, %s);
socket.onopen = () => said.append('open ');
socket.onmessage = (event) => {
  given.push(event.data);
  said.append('n' + given.length + ' ');
};
socket.onclose = (event) => said.append(
  'closed ' + event.code + ' ' + event.wasClean + ' ');
true"""


class Page:
    def __init__(self, browser, world, target, protocols=(), page=None):
        self.page = browser.open(page or f"http://127.0.0.1:{world.port}/")
        url = f"ws://127.0.0.1:{world.port}{target}"
        self.page.run(OPEN % (json.dumps(url), json.dumps(list(protocols))))

    def wait_until(self, words):
        self.page.until(f"said.textContent.includes({json.dumps(words + ' ')})",
                        words)

    def given(self, count):
        self.wait_until(f"n{count}")
        return self.page.run("given")

    def say(self, **message):
        self.page.run(f"socket.send({json.dumps(json.dumps(message))})")


AWKWARD = ["", "plain", "line\r\nline\rline\n", "\0\x01", "\ufefffirst",
           "Gruyère \U0001d11e \uffff", "\u2028\u2029", "x" * 65536,
           "y" * 200000]


def test_data_arrives_as_it_was_published(world, browser):
    page = Page(browser, world, "/events/news?format=data")
    page.wait_until("open")
    for data in AWKWARD:
        world.publish("news", data)
    assert page.given(len(AWKWARD)) == AWKWARD


def test_the_protocol_is_agreed_on(world, browser):
    page = Page(browser, world, "/events/news", ["other", "tidings.v1"])
    page.wait_until("open")
    assert page.page.run("socket.protocol") == "tidings.v1"
    assert page.page.run("socket.extensions") == ""


def test_channels_change_on_the_open_connection(world, browser):
    old = world.publish("cheese", "missed")
    page = Page(browser, world, "/events")
    page.wait_until("open")
    page.say(subscribe=["cheese"], after=old - 1)
    assert json.loads(page.given(1)[0])["id"] == old
    page.say(unsubscribe=["cheese"])
    page.say(subscribe=["wine.*"], after="earliest")
    page.say(nonsense=1)
    assert json.loads(page.given(2)[1])["error"] == "bad_request"
    world.publish("cheese", "not wanted")
    new = world.publish("wine.red", "wanted")
    assert json.loads(page.given(3)[2])["id"] == new


@serve(keepalive_ms=1000)
def test_a_browser_answers_pings_without_the_page(world, browser):
    page = Page(browser, world, "/events/news")
    page.wait_until("open")
    world.wait_for_metric("keepalives", lambda figure: figure >= 4)
    world.publish("news", "still there")
    assert len(page.given(1)) == 1


@pytest.mark.parametrize("code", [1000, 4321])
def test_a_page_that_closes_ends_cleanly(world, browser, code):
    page = Page(browser, world, "/events/news")
    page.wait_until("open")
    page.page.run(f"socket.close({code}, 'enough')")
    page.wait_until(f"closed {code} true")
    world.wait_for_metric("websockets", lambda figure: figure == 0)


@serve(drain_ms=200)
def test_at_sigterm_a_page_hears_1001(world, browser):
    page = Page(browser, world, "/events/news")
    page.wait_until("open")
    world.ask_to_stop()
    page.wait_until("closed 1001 true")
    assert world.wait_for_end() == 0


def test_a_page_of_a_foreign_origin_gets_no_connection(world, browser):
    with OtherOrigin() as other:
        page = Page(browser, world, "/events/news", page=other.origin + "/")
        page.wait_until("closed 1006 false")
    assert "open" not in page.page.run("said.textContent")
