"""Browsers open six connections to a host over HTTP/1.1, all tabs together. Behind
a proxy that speaks HTTP/2 one connection carries them all: with the documented
configuration of nginx."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proxies"))

from proxy import Nginx  # noqa: E402

MANY = 9

OPEN = """window.heard = document.createElement('p');
document.body.append(heard);
window.streams = Array.from({length: %d}, (_, n) => {
  const stream = new EventSource('/events/news?' + n);
  stream.onopen = () => heard.append('open ');
  stream.onmessage = (event) => heard.append(event.data + ' ');
  return stream;
}); true"""


@pytest.fixture
def nginx(world, tmp_path):
    (tmp_path / "proxy").mkdir()
    proxy = Nginx(tmp_path / "proxy", world.port)
    try:
        yield proxy.start()
    finally:
        proxy.stop()


def heard(word, times):
    return f"heard.textContent.split('{word} ').length > {times}"


def test_nine_streams_of_a_page_live_over_http_2(world, nginx, browser):
    page = browser.open("about:blank")
    page.call("Security.setIgnoreCertificateErrors", ignore=True)
    page.call("Page.navigate", url=f"https://127.0.0.1:{nginx.port}/")
    page.until("location.protocol === 'https:' && "
               "document.readyState === 'complete'", "the page")

    page.run(OPEN % MANY)
    page.until(heard("open", MANY), "all streams to open")
    world.publish("news", "hello")

    page.until(heard("hello", MANY), "all streams to hear it")
    assert page.run("performance.getEntriesByType('navigation')[0]"
                    ".nextHopProtocol") == "h2"


def test_the_seventh_stream_waits_over_http_1(world, browser):
    """What the proxy is for; were it not so, the test above would show
    nothing."""
    page = browser.open(f"http://127.0.0.1:{world.port}/")
    page.run(OPEN % MANY)
    page.until(heard("open", 6), "six streams to open")
    world.publish("news", "hello")
    page.until(heard("hello", 6), "six streams to hear it")
    assert page.run("streams.filter((stream) => stream.readyState === 0)"
                    ".length") == MANY - 6

    page.run("streams.filter((stream) => stream.readyState === 1)"
             ".slice(0, 3).forEach((stream) => stream.close())")

    page.until(heard("open", MANY), "the others to open instead")
