"""The servers that are measured: Tidings, its NATS server, and Nchan.

Each is started on a free port of 127.0.0.1 in a directory of its own, pinned to
the same processors, and ended by its process id. Memory and CPU time are read
from /proc: what the process holds in anonymous and shared pages (the journal's
file pages belong to the page cache and are not counted), and the scheduler's
count of nanoseconds.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

CPUS = [int(cpu) for cpu in os.environ.get("BENCH_CPUS", "0,1").split(",")]
PATIENCE_S = 20
NCHAN_MODULE = "/usr/lib/nginx/modules/ngx_nchan_module.so"


class CannotMeasure(Exception):
    """A server or the generator did not do its part; the text says how."""


def pin():
    os.sched_setaffinity(0, CPUS)


@contextlib.contextmanager
def only_on(cpus):
    """What is started meanwhile has these processors."""
    before = CPUS[:]
    CPUS[:] = cpus
    try:
        yield
    finally:
        CPUS[:] = before


def spawn(command, **more):
    return subprocess.Popen(command, preexec_fn=pin, stdin=subprocess.DEVNULL,
                            **more)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, process, what):
    """Looks until `condition()` is true; gives up when the process has ended."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        if process.poll() is not None:
            raise CannotMeasure(f"{what} ended with status {process.returncode}")
        if time.monotonic() > until:
            raise CannotMeasure(f"{what} is not ready after {PATIENCE_S} s")
        time.sleep(0.001)


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """A process in a directory of its own."""

    name = "server"

    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="tidings-bench-")
        self.log = open(os.path.join(self.home, "log"), "w+b")
        self.process = None

    def __enter__(self):
        try:
            self.start()
        except BaseException as trouble:
            tail = self.log_tail()
            self.stop()
            if isinstance(trouble, CannotMeasure):
                raise CannotMeasure(f"{trouble}\n{tail}") from None
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def log_tail(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()[-2000:].decode(errors="replace")

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def pids(self):
        return [self.process.pid]

    def memory_bytes(self):
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/smaps_rollup") as lines:
                for line in lines:
                    if line.startswith(("Pss_Anon:", "Pss_Shmem:")):
                        total += int(line.split()[1]) * 1024
        return total

    def cpu_s(self):
        total = 0
        for pid in self.pids():
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat") as counts:
                    total += int(counts.read().split()[0])
        return total / 1e9


class Nats(Server):
    """Debian's nats-server, without JetStream."""

    name = "nats-server"
    port = None

    def start(self):
        self.process = spawn(
            ["nats-server", "-a", "127.0.0.1", "-p", "-1",
             "--ports_file_dir", self.home],
            stdout=self.log, stderr=self.log)
        ports = os.path.join(self.home, f"nats-server_{self.process.pid}.ports")
        wait_for(lambda: os.path.exists(ports) and os.path.getsize(ports) > 2,
                 self.process, self.name)
        with open(ports) as file:
            self.port = int(json.load(file)["nats"][0].rsplit(":", 1)[1])


class Tidings(Server):
    """The program under test, with a new journal unless `data` is given."""

    name = "tidings"
    kind = "tidings"
    program = os.environ.get("TIDINGS_BIN", "build/release/tidings")

    def __init__(self, nats=None, data=None, settings=()):
        super().__init__()
        self.nats = nats
        self.data = data or os.path.join(self.home, "data")
        self.settings = settings
        self.port = None
        self.start_s = None

    def start(self):
        port_file = os.path.join(self.home, "port")
        command = [self.program, "serve", "--listen", "127.0.0.1:0",
                   "--port_file", port_file, "--data", self.data,
                   "--crew_threads", str(len(CPUS)), "--log_level", "warn",
                   "--connections_per_address", "1000000",
                   "--connections_per_second", "0",
                   "--connections_per_address_per_second", "0"]
        for name, value in self.settings:
            command += [f"--{name}", str(value)]
        if self.nats:
            command += ["--nats", f"nats://127.0.0.1:{self.nats.port}"]
        begun = time.monotonic()
        try:
            self.process = spawn(command, stdout=self.log, stderr=self.log)
        except OSError as trouble:
            raise CannotMeasure(f"{self.program}: {trouble.strerror}") from None
        wait_for(lambda: os.path.exists(port_file) and
                 os.path.getsize(port_file) > 0, self.process, self.name)
        with open(port_file) as file:
            self.port = int(file.read())
        wait_for(self.is_ready, self.process, self.name)
        self.start_s = time.monotonic() - begun

    def is_ready(self):
        try:
            with urllib.request.urlopen(
                    f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()


class Nchan(Server):
    """nginx with Debian's libnginx-mod-nchan: in memory, 1 GiB of it shared."""

    name = "nginx"
    kind = "nchan"

    def __init__(self, workers):
        super().__init__()
        self.workers = workers
        self.port = free_port()

    def start(self):
        if not os.path.exists(NCHAN_MODULE):
            raise CannotMeasure("libnginx-mod-nchan is not installed")
        config = os.path.join(self.home, "nginx.conf")
        with open(config, "w") as file:
            file.write(self.config())
        os.chmod(self.home, 0o755)
        self.process = spawn(
            ["nginx", "-p", self.home, "-e", os.path.join(self.home, "error.log"),
             "-c", config], stdout=self.log, stderr=self.log)
        wait_for(lambda: accepts(self.port) and
                 len(self.pids()) == 1 + self.workers, self.process, self.name)

    def pids(self):
        master = self.process.pid
        with open(f"/proc/{master}/task/{master}/children") as children:
            return [master] + [int(pid) for pid in children.read().split()]

    def config(self):
        home, channel = self.home, "nchan_channel_id $1;"
        temporary = "\n".join(
            f"  {name}_temp_path {home}/{name};" for name in
            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return f"""
load_module {NCHAN_MODULE};
daemon off;
worker_processes {self.workers};
worker_rlimit_nofile 20000;
pid {home}/pid;
events {{ worker_connections 19500; }}
http {{
{temporary}
  nchan_shared_memory_size 1024M;
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_body_buffer_size 64k;
  server {{
    listen 127.0.0.1:{self.port} backlog=4096;
    location ~ ^/publish/(.+)$ {{
      nchan_publisher; {channel}
      nchan_message_buffer_length 32000;
      nchan_message_timeout 60s;
    }}
    location ~ ^/events/(.+)$ {{
      nchan_subscriber eventsource longpoll websocket; {channel}
      nchan_subscriber_first_message newest;
    }}
    location ~ ^/oldest/(.+)$ {{
      nchan_subscriber eventsource longpoll; {channel}
      nchan_subscriber_first_message oldest;
    }}
    location = /healthz {{ return 200 "ok"; }}
  }}
}}
"""


class Pair:
    """A certificate for localhost and its key, P-256."""

    def __init__(self, home):
        self.certificate = os.path.join(home, "certificate.pem")
        self.key = os.path.join(home, "key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-keyout", self.key, "-out",
             self.certificate, "-days", "2", "-subj", "/CN=localhost"],
            check=True, capture_output=True)
        os.chmod(self.key, 0o600)


class TidingsTls(Tidings):
    """The same, reached by TLS: `port` is that of HTTPS."""

    name = "tidings, TLS"

    def start(self):
        pair = Pair(self.home)
        tls_port_file = os.path.join(self.home, "tls_port")
        self.settings = (*self.settings, ("listen_tls", "127.0.0.1:0"),
                         ("tls_certificate", pair.certificate),
                         ("tls_key", pair.key),
                         ("tls_port_file", tls_port_file))
        super().start()
        with open(tls_port_file) as file:
            self.port = int(file.read())


class NginxTls(Server):
    """nginx that ends TLS in front of a Tidings, as docs/proxies has it; what
    both use is counted. The stream is not chunked anew: where it would be cut is
    not where the generator looks for events."""

    name = "nginx"
    kind = "tidings"

    def __init__(self, behind):
        super().__init__()
        self.behind = behind
        self.port = free_port()

    def start(self):
        self.behind.start()
        pair = Pair(self.home)
        config = os.path.join(self.home, "nginx.conf")
        with open(config, "w") as file:
            file.write(self.config(pair))
        os.chmod(self.home, 0o755)
        self.process = spawn(
            ["nginx", "-p", self.home, "-e", os.path.join(self.home, "error.log"),
             "-c", config], stdout=self.log, stderr=self.log)
        wait_for(lambda: accepts(self.port) and len(self.own_pids()) == 3,
                 self.process, self.name)

    def stop(self):
        super().stop()
        self.behind.stop()

    def own_pids(self):
        master = self.process.pid
        with open(f"/proc/{master}/task/{master}/children") as children:
            return [master] + [int(pid) for pid in children.read().split()]

    def pids(self):
        return self.own_pids() + self.behind.pids()

    def config(self, pair):
        temporary = "\n".join(
            f"  {name}_temp_path {self.home}/{name};" for name in
            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return f"""
daemon off;
worker_processes 2;
worker_rlimit_nofile 20000;
pid {self.home}/pid;
events {{ worker_connections 19500; }}
http {{
{temporary}
  access_log off;
  server {{
    listen 127.0.0.1:{self.port} ssl backlog=4096;
    ssl_certificate {pair.certificate};
    ssl_certificate_key {pair.key};
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {{
      proxy_pass http://127.0.0.1:{self.behind.port};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_buffer_size 64k;
      proxy_buffers 4 64k;
      proxy_read_timeout 1h;
      chunked_transfer_encoding off; # the generator sees events, no pieces
    }}
  }}
}}
"""
