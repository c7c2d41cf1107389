"""tidings.js in a real browser, by each of its transports: what it gives to the
page, and that nothing is lost or given twice. protocol.md 1 to 7, clients/js."""

import gzip

import pytest
from client_page import TRANSPORTS, ClientPage
from marks import serve
from patience import eventually

each_transport = pytest.mark.parametrize("transport", TRANSPORTS)


def stay_on_this_port(world):
    """A page keeps its address when the server is started again."""
    world.settings["listen"] = f"127.0.0.1:{world.port}"


def follow(world, browser, transport, target="/events/news", **options):
    page = ClientPage(browser, world)
    page.follow(target, transports=[transport], **options)
    page.wait_for_state("open", transport)
    return page


def test_the_served_client_has_at_most_5_kb():
    import world
    client = world.ROOT / "build/dev/client/tidings.js"

    assert len(gzip.compress(client.read_bytes(), 9)) <= 5000


def test_it_is_served_as_module_and_script_and_types(world):
    for path, kind in (("/tidings.js", "text/javascript"),
                       ("/tidings.global.js", "text/javascript"),
                       ("/tidings.d.ts", "text/plain")):
        answer = world.get(path)
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith(kind)


def test_the_classic_script_makes_a_global(world, browser):
    page = ClientPage(browser, world).page

    page.run("""new Promise((resolve) => {
        const script = document.createElement('script');
        script.src = '/tidings.global.js';
        script.onload = resolve;
        document.head.append(script);
    })""")

    assert page.run("typeof window.tidings") == "function"


@each_transport
def test_an_event_comes_whole(world, browser, transport):
    page = follow(world, browser, transport)

    number = world.publish("news", '{"pieces":92,"name":"Gruyère"}',
                           event_type="cheese_created")
    page.wait_for(number)

    event, = page.events()
    assert event["id"] == str(number)
    assert event["channel"] == "news"
    assert event["type"] == "cheese_created"
    assert event["data"] == {"pieces": 92, "name": "Gruyère"}
    assert event["text"] == '{"pieces":92,"name":"Gruyère"}'
    assert event["time"] == world.dump()[0]["time"]
    assert page.page.run("stream.lastId") == str(number)


@each_transport
def test_texts_stay_texts(world, browser, transport):
    page = follow(world, browser, transport)
    texts = ["plain", "", "two\nlines", "\u0000 and \ufeff", "\U0001f9c0" * 3,
             "x" * 200_000]

    ids = [world.publish("news", text) for text in texts]
    page.wait_for(ids[-1])

    assert [event["data"] for event in page.events()] == texts
    assert [event["text"] for event in page.events()] == texts
    page.has_exactly(ids)


@each_transport
def test_bad_json_is_told_and_does_not_stop_the_stream(world, browser,
                                                       transport):
    page = follow(world, browser, transport)

    ids = [world.publish("news", text)
           for text in ('{"pieces":', '{"pieces":1}')]
    page.wait_for(ids[-1])

    assert [event["data"] for event in page.events()] == \
        ['{"pieces":', {"pieces": 1}]
    error, = page.said("errors")
    assert (error["kind"], error["text"]) == ("json", '{"pieces":')


@serve(retry_ms=300)
@each_transport
def test_a_kill_loses_and_repeats_nothing(world, browser, transport):
    page = follow(world, browser, transport, keepaliveSecs=2)
    stay_on_this_port(world)
    ids = [world.publish("news", f"{n}") for n in range(5)]
    page.wait_for(ids[-1])

    for _ in range(2):
        ids += [world.publish("news", f"{n}") for n in range(3)]
        world.hang_up_all()
        world.kill()
        world.start()
        ids += [world.publish("news", f"{n}") for n in range(3)]
        page.wait_for(ids[-1])

    page.has_exactly(ids)
    assert page.transports_tried() == [transport]


@serve(retry_ms=300)
@each_transport
def test_a_cut_before_the_first_event_loses_nothing(world, browser, transport):
    """The position is known from the first bytes on."""
    world.publish("news", "old")
    page = follow(world, browser, transport)
    stay_on_this_port(world)
    page.until("stream.lastId !== null", "the position")

    world.hang_up_all()
    world.kill()
    world.start()
    ids = [world.publish("news", f"{n}") for n in range(3)]
    page.wait_for(ids[-1])

    page.has_exactly(ids)


@serve(retry_ms=300, drain_ms=200)
@each_transport
def test_a_restart_loses_and_repeats_nothing(world, browser, transport):
    page = follow(world, browser, transport)
    stay_on_this_port(world)
    ids = [world.publish("news", f"{n}") for n in range(5)]

    world.restart()
    ids += [world.publish("news", f"{n}") for n in range(5)]
    page.wait_for(ids[-1])

    page.has_exactly(ids)


@each_transport
def test_it_begins_where_it_is_told(world, browser, transport):
    ids = [world.publish("news", f"{n}") for n in range(10)]

    for after, expected in (("earliest", ids), ("last-3", ids[-3:]),
                            (str(ids[4]), ids[5:])):
        page = follow(world, browser, transport, after=after)
        page.wait_for(ids[-1])
        page.has_exactly(expected)
        page.close()


