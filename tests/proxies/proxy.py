"""proxy.py -- each proxy from its documented configuration, and clients of it.

The files of docs/proxies are used as they are. Replaced are only the three things
that they say: the port 443, the address of Tidings, the folder of the
certificate. What Debian has around such a file (nginx.conf, apache2.conf) is
written here, as short as it can be.

No proxy can be asked which port the kernel gave it. So a port is taken from the
kernel and given back, and if another process was faster the proxy is started
again with the next one.
"""

import os
import pathlib
import pwd
import re
import socket
import ssl
import subprocess

from http_raw import Connection, format_request
from patience import DEADLINE_S, eventually
from streams import Sse

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = ROOT / "docs" / "proxies"
HOST = "events.example.org"
APACHE_MODULES = pathlib.Path("/usr/lib/apache2/modules")
STARTS = 3


def make_certificate(directory):
    """A certificate of its own authority, and both parts in one file."""
    key, certificate = (directory / f"{HOST}.{end}" for end in ("key", "pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
         f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}", "-keyout", key,
         "-out", certificate], check=True, capture_output=True,
        timeout=DEADLINE_S)
    certificate.write_text(certificate.read_text() + key.read_text())
    return certificate


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Proxy:
    """One proxy. `document` is its file in docs/proxies."""

    name = document = None

    def __init__(self, directory, tidings_port):
        self.home = directory / self.name
        self.home.mkdir(mode=0o755)
        self.certificate = make_certificate(self.home)
        self.tidings_port = tidings_port
        self.log = self.home / "log"
        self.process = None
        self.port = None

    # ---- the process ---------------------------------------------------

    def documented(self):
        """The documented file for this machine."""
        text = (DOCUMENTS / self.document).read_text()
        for pattern, instead in ((r"\b443\b", str(self.port)),
                                 (r"127\.0\.0\.1:8080\b",
                                  f"127.0.0.1:{self.tidings_port}"),
                                 (r"/etc/ssl/", f"{self.home}/")):
            text, count = re.subn(pattern, instead, text)
            assert count > 0, f"{self.document} does not say {pattern}"
        return text

    def write(self, name, text):
        (self.home / name).write_text(text)
        return self.home / name

    def start(self):
        for _ in range(STARTS):
            self.port = free_port()
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(
                    self.command(), stdin=subprocess.DEVNULL, stdout=log,
                    stderr=log, cwd=self.home,
                    env={**os.environ, "HOME": str(self.home),
                         "XDG_DATA_HOME": str(self.home),
                         "XDG_CONFIG_HOME": str(self.home)})
            if eventually(self.is_up_or_down, f"{self.name} to listen") == "up":
                return self
        raise AssertionError(f"{self.name} does not start: {self.said()}")

    def is_up_or_down(self):
        if self.process.poll() is not None:
            return "down"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                return "up"
        return None

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def said(self):
        return self.log.read_text("utf-8", "replace")[-5000:]

    # ---- clients -------------------------------------------------------

    def connect(self, source="127.0.0.1"):
        return TlsConnection(self, source)

    def request(self, method, target, headers=(), body=None, **where):
        connection = self.connect(**where)
        connection.request(method, target, headers, body)
        response = connection.response(method)
        connection.close()
        return response

    def sse(self, target, headers=()):
        connection = self.connect()
        connection.request("GET", target, {"Accept": "text/event-stream",
                                           **dict(headers)})
        stream = Sse(connection)
        assert stream.status == 200, stream.response()
        return stream

    def curl(self, *words, targets=(), **more):
        """curl over HTTP/2, all targets on one connection."""
        return subprocess.Popen(
            ["curl", "-s", "-S", "-N", "--http2", "--parallel",
             "--parallel-max", "50", "--cacert", self.certificate,
             "--resolve", f"{HOST}:{self.port}:127.0.0.1", *words,
             *(f"https://{HOST}:{self.port}{target}" for target in targets)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, **more)


class TlsConnection(Connection):
    """As a connection to the server, but to a proxy, and checking its
    certificate."""

    def __init__(self, proxy, source):
        plain = socket.create_connection(("127.0.0.1", proxy.port), DEADLINE_S,
                                         (source, 0))
        context = ssl.create_default_context(cafile=proxy.certificate)
        self.authority = f"{HOST}:{proxy.port}"
        self.socket = context.wrap_socket(plain, server_hostname=HOST)
        self.buffer = bytearray()
        self.is_at_end = False

    def request(self, method, target, headers=(), body=None, version="1.1"):
        self.send(format_request(method, target, {"Host": self.authority,
                                                  **dict(headers)}, body,
                                 version))


# ---- the four ---------------------------------------------------------------

class Nginx(Proxy):
    name, document = "nginx", "nginx.conf"

    def command(self):
        self.write("tidings.conf", self.documented())
        user = "user root;" if os.getuid() == 0 else ""
        temporary = "".join(f"{kind}_temp_path {self.home}/{kind};\n"
                            for kind in ("client_body", "proxy", "fastcgi",
                                         "uwsgi", "scgi"))
        config = self.write("main.conf", f"""daemon off; {user}
pid {self.home}/pid; error_log stderr;
events {{ worker_connections 512; }}
http {{ access_log off; {temporary} include {self.home}/tidings.conf; }}
""")
        return ["nginx", "-p", self.home, "-e", "stderr", "-c", config]


class Haproxy(Proxy):
    name, document = "haproxy", "haproxy.cfg"

    def command(self):
        return ["haproxy", "-db", "-f",
                self.write("haproxy.cfg", self.documented())]


class Caddy(Proxy):
    name, document = "caddy", "Caddyfile"

    def command(self):
        options = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
        config = self.write("Caddyfile", options + self.documented())
        return ["caddy", "run", "--adapter", "caddyfile", "--config", config]


class Apache(Proxy):
    name, document = "apache", "apache.conf"

    def modules(self, text):
        names = re.search(r"^# +a2enmod (.+)$", text, re.M).group(1).split()
        return "".join(f"LoadModule {name}_module "
                       f"{APACHE_MODULES}/mod_{name}.so\n" for name in names)

    def command(self):
        text = self.documented()
        self.write("tidings.conf", text)
        user = ""
        if os.getuid() == 0:
            user = f"User {pwd.getpwnam('www-data').pw_name}\nGroup www-data\n"
        config = self.write("main.conf", f"""ServerRoot {self.home}
PidFile {self.home}/pid
DefaultRuntimeDir {self.home}
ServerName localhost
ErrorLog {self.home}/log
{self.modules(text)}{user}Include {self.home}/tidings.conf
""")
        return ["apache2", "-DFOREGROUND", "-f", config]


PROXIES = (Nginx, Haproxy, Caddy, Apache)

