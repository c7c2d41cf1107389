"""Every row behind nginx, HAProxy and Varnish, with a tap between each and the
server: we must count as many requests as h11 finds in what was forwarded, and
nothing that was hidden may have been executed.

A head that h11 takes and we refuse (we are the stricter) is counted as refused;
the opposite must not happen. What a proxy answers by itself is its own affair.
"""

import time

import pytest
from front_proxies import FRONT_PROXIES
from patience import SLOWNESS, eventually
from tap import Tap, count_by_h11
from test_table import CASES, name_of
from world import World

GRACE_S = 0.3 * SLOWNESS  # for a proxy that keeps silent; no test depends on it


@pytest.fixture(scope="module")
def proxied_world(tmp_path_factory):
    """Of its own: what a proxy takes for a request may go to the channel that
    must stay empty without one."""
    world = World(tmp_path_factory.mktemp("proxied"))
    world.start(drain_ms=100)
    try:
        yield world
        world.end()
    finally:
        world.abandon()


@pytest.fixture(scope="module", params=FRONT_PROXIES,
                ids=[kind.name for kind in FRONT_PROXIES])
def front_proxy(request, proxied_world, tmp_path_factory):
    """A proxy that runs, with its tap."""
    tap = Tap(proxied_world.port)
    directory = tmp_path_factory.mktemp(request.param.name)
    for folder in (directory, directory.parent):
        folder.chmod(0o755)
    proxy = request.param(directory, tap.port)
    proxy.tap = tap
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
        tap.close()


def counted(world):
    """Routed and refused heads, and what is in the channel that nobody uses."""
    figures = world.metrics()
    hidden = world.get("/channels/hidden")
    return (int(figures["requests"]), int(figures["heads_refused"]),
            hidden.json()["count"] if hidden.status == 200 else 0)


def talk(proxy, case):
    """Sends the row and waits for as many answers as it has, the end, or for a
    while: a proxy may wait for more where we would not."""
    connection = proxy.connect()
    connection.try_send(case.sent)
    wanted = max(1, len(case.answers.split()))
    until = time.monotonic() + GRACE_S
    while connection.buffer.count(b"HTTP/1.") < wanted:
        left = until - time.monotonic()
        if left <= 0:
            break
        connection.socket.settimeout(left)
        try:
            data = connection.socket.recv(65536)
        except OSError:  # a deadline, or the end of TLS
            break
        if not data:
            break
        connection.buffer += data
    connection.close()


class Books:
    """What we counted since the beginning, and what h11 finds in the tap."""

    def __init__(self, world, tap):
        self.world, self.tap = world, tap
        self.asked = 0  # our own questions
        self.before = counted(world)

    def look(self):
        self.asked += 2
        now = counted(self.world)
        self.routed, self.refused, self.hidden = (
            new - old for new, old in zip(now, self.before))
        self.routed -= self.asked
        found = [count_by_h11(*flow) for flow in self.tap.taken()]
        self.requests = sum(len(one.targets) for one in found)
        self.errors = sum(one.errors for one in found)
        self.asked_for_hidden = sum(
            b"hidden" in target for one in found for target in one.targets)

    def agree(self):
        self.look()
        return (self.routed <= self.requests
                and self.routed + self.refused == self.requests + self.errors
                and (self.refused > 0 or self.routed == self.requests)
                and self.hidden <= self.asked_for_hidden)

    def __str__(self):
        return (f"we: {self.routed} routed, {self.refused} refused, "
                f"{self.hidden} hidden; h11: {self.requests} requests, "
                f"{self.errors} errors, {self.asked_for_hidden} hidden")


def differs(said, answered):
    """Whether more or less was answered than h11 finds: to show what is wrong."""
    found = count_by_h11(said, answered)
    answers = answered.count(b"\r\nDate: ")
    return answers != len(found.targets) + found.errors


def test_as_many_requests_as_a_second_reader_finds(proxied_world, front_proxy):
    """What is smuggled is executed only if the proxy itself took it for a request
    and sent it as one of its own, which h11 then sees, too."""
    tap = front_proxy.tap
    books = Books(proxied_world, tap)
    for case in CASES:
        begun = len(tap.taken())
        talk(front_proxy, case)
        try:
            eventually(books.agree, "the counts to agree", 5 * SLOWNESS)
        except AssertionError:
            differing = [flow for flow in tap.taken()
                         if differs(*flow)] or tap.taken()[begun:]
            pytest.fail(f"{name_of(case)}: {books} in {differing}")
    print(f"{front_proxy.name}: {len(CASES)} rows; {books}")
    assert books.routed > len(CASES) / 4, "the proxy passed little on"
