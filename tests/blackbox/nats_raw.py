"""nats_raw.py -- a real nats-server, and a client that speaks its protocol.

The client is one socket without threads: publishing writes, and whoever waits
for a message reads the socket and files what comes under its subscription.
flush() (PING, PONG) is the meeting point: the server has processed all that
was sent before.

TIDINGS_NATS_SERVER names another nats-server than the one that is installed.
"""

import collections
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

from patience import Deadline, TimedOut, eventually

BINARY = os.environ.get("TIDINGS_NATS_SERVER", "nats-server")

Message = collections.namedtuple("Message", "subject data headers reply")


def free_port():
    """A port that the kernel chose, for a server that must come back on it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class NatsServer:
    """A nats-server process on a port that it chose itself (or `port`).
    `config` is more of its configuration, as text; with `has_streams` it has
    JetStream, which stores in `store`."""

    binary = BINARY

    def __init__(self, directory, port=-1, config="", has_streams=False):
        self.has_streams = has_streams
        self.store = pathlib.Path(directory) / "store"
        self.directory = pathlib.Path(directory)
        self.port = port
        self.config = config
        self.process = None
        self.start()

    def start(self):
        self.output = open(self.directory / "nats-server.log", "ab")
        file = self.directory / "nats-server.conf"
        file.write_text(self.config)
        self.process = subprocess.Popen(
            [self.binary, "-c", str(file), "-a", "127.0.0.1",
             "-p", str(self.port), "--ports_file_dir", str(self.directory),
             *(["-js", "-sd", str(self.store)] if self.has_streams else [])],
            stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output,
            preexec_fn=os.setpgrp)
        if self.port == -1:
            self.port = self.read_port()
        self.wait_until_ready()

    def wait_until_ready(self):
        NatsClient(self.port, is_patient=True).close()

    def reload(self, config):
        """Another configuration, without a restart."""
        (self.directory / "nats-server.conf").write_text(config)
        self.config = config
        self.process.send_signal(signal.SIGHUP)

    def read_port(self):
        name = f"nats-server_{self.process.pid}.ports"
        path = self.directory / name

        def ports():
            try:
                return json.loads(path.read_text())["nats"]
            except (OSError, ValueError):
                return None

        return int(eventually(ports, "nats-server's ports file")[0]
                   .rsplit(":", 1)[1])

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.port}"

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.output.close()

    def freeze(self):
        """SIGSTOP; returns when the process stands still."""
        self.process.send_signal(signal.SIGSTOP)
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat")
        eventually(lambda: stat.read_text().rsplit(") ", 1)[1][0] == "T",
                   "nats-server to stand still")

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)  # a test may have failed
            self.process.terminate()
            self.process.wait()
        self.output.close()


class Subscription:
    def __init__(self, client, sid):
        self.client = client
        self.sid = sid
        self.messages = collections.deque()

    def next(self, seconds=None):
        deadline = Deadline(seconds)
        while not self.messages:
            self.client.read_one(deadline, "a message")
        return self.messages.popleft()


class NatsClient:
    def __init__(self, port, is_patient=False):
        if is_patient:
            self.socket = eventually(lambda: self.try_connect(port),
                                     "nats-server to listen")
        else:
            self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.subscriptions = {}
        self.pongs = 0
        self.asked = 0
        deadline = Deadline()
        info = self.take_line(deadline, "INFO")
        assert info.startswith("INFO "), info
        self.send(b'CONNECT {"verbose":false,"pedantic":false,"headers":true,'
                  b'"no_responders":true,"lang":"python","version":"0",'
                  b'"protocol":1}\r\n')
        self.flush()
        self.inbox_prefix = f"_INBOX.{os.urandom(8).hex()}"
        self.inbox = None

    @staticmethod
    def try_connect(port):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            return None

    def close(self):
        self.socket.close()

    # ---- sending -------------------------------------------------------

    def send(self, data):
        self.socket.settimeout(Deadline().left("room to send"))
        self.socket.sendall(data)

    def publish(self, subject, data, headers=None, reply=None):
        self.send(self.format(subject, data, headers, reply))

    @staticmethod
    def format(subject, data, headers=None, reply=None):
        data = data.encode("utf-8") if isinstance(data, str) else data
        words = [subject] + ([reply] if reply else [])
        if headers is None:
            words = ["PUB", *words, str(len(data))]
            head = b""
        else:
            lines = [f"{name}: {value}" for name, value in headers.items()]
            head = "\r\n".join(["NATS/1.0", *lines, "", ""]).encode("utf-8")
            words = ["HPUB", *words, str(len(head)), str(len(head) + len(data))]
        return " ".join(words).encode("utf-8") + b"\r\n" + head + data + b"\r\n"

    def flush(self):
        deadline = Deadline()
        wanted = self.pongs + 1
        self.send(b"PING\r\n")
        while self.pongs < wanted:
            self.read_one(deadline, "PONG")

    def subscribe(self, subject):
        sid = str(len(self.subscriptions) + 1)
        subscription = Subscription(self, sid)
        self.subscriptions[sid] = subscription
        self.send(f"SUB {subject} {sid}\r\n".encode())
        self.flush()
        return subscription

    def ask(self, subject, data, headers=None):
        """Sends a request; the answer is taken with answer()."""
        if self.inbox is None:
            self.inbox = self.subscribe(f"{self.inbox_prefix}.*")
        self.asked += 1
        reply = f"{self.inbox_prefix}.{self.asked}"
        self.publish(subject, data, headers, reply)
        return reply

    def answer(self, reply, seconds=None):
        deadline = Deadline(seconds)
        while True:
            for message in self.inbox.messages:
                if message.subject == reply:
                    self.inbox.messages.remove(message)
                    return message
            self.read_one(deadline, f"an answer on {reply}")

    def request(self, subject, data, headers=None, seconds=None):
        """Publishes with a reply subject and gives the answer's JSON."""
        message = self.answer(self.ask(subject, data, headers), seconds)
        assert "503" not in message.headers.get("status", ""), "no responders"
        return json.loads(message.data)

    # ---- receiving -----------------------------------------------------

    def fill(self, deadline, what):
        self.socket.settimeout(deadline.left(what))
        try:
            data = self.socket.recv(262144)
        except socket.timeout:
            raise TimedOut(f"waited in vain for {what} from NATS") from None
        if not data:
            raise ConnectionResetError(f"NATS hung up before {what}")
        self.buffer += data

    def take_line(self, deadline, what):
        while b"\r\n" not in self.buffer:
            self.fill(deadline, what)
        line, _, rest = bytes(self.buffer).partition(b"\r\n")
        self.buffer = bytearray(rest)
        return line.decode("utf-8")

    def take_exactly(self, count, deadline):
        while len(self.buffer) < count:
            self.fill(deadline, "a payload")
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def read_one(self, deadline, what):
        """One protocol message from the server."""
        line = self.take_line(deadline, what)
        verb, *words = line.split(" ")
        if verb == "PING":
            self.send(b"PONG\r\n")
        elif verb == "PONG":
            self.pongs += 1
        elif verb in ("MSG", "HMSG"):
            self.file(verb, words, deadline)
        elif verb == "-ERR":
            raise AssertionError(f"NATS says {line}")

    def file(self, verb, words, deadline):
        sizes = 2 if verb == "HMSG" else 1
        subject, sid, *reply = words[:-sizes]
        total = int(words[-1])
        head = int(words[-2]) if verb == "HMSG" else 0
        payload = self.take_exactly(total + 2, deadline)[:-2]
        message = Message(subject, payload[head:],
                          parse_headers(payload[:head]),
                          reply[0] if reply else None)
        self.subscriptions[sid].messages.append(message)


def parse_headers(head):
    """Names in lower case; the status of the first line as `status`."""
    headers = {}
    for line in head.decode("utf-8").split("\r\n"):
        name, colon, value = line.partition(":")
        status = re.match(r"NATS/1\.0 (\d+)", line)
        if status:
            headers["status"] = status.group(1)
        elif colon:
            headers[name.lower()] = value.strip()
    return headers
