"""load.py -- publishers and subscribers that outlive their server.

Each is a thread that goes on whatever happens: a publisher repeats a message
under the same key until it was told an id; a subscriber comes back with the
last position that it was fully given. What they were told and given is kept
for the checker (histories.py).

A Server says where the server is now. Whoever lost it waits in `port()`, which
returns when it is up again. Its `acknowledged()` counts answers, and kills the
server at the count that was drawn, in the thread that got the answer: as soon
after an acknowledgement as a program can.
"""

import json
import os
import random
import signal
import socket
import threading
import time

from histories import Amended, news_text
from http_raw import Connection, CutOff, format_request
from nats_raw import NatsClient
from patience import SLOWNESS, Deadline, TimedOut
from streams import Sse

PATIENCE_S = 60 * SLOWNESS
WINDOW = 16  # NATS requests under way per publisher


class Server:
    """The one server of the run, as its clients see it."""

    def __init__(self):
        self.changed = threading.Condition()
        self.now = None  # port
        self.life = 0
        self.kill_after = None  # acknowledgements until the kill
        self.pid = None
        self.acknowledgements = 0

    def is_up(self, port, pid, kill_after):
        with self.changed:
            self.now, self.pid, self.kill_after = port, pid, kill_after
            self.life += 1
            self.changed.notify_all()

    def port(self):
        """Where it is; waits while it is nowhere."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.now, PATIENCE_S):
                raise TimedOut("no server")
            return self.now

    def acknowledged(self):
        with self.changed:
            self.acknowledgements += 1
            if self.kill_after is not None:
                self.kill_after -= 1
                if self.kill_after <= 0:
                    self.kill_locked()

    def kill_locked(self):
        os.kill(self.pid, signal.SIGKILL)
        self.now = self.kill_after = None
        self.changed.notify_all()

    def wait_for_kill(self, process):
        """Until an acknowledgement led to the kill. A death of another cause
        is a failure."""
        deadline = Deadline(PATIENCE_S)
        with self.changed:
            while not self.changed.wait_for(lambda: self.now is None, 0.2):
                if process.poll() is not None:
                    raise AssertionError("the server ended by itself, status "
                                         f"{process.returncode}")
                deadline.left("acknowledgements that lead to the kill")


class Actor(threading.Thread):
    """A thread whose failure is kept and raised at the end."""

    def __init__(self, name, server, seed):
        super().__init__(name=name, daemon=True)
        self.server = server
        self.random = random.Random(f"{seed} {name}")
        self.failure = None

    def run(self):
        try:
            self.act()
        except Exception as failure:
            self.failure = failure

    def finish(self):
        self.join(PATIENCE_S)
        if self.failure:
            raise RuntimeError(f"{self.name} failed") from self.failure
        if self.is_alive():
            raise TimedOut(f"{self.name} does not end")


class Publisher(Actor):
    def __init__(self, name, server, seed, channels):
        super().__init__(name, server, seed)
        self.channels = channels
        self.told = {}  # key -> (channel, id)
        self.contradictions = []
        self.sent = self.attempts = 0
        self.is_stopping = threading.Event()
        self.start()

    def draw(self):
        """The next message: channel, key, data."""
        self.sent += 1
        key = f"{self.name}-{self.sent}"
        filler = "x" * self.random.choice([0, 10, 200, 200, 2000])
        return self.random.choice(self.channels), key, f"{key} {filler}"

    def told_id(self, channel, key, number):
        before = self.told.setdefault(key, (channel, number))
        if before != (channel, number):
            self.contradictions.append((key, before, number))
        self.server.acknowledged()


class HttpPublisher(Publisher):
    """One message at a time, over a kept-alive connection."""

    def act(self):
        while not self.is_stopping.is_set():
            self.publish(*self.draw())

    def publish(self, channel, key, data):
        self.told_id(channel, key, self.ask_until_told(
            "POST", f"/publish/{channel}", {"Idempotency-Key": key}, data))

    connection = None

    def ask_until_told(self, *request):
        """Repeats the request until it is answered with an id."""
        deadline = Deadline(PATIENCE_S)
        while True:
            self.attempts += 1
            deadline.left(f"an answer for {request}")
            try:
                response = self.ask(*request)
            except (OSError, CutOff):
                self.connection = None
                continue
            if response.status in (200, 201):
                return response.json()["id"]
            if response.status == 404:
                return None
            if response.status != 503:
                raise AssertionError(response)

    def ask(self, method, target, headers, data):
        if self.connection is None:
            self.connection = Connection(self.server.port())
        self.connection.request(method, target, headers, data.encode())
        return self.connection.response()


class Amender(HttpPublisher):
    """Publishes, and corrects and withdraws what it has published."""

    def __init__(self, *words):
        self.events = []  # that can be amended
        self.amended = {}  # id -> Amended
        self.missing = []  # that the server did not know any more
        super().__init__(*words)

    def act(self):
        while not self.is_stopping.is_set():
            channel, key, data = self.draw()
            self.publish(channel, key, data)
            self.events.append(Amended(self.told[key][1], channel, data))
            for _ in range(self.random.randrange(3)):
                if self.events:
                    self.amend(self.random.choice(self.events))

    def amend(self, event):
        self.amended[event.number] = event
        if self.random.random() < 0.2:
            self.events.remove(event)
            kind, method, text = "withdraws", "DELETE", ""
        else:
            kind, method = "corrects", "PUT"
            filler = "y" * self.random.choice([0, 10, 200, 2000, 5000])
            text = event.next_text(filler)
        number = self.ask_until_told(
            method, f"/publish/{event.channel}/{event.number}", {}, text)
        if number is None:
            self.missing.append(event)
            return
        event.told.append((kind, text, number))
        self.server.acknowledged()


class NatsPublisher(Publisher):
    """Requests, several under way; those without an answer are sent again
    when the server has a new life, or after a while."""

    def __init__(self, name, server, seed, channels, nats_port):
        self.client = NatsClient(nats_port)
        self.waiting = {}  # reply subject -> message
        self.open = {}     # key -> message
        self.life = 0
        super().__init__(name, server, seed, channels)

    def act(self):
        while not self.is_stopping.is_set() or self.open:
            self.server.port()
            if self.life != self.server.life:
                self.life = self.server.life
                self.repeat()
            while len(self.open) < WINDOW and not self.is_stopping.is_set():
                message = self.draw()
                self.open[message[1]] = message
                self.send(message)
            self.take_answer()

    def send(self, message):
        channel, key, data = message
        self.attempts += 1
        reply = self.client.ask(f"events.{channel}", data,
                                {"Nats-Msg-Id": key})
        self.waiting[reply] = message

    def repeat(self):
        for message in list(self.open.values()):
            self.send(message)

    def take_answer(self):
        try:
            answer = self.client.inbox.next(1 * SLOWNESS)
        except TimedOut:
            return self.repeat()
        channel, key, _ = self.waiting.pop(answer.subject)
        if "status" in answer.headers:
            return None  # 503: nobody is subscribed, so the server is dead
        told = json.loads(answer.data)
        if "id" in told:
            self.told_id(channel, key, told["id"])
            self.open.pop(key, None)
        return None


class Subscriber(Actor):
    """Follows a target from the beginning until `ends` events said `last`."""

    def __init__(self, name, server, seed, target, ends):
        super().__init__(name, server, seed)
        self.target, self.ends = target, ends
        self.position = "earliest"
        self.history = []  # (id, data)
        self.gaps = []     # nothing is trimmed here, so none may be told
        self.returns = 0
        self.start()

    def act(self):
        while self.ends > 0:
            port = self.server.port()
            self.returns += 1
            try:
                self.follow(Connection(port))
            except (OSError, CutOff):
                self.wait_for_another(port)

    def wait_for_another(self, port):
        """The connection broke: the server is dead or about to be known so."""
        deadline = Deadline(PATIENCE_S)
        while self.server.now == port:
            try:
                return socket.create_connection(("127.0.0.1", port)).close()
            except OSError:
                deadline.left("the server to be known as dead")
                time.sleep(0.001)
        return None

    def take(self, number, name, data):
        if name == "tidings.gap":
            self.gaps.append(data)
            return
        if name.startswith("tidings."):
            data = news_text(data)
        self.history.append((int(number), data))
        if data == "last":
            self.ends -= 1


class SseSubscriber(Subscriber):
    def follow(self, connection):
        connection.request("GET", self.target, {
            "Accept": "text/event-stream", "Last-Event-ID": self.position})
        stream = Sse(connection)
        if stream.status != 200:
            raise AssertionError(stream.response())
        while self.ends > 0:
            event = stream.next_or_end(Deadline(PATIENCE_S))
            if event is None:
                raise CutOff("the stream ended")
            self.take(event.id, event.type, event.data)
            self.position = event.id


class PollSubscriber(Subscriber):
    def follow(self, connection):
        while self.ends > 0:
            connection.send(format_request("GET", self.target, {
                "Last-Event-ID": self.position}))
            response = connection.response(seconds=PATIENCE_S)
            if response.status != 200:
                raise AssertionError(response)
            for event in response.json():
                self.take(event["id"], event["data"]["type"],
                          event["data"]["data"])
            self.position = response.headers["Last-Event-ID"]
