"""The page at /demo/fx/: one stream, drawn as prices, tables and charts. What it
shows is compared with what the server answered to the publisher, and the page's
own comparison with the journal must agree."""

import json
import os
import pathlib
import re
import subprocess
import time

from both import both_browsers
from fx_page import SYMBOLS, Prices, quote
from marks import serve

pytestmark = both_browsers

ROOT = pathlib.Path(__file__).resolve().parents[2]


def stay_on_this_port(world):
    """A page keeps its address when the server is started again."""
    world.settings["listen"] = f"127.0.0.1:{world.port}"


def run_publisher(world, *words):
    """scripts/demo-publisher to its end; the ids that it printed."""
    done = subprocess.run(
        [ROOT / "scripts/demo-publisher", "--nats", world.nats_server.url,
         "--rate", "20", *words], check=True, capture_output=True,
        env={**os.environ, "TIDINGS_BIN": world.binary})
    return [int(line.split()[0]) for line in done.stdout.splitlines()]


def test_each_pair_shows_its_own_quotes(world, browser):
    prices = Prices(browser, world)
    prices.wait_for_state("open")

    ids = [prices.publish(n, symbol) for n, symbol in enumerate(SYMBOLS * 2)]

    prices.wait_for(ids[-1])
    for n, symbol in enumerate(SYMBOLS):
        assert prices.ids(symbol) == [ids[n], ids[n + 3]]
        assert prices.price(symbol) == ("151.240", "151.250")
        assert prices.points(symbol) == 2
    prices.wait_until_compared(6)
    assert prices.figures() == (6, 0, 0)
    assert prices.page.complaints() == []


def test_the_page_begins_with_what_came_before_it(world, browser):
    page_of = [world.publish("fx", quote(n)) for n in range(5)]

    prices = Prices(browser, world)

    prices.wait_for(page_of[-1])
    assert prices.ids("USD/JPY") == page_of


@serve(nats=True)
def test_the_publisher_feeds_both_pages(world, browser):
    prices = Prices(browser, world)
    prices.wait_for_state("open")

    ids = run_publisher(world, "--count", "2")

    events = world.dump()
    assert [event["id"] for event in events] == ids
    assert [event["channel"] for event in events] == (
        ["cheese"] + ["fx"] * 3) * 2
    quotes = [event for event in events if event["channel"] == "fx"]
    prices.wait_for(quotes[-1]["id"])
    prices.wait_until_compared(6)
    assert prices.figures() == (6, 0, 0)
    for event in quotes:
        assert event["type"] == ""
        row, = json.loads(event["data"])["rows"]
        assert row["id"] == event["time"]
    rows = [json.loads(event["data"])["rows"][0]["id"] for event in quotes]
    assert rows == sorted(set(rows))


@serve(retry_ms=500)
def test_a_kill_loses_and_repeats_no_quote(world, browser):
    prices = Prices(browser, world)
    prices.wait_for_state("open")
    stay_on_this_port(world)
    ids = [prices.publish(n) for n in range(3)]
    prices.wait_for(ids[-1])

    world.hang_up_all()
    world.kill()
    prices.wait_for_state("waiting")
    world.start()
    ids += [prices.publish(n) for n in range(3, 6)]

    prices.wait_for(ids[-1])
    prices.wait_until_compared(6)
    assert prices.ids("USD/JPY") == ids
    assert prices.figures() == (6, 0, 0)
    assert "it was away for" in prices.text_of("how")


@serve(keepalive_ms=100)
def test_keep_alives_are_counted(world, browser):
    prices = Prices(browser, world)

    prices.page.until(
        "Number(document.getElementById('keepalives').textContent) >= 3",
        "three keep-alives")

    assert prices.figures() == (0, 0, 0)


def test_a_correction_changes_row_price_and_chart(world, browser):
    prices = Prices(browser, world)
    prices.wait_for_state("open")
    right = prices.publish(0)
    wrong = prices.publish(1, bid="951.240", ask="951.250")
    prices.wait_for(wrong)
    assert prices.price("USD/JPY") == ("951.240", "951.250")

    response = world.http("PUT", f"/publish/fx/{wrong}",
                          body=quote(1, bid="151.300", ask="151.310").encode())
    assert response.status == 200, response

    prices.wait_for_row("USD/JPY", wrong, "151.300", "151.310", "corrected")
    assert prices.price("USD/JPY") == ("151.300", "151.310")
    assert prices.ids("USD/JPY") == [right, wrong]
    assert "it said 951.240 / 951.250" in prices.page.text()
    assert prices.points("USD/JPY") == 2
    assert prices.page.run("document.querySelectorAll('.corrected').length") == 1
    prices.wait_until_compared(2)
    assert prices.figures() == (2, 0, 0)


