"""tidings.js where the page, its clock or its network behaves oddly. clients/js."""

from client_page import ClientPage
from marks import serve


def test_a_token_that_fails_without_a_reason_is_asked_for_again(world, browser):
    page = ClientPage(browser, world)

    page.page.run("""(async () => {
        const {tidings} = await import('/tidings.js');
        let asked = 0;
        window.stream = tidings('/events/news', {
          random: () => 0,
          token: () => asked++ ? 'a.b.c' : Promise.reject(),
          onState: ({state}) => { document.documentElement.dataset.state = state; },
        });
    })()""")

    page.until("stream.state === 'open' || stream.state === 'closed'",
               "an answer to the second token")
    assert page.page.complaints() == []


def test_a_loop_that_is_behind_has_after_a_reload_what_it_had_not(world,
                                                                  browser):
    page = ClientPage(browser, world, hooks="""
        window.taken = [];
        window.follow_slowly = async () => {
          for await (const event of stream) {
            taken.push(Number(event.id));
            document.documentElement.dataset.taken = taken.length;
            await window.gate;
          }
        };""")
    page.follow("/events/news", storage=True)
    page.until("stream.lastId !== null", "a position")
    page.page.run("window.gate = new Promise(() => {}); follow_slowly(); true")
    ids = [world.publish("news", f"{n}") for n in range(5)]
    page.wait_for(ids[-1])
    assert page.page.run("taken") == ids[:1]

    # At once: what comes while there is no loop is no loop's.
    page.following = f"{page.following}.then(() => {{ follow_slowly(); }})"
    page.reload()
    page.until("taken.length === 4", "the rest")

    assert page.page.run("taken") == ids[1:]


def test_a_clock_that_is_set_back_makes_no_wait_longer(world, browser):
    page = ClientPage(browser, world)

    page.page.run("""(async () => {
        const {tidings} = await import('/tidings.js');
        window.hours = 0;
        const clock = {
          now: () => Date.now() - hours * 3_600_000,
          setTimeout: (fn, ms) => setTimeout(fn, ms),
          clearTimeout: (timer) => clearTimeout(timer),
        };
        window.stream = tidings('/none', {
          clock,
          random: () => 0.1,
          transports: ['short-poll'],
          token: () => { throw new Error('no token yet'); },
          onState: ({state}) => {
            if (state !== 'waiting') return;
            setTimeout(() => {
              hours++;
              document.documentElement.dataset.waits = hours;
            });
          },
        });
    })()""")

    page.until("window.hours === 3", "three waits")


@serve(keepalive_ms=100)
def test_no_interval_makes_long_polls_a_hot_loop(world, browser):
    page = ClientPage(browser, world, hooks="""
        const ask = window.fetch;
        window.asked = [];
        window.fetch = (url, options) => {
          asked.push(new URL(url).searchParams.get('timeout'));
          document.documentElement.dataset.asked = asked.length;
          return ask(url, options);
        };""")
    page.follow("/events/news", transports=["long-poll"],
                keepaliveSecs=0.9)
    page.until("asked.length >= 3", "three questions")

    assert page.page.run("asked.slice(0, 3)") == ["0", "1", "1"]


def test_a_better_transport_is_never_sought_without_a_pause(world, browser):
    """A timer of more than 2^31 ms ends at once."""
    page = ClientPage(browser, world)

    page.page.run("""(async () => {
        const {tidings} = await import('/tidings.js');
        window.pauses = [];
        const clock = {
          now: () => Date.now(),
          setTimeout: (fn, ms) => {
            if (ms < 600_000) return setTimeout(fn, ms);
            pauses.push(ms);
            document.documentElement.dataset.pauses = pauses.length;
            return setTimeout(fn, 0);
          },
          clearTimeout: (timer) => clearTimeout(timer),
        };
        window.stream = tidings('/events/news', {
          clock,
          random: () => 0,
          transports: ['none', 'long-poll'],
        });
    })()""")
    page.until("pauses.length >= 15", "fifteen looks for better")
    page.page.run("stream.close()")

    pauses = page.page.run("pauses")
    assert pauses[:3] == [600_000, 1_200_000, 2_400_000]
    assert max(pauses) < 2 ** 31


def test_a_slow_answer_to_a_poll_is_waited_for(world, browser):
    """A backlog of a MiB takes a phone longer than a stream's first byte."""
    page = ClientPage(browser, world, hooks="""
        window.limits = [];
        const ask = window.fetch, {setTimeout} = window;
        window.setTimeout = (fn, ms) => {
          limits.push(ms);
          return setTimeout(fn, ms);
        };
        window.fetch = async (url, options) => {
          const answer = await ask(url, options);
          const text = await answer.text();
          answer.text = () => {
            window.limit = limits.at(-1);
            return Promise.resolve(text);
          };
          return answer;
        };""")
    page.follow("/events/news", transports=["short-poll"])
    page.wait_for_state("open")

    assert page.page.run("limit") == 120_000
