"""Each transport of tidings.js with each fault: a page follows a channel through a
proxy, numbers are published before, during and after the fault, and in the end the
page has each number that was acknowledged once, in order. clients/js.

The tests' names are the rows of the table that the run ends with, and of the one
in docs/using.md.

Silence is what the client calls silence, here 1 s. What it waits between two
short-polls cannot be set, so there its clock runs faster.
"""

import datetime
import json
import signal

import pytest
import client_matrix
from buffering_nginx import BufferingNginx
from client_page import TRANSPORTS, ClientPage
from fault_proxy import FaultProxy
from marks import serve
from patience import TimedOut, eventually
from steady_publisher import SteadyPublisher

pytestmark = [serve(retry_ms=50, keepalive_ms=300, drain_ms=200),
              pytest.mark.parametrize("transport", TRANSPORTS)]

CLAIM = "test_nothing_is_lost_when_"
SOME = 5
TABS = 7
SPEEDS = {"short-poll": 10}
SOON = 0.02  # the part of each random wait that is waited
IS_SILENT = "said.errors.some(({message}) => message === 'silent')"

# The page's time runs so many times as fast, and a test can wind it forward; timers
# that it passes then run at once.
CLOCK = """
  const start = setTimeout.bind(window), stop = clearTimeout.bind(window);
  const pending = new Map(), {now} = Date, begin = now(), speed = %d;
  let ahead = 0;
  Date.now = () => begin + (now() - begin) * speed + ahead;
  window.clearTimeout = (timer) => {
    pending.delete(timer);
    stop(timer);
  };
  window.setTimeout = (fn, ms) => {
    const run = () => {
      pending.delete(timer);
      fn();
    };
    const timer = start(run, ms / speed);
    pending.set(timer, {run, at: Date.now() + ms});
    return timer;
  };
  window.windTo = (time) => {
    ahead += time - Date.now();
    for (const [timer, {run, at}] of [...pending]) if (at <= time) {
      stop(timer);
      run();
    }
  };"""

# What the page has been given when it goes, and not a moment earlier.
NOTE_AT_THE_END = """addEventListener('pagehide', () => sessionStorage.setItem(
    'had', JSON.stringify(said.events.map(({id}) => id))))"""


class Cell:
    """A fault, a transport: the page, the proxy, the publisher."""

    def __init__(self, node, world, browser, transport):
        self.node = node
        self.world = world
        self.browser = browser
        self.transport = transport
        self.proxy = FaultProxy(world.port)
        self.pages = []
        self.publisher = None
        client_matrix.begin(
            node, node.originalname.removeprefix(CLAIM).replace("_", " "),
            transport)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for page in self.pages:
            page.close()
        if self.publisher is not None:
            self.publisher.__exit__()
        self.proxy.end()

    # ---- a page that follows -------------------------------------------

    @property
    def page(self):
        return self.pages[0]

    def open(self, origin=None, ends_by=None, speed=None, **options):
        speed = speed or SPEEDS.get(self.transport, 1)
        page = ClientPage(
            self.browser, self.world, hooks=CLOCK % speed,
            origin=origin or f"http://127.0.0.1:{self.proxy.port}")
        self.pages.append(page)
        page.follow("/events/news", **{
            "transports": [self.transport], "keepaliveSecs": speed,
            "random": SOON, **options})
        page.wait_for_state("open", ends_by or self.transport)
        page.until("stream.lastId !== null", "a position")
        return page

    def begin(self, **options):
        """The page is open and has had the first numbers."""
        self.open(**options)
        self.publish()
        return self.page

    def publish(self):
        """From here on numbers are published; all pages have had some."""
        self.publisher = SteadyPublisher(self.world)
        number = self.publisher.wait_for_more(SOME)[-1]
        for page in self.pages:
            page.wait_for(number)

    def goes_on(self):
        """The page has what is published from now on."""
        number = self.publisher.wait_for_more(SOME)[-1]
        for page in self.pages:
            page.wait_for(number)

    # ---- what networks do ----------------------------------------------

    def each_link(self, act):
        for link in [link for link in self.proxy.links if not link.is_over]:
            act(link)

    def lead_nowhere(self):
        """New connections are reset. A port that nobody listens on may be
        another test's the next moment."""
        self.proxy.do(lambda: setattr(self.proxy, "target", 0))

    def keep_away(self):
        """Until come_back() the client finds nobody."""
        self.lead_nowhere()
        self.each_link(lambda link: link.reset())

    def come_back(self):
        self.proxy.target = self.world.port

    def end_server(self, end):
        """`end` is world.kill or world.stop; come_back() after world.start()."""
        self.lead_nowhere()
        self.world.port = None
        end()

    # ---- the verdict ---------------------------------------------------

    def ends_well(self, published=None, had=()):
        """`had`: what the page had before it was loaded anew."""
        published = self.publisher.stop() if published is None else published
        lost = repeated = 0
        for page in self.pages:
            try:
                page.wait_for(published[-1])
            except TimedOut:
                pass  # then it is lost, and so counted
            ids = [*had, *page.ids()]
            lost += len(set(published) - set(ids))
            repeated += len(ids) - len(set(ids))
        client_matrix.note(self.node, lost, repeated)
        assert (lost, repeated) == (0, 0)
        for page in self.pages:
            assert [*had, *page.ids()] == published
            assert page.page.complaints() == []


