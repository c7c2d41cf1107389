"""The book's pages, by their contract (old-clients.md 2, 4).

Each page runs in a browser behind nginx with the book's paths. What a page has
seen is compared with what was published: no row missing, none twice.
"""

import json
import time

import pytest
from book_page import BookPage
from old_server import SYMBOLS, continue_process, stop_process
from patience import eventually

RESUMING = ["id", "die_slowly", "longpoll", "xhr", "iframe", "cors", "cors_xhr"]
STRUCTURED = ["structured", "keepalive", "retry", "shutdown", "jitter",
              "go_quiet", *RESUMING]


@pytest.mark.parametrize("name", STRUCTURED)
def test_each_page_shows_prices_of_three_symbols(old, browser, name):
    page = BookPage(browser, old, name)
    page.wait_until_served()
    ids = old.publish_prices(6)
    page.wait_for(ids[-1])
    assert page.ids() == ids
    for symbol in SYMBOLS:
        assert page.shows(symbol) == "1.0873 / 1.0875"
    assert page.get("badLines") == [] and page.page.complaints() == []


def test_flat_pages_get_flat_messages_and_no_keepalive(old, browser):
    page = BookPage(browser, old, "hardcoded")
    page.wait_until_served()
    before = old.world.metrics()["keepalives"]
    old.world.wait_for_metric("keepalives",
                              lambda count: count > before)
    old.publish_flat(3)
    page.page.until("document.getElementById('AUD/GBP').textContent !== ''",
                    "the last symbol")
    assert page.get("keepalives") == 0 and page.get("badLines") == []
    assert page.page.complaints() == []


@pytest.mark.parametrize("name", RESUMING)
def test_a_killed_server_costs_no_row_and_repeats_none(old, browser, name):
    page = BookPage(browser, old, name)
    page.wait_until_served()
    ids = old.publish_prices(5)
    page.wait_for(ids[-1])
    old.world.kill()
    old.world.start()
    ids += old.publish_prices(5)
    page.wait_for(ids[-1])
    ids += old.publish_prices(4)
    page.wait_for(ids[-1])
    assert page.ids() == ids


@pytest.mark.parametrize("name", ["id", "die_slowly", "xhr", "iframe", "cors"])
def test_a_mute_server_is_noticed_and_left_for_a_new_connection(
        old, browser, name):
    page = BookPage(browser, old, name)
    page.wait_until_served()
    ids = old.publish_prices(3)
    page.wait_for(ids[-1])
    asked = len(page.requests())
    stop_process(old.world)
    try:
        page.wait_for_requests(asked + 1)
    finally:
        continue_process(old.world)
    assert page.requests()[-1] == f"{name} {ids[-1]}"
    ids += old.publish_prices(5)
    page.wait_for(ids[-1])
    assert page.ids() == ids


def test_a_stream_survives_silence(old, browser):
    page = BookPage(browser, old, "go_quiet")
    page.wait_until_served()
    first = old.publish_prices(1)
    page.wait_for(first[-1])
    before = old.world.metrics()["keepalives"]
    old.world.wait_for_metric("keepalives",
                              lambda count: count >= before + 5)
    second = old.publish_prices(1)
    page.wait_for(second[-1])
    assert page.ids() == first + second and len(page.requests()) == 1


def test_keepalives_are_seen_by_the_page_and_keep_its_watchdog_quiet(
        old, browser):
    page = BookPage(browser, old, "keepalive")
    page.wait_until_served()
    before = old.world.metrics()["keepalives"]
    old.world.wait_for_metric("keepalives",
                              lambda count: count >= before + 4)
    ids = old.publish_prices(1)
    page.wait_for(ids[-1])
    assert page.get("keepalives") >= 4 and len(page.requests()) == 1


@pytest.mark.parametrize("name", ["xhr", "iframe"])
def test_a_stream_that_grew_too_long_is_left_and_nothing_is_lost(
        old, browser, name):
    page = BookPage(browser, old, name)
    page.wait_until_served()
    ids = []
    for _ in range(10):
        ids += old.publish_prices(20, pad=800)
    page.wait_for(ids[-1])
    assert page.ids() == ids and len(page.requests()) >= 2


def test_pages_of_the_other_scheme_get_their_preflight(old, browser):
    page = BookPage(browser, old, "cors_xhr")
    page.wait_until_served()
    ids = old.publish_prices(1)
    page.wait_for(ids[-1])
    old.world.kill()
    old.world.start()
    ids += old.publish_prices(1)
    page.wait_for(ids[-1])
    assert old.requests('"OPTIONS /fx_server.cors.php') != []
    assert page.ids() == ids


def announce(world, seconds):
    """The whole second that is so many seconds away, as the server is told."""
    until = int(time.time()) + seconds
    answer = world.post(
        "/admin/shutdown", json.dumps({"until": time.strftime(
            "%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))}),
        {"Content-Type": "application/json"})
    assert answer.status == 200, answer
    return until


def wait_until_told(page):
    page.page.until("document.getElementById('msg').textContent"
                    ".startsWith('Back at')", "the page to say when it is back")
    return page.get("shutdowns[0]")


@pytest.mark.parametrize("name", ["shutdown", "jitter", "id", "longpoll", "xhr",
                                  "iframe"])
def test_a_page_stays_away_during_a_shutdown_and_misses_nothing(
        old, browser, name):
    page = BookPage(browser, old, name)
    page.get("Math.random = () => 0")
    page.wait_until_served()
    ids = old.publish_prices(3)
    page.wait_for(ids[-1])
    announce(old.world, 8)
    told = wait_until_told(page)
    asked = len(page.requests())
    resumes = name not in ("shutdown", "jitter")
    if resumes:
        ids += old.publish_prices(3)
    page.wait_for_requests(asked + 1)
    back_at = page.get(f"requestedAt[{asked}]")
    assert back_at >= told["at"] + 1000 * told["untilSecs"]
    page.wait_until_served()
    ids += old.publish_prices(3)
    page.wait_for(ids[-1])
    assert page.ids() == ids


def test_who_comes_back_early_is_told_again_until_it_is_cancelled(old, browser):
    page = BookPage(browser, old, "jitter")
    page.get("Math.random = () => 0.97")
    page.wait_until_served()
    announce(old.world, 62)
    told = wait_until_told(page)
    assert 55 <= told["untilSecs"] <= 62 and told["until"].endswith(" UTC")
    # It is too early, ignores what it is told, and asks again by itself.
    eventually(lambda: len(old.requests("fx_server.shutdown.php")) >= 3,
               "three early returns")
    assert old.world.metrics()["subscribers"] == 0
    assert old.world.http("DELETE", "/admin/shutdown").status == 200
    page.wait_until_served()
    ids = old.publish_prices(3)
    page.wait_for(ids[-1])
    assert page.ids() == ids
