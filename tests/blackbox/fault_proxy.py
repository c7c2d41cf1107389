"""fault_proxy.py -- a TCP proxy that does to connections what networks do.

    with FaultProxy(world.port) as proxy:
        client = Connection(proxy.port)
        link = proxy.next_link()        # the connection just made
        link.stall()                    # both sockets stay open, nothing moves
        link.flow()                     # and on it goes
        link.vanish("client")           # the client never hears of it again

A Link is one connection through the proxy: two sockets, and a Lane for each way.
`proxy.for_new_links = lambda link: link.to_client.end_after(1000, link.reset)` does
something to each new link before its first byte moves; `proxy.target` is where new
ones lead.

One thread owns all sockets and lanes; it waits in poll() for sockets, for a time at
which a lane may write again, and for what the test wants. The test's calls run in
that thread, one at a time, and return when they are done: whatever is sent after
stall() returned does not arrive. A lane holds at most BUFFER_BYTES; when it is full
nothing more is read, and the sender feels it as from a slow network.

    stall, flow       nothing moves; moves again
    close             both ends hear an orderly end (FIN)
    reset             both ends hear RST
    vanish(side)      that side's socket stays open and silent for good, the
                      other's is closed: a cut without FIN
    lane.drip(n, s)   at most n bytes every s seconds; bandwidth(n) per second
    lane.delay(s)     each byte is on its way for s seconds
    lane.end_after(n, action)   n bytes move from here on, then the action
    lane.swap(old, new, ...)    these bytes become those, which are as many, from
                                here on, where they come in one piece; `swapped`
                                counts. swap(None, None) ends it
"""

import collections
import queue
import select
import socket
import struct
import threading
import time

from patience import Deadline

BUFFER_BYTES = 1 << 18
PIECE_BYTES = 1 << 16
TICKS_PER_S = 20  # how finely a bandwidth is dealt out
LINGER_NOT = struct.pack("ii", 1, 0)  # close() sends RST