@pytest.fixture
def cell(request, world, browser, transport):
    with Cell(request.node, world, browser, transport) as cell:
        yield cell


# ---- the server --------------------------------------------------------------

def test_nothing_is_lost_when_the_server_is_killed(cell):
    cell.begin()
    for _ in range(2):
        cell.end_server(cell.world.kill)
        cell.world.start()
        cell.come_back()
        cell.goes_on()
    cell.ends_well()


def test_nothing_is_lost_when_the_server_is_killed_and_others_are_faster(cell):
    """Much is published before the page finds its way back."""
    cell.begin()
    cell.keep_away()
    cell.end_server(cell.world.kill)
    cell.world.start()
    cell.publisher.wait_for_more(SOME)
    cell.come_back()
    cell.goes_on()
    cell.ends_well()


def test_nothing_is_lost_when_the_server_stops_and_starts(cell):
    cell.begin()
    cell.end_server(cell.world.stop)
    cell.world.start()
    cell.come_back()
    cell.goes_on()
    cell.ends_well()


def test_nothing_is_lost_when_the_server_is_mute(cell):
    """Its process stands still; the kernel takes connections for it."""
    page = cell.begin()
    cell.world.process.send_signal(signal.SIGSTOP)
    try:
        page.until(IS_SILENT, "the client to notice")
    finally:
        cell.world.process.send_signal(signal.SIGCONT)
    cell.goes_on()
    cell.ends_well()


@serve(keep_count=20)
def test_nothing_is_lost_when_what_was_missed_is_trimmed(cell):
    """But for what the page is told of: that lies before `resumed`."""
    page = cell.open()
    ids = cell.world.publish_some("news", SOME)
    page.wait_for(ids[-1])
    cell.keep_away()
    missed = cell.world.publish_some("news", 60)
    eventually(lambda: cell.world.get("/channels/news").json()["count"] == 20,
               "the rest to be trimmed")
    cell.come_back()
    gap, = page.wait_for_some("gaps")
    later = cell.world.publish_some("news", SOME)
    page.wait_for(later[-1])

    assert (gap["requested"], gap["reason"]) == (str(ids[-1]), "trimmed")
    kept = [number for number in missed if number > int(gap["resumed"])]
    assert 0 < len(kept) < len(missed)
    cell.ends_well(ids + kept + later)
    assert len(page.said("gaps")) == 1


def test_nothing_is_lost_when_a_shutdown_is_scheduled(cell):
    """Who comes back before the end is told again, and stays away again."""
    page = cell.begin()
    begin_shutdown(cell.world, 3600)
    for times in (1, 2):
        page.wait_for_some("shutdowns", times)
        cell.publisher.wait_for_more(SOME)
        if times == 2:
            assert cell.world.http("DELETE", "/admin/shutdown").status == 200
        assert page.page.run("stream.state") == "shutdown"
        page.page.run("windTo(said.shutdowns.at(-1).returnsAt)")
    cell.goes_on()
    cell.ends_well()
    assert len(page.said("shutdowns")) == 2


def test_nothing_is_lost_when_a_shutdown_ends_by_itself(cell):
    """With chance at 0 the page is back when the time has come, not before. It has
    heard of it by then: a short-poll asks every 5 s."""
    seconds = 10
    page = cell.begin(random=0, speed=1)
    begin_shutdown(cell.world, seconds)
    page.wait_for_state("shutdown")
    cell.goes_on()
    cell.ends_well()
    shutdown, = page.said("shutdowns")
    assert 0 < shutdown["untilSecs"] <= seconds


def begin_shutdown(world, seconds):
    until = datetime.datetime.now(datetime.timezone.utc) + \
        datetime.timedelta(seconds=seconds)
    assert world.post(
        "/admin/shutdown", json.dumps({"until": f"{until:%Y-%m-%dT%H:%M:%SZ}"}),
        {"Content-Type": "application/json"}).status == 200


def test_nothing_is_lost_when_events_are_corrected_and_withdrawn(cell):
    """Live, while the page is away, and before it has seen them."""
    page = cell.begin()
    wrong, evil, wrong_too, evil_too = cell.publisher.ids[:4]
    amend(cell.world, wrong, evil)
    page.wait_for_some("withdrawals")
    cell.keep_away()
    unseen, gone = cell.publisher.wait_for_more(SOME)[-2:]
    amend(cell.world, wrong_too, evil_too)
    amend(cell.world, unseen, gone)
    cell.publisher.wait_for_more(SOME)
    cell.come_back()
    cell.goes_on()

    published = cell.publisher.stop()
    published.remove(gone)
    cell.ends_well(published)
    assert [event["corrects"] for event in page.said("corrections")][:2] == \
        [str(wrong), str(wrong_too)]
    assert [event["withdraws"] for event in page.said("withdrawals")][:2] == \
        [str(evil), str(evil_too)]
    assert [event["data"] for event in page.events()
            if event["id"] == str(unseen)] == ["right"]


