"""old_server.py -- nginx that gives Tidings the paths of the two older systems.

    with OldServer(world, directory) as old:
        old.url("book.html?page=id")
        old.publish_prices(3)            rows' ids, as the book's pages keep them
        old.publish_cheese(92, "Gruyère")

The server behind it keeps its port over a restart, as one in production does.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

from patience import eventually

HERE = pathlib.Path(__file__).resolve().parent
STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"
SYMBOLS = ("USD/JPY", "EUR/USD", "AUD/GBP")

# The book's keep-alive is 15 s against a watchdog of 20 s: 7 times faster.
FASTER = 7


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class OldServer:
    def __init__(self, world, directory):
        self.world = world
        self.home = directory
        self.port, self.socket_port = free_port(), free_port()
        self.process = None
        self.row_id = 0

    def __enter__(self):
        for program in ("nginx", "openssl"):
            assert shutil.which(program), f"scripts/setup browser: {program}"
        self.home.mkdir()
        self.world.start(
            nats=self.world.nats_url(), websocket_root="cheese", keepalive_ms=15000 // FASTER,
            retry_ms=500, longpoll_ms=3000,
            origins=",".join(f"{scheme}://127.0.0.1:{self.port}"
                             for scheme in ("http", "https")))
        self.world.settings["listen"] = f"127.0.0.1:{self.world.port}"
        self.make_certificate()
        self.start_nginx()
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()

    def make_certificate(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
             "/CN=localhost", "-keyout", self.home / "key.pem", "-out",
             self.home / "certificate.pem"], check=True, capture_output=True)

    def start_nginx(self):
        text = (HERE / "nginx.conf").read_text()
        for name, value in {
                "STREAM_MODULE": STREAM_MODULE, "HOME": self.home,
                "PORT": self.port, "SOCKET_PORT": self.socket_port,
                "TIDINGS": f"127.0.0.1:{self.world.port}",
                "PAGES": HERE / "pages"}.items():
            text = text.replace(f"@{name}@", str(value))
        config = self.home / "nginx.conf"
        config.write_text(text)
        self.process = subprocess.Popen(
            ["nginx", "-p", str(self.home), "-e", str(self.home / "error.log"),
             "-c", str(config)], stdin=subprocess.DEVNULL)
        eventually(self.is_listening, "nginx to listen")

    def is_listening(self):
        assert self.process.poll() is None, (
            self.home / "error.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def url(self, page):
        return f"http://127.0.0.1:{self.port}/{page}"

    # ---- what the publishers of those systems do ------------------------

    def next_row(self):
        """Unique and rising over all symbols, as their resume needs it."""
        self.row_id = max(self.row_id + 1, time.time_ns() // 1000000)
        return self.row_id

    def publish_prices(self, count, channel="fx", pad=0):
        """One event each, the symbols in turn. The rows' ids."""
        ids = []
        for number in range(count):
            row = self.next_row()
            moment = (time.strftime("%Y-%m-%d %H:%M:%S",
                                    time.gmtime(row / 1000)) + f".{row % 1000:03}")
            price = {"id": row, "timestamp": moment, "bid": "1.0873",
                     "ask": "1.0875"}
            if pad:
                price["pad"] = "x" * pad
            self.world.publish(
                channel, json.dumps({
                    "symbol": SYMBOLS[number % 3], "timestamp": moment,
                    "rows": [price]}), event_time=row)
            ids.append(row)
        return ids

    def publish_flat(self, count):
        for number in range(count):
            self.world.publish("fx-flat", json.dumps({
                "timestamp": "2014-02-28 14:30:30.000",
                "symbol": SYMBOLS[number % 3], "bid": "1.0873",
                "ask": "1.0875"}))

    def publish_cheese(self, pieces, cheese):
        return self.world.publish(
            "cheese", json.dumps({"pieces": pieces, "cheese_type": cheese},
                                 ensure_ascii=False),
            event_type="cheese_created")

    def requests(self, part):
        """Lines of nginx's log with that part: finished requests only."""
        return [line for line in (self.home / "access.log").read_text()
                .splitlines() if part in line]


def stop_process(world):
    os.kill(world.process.pid, 19)


def continue_process(world):
    os.kill(world.process.pid, 18)
