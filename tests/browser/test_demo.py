"""The page at /demo/: what it shows, and that nothing makes it lose or repeat a
delivery. What the panels show is compared with what the server answered to the
publisher, and the page's own comparison with its journal must agree. Last, what
browsers do by themselves that every page relies on."""

import pytest
from both import both_browsers
from demo_page import TRANSPORTS, Demo
from marks import serve

pytestmark = both_browsers

CREATED = {"event_type": "cheese_created"}


def deliver(world, name, pieces=1):
    return world.publish("cheese",
                         f'{{"pieces":{pieces},"cheese_type":"{name}"}}',
                         **CREATED)


def stay_on_this_port(world):
    """A page keeps its address when the server is started again."""
    world.settings["listen"] = f"127.0.0.1:{world.port}"


def shows_exactly(demo, ids):
    for transport in TRANSPORTS:
        assert demo.ids(transport) == ids, transport
        assert demo.figures(transport) == (len(ids), 0, 0), transport


def test_a_delivery_appears_once_in_each_panel(world, browser):
    demo = Demo(browser, world)
    demo.wait_for_state("open")

    number = deliver(world, "Gruyère", 92)

    demo.wait_for(number)
    for transport in TRANSPORTS:
        assert demo.rows(transport) == [("Gruyère", "92 pieces")]
    demo.wait_until_compared(1)
    shows_exactly(demo, [number])
    assert demo.page.complaints() == []


def test_the_page_begins_with_what_came_before_it(world, browser):
    ids = [deliver(world, "Sbrinz", n) for n in range(1, 13)]

    demo = Demo(browser, world)

    demo.wait_for(ids[-1])
    shows_exactly(demo, ids[-10:])


@serve(nats=True)
def test_deliveries_by_nats_appear(world, browser):
    demo = Demo(browser, world)
    demo.wait_for_state("open")

    world.nats.publish("events.cheese", '{"type":"cheese_created","data":'
                       '{"pieces":1,"cheese_type":"Tête de Moine"}}')

    demo.page.until("document.querySelectorAll('li .cheese').length === 4",
                    "a row in each panel")
    for transport in TRANSPORTS:
        assert demo.rows(transport) == [("Tête de Moine", "1 piece")]


def test_the_buttons_publish(world, browser):
    demo = Demo(browser, world)
    demo.wait_for_state("open")

    demo.press("publish-one")
    demo.wait_for_published("disk as")
    demo.press("publish-many")
    demo.wait_for_published("20 on the")

    channel = world.get("/channels/cheese").json()
    assert channel["count"] == 21
    demo.wait_for(channel["last_id"])
    shows_exactly(demo, list(range(channel["first_id"],
                                   channel["last_id"] + 1)))


def test_what_a_publisher_sends_is_shown_as_text(world, browser):
    demo = Demo(browser, world)
    demo.wait_for_state("open")
    evil = "<img src=x onerror=document.title=666>"

    demo.wait_for(deliver(world, evil))

    assert demo.rows("eventsource") == [(evil, "1 piece")]
    assert demo.page.run("document.images.length") == 0


def test_a_panel_that_was_away_gets_what_it_missed(world, browser):
    demo = Demo(browser, world)
    demo.wait_for_state("open")
    ids = [deliver(world, "Tilsiter")]
    demo.wait_for(ids[0])

    for transport in TRANSPORTS:
        demo.switch(transport)
        demo.wait_for_state("closed", transport)
    ids += [deliver(world, "Appenzeller", n) for n in range(5)]
    for transport in TRANSPORTS:
        demo.switch(transport)

    demo.wait_for(ids[-1])
    demo.wait_until_compared(6)
    shows_exactly(demo, ids)


@serve(retry_ms=500, drain_ms=200)
def test_a_restart_loses_and_repeats_nothing(world, browser):
    demo = Demo(browser, world)
    demo.wait_for_state("open")
    stay_on_this_port(world)
    ids = [deliver(world, "Gruyère", n) for n in range(3)]
    demo.wait_for(ids[-1])

    world.restart()
    ids += [deliver(world, "Sbrinz", n) for n in range(3)]
    demo.wait_for(ids[-1])
    demo.wait_for_state("open")

    demo.wait_until_compared(6)
    shows_exactly(demo, ids)


@serve(retry_ms=500)
def test_what_is_published_while_the_server_is_dead_arrives_once(world,
                                                                 browser):
    demo = Demo(browser, world)
    demo.wait_for_state("open")
    stay_on_this_port(world)
    first = deliver(world, "Gruyère")
    demo.wait_for(first)

    world.hang_up_all()
    world.kill()
    demo.wait_for_state("waiting")
    demo.press("publish-one")
    demo.press("publish-many")
    demo.wait_for_published("21 waiting")
    world.start()

    demo.wait_for_published("20 on the")
    channel = world.get("/channels/cheese").json()
    assert channel["count"] == 22
    demo.wait_for(channel["last_id"])
    demo.wait_for_state("open")
    demo.wait_until_compared(22)
    shows_exactly(demo, [event["id"] for event in world.dump()])
    for transport in TRANSPORTS:
        assert demo.breaks(transport) == 1, transport


def request_by_nats(world, name):
    """A publisher that asks is told the id once the delivery is on disk."""
    return world.nats.request(
        "events.cheese", '{"type":"cheese_created","data":'
        f'{{"pieces":1,"cheese_type":"{name}"}}}}')["id"]


