"""One connection for all tabs: who leads, who takes over, and that no tab loses or
repeats an event whatever happens to the others. clients/js."""

import pytest
from client_page import IMPATIENT, NO_LOCKS, ClientPage
from marks import serve
from patience import eventually

PAST_SIX = 7  # what HTTP/1.1 gives a host over all tabs, and one more


def open_tabs(world, browser, count, hooks="", **options):
    tabs = []
    for _ in range(count):
        tab = ClientPage(browser, world, hooks=hooks)
        tab.follow("/events/news", share=True, **options)
        tab.wait_for_state("open")
        tab.until("stream.lastId !== null", "a position")
        tabs.append(tab)
    return tabs


def leader_of(tabs):
    """After the end of one it is a moment before the next leads."""
    def leaders():
        found = [tab for tab in tabs
                 if tab.said("states")[-1]["shared"] is False]
        return found if len(found) == 1 else None
    return eventually(leaders, "one leader")[0]


def all_have(tabs, ids):
    for tab in tabs:
        tab.wait_for(ids[-1])
    for tab in tabs:
        tab.has_exactly(ids)


def publish(world, count):
    return [world.publish("news", f"{n}") for n in range(count)]


@serve(keepalive_ms=1000)
def test_seven_tabs_hear_all_over_one_connection(world, browser):
    tabs = open_tabs(world, browser, PAST_SIX)

    ids = publish(world, 20)

    all_have(tabs, ids)
    world.wait_for_subscribers(1)
    leader_of(tabs)


def test_a_closed_leader_is_followed_without_loss_or_repeat(world, browser):
    tabs = open_tabs(world, browser, 4)
    ids = publish(world, 5)
    all_have(tabs, ids)

    while len(tabs) > 1:
        leader = leader_of(tabs)
        tabs.remove(leader)
        ids += publish(world, 3)
        leader.close()
        ids += publish(world, 3)
        all_have(tabs, ids)
    world.wait_for_subscribers(1)


def test_a_crashed_leader_is_followed_without_loss_or_repeat(world, browser):
    tabs = open_tabs(world, browser, 3)
    ids = publish(world, 5)
    all_have(tabs, ids)

    tabs[0].page.end_process()
    ids += publish(world, 5)

    all_have(tabs[1:], ids)


@serve(keepalive_ms=500)
def test_a_stuck_leader_is_replaced(world, browser):
    tabs = open_tabs(world, browser, 3, hooks=IMPATIENT, keepaliveSecs=1)
    ids = publish(world, 3)
    all_have(tabs, ids)

    tabs[0].get_stuck()
    ids += publish(world, 3)

    all_have(tabs[1:], ids)
    leader_of(tabs[1:])


def test_a_stream_that_is_closed_leads_no_more(world, browser):
    tabs = open_tabs(world, browser, 3)
    ids = publish(world, 2)
    all_have(tabs, ids)

    leader_of(tabs).stop()
    later = publish(world, 2)

    all_have(tabs[1:], ids + later)


@serve(retry_ms=300)
def test_a_kill_of_the_server_loses_nothing_in_any_tab(world, browser):
    tabs = open_tabs(world, browser, 3)
    world.settings["listen"] = f"127.0.0.1:{world.port}"
    ids = publish(world, 5)

    world.hang_up_all()
    world.kill()
    world.start()
    ids += publish(world, 5)

    all_have(tabs, ids)


def test_a_tab_that_comes_later_begins_where_it_wants(world, browser):
    tabs = open_tabs(world, browser, 1)
    ids = publish(world, 5)
    all_have(tabs, ids)

    late = open_tabs(world, browser, 1)[0]
    early, = open_tabs(world, browser, 1, after="earliest")
    more = publish(world, 5)

    all_have([tabs[0], early], ids + more)
    all_have([late], more)
    world.wait_for_subscribers(1)


def test_what_a_follower_did_not_hear_it_asks_for(world, browser):
    """As if the leader had died between telling one tab and telling the other."""
    tabs = open_tabs(world, browser, 2)
    ids = publish(world, 3)
    all_have(tabs, ids)

    behind = ClientPage(browser, world, hooks="""
        const Channel = window.BroadcastChannel;
        window.BroadcastChannel = class extends Channel {
          set onmessage(hear) {
            super.onmessage = (event) => {
              if (!window.isDeaf) hear(event);
            };
          }
        };""")
    behind.follow("/events/news", share=True)
    behind.until("stream.lastId !== null", "a position")
    behind.page.run("window.isDeaf = true")
    later = publish(world, 4)
    all_have(tabs, ids + later)
    assert behind.ids() == []
    behind.page.run("window.isDeaf = false")
    last = publish(world, 1)

    all_have([behind], later + last)
    all_have(tabs, ids + later + last)


@serve(longpoll_busy_s=1)
def test_without_locks_a_wait_key_is_shared(world, browser):
    tabs = open_tabs(world, browser, 3, hooks=NO_LOCKS)

    ids = publish(world, 5)

    all_have(tabs, ids)
    assert {tab.page.run("stream.transport") for tab in tabs} == {"long-poll"}
    world.wait_for_metric("subscribers", lambda figure: figure <= 1)


