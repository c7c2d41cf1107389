"""balancers.py -- a balancer from its documented configuration, before a run's instances.

Replaced are only the port and the addresses of the three instances. The port is taken
from the kernel and given back, for neither program can be asked which one it got.
"""

import os
import pathlib
import re
import subprocess

from nats_raw import free_port
from world import ROOT


class Balancer:
    """`document`: its file in docs/proxies."""

    name = document = None

    def __init__(self, directory, ports):
        self.port = free_port()
        self.home = pathlib.Path(directory) / self.name
        self.home.mkdir()
        text = (ROOT / "docs/proxies" / self.document).read_text()
        text, count = re.subn(r"^( *(?:bind|listen)) \S*8080\b",
                              rf"\1 127.0.0.1:{self.port}", text, flags=re.M)
        assert count == 1, f"the port in {self.document}"
        for number, port in enumerate(ports, 1):
            text, count = re.subn(rf"10\.0\.0\.1{number}:8080\b",
                                  f"127.0.0.1:{port}", text)
            assert count == 1, f"instance {number} in {self.document}"
        self.process = subprocess.Popen(self.command(text),
                                        stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

    def write(self, name, text):
        (self.home / name).write_text(text)
        return self.home / name

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Haproxy(Balancer):
    name, document = "haproxy", "haproxy-cluster.cfg"

    def command(self, text):
        return ["haproxy", "-db", "-f", self.write("haproxy.cfg", text)]


class Nginx(Balancer):
    name, document = "nginx", "nginx-cluster.conf"

    def command(self, text):
        """With what Debian has around such a file, as short as it can be."""
        self.write("tidings.conf", text)
        user = "user root;" if os.getuid() == 0 else ""
        temporary = "".join(f"{kind}_temp_path {self.home}/{kind};\n"
                            for kind in ("client_body", "proxy", "fastcgi",
                                         "uwsgi", "scgi"))
        config = self.write("main.conf", f"""daemon off; {user}
pid {self.home}/pid; error_log stderr;
worker_rlimit_nofile 20000; events {{ worker_connections 10000; }}
http {{ access_log off; {temporary} include {self.home}/tidings.conf; }}
""")
        return ["nginx", "-p", self.home, "-e", "stderr", "-c", config]
