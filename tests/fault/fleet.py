"""fleet.py -- publishers to a stream, and subscribers that roam its instances.

A Fleet says where the instances are now. A JetPublisher publishes to the stream
itself and repeats each message under its Nats-Msg-Id until the stream has
acknowledged it. A Roamer follows a target in its flavor, leaves after so many events
as it drew, or when it is cut, and goes on at the next instance with the last id that
it was fully given. What they were told and given is kept for histories.py.
"""

import json
import threading
import time

from histories import news_text
from http_raw import Connection, CutOff, format_request
from load import PATIENCE_S, Actor, Publisher
from nats_raw import NatsClient
from patience import SLOWNESS, Deadline, TimedOut
from streams import Lines, Sse
from ws_raw import WebSocket

WINDOW = 64
LOST = (OSError, CutOff, TimedOut, AssertionError)


class Refusal(Exception):
    """A status that is no answer: an EventSource would not come back."""


class Fleet:
    def __init__(self, entrances=()):
        self.changed = threading.Condition()
        self.ports = {}  # instance -> port, of those that are up
        self.turn = 0
        self.entrances = list(entrances)  # ports of balancers in front of all
        self.acknowledgements = 0
        self.newest = 0  # sequence that the stream has acknowledged

    def is_up(self, name, port):
        with self.changed:
            self.ports[name] = port
            self.changed.notify_all()

    def is_down(self, name):
        with self.changed:
            self.ports.pop(name, None)

    def port(self):
        """The next one's."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.entrances or self.ports,
                                         PATIENCE_S):
                raise TimedOut("no instance")
            self.turn += 1
            ports = self.entrances or list(self.ports.values())
            return ports[self.turn % len(ports)]

    def acknowledged(self):
        with self.changed:
            self.acknowledgements += 1
            self.changed.notify_all()

    def wait_for_acknowledgements(self, more):
        with self.changed:
            wanted = self.acknowledgements + more
            if not self.changed.wait_for(
                    lambda: self.acknowledgements >= wanted, PATIENCE_S):
                raise TimedOut("acknowledgements of the stream")


class JetPublisher(Publisher):
    """Several messages under way, at most `rate` a second. `told` has sequences;
    the id is the base and that. `given` are messages to begin with, by key; with a
    rate of 0 there are no others."""

    def __init__(self, name, fleet, seed, channels, nats_ports, rate, given=()):
        self.nats_ports, self.rate = list(nats_ports), rate
        self.waiting = {}  # reply subject -> message
        self.open = dict(given)  # key -> message
        self.client = None
        self.turn = hash(name)
        super().__init__(name, fleet, seed, channels)

    def draw(self):
        channel, key, data = super().draw()
        return channel, key, data[:self.random.choice([30, 200, 600])]

    def act(self):
        started = time.monotonic()
        while not self.is_stopping.is_set() or self.open:
            try:
                self.connect()
                self.fill(started)
                self.take_answer()
            except LOST:
                self.client = None

    def connect(self):
        if self.client is not None:
            return
        self.turn += 1
        self.waiting.clear()
        try:
            client = NatsClient(self.nats_ports[self.turn
                                                % len(self.nats_ports)])
        except OSError:
            time.sleep(0.02)
            raise
        self.client = client
        for message in list(self.open.values()):
            self.send(message)

    def fill(self, started):
        if self.rate == 0:
            return
        while len(self.open) < WINDOW and not self.is_stopping.is_set():
            if self.sent > (time.monotonic() - started) * self.rate:
                if not self.open:
                    time.sleep(0.005)
                return
            message = self.draw()
            self.open[message[1]] = message
            self.send(message)

    def send(self, message):
        channel, key, data = message
        self.attempts += 1
        reply = self.client.ask(f"events.{channel}", data,
                                {"Nats-Msg-Id": key})
        self.waiting[reply] = message

    def take_answer(self):
        if not self.open:
            return
        answer = self.client.inbox.next(2 * SLOWNESS)
        message = self.waiting.pop(answer.subject, None)
        if message is None:
            return
        channel, key, _ = message
        told = json.loads(answer.data) if answer.data else {}
        if "seq" not in told:  # no leader now, or nobody takes it
            time.sleep(0.02)
            self.send(message)
            return
        self.server.newest = max(self.server.newest, told["seq"])
        self.told_id(channel, key, told["seq"])
        self.open.pop(key, None)


class Roamer(Actor):
    """Follows a target from the beginning until `ends` events said `last`."""

    def __init__(self, name, fleet, seed, target, ends, roams=True):
        super().__init__(name, fleet, seed)
        self.target, self.ends, self.roams = target, ends, roams
        self.position = "earliest"
        self.history = []  # (id, data)
        self.gaps = []
        self.gap_places = []  # events that were given before each
        self.refusals = []
        self.returns = 0
        self.visits = []  # events before it, and when it began
        self.start()

    def act(self):
        while self.ends > 0:
            self.left = self.random.choice([1, 20, 300, 3000]) \
                if self.roams else None
            connection = None
            try:
                connection = Connection(self.server.port())
                self.returns += 1
                self.visits.append((len(self.history), time.monotonic()))
                self.follow(connection)
            except Refusal as refusal:
                self.refusals.append(refusal.args[0])
                time.sleep(0.05)
            except LOST as cut:
                if isinstance(cut, AssertionError) and "ended" not in str(cut) \
                        and "closed" not in str(cut) \
                        and not isinstance(cut, TimedOut):
                    raise
                time.sleep(0.01)
            finally:
                if connection is not None:
                    connection.close()

    def take(self, number, name, data):
        """False: time to leave."""
        if name == "tidings.gap":
            self.gaps.append(data)
            self.gap_places.append(len(self.history))
        else:
            if name.startswith("tidings."):
                data = news_text(data)
            self.history.append((int(number), data))
            self.position = str(number)
            if data == "last":
                self.ends -= 1
        if self.left is not None:
            self.left -= 1
        return self.ends > 0 and self.left != 0


class SseRoamer(Roamer):
    def follow(self, connection):
        connection.request("GET", self.target, {
            "Accept": "text/event-stream", "Last-Event-ID": self.position})
        stream = Sse(connection)
        if stream.status != 200:
            raise Refusal(stream.status)
        while True:
            event = stream.next_or_end(Deadline(PATIENCE_S))
            if event is None or not self.take(event.id, event.type, event.data):
                return


class LinesRoamer(Roamer):
    def follow(self, connection):
        connection.request("GET", f"{self.target}?xhr=1&envelope=1",
                           {"Last-Event-ID": self.position})
        stream = Lines(connection)
        if stream.status != 200:
            raise Refusal(stream.status)
        while True:
            line = stream.next_or_end(Deadline(PATIENCE_S))
            if line is None:
                return
            event = json.loads(line)
            if not self.take(event.get("id", 0), event["data"]["type"],
                             event["data"]["data"]):
                return


class WebSocketRoamer(Roamer):
    def follow(self, connection):
        socket = WebSocket(connection, self.target,
                           {"Last-Event-ID": self.position})
        if socket.status != 101:
            raise Refusal(socket.status)
        while True:
            event = socket.next_json(PATIENCE_S)
            if not self.take(event.get("id", 0), event["data"]["type"],
                             event["data"]["data"]):
                return


class PollRoamer(Roamer):
    def follow(self, connection):
        while True:
            connection.send(format_request("GET", self.target, {
                "Last-Event-ID": self.position}))
            response = connection.response(seconds=PATIENCE_S)
            if response.status != 200:
                raise Refusal(response.status)
            stays = True
            for event in response.json():
                stays = self.take(event.get("id", 0), event["data"]["type"],
                                  event["data"]["data"])
                if self.ends == 0:
                    return
            self.position = response.headers["Last-Event-ID"]
            if not stays:
                return
