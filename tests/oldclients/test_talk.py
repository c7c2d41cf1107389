"""The talk's page, by its contract (old-clients.md 3, 4)."""

import pytest
from old_server import FASTER

PANELS = ("eventsource", "long-polling", "websocket")


class TalkPage:
    def __init__(self, browser, old):
        self.page = browser.open(old.url(
            f"?faster={FASTER}&socket={old.socket_port}"))

    def rows(self, panel):
        return self.page.run(
            f"[...document.querySelectorAll('#{panel} li')]"
            ".map((row) => row.textContent)")

    def wait_for(self, text, *panels):
        for panel in panels:
            self.page.until(
                f"[...document.querySelectorAll('#{panel} li')].some((row) =>"
                f" row.textContent.includes('{text}'))", f"{text} in {panel}")

    def polls(self):
        return self.page.run("polls")


def row(pieces, cheese):
    return ('cheese_created {"pieces":%d,"cheese_type":"%s"}' % (pieces, cheese))


def test_all_three_panels_get_the_same_event(old, browser):
    page = TalkPage(browser, old)
    old.world.wait_for_subscribers(3)
    old.publish_cheese(92, "Gruyère")
    old.publish_cheese(7, "Brie")
    page.wait_for("Brie", *PANELS)
    for panel in PANELS:
        assert page.rows(panel) == [row(92, "Gruyère"), row(7, "Brie")], panel
    assert page.page.complaints() == []


def test_an_envelope_published_by_nats_looks_the_same(old, browser):
    page = TalkPage(browser, old)
    old.world.wait_for_subscribers(3)
    old.world.nats.publish(
        "events.cheese", '{"type":"cheese_created","data":'
        '{"pieces":3,"cheese_type":"Feta"}}')
    page.wait_for("Feta", *PANELS)
    for panel in PANELS:
        assert page.rows(panel) == [row(3, "Feta")], panel


def test_of_two_tabs_one_waits_and_the_other_polls(old, browser):
    first = TalkPage(browser, old)
    old.world.wait_for_subscribers(3)
    second = TalkPage(browser, old)
    second.page.until("document.body.dataset.polls >= 2",
                      "the second tab to poll")
    polls = second.polls()
    assert [(poll["reconnect"], poll["info"]) for poll in polls[:2]] == \
        [(5, "false")] * 2
    old.publish_cheese(1, "Edam")
    for page in (first, second):
        page.wait_for("Edam", *PANELS)
        assert page.rows("long-polling") == [row(1, "Edam")]
    assert first.polls()[-1]["reconnect"] == 0


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_restart_during_the_poll_loses_nothing(old, browser, is_killed):
    page = TalkPage(browser, old)
    old.world.wait_for_subscribers(3)
    old.publish_cheese(1, "Edam")
    page.wait_for("Edam", "long-polling", "eventsource")
    if is_killed:
        old.world.kill()
    else:
        old.world.stop()
    old.world.start()
    old.publish_cheese(2, "Gouda")
    page.wait_for("Gouda", "long-polling", "eventsource")
    for panel in ("long-polling", "eventsource"):
        assert page.rows(panel) == [row(1, "Edam"), row(2, "Gouda")], panel


def test_a_reload_begins_at_its_own_time(old, browser):
    page = TalkPage(browser, old)
    old.world.wait_for_subscribers(3)
    old.publish_cheese(1, "Edam")
    page.wait_for("Edam", *PANELS)
    again = TalkPage(browser, old)
    page.page.close()
    old.publish_cheese(2, "Gouda")
    again.wait_for("Gouda", "long-polling", "eventsource")
    for panel in ("long-polling", "eventsource"):
        assert again.rows(panel) == [row(2, "Gouda")]
