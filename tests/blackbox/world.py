"""world.py -- a server, its data, and everybody who talks to it.

A World owns a directory, the process of the real binary on a port that the
kernel chose, and each connection that a test opened. It can stop the server
politely, kill it, and start it again on the same data; the clients of a test
then use the new port without knowing.

    start -> restart, stop, kill -> start ...          the process
    http, post, publish                                one answer each
    sse, lines, websocket, connect                     streams and raw bytes
    poll                                               one long-poll
    nats                                               a client of the NATS
    metrics, healthz, tidings                          the operator's view

start(tls=True) gives the server a TLS port too, and every client of the test
then comes by it. TIDINGS_TEST_TLS=1 does so for all tests: the same
conversations over TLS.

end() is for the fixture: every client hangs up, the server must stop by itself
and say exit status 0; under a sanitizer this also says that it found nothing.
"""

import json
import os
import pathlib
import signal
import subprocess
import urllib.parse

from certificates import Pair
from http_raw import Connection
from nats_raw import NatsClient
from patience import DEADLINE_S, eventually
from streams import Lines, Sse
from ws_raw import WebSocket

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALL_BY_TLS = os.environ.get("TIDINGS_TEST_TLS") == "1"
BINARY = os.environ.get("TIDINGS_BIN", str(ROOT / "build/dev/tidings"))


def missing_binary():
    """A sentence when there is no server to test."""
    if os.access(BINARY, os.X_OK):
        return None
    return f"no server to test: {BINARY} is not there"


