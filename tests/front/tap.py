"""tap.py -- a recording tap on TCP, and what an independent reader finds in it.

Tap         listens on a port that the kernel chose and passes every connection
            on to the server, byte for byte in both directions, and keeps what
            went by. One thread, which ends with close().
Flow        the two directions of one connection.
count_by_h11
            reads what a client said as h11 (the parser of Python's httpx and
            uvicorn) reads it as a server: the targets of the requests, and how
            many heads (one at most) it found an error in.
"""

import collections
import selectors
import socket
import threading

import h11

Found = collections.namedtuple("Found", "targets errors")
PIECE = 65536


class Flow:
    def __init__(self, asked, answering):
        self.sockets = {asked: answering, answering: asked}
        self.asked = asked
        self.ended = 0  # sides
        self.said = bytearray()
        self.answered = bytearray()


class Tap:
    def __init__(self, server_port):
        self.server_port = server_port
        self.lock = threading.Lock()
        self.flows = []  # guarded by lock
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.waker, self.wakened = socket.socketpair()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(self.wakened, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def close(self):
        self.waker.send(b"x")
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.waker.close()

    def taken(self):
        """(said, answered) of every flow so far."""
        with self.lock:
            return [(bytes(flow.said), bytes(flow.answered))
                    for flow in self.flows]

    def run(self):
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.wakened:
                    return
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj.fileno() >= 0:
                    self.pass_on(key.fileobj, key.data)

    def accept(self):
        asked, _ = self.listener.accept()
        answering = socket.create_connection(("127.0.0.1", self.server_port))
        flow = Flow(asked, answering)
        with self.lock:
            self.flows.append(flow)
        for one in (asked, answering):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(one, selectors.EVENT_READ, flow)

    def pass_on(self, source, flow):
        """The end of one side is passed on, too; the other may still speak."""
        other = flow.sockets[source]
        try:
            data = source.recv(PIECE)
            if data:
                with self.lock:
                    (flow.said if source is flow.asked
                     else flow.answered).extend(data)
                other.sendall(data)
                return
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self.selector.unregister(source)
        flow.ended += 1
        if flow.ended == 2:
            source.close()
            other.close()


def is_tunnel(request, answered):
    return b"HTTP/1.1 101 " in answered and \
        any(name == b"upgrade" for name, _ in request.headers)


def is_kept_10(request):
    """h11 ends every connection of HTTP/1.0; RFC 9112, 9.3 lets it be kept."""
    return request.http_version == b"1.0" and any(
        name == b"connection" and value.lower() == b"keep-alive"
        for name, value in request.headers)


def count_by_h11(said, answered):
    """What h11 takes, in order, until it finds an error, the end of what was said,
    or that the connection must close."""
    targets, rest = [], said
    while rest:
        reader = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        reader.receive_data(rest)
        error, request = read_on(reader, answered, targets)
        if request is None or not is_kept_10(request) or error:
            return Found(targets, error)
        rest = reader.trailing_data[0]
    return Found(targets, 0)


def read_on(reader, answered, targets):
    """Whether it ended by an error in a head; else the request that it ended with,
    or None if the bytes ended."""
    request = None
    is_in_head = True
    try:
        while True:
            event = reader.next_event()
            if event is h11.NEED_DATA:
                return 0, None
            if isinstance(event, h11.Request):
                request, is_in_head = event, False
                targets.append(event.target)
                if is_tunnel(event, answered):
                    return 0, None
            elif isinstance(event, h11.EndOfMessage) or event is h11.PAUSED:
                answer(reader)
                if reader.our_state is not h11.DONE or \
                        reader.their_state is not h11.DONE:
                    return 0, request
                reader.start_next_cycle()
                is_in_head = True
    except h11.RemoteProtocolError:
        return int(is_in_head), None


def answer(reader):
    """Says 404 to the request, so that the reader goes on to the next."""
    if reader.our_state is not h11.SEND_RESPONSE:
        return
    reader.send(h11.Response(status_code=404, headers=[("Content-Length", "0")]))
    reader.send(h11.EndOfMessage())