def test_a_wrong_price_is_published_and_corrected_by_button(world, browser):
    prices = Prices(browser, world)
    prices.wait_for(prices.publish(0))
    assert prices.page.run("document.getElementById('correct').disabled")

    prices.press("mistake")
    prices.wait_for_text("amended", "is out")
    wrong = world.get("/channels/fx").json()["last_id"]
    prices.wait_for(wrong)
    assert prices.price("USD/JPY") == ("151.996", "152.006")
    prices.press("correct")

    prices.wait_for_row("USD/JPY", wrong, "151.240", "151.250", "corrected")
    prices.wait_for_text("amended", "is corrected")
    assert prices.page.run("document.getElementById('correct').disabled")


def test_a_wrong_price_is_withdrawn_by_button(world, browser):
    prices = Prices(browser, world)
    prices.wait_for(prices.publish(0))

    prices.press("mistake")
    prices.wait_for_text("amended", "is out")
    prices.press("withdraw")

    prices.wait_for_text("amended", "withdrawn")
    prices.page.until(
        f"{prices.pair('USD/JPY')}.querySelector('[data-fate=withdrawn]')",
        "the row to be withdrawn")
    assert prices.price("USD/JPY") == ("151.240", "151.250")
    assert prices.points("USD/JPY") == 1
    prices.wait_until_compared(1)
    assert prices.figures()[1:] == (0, 0)


def test_a_planned_pause_is_counted_down_and_loses_nothing(world, browser):
    prices = Prices(browser, world)
    prices.wait_for(prices.publish(0))

    prices.page.run("""
        window.seen = [];
        new MutationObserver(() => seen.push(
          document.getElementById('link').dataset.state + ': ' +
          document.getElementById('pause').textContent,
        )).observe(document.getElementById('link'),
                   {attributes: true, subtree: true, childList: true})""")
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4))
    response = world.post("/admin/shutdown", json.dumps({"until": until}),
                          {"Content-Type": "application/json"})
    assert response.status < 300, response
    prices.page.until("seen.some((each) => /^shutdown: .* 0:0[1-4] left/"
                      ".test(each))", "the countdown")
    number = prices.publish(1)

    prices.wait_for(number)
    prices.page.until("document.getElementById('pause').hidden",
                      "the countdown to go")
    prices.wait_until_compared(2)
    assert prices.figures() == (2, 0, 0)


def test_the_button_asks_for_a_pause_and_another_cancels_it(world, browser):
    prices = Prices(browser, world)
    prices.wait_for_state("open")

    prices.press("shut-down")
    prices.wait_for_text("shut", "Announced")
    prices.wait_for_state("shutdown")
    left = re.search(r"UTC: 0:(\d\d) left", prices.text_of("pause"))
    assert 0 < int(left[1]) <= 31
    prices.press("cancel")

    prices.wait_for_text("shut", "No pause")
    assert world.sse("/events/fx").status == 200


def test_what_is_no_quote_is_counted_and_not_shown(world, browser):
    prices = Prices(browser, world)
    prices.wait_for_state("open")
    evil = "<img src=x onerror=document.title=666>"
    strange = [evil, "null", "[]", '{"symbol":"USD/JPY"}',
               '{"symbol":"USD/JPY","rows":[null,1,{"id":"x"}]}',
               quote(0, bid=evil), quote(0, bid="1e999"),
               quote(0).replace("1700000000000", "1e300"),
               quote(0, symbol=evil)]

    ids = [world.publish("fx", data) for data in strange]
    ids.append(prices.publish(1))

    prices.wait_for(ids[-1])
    assert prices.ids("USD/JPY") == ids[-1:]
    assert prices.figures() == (len(ids), 0, 0)
    assert prices.page.run("document.images.length") == 0
    assert prices.page.complaints() == []


def test_a_phone_shows_it_without_scrolling_sideways(world, browser):
    prices = Prices(browser, world, width=390, height=844)
    prices.wait_for(prices.publish(0))

    assert prices.page.run(
        "document.documentElement.scrollWidth <= innerWidth")
