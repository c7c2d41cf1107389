"""front_proxies.py -- nginx and HAProxy as they are documented, and Varnish, each
behind TLS or plain, in front of a tap.
"""

from http_raw import Connection
from proxy import Haproxy, Nginx, Proxy

VCL = """vcl 4.1;
backend tidings {{ .host = "127.0.0.1"; .port = "{port}"; }}
# Nothing is kept and nothing is judged: all that Varnish takes goes on.
sub vcl_recv {{ return (pass); }}
sub vcl_backend_response {{ set beresp.uncacheable = true; return (deliver); }}
"""


class Varnish(Proxy):
    name = "varnish"

    def __init__(self, directory, tidings_port):
        self.home = directory / self.name
        self.home.mkdir(mode=0o755)
        self.tidings_port = tidings_port
        self.log = self.home / "log"
        self.process = self.port = None

    def command(self):
        vcl = self.write("tidings.vcl", VCL.format(port=self.tidings_port))
        return ["varnishd", "-F", "-j", "none", "-l", "8m", "-n", self.home / "work", "-f", vcl,
                "-a", f"127.0.0.1:{self.port}", "-s", "malloc,16m"]

    def connect(self, source="127.0.0.1"):
        return Connection(self.port)


FRONT_PROXIES = (Nginx, Haproxy, Varnish)