@pytest.mark.parametrize("transport", ("eventsource", "websocket", "long-poll"))
def test_any_transport_may_be_shared(world, browser, transport):
    tabs = open_tabs(world, browser, 3, transports=[transport])

    ids = publish(world, 5)

    all_have(tabs, ids)
    assert {tab.page.run("stream.transport") for tab in tabs} == {transport}


# Timers of more than a minute, as the page's clock would never end them here.
LONG_TIMERS = """
  window.longTimers = new Map();
  const {setTimeout, clearTimeout} = window;
  window.setTimeout = (fn, ms) => {
    const timer = setTimeout(fn, ms);
    if (ms > 60_000) longTimers.set(timer, fn);
    return timer;
  };
  window.clearTimeout = (timer) => {
    longTimers.delete(timer);
    clearTimeout(timer);
  };
  window.endLongTimers = () => {
    for (const [timer, fn] of longTimers) {
      clearTimeout(timer);
      fn();
    }
    longTimers.clear();
  };
"""
MAY_BE_MUTE = """
  const {postMessage} = BroadcastChannel.prototype;
  BroadcastChannel.prototype.postMessage = function(message) {
    if (!window.isMute) postMessage.call(this, message);
  };
"""


def test_a_stream_closed_before_it_has_the_lock_does_not_keep_it(world,
                                                                 browser):
    early = ClientPage(browser, world, hooks="""
        const {request} = LockManager.prototype;
        LockManager.prototype.request = function(name, mode, take) {
          return request.call(this, name, mode, async (lock) => {
            window.isGranted = true;
            document.documentElement.dataset.isGranted = true;
            await window.gate;
            return take(lock);
          });
        };
        window.gate = new Promise((resolve) => { window.openGate = resolve; });
    """).follow("/events/news", share=True)
    early.until("window.isGranted", "the lock")

    early.stop()
    early.page.run("openGate()")
    late, = open_tabs(world, browser, 1)
    ids = publish(world, 2)

    all_have([late], ids)
    assert leader_of([late]) is late


def test_where_locks_are_forbidden_a_wait_key_is_shared(world, browser):
    """As in a frame that is sandboxed."""
    tab, = open_tabs(world, browser, 1, hooks="""
        LockManager.prototype.request = () =>
          Promise.reject(new DOMException('not here', 'SecurityError'));""")

    ids = publish(world, 5)

    all_have([tab], ids)
    assert tab.page.run("stream.transport") == "long-poll"


def test_who_leads_does_not_wait_for_a_silent_leader(world, browser):
    tabs = open_tabs(world, browser, 2, hooks=LONG_TIMERS)
    leader = leader_of(tabs)
    tabs.remove(leader)
    tabs[0].until("longTimers.size === 1", "the follower to watch its leader")

    leader.close()
    ids = publish(world, 2)
    all_have(tabs, ids)

    assert tabs[0].page.run("longTimers.size") == 0
    leader_of(tabs)


def test_a_leader_that_was_never_heard_is_replaced(world, browser):
    stuck, = open_tabs(world, browser, 1, hooks=MAY_BE_MUTE)
    stuck.page.run("window.isMute = true")
    late = ClientPage(browser, world, hooks=LONG_TIMERS)
    late.follow("/events/news", share=True)
    late.until("stream.lastId !== null", "a position")

    late.page.run("endLongTimers()")
    ids = publish(world, 2)

    all_have([late], ids)
    leader_of([late])


def test_a_tab_that_comes_does_not_excuse_a_silent_leader(world, browser):
    tabs = open_tabs(world, browser, 2, hooks=MAY_BE_MUTE + LONG_TIMERS)
    stuck = leader_of(tabs)
    tabs.remove(stuck)
    stuck.page.run("window.isMute = true")
    open_late = ClientPage(browser, world)
    open_late.follow("/events/news", share=True)
    open_late.until("stream.lastId !== null", "a position")

    tabs[0].page.run("endLongTimers()")
    ids = publish(world, 2)

    all_have([tabs[0], open_late], ids)
    leader_of(tabs)


def test_a_gap_of_a_leader_that_is_behind_is_the_leaders_alone(world, browser):
    """As if retention had overtaken a new leader that was behind this tab."""
    tabs = open_tabs(world, browser, 2)
    ids = publish(world, 3)
    all_have(tabs, ids)
    follower = next(tab for tab in tabs if tab is not leader_of(tabs))

    follower.page.run("""(async () => {
      const name = 'tidings ' + new URL('/events/news', location);
      const data = {requested: '1', resumed: '%s', reason: 'trimmed'};
      const value = {id: %s, channel_id: 'news', ts: new Date().toISOString(),
                     data: {type: 'tidings.gap', data}};
      const heard = new Promise((resolve) => {
        window.other = new BroadcastChannel(name);
        window.other.onmessage = resolve;
      });
      const speaker = new BroadcastChannel(name);
      speaker.postMessage({value, before: '1'});
      await heard;
    })()""" % (ids[0], ids[0]))

    assert follower.page.run("stream.lastId") == str(ids[-1])
    assert follower.said("gaps") == []
    all_have(tabs, ids + publish(world, 2))
