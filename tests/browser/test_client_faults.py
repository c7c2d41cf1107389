"""Each transport of tidings.js against each thing that networks and servers do to
it. After every fault the same two questions: what was lost, what was repeated.

The page reaches the server through the fault proxy; events are published before,
during and after the fault."""

import datetime
import os
import signal

import pytest
from client_page import TRANSPORTS, ClientPage
from fault_proxy import FaultProxy
from marks import serve

pytestmark = serve(retry_ms=300, keepalive_ms=500, drain_ms=200)

# Sequences of published events around a fault.
SOME = 5


class Scene:
    """A page that follows `news` through the proxy, and what was published."""

    def __init__(self, world, browser, proxy, transport):
        self.world = world
        self.proxy = proxy
        self.published = []
        self.links = []
        proxy.for_new_links = self.links.append
        self.page = ClientPage(browser, world,
                               origin=f"http://127.0.0.1:{proxy.port}")
        self.page.follow("/events/news", transports=[transport],
                         keepaliveSecs=1, random=0.05)
        self.page.wait_for_state("open", transport)
        self.page.until("stream.lastId !== null", "a position")

    def publish(self):
        self.published += [self.world.publish("news", f"event {n}")
                           for n in range(SOME)]

    def all_links(self, fault):
        for link in self.links:
            fault(link)
        self.links.clear()


def stalled(scene):
    """The connections stay open and nothing moves any more."""
    scene.all_links(lambda link: link.stall())
    scene.publish()


def cut_without_a_word(scene):
    """The page never hears that its connections are gone."""
    scene.all_links(lambda link: link.vanish("client"))
    scene.publish()


def reset(scene):
    scene.all_links(lambda link: link.reset())
    scene.publish()


def closed(scene):
    scene.all_links(lambda link: link.close())
    scene.publish()


def cut_in_the_middle(scene):
    """Each new connection ends after some bytes: in a head, in an event."""
    sizes = iter((40, 350, 500, 700, 900, 1300))

    def end_early(link):
        scene.links.append(link)
        size = next(sizes, None)
        if size is not None:
            link.to_client.end_after(size, link.reset)

    scene.proxy.for_new_links = end_early
    reset(scene)


def refused(scene):
    """For a while nobody listens."""
    scene.proxy.refuse()
    reset(scene)
    scene.page.until("stream.state === 'waiting'", "the page to wait")
    scene.proxy.listen()


def server_stopped(scene):
    """SIGSTOP: sockets are open, accepted by the kernel, and silent."""
    process = scene.world.process
    process.send_signal(signal.SIGSTOP)
    try:
        scene.page.until("said.states.at(-1).reason === 'silent'",
                         "the watchdog")
    finally:
        os.kill(process.pid, signal.SIGCONT)
    scene.publish()


def server_killed(scene):
    scene.world.hang_up_all()
    scene.world.kill()
    scene.world.start()
    scene.proxy.target = scene.world.port
    scene.publish()


def server_restarted(scene):
    scene.world.restart()
    scene.proxy.target = scene.world.port
    scene.publish()


FAULTS = (stalled, cut_without_a_word, reset, closed, cut_in_the_middle,
          refused, server_stopped, server_killed, server_restarted)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_nothing_is_lost_or_repeated(world, browser, transport, fault):
    with FaultProxy(world.port) as proxy:
        scene = Scene(world, browser, proxy, transport)
        scene.publish()

        fault(scene)
        scene.publish()
        scene.page.wait_for(scene.published[-1])

        scene.page.has_exactly(scene.published)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_scheduled_shutdown_is_waited_for(world, browser, transport):
    seconds = 8 if transport == "short-poll" else 3  # it asks every 5 s
    with FaultProxy(world.port) as proxy:
        scene = Scene(world, browser, proxy, transport)
        scene.page.page.run("stream.close()")
        # With chance at 0 it comes back when the time has come, not before.
        scene.page.follow("/events/news", transports=[transport], random=0)
        scene.page.until("stream.lastId !== null", "a position")
        until = datetime.datetime.now(datetime.timezone.utc) + \
            datetime.timedelta(seconds=seconds)

        assert world.post("/admin/shutdown", '{"until":"%s"}' %
                          until.strftime("%Y-%m-%dT%H:%M:%SZ"),
                          {"Content-Type": "application/json"}).status == 200
        scene.page.wait_for_state("shutdown")
        scene.publish()
        scene.page.wait_for(scene.published[-1])

        shutdown, = scene.page.said("shutdowns")
        assert 0 < shutdown["untilSecs"] <= seconds
        scene.page.has_exactly(scene.published)