def amend(world, wrong, evil):
    assert world.http("PUT", f"/publish/news/{wrong}",
                      body=b"right").status == 200
    assert world.http("DELETE", f"/publish/news/{evil}").status == 200


# ---- the network -------------------------------------------------------------

def test_nothing_is_lost_when_connections_vanish_without_a_word(cell):
    """No FIN, no RST: for the client they are open, and silent."""
    page = cell.begin()
    cell.each_link(lambda link: link.vanish("client"))
    cell.publisher.wait_for_more(SOME)
    page.until(IS_SILENT, "the client to notice")
    cell.goes_on()
    cell.ends_well()


def test_nothing_is_lost_when_the_network_stalls(cell):
    """For new connections too, until it flows again: then what had been on
    its way comes late."""
    page = cell.begin()
    cell.proxy.for_new_links = lambda link: link.stall()
    cell.each_link(lambda link: link.stall())
    cell.publisher.wait_for_more(SOME)
    page.until(IS_SILENT, "the client to notice")
    cell.proxy.for_new_links = None
    cell.each_link(lambda link: link.flow())
    cell.goes_on()
    cell.ends_well()


def test_nothing_is_lost_when_connections_are_closed(cell):
    cell.begin()
    cell.each_link(lambda link: link.close())
    cell.goes_on()
    cell.ends_well()


def test_nothing_is_lost_when_nobody_listens_for_a_while(cell):
    page = cell.begin()
    cell.proxy.refuse()
    cell.each_link(lambda link: link.reset())
    page.wait_for_state("waiting")
    cell.publisher.wait_for_more(SOME)
    cell.proxy.listen()
    cell.goes_on()
    cell.ends_well()


def test_nothing_is_lost_when_connections_are_reset(cell):
    cell.begin()
    for _ in range(5):
        cell.each_link(lambda link: link.reset())
        cell.goes_on()
    cell.ends_well()


def test_nothing_is_lost_when_connections_end_within_an_event(cell):
    """Each ends some bytes later than the one before: in the head, in the
    middle of events, between two."""
    cell.begin()
    counts = list(range(1400, 100, -171))

    def cut(link):
        if counts:
            link.to_client.end_after(counts.pop(), link.close)
    cell.proxy.for_new_links = cut
    cell.each_link(lambda link: link.to_client.end_after(77, link.close))
    eventually(lambda: not counts, "all cuts")
    cell.goes_on()
    cell.ends_well()


def test_nothing_is_lost_when_bytes_drip(cell):
    def drip(link):
        link.to_client.drip(7, 0.001)
    page = cell.begin()
    cell.proxy.for_new_links = drip
    cell.each_link(drip)
    page.wait_for(cell.publisher.wait_for_more(SOME)[-1])
    cell.proxy.for_new_links = None
    cell.each_link(lambda link: link.to_client.bandwidth(1 << 30))
    cell.goes_on()
    cell.ends_well()


def test_nothing_is_lost_when_a_proxy_buffers(cell, tmp_path):
    """Then only polls work. What comes before them is passed over."""
    nginx = BufferingNginx(tmp_path, cell.proxy.port).start()
    try:
        at = TRANSPORTS.index(cell.transport)
        works = TRANSPORTS[max(at, TRANSPORTS.index("long-poll"))]
        cell.begin(origin=f"http://127.0.0.1:{nginx.port}", ends_by=works,
                   transports=TRANSPORTS[at:])
        cell.each_link(lambda link: link.reset())
        cell.goes_on()
        assert cell.page.page.run("stream.transport") == works
        cell.ends_well()
    finally:
        nginx.stop()


# ---- the page ----------------------------------------------------------------

def test_nothing_is_lost_when_the_page_is_loaded_anew(cell):
    page = cell.begin(storage=True)
    page.page.run(NOTE_AT_THE_END)
    page.reload()
    had = json.loads(page.page.run("sessionStorage.getItem('had')"))
    cell.goes_on()
    cell.ends_well(had=[int(number) for number in had])


def open_tabs(cell):
    """The numbers flow; the tab that leads is taken out."""
    for _ in range(TABS):
        cell.open(share=True)
    cell.publish()
    leader, = (page for page in cell.pages
               if page.said("states")[-1]["shared"] is False)
    cell.pages.remove(leader)
    return leader


def test_nothing_is_lost_when_the_leader_of_seven_tabs_is_closed(cell):
    leader = open_tabs(cell)
    leader.close()
    cell.goes_on()
    cell.ends_well()


def test_nothing_is_lost_when_the_leader_of_seven_tabs_crashes(cell):
    leader = open_tabs(cell)
    leader.page.end_process()
    cell.goes_on()
    cell.ends_well()
    leader.close()