class World:
    def __init__(self, directory, nats_server=None, binary=BINARY):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.log = self.directory / "tidings.log"
        self.nats_server = nats_server
        self.binary = str(pathlib.Path(binary).absolute())
        self.settings = {"listen": "127.0.0.1:0", "data": self.data,
                         "port_file": self.directory / "port",
                         # what tests publish to build something up is no abuse
                         "publish_events_per_second": 0}
        self.environment = {}
        self.before_exec = None  # called in the new process: for its limits
        self.process = None
        self.port = None
        self.tls_port = None
        self.pair = None  # of key and certificate, once there is TLS
        self.client_tls = None  # what clients speak it with; None: plain
        self.connections = []
        self.nats_client = None

    # ---- the process ---------------------------------------------------

    def flags(self):
        flags = []
        for name, value in self.settings.items():
            if value is True:
                flags.append(f"--{name}")
            elif value is not None and value is not False:
                flags += [f"--{name}", str(value)]
        return flags

    def start(self, tls=None, **settings):
        """Starts the server and waits until it is ready. Settings stay for
        later starts; nats=True means the session's nats-server."""
        self.settings.update(settings)
        if ALL_BY_TLS if tls is None else tls:
            self.use_tls()
        if self.settings.get("nats") is True:
            self.settings["nats"] = self.nats_server.url
        port_file = self.settings["port_file"]
        for name in ("port_file", "tls_port_file"):
            if self.settings.get(name) is not None:
                self.settings[name].unlink(missing_ok=True)
        self.process = self.spawn("serve", *self.flags())
        self.port = int(eventually(lambda: self.read_port(port_file),
                                   "the server's port file"))
        tls_port_file = self.settings.get("tls_port_file")
        if tls_port_file is not None:
            self.tls_port = int(eventually(
                lambda: self.read_port(tls_port_file), "its second one"))
        if self.settings.get("nats") == self.nats_url():
            self.wait_until_ready()
        return self

    def use_tls(self):
        if self.pair is None:
            self.pair = Pair(self.directory)
        self.settings.setdefault("listen_tls", "127.0.0.1:0")
        self.settings["tls_port_file"] = self.directory / "tls_port"
        self.settings.update(self.pair.settings())
        self.client_tls = self.pair.client()

    @property
    def origin(self):
        """As pages have it."""
        if self.client_tls is None:
            return f"http://127.0.0.1:{self.port}"
        return f"https://127.0.0.1:{self.tls_port}"

    def nats_url(self):
        return self.nats_server.url if self.nats_server else ""

    def spawn(self, *words):
        with open(self.log, "ab") as log:
            return subprocess.Popen(
                [self.binary, *words], cwd=self.directory, stdout=log,
                stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environment},
                preexec_fn=self.before_exec)

    def read_port(self, port_file):
        status = self.process.poll()
        assert status is None, f"the server ended at start, status {status}"
        try:
            return port_file.read_text().strip()
        except FileNotFoundError:
            return None

    def wait_until_ready(self):
        eventually(lambda: self.http("GET", "/readyz").status == 200,
                   "/readyz to say 200")

    def ask_to_stop(self):
        self.process.send_signal(signal.SIGTERM)

    def wait_for_end(self):
        """The exit status, after the process ended by itself."""
        try:
            status = self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait()
            raise AssertionError("the server does not stop") from None
        self.process = None
        return status

    def stop(self):
        self.ask_to_stop()
        status = self.wait_for_end()
        assert status == 0, f"the server stopped with status {status}"

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def restart(self, **settings):
        self.hang_up_all()
        self.stop()
        self.start(**settings)

    def hang_up_all(self):
        for connection in self.connections:
            connection.close()
        self.connections.clear()

    def end(self):
        self.hang_up_all()
        if self.nats_client is not None:
            self.nats_client.close()
        if self.process is not None:
            self.stop()

    def abandon(self):
        """After a failure: leaves nothing running."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def output(self):
        try:
            return self.log.read_text("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def tidings(self, *words, stdin=b"", environment=None):
        """Runs another command of the program to its end."""
        return subprocess.run(
            [self.binary, *map(str, words)], cwd=self.directory, input=stdin,
            capture_output=True, timeout=DEADLINE_S,
            env={**os.environ, **(environment or {})})

    # ---- HTTP ----------------------------------------------------------

    def connect(self, receive_buffer=None, source=None):
        """`source`: one of this machine's addresses to come from."""
        port = self.port if self.client_tls is None else self.tls_port
        connection = Connection(port, receive_buffer, source=source,
                                tls=self.client_tls)
        self.connections.append(connection)
        return connection

    def hang_up(self, connection):
        connection.close()
        if connection in self.connections:
            self.connections.remove(connection)

    def http(self, method, target, headers=(), body=None, version="1.1"):
        """One request on a connection of its own."""
        connection = self.connect()
        connection.request(method, target, {"Connection": "close",
                                            **dict(headers)}, body, version)
        response = connection.response(method)
        self.hang_up(connection)
        return response

    def get(self, target, headers=()):
        return self.http("GET", target, headers)

    def post(self, target, body=b"", headers=()):
        body = body.encode("utf-8") if isinstance(body, str) else body
        return self.http("POST", target, headers, body)

    def publish(self, channel, data, **headers):
        """Publishes by HTTP and gives the id. event_type="x" is the header
        Event-Type: x."""
        response = self.post(f"/publish/{channel}", data,
                             {name.replace("_", "-"): str(value)
                              for name, value in headers.items()})
        assert response.status == 201, response
        return response.json()["id"]

    def publish_some(self, channel, count):
        """Publishes 0, 1, 2 ... one by one and gives the ids."""
        return [self.publish(channel, f"{number}") for number in range(count)]

    def publish_batch(self, channel, lines):
        """Publishes NDJSON lines (given as objects) and gives the ids."""
        response = self.post_batch(channel, lines)
        assert response.status in (200, 201), response
        return response.json()["ids"]

    def post_batch(self, channel, lines):
        body = "".join(json.dumps(line, ensure_ascii=False) + "\n"
                       for line in lines)
        return self.post(f"/publish/{channel}", body,
                         {"Content-Type": "application/x-ndjson"})

    # ---- subscribing ---------------------------------------------------

    def sse(self, target, last_event_id=None, headers=(), status=200,
            method="GET", body=None, version="1.1", receive_buffer=None):
        """A stream of events. `last_event_id` goes into the header."""
        connection = self.connect(receive_buffer)
        connection.request(method, target, {
            "Accept": "text/event-stream", "Last-Event-ID": last_event_id,
            **dict(headers)}, body, version)
        stream = Sse(connection)
        if status is not None and stream.status != status:
            raise AssertionError(f"not {status}: {stream.response()}")
        return stream

    def lines(self, target, last_event_id=None, headers=(), status=200):
        connection = self.connect()
        connection.request("GET", target, {"Last-Event-ID": last_event_id,
                                           **dict(headers)})
        stream = Lines(connection)
        assert stream.status == status, stream.response()
        return stream

    def websocket(self, target, last_event_id=None, headers=(),
                  receive_buffer=None):
        """An upgraded connection."""
        return WebSocket(self.connect(receive_buffer), target, {
            "Last-Event-ID": last_event_id, **dict(headers)}).check_upgraded()

    def poll(self, target, last_event_id=None, headers=()):
        """One long-poll to its end; the answer's form is checked."""
        return self.poll_answer(self.begin_poll(target, last_event_id,
                                                headers))

    def begin_poll(self, target, last_event_id=None, headers=()):
        """Sends a long-poll; its answer is taken with poll_answer()."""
        connection = self.connect()
        connection.request("GET", target, {"Last-Event-ID": last_event_id,
                                           **dict(headers)})
        return connection

    def poll_answer(self, connection):
        response = connection.response()
        assert response.status == 200, response
        response.events = response.json()
        assert isinstance(response.events, list), response
        response.position = response.headers["Last-Event-ID"]
        return response

    def query(self, **parameters):
        return urllib.parse.urlencode(parameters, doseq=True)

    # ---- NATS ----------------------------------------------------------

    @property
    def nats(self):
        if self.nats_client is None:
            self.nats_client = NatsClient(self.nats_server.port)
        return self.nats_client

    # ---- the operator's view -------------------------------------------

    def metrics(self):
        """The figures of /metrics by name, without prefix and `_total`."""
        figures = {}
        for line in self.get("/metrics").text.splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                name = name.removeprefix("tidings_").removesuffix("_total")
                figures[name] = float(value)
        return figures

    def wait_for_metric(self, name, condition, what=None):
        """Waits until condition(figure) holds, and gives the figure."""
        def holds():
            figure = self.metrics()[name]
            return (figure,) if condition(figure) else None
        return eventually(holds, what or f"a figure of {name}")[0]

    def wait_for_subscribers(self, count):
        """Meeting point: the server knows of exactly so many subscribers."""
        self.wait_for_metric("subscribers", lambda figure: figure == count,
                             f"{count} subscribers")

    def dump(self, *words):
        """The journal as `tidings log dump` prints it."""
        done = self.tidings("log", "dump", "--data", self.data, *words)
        assert done.returncode == 0, done
        return [json.loads(line) for line in done.stdout.splitlines()]

    def verify(self):
        done = self.tidings("log", "verify", "--data", self.data)
        assert done.returncode == 0, (done.stdout, done.stderr)
