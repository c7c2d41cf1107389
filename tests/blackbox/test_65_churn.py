"""Everything at once: connections come, go and break while events flow and
the server stops. Made for the run under ThreadSanitizer; in any build it must
neither crash nor lose what it acknowledged.
"""

import random
import socket
import threading

from http_raw import Connection, CutOff
from marks import serve
from patience import TimedOut
from streams import Sse

CHANNELS = ["a", "b", "c.x", "c.y"]
TARGETS = ["/events/a", "/events/>", "/events/c.*", "/events/a,b,c.x",
           "/events/a/key", "/events/b/key"]


class Client(threading.Thread):
    """Does `turns` random things, one after the other."""

    def __init__(self, port, seed, turns):
        super().__init__()
        self.port, self.turns = port, turns
        self.random = random.Random(seed)
        self.told, self.failure, self.is_cut = [], None, False
        self.start()

    def run(self):
        deeds = [self.publish, self.publish, self.follow, self.leave,
                 self.poll, self.reset, self.abandon_body]
        try:
            for _ in range(self.turns):
                self.random.choice(deeds)()
        except (CutOff, OSError, TimedOut) as cut:
            self.is_cut = cut
        except Exception as failure:
            self.failure = failure

    def connect(self):
        return Connection(self.port)

    def publish(self):
        connection = self.connect()
        for _ in range(5):
            channel = self.random.choice(CHANNELS)
            connection.request("POST", f"/publish/{channel}", {}, b"x" * 100)
            response = connection.response()
            if response.status == 503:  # stopping: not accepted
                raise CutOff(response.error)
            assert response.status == 201, response
            self.told.append(response.json()["id"])
        connection.close()

    def subscribe(self, **headers):
        connection = self.connect()
        position = self.random.choice(["earliest", "last-5", "latest", None])
        connection.request("GET", self.random.choice(TARGETS),
                           {"Last-Event-ID": position, **headers})
        return connection

    def follow(self):
        connection = self.subscribe(Accept="text/event-stream")
        stream = Sse(connection)
        assert stream.status == 200
        stream.wait_for_retry()
        connection.close()

    def leave(self):
        self.subscribe(Accept="text/event-stream").close()

    def poll(self):
        connection = self.connect()
        target = self.random.choice(TARGETS)
        connection.request("GET", f"{target}?timeout=1&last_id=earliest")
        connection.response()
        connection.close()

    def reset(self):
        connection = self.subscribe()
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                     b"\1\0\0\0\0\0\0\0")
        connection.close()

    def abandon_body(self):
        connection = self.connect()
        connection.send(b"POST /publish/a HTTP/1.1\r\nHost: a\r\n"
                        b"Content-Length: 100\r\n\r\nabc")
        connection.close()


def run_clients(world, turns):
    world.publish("a", "first")
    return [Client(world.port, seed, turns) for seed in range(8)]


def check_told(world, clients):
    told = []
    for client in clients:
        client.join()
        if client.failure:
            raise client.failure
        told += client.told
    assert len(told) == len(set(told)), "an id was given twice"
    assert set(told) <= {event["id"] for event in world.dump()}


@serve(crew_threads=3, spread_after=1)
def test_clients_that_come_and_go(world):
    clients = run_clients(world, 60)
    check_told(world, clients)
    assert not [client.is_cut for client in clients if client.is_cut]
    world.wait_for_subscribers(0)
    world.verify()


@serve(crew_threads=3, spread_after=1, drain_ms=200)
def test_a_stop_in_the_middle_of_it(world):
    clients = run_clients(world, 100000)
    world.wait_for_metric("http_published", lambda count: count > 200)
    world.ask_to_stop()
    assert world.wait_for_end() == 0
    check_told(world, clients)
    world.verify()