@each_transport
def test_several_channels_and_patterns(world, browser, transport):
    page = follow(world, browser, transport, target="/events",
                  channels=["news", "orders.*"])

    ids = [world.publish(name, "{}") for name in
           ("news", "orders.1", "orders.2")]
    world.publish("other", "{}")
    page.wait_for(ids[-1])

    assert [event["channel"] for event in page.events()] == \
        ["news", "orders.1", "orders.2"]
    page.has_exactly(ids)


@serve(retry_ms=300)
@each_transport
def test_another_journal_is_told_as_a_gap(world, browser, transport):
    page = follow(world, browser, transport)
    stay_on_this_port(world)
    page.wait_for(world.publish("news", "old"))

    world.hang_up_all()
    world.kill()
    world.start(data=world.directory / "other", first_id=1000)
    first = world.publish("news", "a new beginning")
    gap, = page.wait_for_some("gaps")
    number = world.publish("news", "goes on")
    page.wait_for(number)

    assert gap["reason"] == "future"
    assert gap["resumed"] in (str(first), str(first - 1))
    assert page.repeated() == []


@serve(retry_ms=300, keep_count=3)
@each_transport
def test_what_was_trimmed_is_told_as_a_gap(world, browser, transport):
    page = follow(world, browser, transport)
    stay_on_this_port(world)
    first = world.publish("news", "seen")
    page.wait_for(first)
    world.hang_up_all()
    page.page.run("stream.close()")
    ids = [world.publish("news", f"{n}") for n in range(10)]
    eventually(lambda: world.get("/channels/news").json()["count"] == 3,
               "the rest to be trimmed")

    page.follow("/events/news", transports=[transport], after=str(first))
    page.wait_for(ids[-1])

    gap, = page.said("gaps")
    assert (gap["requested"], gap["reason"]) == (str(first), "trimmed")
    assert page.ids() == ids[-3:]


@each_transport
def test_corrections_have_their_own_callbacks(world, browser, transport):
    page = follow(world, browser, transport)
    wrong = world.publish("news", '{"price":9}', event_type="price")
    evil = world.publish("news", "evil")
    page.wait_for(evil)

    assert world.http("PUT", f"/publish/news/{wrong}",
                      body=b'{"price":8}').status == 200
    assert world.http("DELETE", f"/publish/news/{evil}").status == 200
    correction, = page.wait_for_some("corrections")
    withdrawal, = page.wait_for_some("withdrawals")

    assert correction["corrects"] == str(wrong)
    assert (correction["type"], correction["data"]) == ("price", {"price": 8})
    assert withdrawal["withdraws"] == str(evil)
    page.until(f"stream.lastId === '{withdrawal['id']}'", "its position")
    page.has_exactly([wrong, evil])


@each_transport
def test_a_reload_goes_on_where_it_was(world, browser, transport):
    page = follow(world, browser, transport, storage=True)
    ids = [world.publish("news", f"{n}") for n in range(4)]
    page.wait_for(ids[-1])

    page.page.call("Page.navigate", url="about:blank")
    page.until("location.href === 'about:blank'", "the page to be gone")
    later = [world.publish("news", f"{n}") for n in range(4)]
    page.page.call("Page.navigate",
                   url=f"http://127.0.0.1:{world.port}/tidings.d.ts")
    page.until("location.port && document.readyState === 'complete'",
               "the page to be back")
    page.page.run(page.following)
    page.wait_for(later[-1])

    page.has_exactly(later)


@each_transport
def test_a_closed_stream_is_silent(world, browser, transport):
    page = follow(world, browser, transport)
    world.wait_for_metric("subscribers", lambda figure: figure <= 1)

    page.stop()

    world.wait_for_subscribers(0)
    assert page.page.run("stream.state") == "closed"


@each_transport
def test_a_slow_loop_gets_everything_from_a_bounded_buffer(world, browser,
                                                           transport):
    page = follow(world, browser, transport)
    page.page.run("""window.taken = [];
        (async () => {
          for await (const event of stream) {
            await window.gate;
            taken.push(event.id);
            document.documentElement.dataset.taken = taken.length;
          }
        })();
        window.gate = new Promise((resolve) => { window.open_gate = resolve; });
        true""")

    ids = world.publish_batch("news", [{"data": f"{n}"} for n in range(3000)])
    page.until("said.events.length >= 1000", "a full buffer")
    full = page.page.run("said.events.length")
    page.page.run("open_gate()")
    page.until("taken.length === 3000", "all events in the loop")

    assert full <= 1001
    assert page.page.run("taken.map(Number)") == ids
    page.has_exactly(ids)


def test_typed_events_and_several_streams_on_a_page(world, browser):
    page = follow(world, browser, "fetch")
    page.page.run("""(async () => {
        const {tidings} = await import('/tidings.js');
        window.prices = [];
        window.other = tidings('/events/shop', {onState: () => {
          document.documentElement.dataset.other = other.state;
        }});
        const listener = (event) => {
          prices.push(event.data);
          document.documentElement.dataset.prices = prices.length;
        };
        other.on('price', listener).on('gone', listener).off('gone', listener);
    })()""")
    page.until("other.state === 'open'", "the second stream")

    world.publish("shop", "1", event_type="price")
    world.publish("shop", "2", event_type="gone")
    world.publish("shop", "3", event_type="price")
    number = world.publish("news", "{}")
    page.until("prices.length === 2", "two prices")
    page.wait_for(number)

    assert page.page.run("prices") == [1, 3]
    page.has_exactly([number])
