"""A feed of prices to many readers, to see what compressing it costs and saves.

The load generator's events are padding that any compressor shrinks to nothing,
so this feed is made of prices as the demo publishes them. Readers are plain
sockets that drop what they get: what was sent and delivered, the server counts.
"""

import json
import random
import select
import socket
import time
import urllib.request

from servers import CannotMeasure

PAIRS = {"USD/JPY": 152.31, "EUR/USD": 1.0873, "AUD/GBP": 0.5142}
SETTLE_S = 0.5


class Prices:
    """Prices that walk at random, the same ones each time."""

    def __init__(self):
        self.random = random.Random(3)
        self.prices = dict(PAIRS)
        self.now_ms = 1763700000000

    def next(self):
        symbol = self.random.choice(list(self.prices))
        price = self.prices[symbol] * (1 + self.random.gauss(0, 0.0002))
        self.prices[symbol] = price
        self.now_ms += self.random.randrange(20, 400)
        moment = (time.strftime("%Y-%m-%d %H:%M:%S",
                                time.gmtime(self.now_ms / 1000))
                  + f".{self.now_ms % 1000:03}")
        return {"symbol": symbol, "timestamp": moment, "rows": [
            {"id": self.now_ms, "timestamp": moment,
             "bid": f"{price * 0.9998:.5g}", "ask": f"{price * 1.0002:.5g}"}]}


class Readers:
    """Connections that listen and drop everything."""

    def __init__(self, port, count, is_packed):
        self.poll = select.epoll()
        self.sockets = {}
        for _ in range(count):
            reader = socket.create_connection(("127.0.0.1", port))
            packed = "Accept-Encoding: gzip\r\n" if is_packed else ""
            reader.sendall(b"GET /events/fx HTTP/1.1\r\nHost: bench\r\n"
                           b"Accept: text/event-stream\r\n"
                           + packed.encode() + b"\r\n")
            self.sockets[reader.fileno()] = reader
            self.poll.register(reader, select.EPOLLIN)

    def drop(self, until):
        """Reads what comes until that time."""
        while (left := until - time.monotonic()) > 0:
            for number, _ in self.poll.poll(left):
                if not self.sockets[number].recv(1 << 16):
                    raise CannotMeasure("a reader's connection ended")

    def close(self):
        for reader in self.sockets.values():
            reader.close()
        self.poll.close()


def counters(server):
    """Of /metrics: name -> sum over its labels."""
    found = {}
    with urllib.request.urlopen(
            f"http://127.0.0.1:{server.port}/metrics", timeout=5) as answer:
        for line in answer.read().decode().splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                name = name.split("{")[0]
                found[name] = found.get(name, 0) + float(value)
    return found


def publish(server, event):
    urllib.request.urlopen(urllib.request.Request(
        f"http://127.0.0.1:{server.port}/publish/fx",
        data=json.dumps(event).encode(), method="POST"), timeout=5).close()


def measure(server, is_packed, readers=200, events=400, rate=50):
    """Bytes and CPU time per delivery."""
    prices = Prices()
    crowd = Readers(server.port, readers, is_packed)
    try:
        crowd.drop(time.monotonic() + SETTLE_S)
        before, cpu_s = counters(server), server.cpu_s()
        begun = time.monotonic()
        for number in range(events):
            publish(server, prices.next())
            crowd.drop(begun + (number + 1) / rate)
        crowd.drop(time.monotonic() + SETTLE_S)
        cpu_s = server.cpu_s() - cpu_s
        after = counters(server)
    finally:
        crowd.close()
    delivered = after["tidings_deliveries_total"] - before["tidings_deliveries_total"]
    if delivered != readers * events:
        raise CannotMeasure(f"{delivered:.0f} deliveries, not {readers * events}")
    sent = (after["tidings_bytes_written_total"]
            - before["tidings_bytes_written_total"])
    return {"bytes": sent / delivered, "cpu_us": cpu_s * 1e6 / delivered}