class Lane:
    """One way of a link: bytes that were read and wait to be written."""

    def __init__(self, link, source, sink):
        self.link = link
        self.source = source
        self.sink = sink
        self.waiting = collections.deque()  # (when it may go, bytes)
        self.waiting_bytes = 0
        self.is_read_out = False  # the source has ended
        self.is_done = False  # and the sink was told
        self.moved_bytes = 0
        self.writes = 0
        self.delay_s = 0
        self.portion = None  # (bytes, every so many seconds)
        self.open_at = 0  # when the next portion may go
        self.left = None  # bytes until `action`
        self.action = None
        self.swaps = []  # (these bytes, become those)
        self.swapped = 0

    # ---- what a test can ask for ---------------------------------------

    def drip(self, count, every_s):
        self.link.proxy.do(lambda: self._set_portion((count, every_s)))

    def bandwidth(self, bytes_per_s):
        self.drip(max(1, bytes_per_s // TICKS_PER_S), 1 / TICKS_PER_S)

    def delay(self, seconds):
        self.link.proxy.do(lambda: setattr(self, "delay_s", seconds))

    def end_after(self, count, action):
        """`action` is a method of the link: close, reset, stall, or
        lambda: link.vanish(side)."""
        def begin():
            self.left, self.action = count, action
        self.link.proxy.do(begin)

    def swap(self, *words):
        pairs = [pair for pair in zip(words[::2], words[1::2]) if pair[0]]
        assert all(len(old) == len(new) for old, new in pairs)
        self.link.proxy.do(lambda: setattr(self, "swaps", pairs))

    def _set_portion(self, portion):
        self.portion = portion
        self.open_at = 0

    # ---- the proxy's thread --------------------------------------------

    def may_read(self):
        return not self.is_read_out and self.waiting_bytes < BUFFER_BYTES

    def opens_at(self):
        """When it may write; None if there is nothing to write."""
        if not self.waiting:
            return None
        return max(self.waiting[0][0], self.open_at)

    def read(self, now):
        data = self.source.recv(PIECE_BYTES)
        for old, new in self.swaps:
            self.swapped += data.count(old)
            data = data.replace(old, new)
        if data:
            self.waiting.append((now + self.delay_s, data))
            self.waiting_bytes += len(data)
        else:
            self.is_read_out = True

    def write(self, now):
        when, data = self.waiting[0]
        limits = [len(data)]
        if self.portion is not None:
            limits.append(self.portion[0])
            self.open_at = now + self.portion[1]
        if self.left is not None:
            limits.append(self.left)
        count = self.sink.send(data[:min(limits)]) if min(limits) else 0
        if count < len(data):
            self.waiting[0] = (when, data[count:])
        else:
            self.waiting.popleft()
        self.waiting_bytes -= count
        self.moved_bytes += count
        self.writes += 1
        self.come_to_an_end(count)

    def come_to_an_end(self, count):
        if self.left is None:
            return
        self.left -= count
        if self.left == 0:
            action, self.left, self.action = self.action, None, None
            action()

    def pass_the_end_on(self):
        if self.is_read_out and not self.waiting and not self.is_done:
            self.is_done = True
            self.sink.shutdown(socket.SHUT_WR)


class Link:
    """A connection through the proxy."""

    def __init__(self, proxy, client, server):
        self.proxy = proxy
        self.client = client
        self.server = server
        self.to_client = Lane(self, server, client)
        self.to_server = Lane(self, client, server)
        self.lanes = (self.to_client, self.to_server)
        self.is_stalled = False
        self.is_over = False  # no byte will move any more

    def stall(self):
        self.proxy.do(lambda: setattr(self, "is_stalled", True))

    def flow(self):
        self.proxy.do(lambda: setattr(self, "is_stalled", False))

    def close(self):
        self.proxy.do(lambda: self._end(self.client, self.server))

    def reset(self):
        def both():
            for end in (self.client, self.server):
                if end.fileno() >= 0:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   LINGER_NOT)
            self._end(self.client, self.server)
        self.proxy.do(both)

    def vanish(self, side):
        """For the client or the server the other one is gone, unsaid."""
        assert side in ("client", "server"), side
        other = self.server if side == "client" else self.client
        self.proxy.do(lambda: self._end(other))

    def _end(self, *ends):
        self.is_over = True
        for end in ends:
            end.close()

    # ---- the proxy's thread --------------------------------------------

    def interests(self, now):
        """What could be done now: poll()'s mask by socket."""
        masks = {}
        for lane in self.lanes:
            opens = lane.opens_at()
            if lane.may_read():
                masks[lane.source] = masks.get(lane.source, 0) | select.POLLIN
            if opens is not None and opens <= now:
                masks[lane.sink] = masks.get(lane.sink, 0) | select.POLLOUT
        return masks

    def move(self, events):
        """`events` by socket. A side that is reset resets the other."""
        now = time.monotonic()
        broken = select.POLLHUP | select.POLLERR
        try:
            for lane in self.lanes:
                if events.get(lane.source, 0) & (select.POLLIN | broken) \
                        and lane.may_read():
                    lane.read(now)
                opens = lane.opens_at()
                if events.get(lane.sink, 0) & (select.POLLOUT | broken) \
                        and opens is not None and opens <= now:
                    lane.write(now)
                if self.is_over or self.is_stalled:
                    return
                lane.pass_the_end_on()
            if all(lane.is_done for lane in self.lanes):
                self._end(self.client, self.server)
        except BlockingIOError:
            pass
        except OSError:
            self.reset()


class FaultProxy:
    """Listens on a port of its own, and leads to `target`."""

    def __init__(self, target):
        self.target = target  # a port of this machine
        self.for_new_links = None  # called with each, in the proxy's thread
        self.links = []
        self.fresh = queue.Queue()  # links that next_link() has not given yet
        self.wanted = queue.Queue()  # calls of the test
        self.waking, self.woken = socket.socketpair()
        self.port = 0
        self._open_listener()
        self.is_ending = False
        self.thread = threading.Thread(target=self._run, name="fault-proxy",
                                       daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def next_link(self):
        """The oldest link that was not given yet, waited for."""
        try:
            return self.fresh.get(timeout=Deadline().left("a link"))
        except queue.Empty:
            raise AssertionError("nobody connects to the proxy") from None

    def refuse(self):
        """New connections are refused, as where nobody listens."""
        self.do(self.listener.close)

    def listen(self):
        """Takes connections again after refuse(), on the same port."""
        self.do(self._open_listener)

    def end(self):
        self.do(lambda: setattr(self, "is_ending", True))
        self.thread.join(Deadline().left("the proxy's thread"))
        assert not self.thread.is_alive()
        for link in self.links:
            link._end(link.client, link.server)
        for end in (self.listener, self.waking, self.woken):
            end.close()

    def do(self, call):
        """Runs the call in the proxy's thread and waits until it is done."""
        if threading.current_thread() is self.thread:
            call()
            return
        done = threading.Event()
        self.wanted.put((call, done))
        self.waking.send(b"!")
        assert done.wait(Deadline().left("the proxy")), "the proxy hangs"

    # ---- its thread ----------------------------------------------------

    def _open_listener(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(128)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]

    def _run(self):
        while not self.is_ending:
            ready = self._wait()
            if self.woken in ready:
                self.woken.recv(4096)
            self._do_what_is_wanted()
            if self.listener in ready:
                self._accept()
            for link in self._moving():
                events = {end: mask for end, mask in ready.items()
                          if end in (link.client, link.server)}
                link.move(events)

    def _moving(self):
        return [link for link in self.links
                if not link.is_over and not link.is_stalled]

    def _wait(self):
        """What poll() says, by socket."""
        interests = {self.woken: select.POLLIN}
        if self.listener.fileno() >= 0:
            interests[self.listener] = select.POLLIN
        opens = []
        now = time.monotonic()  # one for both: what is not open yet is waited for
        for link in self._moving():
            interests.update(link.interests(now))
            opens += [lane.opens_at() for lane in link.lanes]
        later = [at - now for at in opens if at is not None and at > now]
        poll = select.poll()
        sockets = {}
        for end, mask in interests.items():
            poll.register(end, mask)
            sockets[end.fileno()] = end
        timeout = min(later) * 1000 + 1 if later else None
        return {sockets[number]: mask for number, mask in poll.poll(timeout)}

    def _do_what_is_wanted(self):
        while not self.wanted.empty():
            call, done = self.wanted.get()
            call()
            done.set()

    def _accept(self):
        try:
            client, _ = self.listener.accept()
        except OSError:  # refused since, or gone again
            return
        try:
            server = socket.create_connection(("127.0.0.1", self.target),
                                              Deadline().left("the target"))
        except OSError:  # nobody there: so it is for the client
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
            client.close()
            return
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = Link(self, client, server)
        if self.for_new_links is not None:
            self.for_new_links(link)
        self.links.append(link)
        self.fresh.put(link)
