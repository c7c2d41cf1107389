"""The proxy that breaks connections does each break as it says; tests of clients
lean on it. The last tests lead through it to the server.

That nothing arrives is looked at after something else did: the proxy's one thread
has then passed everything that it would pass.
"""

import socket
import time

import pytest

from fault_proxy import FaultProxy
from http_raw import CutOff
from marks import serve
from patience import Deadline

SOME = b"".join(b"%07d\n" % number for number in range(40_000))


class Ends:
    """A client and a server that talk through a proxy."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.proxy = FaultProxy(self.listener.getsockname()[1])
        self.opened = []

    def connect(self):
        """The two ends of a new link, and the link."""
        client = socket.create_connection(("127.0.0.1", self.proxy.port))
        link = self.proxy.next_link()
        server, _ = self.listener.accept()
        self.opened += [client, server]
        for end in (client, server):
            end.settimeout(Deadline().left("the other end"))
        return client, server, link

    def settle(self):
        """Everything that the proxy would pass by now, it has passed."""
        client, server, link = self.connect()
        client.sendall(b"?")
        assert server.recv(1) == b"?"
        server.sendall(b"!")
        assert client.recv(1) == b"!"
        link.close()

    def hears_nothing(self, end):
        self.settle()
        end.setblocking(False)
        with pytest.raises(BlockingIOError):
            end.recv(1)
        end.settimeout(Deadline().left("the other end"))
        return True

    def close(self):
        self.proxy.end()
        for end in [self.listener, *self.opened]:
            end.close()


@pytest.fixture
def ends():
    ends = Ends()
    yield ends
    ends.close()


def receive(end, count):
    data = b""
    while len(data) < count:
        piece = end.recv(count - len(data))
        assert piece, f"the end after {len(data)} bytes"
        data += piece
    return data


def receive_all(end):
    pieces = []
    while piece := end.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def is_reset(end):
    with pytest.raises(ConnectionResetError):
        while end.recv(65536):
            pass
    return True


def test_bytes_and_the_end_of_each_way_pass(ends):
    client, server, link = ends.connect()
    client.sendall(b"question")
    client.shutdown(socket.SHUT_WR)
    assert receive_all(server) == b"question"
    server.sendall(b"answer")
    server.close()
    assert receive_all(client) == b"answer"
    ends.settle()
    assert link.to_client.moved_bytes == len(b"answer")


def test_a_reader_that_is_slow_is_felt_by_the_sender(ends):
    client, server, _ = ends.connect()
    server.setblocking(False)
    sent = 0
    with pytest.raises(BlockingIOError):
        while True:
            sent += server.send(SOME)
            ends.settle()
    assert len(receive(client, sent)) == sent


def test_a_stalled_link_passes_nothing_and_loses_nothing(ends):
    client, server, link = ends.connect()
    link.stall()
    client.sendall(b"up")
    server.sendall(b"down")
    assert ends.hears_nothing(client) and ends.hears_nothing(server)
    link.flow()
    assert receive(client, 4) == b"down" and receive(server, 2) == b"up"


def test_a_closed_link_is_an_orderly_end_for_both(ends):
    client, server, link = ends.connect()
    link.close()
    assert client.recv(1) == b"" and server.recv(1) == b""


def test_a_reset_link_is_a_reset_for_both(ends):
    client, server, link = ends.connect()
    link.reset()
    assert is_reset(client) and is_reset(server)


def test_a_reset_by_one_end_is_passed_on(ends):
    client, server, _ = ends.connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                      b"\1\0\0\0\0\0\0\0")
    client.close()
    assert is_reset(server)


@pytest.mark.parametrize("side", ["client", "server"])
def test_who_lost_the_other_without_a_word_hears_nothing(ends, side):
    client, server, link = ends.connect()
    link.vanish(side)
    silent, told = (client, server) if side == "client" else (server, client)
    assert told.recv(1) == b""
    silent.sendall(b"is anybody there?")
    assert ends.hears_nothing(silent)


@pytest.mark.parametrize("count", [0, 1, 70_001])
def test_a_cut_comes_after_exactly_so_many_bytes(ends, count):
    client, server, link = ends.connect()
    link.to_client.end_after(count, link.close)
    server.sendall(SOME)
    assert receive_all(client) == SOME[:count]


def test_a_count_can_end_in_each_kind_of_cut(ends):
    client, server, link = ends.connect()
    link.to_client.end_after(5, lambda: link.vanish("client"))
    server.sendall(SOME)
    assert receive(client, 5) == SOME[:5] and ends.hears_nothing(client)

    client, server, link = ends.connect()
    link.to_server.end_after(5, link.stall)
    client.sendall(SOME)
    assert receive(server, 5) == SOME[:5] and ends.hears_nothing(server)
    link.flow()
    assert receive(server, len(SOME) - 5) == SOME[5:]

    client, server, link = ends.connect()
    link.to_client.end_after(5, link.reset)
    server.sendall(SOME)
    assert is_reset(client)


def test_new_links_can_be_broken_before_their_first_byte(ends):
    ends.proxy.for_new_links = lambda link: link.to_client.end_after(
        3, link.close)
    client, server, _ = ends.connect()
    server.sendall(b"welcome")
    assert receive_all(client) == b"wel"


def test_a_dripping_lane_writes_small_portions(ends):
    client, server, link = ends.connect()
    link.to_client.drip(7, 0.001)
    server.sendall(SOME[:700])
    assert receive(client, 700) == SOME[:700]
    ends.settle()  # the last write is counted after it is made
    assert link.to_client.writes >= 100


def test_a_portion_whose_time_comes_while_the_proxy_looks(ends):
    """Between a look at the lanes and one at the clock: about one in a hundred."""
    client, server, link = ends.connect()
    link.to_client.drip(70, 0.00003)
    server.sendall(SOME[:35_000])
    assert receive(client, 35_000) == SOME[:35_000]


def test_a_bandwidth_takes_its_time(ends):
    client, server, link = ends.connect()
    link.to_client.bandwidth(200_000)
    before = time.monotonic()
    server.sendall(SOME[:100_000])
    assert receive(client, 100_000) == SOME[:100_000]
    assert time.monotonic() - before > 0.4


def test_a_delayed_byte_comes_later_and_in_order(ends):
    client, server, link = ends.connect()
    link.to_client.delay(0.2)
    before = time.monotonic()
    server.sendall(b"late")
    assert receive(client, 4) == b"late"
    assert time.monotonic() - before >= 0.2


def test_a_refusing_proxy_listens_again_on_the_same_port(ends):
    ends.proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ends.proxy.port))
    ends.proxy.listen()
    ends.settle()


def test_nobody_behind_the_proxy_is_a_reset(ends):
    ends.listener.close()
    client = socket.create_connection(("127.0.0.1", ends.proxy.port))
    assert is_reset(client)
    client.close()


@pytest.fixture
def proxy(world):
    with FaultProxy(world.port) as proxy:
        yield proxy


def through(proxy, world, target, **options):
    """world.sse() on a connection through the proxy."""
    port, world.port = world.port, proxy.port
    stream = world.sse(target, **options)
    world.port = port
    return stream, proxy.next_link()


def until_cut_off(stream):
    """The whole events before a break inside one."""
    events = []
    with pytest.raises(CutOff):
        while True:
            events.append(stream.next())
    return events


def test_events_cut_in_two_come_whole_to_who_returns(world, proxy):
    ids = [str(world.publish("news", "x" * 1000)) for _ in range(20)]
    position, seen = "earliest", []
    for cut in (1500, 700, 1864, 2999, 5000):
        proxy.for_new_links = lambda link: link.to_client.end_after(
            900 + cut, link.close)
        stream, _ = through(proxy, world, "/events/news",
                            last_event_id=position)
        seen += [event.id for event in until_cut_off(stream)]
        position = seen[-1]
    proxy.for_new_links = None
    stream, _ = through(proxy, world, "/events/news", last_event_id=position)
    seen += [event.id for event in stream.take(20 - len(seen))]
    assert seen == ids


@serve(outbox_bytes=8192)
def test_a_stream_that_stalls_goes_on_without_a_loss(world, proxy):
    stream, link = through(proxy, world, "/events/news")
    world.publish("news", "before")
    assert stream.next().data == "before"
    link.stall()
    data = [f"{number} " + "y" * 3000 for number in range(400)]
    for begin in range(0, 400, 100):
        world.publish_batch("news", [{"data": text}
                                     for text in data[begin:begin + 100]])
    link.flow()
    assert [event.data for event in stream.take(400)] == data


@serve(keepalive_ms=50)
def test_who_vanished_from_the_server_is_forgotten(world, proxy):
    """The client's end is open and it hears nothing; the server saw an end."""
    stream, link = through(proxy, world, "/events/news")
    stream.wait_for_comment()
    world.wait_for_subscribers(1)
    link.vanish("client")
    world.wait_for_subscribers(0)
