"""client_page.py -- a page that runs tidings.js and writes down what it is told.

    page = ClientPage(browser, world)
    page.follow("/events/news", transports=["websocket"])
    page.wait_for(number)                  the event with that id is there
    assert page.ids() == [...]

Everything that the stream says is kept in the page in the order in which it came,
so that a test of any transport with any fault ends with the same two questions:
page.lost(published) and page.repeated(), which must both be empty.

`hooks` is script that is run before the client is loaded: what the page's browser
cannot do. `origin` is where the page comes from, a proxy for one; reload() loads
the page anew and follows the same again.
"""

import json

TRANSPORTS = ("fetch", "eventsource", "websocket", "long-poll", "short-poll")

# The clock of the page stays real; what is random is the middle.
FOLLOW = """(async () => {
  %(hooks)s
  const said = {events: [], states: [], gaps: [], corrections: [],
                withdrawals: [], shutdowns: [], errors: []};
  window.said = said;
  window.changes = 0;
  const changed = () => {
    document.documentElement.dataset.changes = ++window.changes;
  };
  const keep = (list) => (what) => {
    list.push(what);
    changed();
  };
  const {tidings} = await import('/tidings.js');
  window.stream = tidings(%(target)s, {
    random: () => %(random)s,
    onEvent: keep(said.events),
    onState: keep(said.states),
    onGap: keep(said.gaps),
    onCorrection: keep(said.corrections),
    onWithdrawal: keep(said.withdrawals),
    onShutdown: keep(said.shutdowns),
    onError: ({kind, message, text, status, transport}) =>
      keep(said.errors)({kind, message, text, status, transport}),
    ...%(options)s,
    %(more)s
  });
  let lastId = stream.lastId; // so that a test can wait for it
  Object.defineProperty(stream, 'lastId', {
    get: () => lastId,
    set: (id) => {
      lastId = id;
      changed();
    },
  });
})()"""

# What the page tells of itself where a wait was in vain.
ACCOUNT = """JSON.stringify({
  state: window.stream?.state, transport: window.stream?.transport,
  lastId: window.stream?.lastId, online: navigator.onLine,
  visible: document.visibilityState, now: Math.round(performance.now()),
  states: window.said?.states, errors: window.said?.errors,
  gaps: window.said?.gaps, ids: window.said?.events.map(({id}) => id).slice(-20),
  requests: performance.getEntriesByType('resource').slice(-10).map((entry) =>
    [entry.name, Math.round(entry.startTime), Math.round(entry.responseStart),
     Math.round(entry.responseEnd), entry.responseStatus])})"""

# Scripts that take something away from the page's browser.
NO_FETCH_STREAM = """
  Object.defineProperty(Response.prototype, 'body', {get: () => null});"""
NO_EVENTSOURCE = "delete window.EventSource;"
NO_WEBSOCKET = "delete window.WebSocket;"
NO_LONG_POLL = """
  const ask = window.fetch;
  window.fetch = (url, options) => String(url).includes('flavor=long-poll')
    ? Promise.resolve(new Response('blocked', {status: 403}))
    : ask(url, options);"""
# What would be waited for long is waited for a twentieth of it.
IMPATIENT = """
  const later = window.setTimeout;
  window.setTimeout = (fn, ms) => later(fn, ms >= 30000 ? ms / 20 : ms);"""
NO_LOCKS = """
  Object.defineProperty(navigator, 'locks', {value: undefined});"""


class ClientPage:
    def __init__(self, browser, world, origin=None, hooks=""):
        self.hooks = hooks
        self.following = None
        origin = origin or f"http://127.0.0.1:{world.port}"
        # A page without scripts of its own that holds no connection.
        self.page = browser.open(origin + "/tidings.d.ts")
        self.page.account = ACCOUNT

    # ---- acting --------------------------------------------------------

    def follow(self, target, random=0.5, more="", **options):
        """Options as tidings() takes them; those that JSON cannot say are script,
        in `more`."""
        self.following = FOLLOW % {
            "hooks": self.hooks, "target": json.dumps(target),
            "random": random, "options": json.dumps(options), "more": more}
        self.page.run(self.following)
        return self

    def reload(self):
        self.page.call("Page.reload")
        self.page.until("window.said === undefined &&"
                        " document.readyState === 'complete'", "a new page")
        self.page.run(self.following)

    def stop(self):
        self.page.run("stream.close()")

    def get_stuck(self):
        """The page's scripts never run again, but its process lives."""
        self.page.browser.send("Runtime.evaluate", self.page.session,
                               expression="for (;;);")

    def close(self):
        """Closes the tab."""
        self.page.close()

    # ---- waiting -------------------------------------------------------

    def until(self, condition, what):
        self.page.until(condition, what)

    def wait_for(self, number):
        self.until(f"said.events.some(({{id}}) => id === '{number}')",
                   f"event {number}")

    def wait_for_state(self, state, transport=None):
        also = f" && stream.transport === '{transport}'" if transport else ""
        self.until(f"stream.state === '{state}'{also}",
                   f"the stream to be {state} by {transport or 'any way'}")

    def wait_for_some(self, what, count=1):
        """`what`: gaps, errors, corrections ..."""
        self.until(f"said.{what}.length >= {count}", f"{count} {what}")
        return self.said(what)

    # ---- asking --------------------------------------------------------

    def said(self, what):
        return self.page.run(f"said.{what}")

    def events(self):
        return self.said("events")

    def ids(self):
        return [int(event["id"]) for event in self.events()]

    def lost(self, published):
        return sorted(set(published) - set(self.ids()))

    def repeated(self):
        ids = self.ids()
        return sorted({id for id in ids if ids.count(id) > 1})

    def states(self):
        return [(change["state"], change["transport"])
                for change in self.said("states")]

    def transports_tried(self):
        """In the order in which they were."""
        tried = [transport for state, transport in self.states()
                 if state == "connecting"]
        return list(dict.fromkeys(tried))

    def has_exactly(self, published):
        assert self.lost(published) == []
        assert self.repeated() == []
        assert self.ids() == list(published)
        assert self.page.complaints() == []