@serve(nats=True, retry_ms=500)
def test_deliveries_by_nats_outlive_a_kill(world, browser):
    demo = Demo(browser, world)
    demo.wait_for_state("open")
    stay_on_this_port(world)
    ids = [request_by_nats(world, "Gruyère") for _ in range(5)]

    world.hang_up_all()
    world.kill()  # perhaps before the page has seen them all
    world.start()
    ids += [request_by_nats(world, "Sbrinz") for _ in range(5)]

    demo.wait_for(ids[-1])
    demo.wait_for_state("open")
    demo.wait_until_compared(10)
    shows_exactly(demo, ids)


@serve(retry_ms=500)
def test_another_journal_is_told_as_a_gap(world, browser):
    demo = Demo(browser, world)
    demo.wait_for_state("open")
    stay_on_this_port(world)
    demo.wait_for(deliver(world, "Gruyère"))

    world.hang_up_all()
    world.kill()
    demo.wait_for_state("waiting")
    world.start(data=world.directory / "other", first_id=1 << 52)
    number = deliver(world, "Emmentaler")

    demo.wait_for(number)
    for transport in TRANSPORTS:
        assert demo.rows(transport)[-1] == ("Emmentaler", "1 piece")
        assert demo.figures(transport) == (2, 0, 0)
        assert "another journal" in demo.page.run(
            demo.panel(transport) + ".querySelector('.notice').textContent")


def test_a_phone_shows_it_without_scrolling_sideways(world, browser):
    demo = Demo(browser, world, width=390, height=844)
    demo.wait_for_state("open")
    demo.wait_for(deliver(world, "Vacherin Fribourgeois und so weiter", 120))

    assert demo.page.run("document.documentElement.scrollWidth") == 390


def test_the_start_page_leads_to_the_rest(world, browser):
    page = browser.open(f"http://127.0.0.1:{world.port}/")

    links = page.run("[...document.links].map((link) => link.pathname)")

    assert links == ["/", "/demo/", "/demo/fx/", "/demo/", "/demo/fx/",
                     "/channels", "/metrics"]
    for link in set(links):
        assert world.get(link).status == 200
    assert f"http://127.0.0.1:{world.port}/events/news" in page.text()


def test_the_start_page_shows_what_is_going_on(world, browser):
    evil = "<b>not a check</b>"
    page = browser.open(f"http://127.0.0.1:{world.port}/")
    page.until("document.getElementById('now').dataset.state === 'open'",
               "the server to be ready")
    assert "Nothing was published yet." in page.text()

    world.publish("news", evil)
    world.publish("orders.7", evil)
    world.publish("orders.7", evil)

    page.until("document.getElementById('events').textContent === '3'",
               "three events")
    rows = page.run("[...document.querySelectorAll('#rows tr')].map((row) =>"
                    "[...row.cells].slice(0, 3).map((c) => c.textContent))")
    assert rows == [["orders.7", "2", "0"], ["news", "1", "0"]]
    assert page.complaints() == []


@serve(retry_ms=500)
def test_the_start_page_says_that_the_server_is_away(world, browser):
    page = browser.open(f"http://127.0.0.1:{world.port}/")
    state = "document.getElementById('now').dataset.state === '%s'"
    page.until(state % "open", "the server to be ready")
    stay_on_this_port(world)

    world.hang_up_all()
    world.kill()
    page.until(state % "waiting", "the page to notice")
    assert "does not answer" in page.text()
    world.start()

    page.until(state % "open", "the server to be ready again")


@pytest.mark.parametrize("path", ["/", "/demo/", "/demo/fx/"])
def test_a_page_runs_no_script_that_is_not_a_file(world, browser, path):
    page = browser.open(f"http://127.0.0.1:{world.port}{path}")

    page.run("""new Promise((resolve) => {
        addEventListener('securitypolicyviolation', resolve, {once: true});
        const script = document.createElement('script');
        script.textContent = 'document.title = "666"';
        document.body.append(script);
    })""")

    assert page.run("document.title") != "666"


@pytest.mark.parametrize("path", ["/", "/demo/", "/demo/fx/"])
@pytest.mark.parametrize("width", [320, 390, 800, 1280])
def test_a_page_has_no_sideways_scroll(world, browser, path, width):
    world.publish("a-channel-with-a-long-name." + "x" * 120, "y")
    page = browser.open(f"http://127.0.0.1:{world.port}{path}", width=width)

    page.until("document.querySelector('[data-state=open]') !== null",
               "the page to be connected")

    assert page.run("document.documentElement.scrollWidth <= innerWidth")


@serve(retry_ms=300, drain_ms=3000)
def test_a_plain_eventsource_outlives_a_slow_drain(world, browser):
    """protocol.md 3: a stream that should come back is never answered 5xx,
    which would end an EventSource for good. Some of these are ended early and
    come back while the server is still stopping."""
    crowd = [world.sse("/events/other") for _ in range(150)]
    page = browser.open(f"http://127.0.0.1:{world.port}/")
    page.run("""window.heard = document.createElement('p');
        document.body.append(heard);
        window.streams = [1, 2, 3, 4].map(() => {
          const stream = new EventSource('/events/news');
          stream.onopen = stream.onmessage = (message) => {
            heard.append(message.data ?? 'open', ' ');
          };
          return stream;
        });""")
    page.until("heard.textContent.split('open').length === 5", "four streams")
    world.publish("news", "before")
    page.until("heard.textContent.split('before').length === 5", "the event")
    crowd += [world.sse("/events/other") for _ in range(150)]
    stay_on_this_port(world)

    world.ask_to_stop()
    for stream in crowd:
        stream.ends()
    assert world.wait_for_end() == 0
    world.start()
    world.publish("news", "again")

    page.until("streams.some((stream) => stream.readyState === 2)"
               " || heard.textContent.split('again').length === 5",
               "each to hear it, or one to have given up")
    assert page.run("streams.map((stream) => stream.readyState)") == [1] * 4
