"""A page of another origin, as a browser really treats it: with credentials, with
a preflight, listed and not. protocol.md 8."""

import pytest
from both import both_browsers
from other_origin import OtherOrigin

pytestmark = both_browsers

# Everything that a page can do here; each gives what it saw as text.
SCRIPT = """
window.heard = document.createElement('p');
document.body.append(heard);
const say = (text) => heard.append(text + ' ');

window.listen = (url) => {
  const stream = new EventSource(url, {withCredentials: true});
  stream.onopen = () => say('open');
  stream.onmessage = (event) => say(event.data);
  stream.onerror = () => say(stream.readyState === 2 ? 'shut' : 'again');
};

window.ask = async (url, options) => {
  try {
    const answer = await fetch(url, {credentials: 'include', ...options});
    return [answer.status, await answer.text(),
            answer.headers.get('Last-Event-ID')];
  } catch (error) {
    return error.name;
  }
};

window.poll = (url, id) => new Promise((resolve) => {
  const request = new XMLHttpRequest();
  request.open('GET', url);
  request.withCredentials = true;
  request.setRequestHeader('Last-Event-ID', id);
  request.onload = () => resolve(
      [request.status, request.responseText,
       request.getResponseHeader('Last-Event-ID'),
       request.getResponseHeader('x-ps-reconnect-in'),
       request.getResponseHeader('x-shortpoll-info')]);
  request.onerror = () => resolve('refused');
  request.send();
});
"""


@pytest.fixture
def elsewhere():
    with OtherOrigin() as other:
        yield other


def open_page(browser, elsewhere):
    page = browser.open(elsewhere.origin + "/")
    page.run(SCRIPT + "true")
    return page


def url(world, target):
    return f"http://127.0.0.1:{world.port}{target}"


def test_a_listed_page_streams_with_credentials(idle_world, browser, elsewhere):
    world = idle_world.start(origins=elsewhere.origin)
    page = open_page(browser, elsewhere)
    page.run(f"listen('{url(world, '/events/news')}')")
    page.until("heard.textContent.includes('open')", "the stream to open")
    world.publish("news", "hello")
    page.until("heard.textContent.includes('hello')", "the event")


def test_a_listed_page_comes_back_with_its_position(idle_world, browser,
                                                    elsewhere):
    """The browser's own reconnect: Last-Event-ID without a preflight."""
    world = idle_world.start(origins=elsewhere.origin, retry_ms=300,
                             drain_ms=0)
    world.settings["listen"] = f"127.0.0.1:{world.port}"
    page = open_page(browser, elsewhere)
    page.run(f"listen('{url(world, '/events/news')}')")
    page.until("heard.textContent.includes('open')", "the stream to open")
    world.publish("news", "one")
    page.until("heard.textContent.includes('one')", "the event")

    world.restart()
    world.publish("news", "two")

    page.until("heard.textContent.includes('two')", "the event after it")
    assert page.run("heard.textContent.split('one').length") == 2


def test_a_listed_page_polls_with_a_preflight(idle_world, browser, elsewhere):
    world = idle_world.start(origins=elsewhere.origin)
    first, second = (world.publish("news", text) for text in ("one", "two"))
    page = open_page(browser, elsewhere)
    status, text, position, wait, info = page.run(
        f"poll('{url(world, '/events/news')}', '{first}')")
    assert (status, position) == (200, str(second)) and '"two"' in text
    assert '"one"' not in text
    assert (wait, info) == ("0", "true"), "exposed"


def test_a_listed_page_fetches_and_publishes(idle_world, browser, elsewhere):
    world = idle_world.start(origins=elsewhere.origin)
    page = open_page(browser, elsewhere)
    status, _, position = page.run(
        f"ask('{url(world, '/events/news?flavor=short-poll')}')")
    assert status == 200 and position.isdigit()
    status, text, _ = page.run(
        f"ask('{url(world, '/publish/news')}', {{method: 'POST', body: 'x',"
        " headers: {'Event-Type': 't', 'Idempotency-Key': 'k',"
        " 'Authorization': 'Bearer x'}})")
    assert status == 201 and '"id"' in text
    status, text, _ = page.run(f"ask('{url(world, '/events/a..b')}')")
    assert status == 400 and "bad_request" in text, "refusals are seen too"


@pytest.mark.parametrize("origins", ["", "https://www.example.org"])
def test_a_page_that_is_not_listed_sees_nothing(idle_world, browser, elsewhere,
                                                origins):
    world = idle_world.start(origins=origins)
    number = world.publish("news", "secret")
    page = open_page(browser, elsewhere)

    page.run(f"listen('{url(world, '/events/news?lastId=earliest')}')")
    page.until("heard.textContent.includes('shut')", "the stream to be shut")
    assert page.run(f"ask('{url(world, '/events/news?flavor=short-poll')}')"
                    ) == "TypeError"
    assert page.run(f"poll('{url(world, '/events/news')}', '1')") == "refused"
    assert "secret" not in page.text()

    assert page.run(f"ask('{url(world, '/publish/news')}', "
                    "{method: 'POST', body: 'forged'})") == "TypeError"
    assert world.get("/channels/news").json()["last_id"] == number
