"""Pages and the client on a server that wants tokens: a page that is given one shows
what it allows and keeps it to itself; a client that is left by its token comes back
with another, by each transport, and loses nothing."""

import time

import pytest
from client_page import ClientPage
from demo_page import Demo
from tokens import SECRET, bearer, token

RIGHTS = {"subscribe": ["cheese", "news"], "publish": ["cheese", "news"]}


@pytest.fixture
def keyed(idle_world):
    keys = idle_world.directory / "keys"
    keys.write_bytes(SECRET)
    return idle_world.start(token_keys=keys, log_level="debug")


def put(world, channel, data):
    response = world.post(f"/publish/{channel}", data, bearer(**RIGHTS))
    assert response.status == 201, response
    return response.json()["id"]


def start_page(browser, world, ending=""):
    return browser.open(f"http://127.0.0.1:{world.port}/{ending}")


def shows(page, text):
    page.until(f"document.body.innerText.includes({text!r})", repr(text))


@pytest.mark.parametrize("ending", ["#token=", "?token="])
def test_the_start_page_shows_what_its_token_allows(keyed, browser, ending):
    put(keyed, "cheese", "one")
    keyed.post("/publish/secret", "one", bearer(publish=["secret"]))
    mine = token(**RIGHTS)
    page = start_page(browser, keyed, ending + mine)
    shows(page, "cheese")
    shows(page, "uses your token")
    assert "secret" not in page.run("document.querySelector('tbody').innerText")
    # Not in the address, nor in what a link says of where one came from.
    assert page.run("location.href") == f"http://127.0.0.1:{keyed.port}/"
    assert mine not in page.run("document.documentElement.outerHTML")
    assert page.complaints() == []
    page.run("document.getElementById('forget').click()")
    shows(page, "wants a token")
    assert page.run("document.querySelector('tbody').innerText") == ""
    assert mine.rpartition(".")[2] not in keyed.output()


def test_the_start_page_takes_a_token_in_its_field(keyed, browser):
    put(keyed, "cheese", "one")
    page = start_page(browser, keyed)
    shows(page, "wants a token")
    page.run(f"document.getElementById('token').value = '{token(**RIGHTS)}';"
             "document.querySelector('#access button').click()")
    shows(page, "cheese")


def test_the_demo_goes_on_with_a_token(keyed, browser):
    demo = Demo(browser, keyed, fragment="token=" + token(**RIGHTS))
    demo.wait_for_state("open")
    demo.press("publish-one")
    demo.wait_for_published("disk as")
    demo.page.until("document.querySelectorAll('li .cheese').length === 4",
                    "a row in each panel")
    assert demo.page.complaints() == []


@pytest.mark.parametrize("transport", ["fetch", "eventsource", "websocket",
                                       "long-poll"])
def test_the_client_comes_back_with_another_token(keyed, browser, transport):
    """Each token is good for three seconds, and the page makes another one each
    second, as a server of its own would."""
    client = ClientPage(browser, keyed)
    begin = int(time.time())
    tokens = [token(**RIGHTS, exp=begin + 3 + number) for number in range(60)]
    client.page.run(
        f"window.given = new Set(); window.nextToken = async () => {{"
        f" const number = Math.floor(Date.now() / 1000 - {begin});"
        f" given.add(number); return {tokens}[number]; }}")
    client.follow("/events/news", transports=[transport], more="token: nextToken")
    client.wait_for_state("open")
    published = []
    while client.page.run("given.size") < 3:
        published.append(put(keyed, "news", f"{len(published)}"))
        client.wait_for(published[-1])
    client.wait_for_state("open", transport)
    published.append(put(keyed, "news", "last"))
    client.wait_for(published[-1])
    assert client.lost(published) == [] and client.repeated() == []
    assert client.said("errors") == []
    for one in tokens:
        assert one.rpartition(".")[2] not in keyed.output()


def test_the_client_stops_when_its_token_is_refused(keyed, browser):
    client = ClientPage(browser, keyed)
    client.follow("/events/news", transports=["fetch"],
                  token=token(b"a secret that nobody has, of 32 bytes", **RIGHTS))
    client.wait_for_state("closed")
