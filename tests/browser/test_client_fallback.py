"""Which transport tidings.js takes when the better ones are blocked, and that the
position goes with it. clients/js."""

import http.server
import threading

import pytest
from buffering_nginx import BufferingNginx
from client_page import (NO_EVENTSOURCE, NO_FETCH_STREAM, NO_LONG_POLL,
                         NO_WEBSOCKET, TRANSPORTS, ClientPage)
from marks import serve

BLOCKS = (NO_FETCH_STREAM, NO_EVENTSOURCE, NO_WEBSOCKET, NO_LONG_POLL)

# An answer that never gets further than its head, as from a proxy that buffers.
SILENT_STREAMS = """
  const really = window.fetch;
  window.fetch = async (url, options) => {
    if (!String(url).includes('flavor=eventsource')) return really(url, options);
    const answer = await really(url, options);
    return new Response(new ReadableStream({start(controller) {
      options.signal.addEventListener('abort',
        () => controller.error(options.signal.reason));
    }}), {headers: answer.headers});
  };
  window.EventSource = class {
    close() {}
  };"""


@pytest.mark.parametrize("blocked", range(1, 5))
def test_blocked_transports_are_passed_over(world, browser, blocked):
    first = world.publish("news", "1")
    page = ClientPage(browser, world, hooks="".join(BLOCKS[:blocked]))

    page.follow("/events/news", after="earliest")
    page.wait_for_state("open", TRANSPORTS[blocked])
    number = world.publish("news", "2")
    page.wait_for(number)

    assert page.transports_tried() == list(TRANSPORTS[:blocked + 1])
    page.has_exactly([first, number])


@serve(keepalive_ms=1000)
def test_a_stream_that_is_held_back_is_passed_over(world, browser):
    first = world.publish("news", "1")
    page = ClientPage(browser, world, hooks=SILENT_STREAMS)

    page.follow("/events/news", after="earliest", keepaliveSecs=1)
    page.wait_for_state("open", "websocket")
    number = world.publish("news", "2")
    page.wait_for(number)

    assert page.transports_tried() == ["fetch", "eventsource", "websocket"]
    assert [error["message"] for error in page.said("errors")] == \
        ["silent", "silent"]
    page.has_exactly([first, number])


@serve(keepalive_ms=1000)
def test_a_proxy_that_buffers_and_knows_no_upgrade(world, browser, tmp_path):
    first = world.publish("news", "1")
    nginx = BufferingNginx(tmp_path, world.port).start()
    try:
        page = ClientPage(browser, world,
                          origin=f"http://127.0.0.1:{nginx.port}")
        page.follow("/events/news", after=str(first), keepaliveSecs=1)
        page.wait_for_state("open", "long-poll")
        ids = [world.publish("news", f"{n}") for n in range(5)]
        page.wait_for(ids[-1])

        assert page.transports_tried() == list(TRANSPORTS[:4])
        page.has_exactly(ids)
    finally:
        nginx.stop()


@serve(keepalive_ms=1000)
def test_a_transport_that_stops_working_is_left_with_its_position(world,
                                                                  browser):
    page = ClientPage(browser, world)
    page.follow("/events/news", keepaliveSecs=1)
    page.wait_for_state("open", "fetch")
    ids = [world.publish("news", "1")]
    page.wait_for(ids[-1])

    page.page.run("""(() => {
        const really = window.fetch;
        window.fetch = (url, options) =>
          String(url).includes('flavor=eventsource')
          ? Promise.resolve(new Response('no', {status: 403}))
          : really(url, options);
    })()""")
    world.settings["listen"] = f"127.0.0.1:{world.port}"
    world.hang_up_all()
    world.kill()
    world.start()
    ids += [world.publish("news", "2")]
    page.wait_for(ids[-1])

    assert page.page.run("stream.transport") == "eventsource"
    page.has_exactly(ids)


class LoginPage(http.server.BaseHTTPRequestHandler):
    """What a hotel's network answers, whatever was asked for."""

    def do_GET(self):
        page = b"<h1>Please log in</h1>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_):
        pass


def test_a_login_page_is_no_stream_and_ends_nothing(world, browser):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), LoginPage) as hotel:
        threading.Thread(target=hotel.serve_forever, daemon=True).start()
        page = ClientPage(browser, world)

        page.follow(f"http://127.0.0.1:{hotel.server_port}/events/news")
        page.wait_for_state("waiting")

        assert page.transports_tried() == list(TRANSPORTS)
        assert page.said("errors")[-1]["text"] == "<h1>Please log in</h1>"
        page.stop()
        hotel.shutdown()


def test_a_refusal_by_the_server_ends_all(world, browser):
    page = ClientPage(browser, world)

    page.follow("/events/bad..name")
    page.wait_for_state("closed")

    error, = page.said("errors")
    assert (error["kind"], error["status"]) == ("refused", 400)
    assert "channel" in error["message"]
    assert page.transports_tried() == ["fetch"]
