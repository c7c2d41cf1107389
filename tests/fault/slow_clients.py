#!/usr/bin/python3
"""slow_clients.py -- slowhttptest with many connections: nobody else notices, and
each slow one is gone by its deadline.

    slow_clients.py [--tls] [--connections N] [--seconds S] [MODE...]

MODE is header, body, read or range; all by default. The slow ones speak TLS if
asked to; the publisher and the stream that are looked at do as they do. Undisturbed and disturbed
p99 of a publisher and a stream are compared within one run; they may be twice as
long. On a busy machine one look is no proof: it is repeated, four times at most.
The range attack is answered like
any request and holds nothing. That the slow ones are gone is seen from the server's side, by its gauge of open
connections and its counters, while slowhttptest would still go on.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]
                       / "blackbox"))

from beside import Beside, Comparison  # noqa: E402
from world import World, missing_binary  # noqa: E402

LOOKS = 4
FACTOR = 2.0
BIG = 400000  # more than a socket takes from who does not read

# What slowhttptest does, to what, and the counter that says how it ends.
MODES = {
    "header": (["-H", "-i", "1"], "/channels", "deadlines_missed"),
    "body": (["-B", "-i", "1", "-s", "8192"], "/publish/slow",
             "deadlines_missed"),
    "read": (["-X", "-n", "1", "-z", "32", "-w", "512", "-y", "1024", "-k", "1"],
             "/events/big?last_event_id=earliest&flavor=short-poll",
             "deadlines_missed"),
    "range": (["-R", "-a", "5", "-b", "2000"], "/", None),
}


def come_s(seconds):
    """How long they take to come."""
    return min(2, seconds)


def start(directory, seconds, tls):
    """Deadlines long enough to look at the slow ones, and no longer."""
    world = World(directory)
    deadline_ms = int(1000 * (seconds + come_s(seconds) + 1 + tls))
    world.start(tls=tls, head_ms=deadline_ms, body_ms=deadline_ms,
                stall_ms=deadline_ms)
    world.publish("big", "x" * BIG)
    return world


def url_of(world, target):
    if world.client_tls is None:
        return f"http://127.0.0.1:{world.port}{target}"
    return f"https://127.0.0.1:{world.tls_port}{target}"


def attack(world, mode, connections, seconds, log):
    """They come and then stay; who is answered and gone comes all the time."""
    words, target, counter = MODES[mode]
    rate = int(connections / (come_s(seconds) if counter else seconds))
    return subprocess.Popen(
        ["slowhttptest", *words, "-c", str(connections), "-r",
         str(rate), "-l", "240", "-v", "1", "-u",
         url_of(world, target)],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def wait_for_all(world, before, connections):
    for name in ("connections_accepted", *(("tls_handshakes",) * bool(
            world.client_tls))):
        wanted = before[name] + connections
        world.wait_for_metric(name, lambda figure: figure >= wanted,
                              "the slow ones to come")


def look(world, mode, connections, seconds, log):
    """One comparison. The slow ones are gone when it ends."""
    beside = Beside(world)
    undisturbed = beside.measure(seconds)
    figures = world.metrics()
    open_before = figures["connections_open"]
    tool = attack(world, mode, connections, seconds, log)
    try:
        if MODES[mode][2] is not None:
            wait_for_all(world, figures, connections)
        held = world.metrics()["connections_open"] - open_before
        comparison = Comparison(undisturbed, beside.measure(seconds))
        wait_for_all(world, figures, connections)
        world.wait_for_metric("connections_open",
                              lambda figure: figure <= open_before + 2,
                              "the slow ones to be gone")
    finally:
        tool.terminate()
        tool.wait()
    counter = MODES[mode][2]
    ended = ""
    if counter is not None:
        count = world.metrics()[counter] - figures[counter]
        assert count >= connections * 0.95, f"{count} {counter}"
        ended = f", {count:.0f} cut off by their deadline"
    print(f"{mode}: {held:.0f} held{ended}; {comparison}", flush=True)
    world.hang_up_all()
    is_enough = counter is None or held >= connections / 2
    return is_enough and comparison.factor <= FACTOR


def run(mode, tls, connections, seconds):
    with tempfile.TemporaryDirectory() as directory:
        world = start(directory, seconds, tls)
        try:
            with open(pathlib.Path(directory) / "tool", "wb") as log:
                is_right = any(look(world, mode, connections, seconds, log)
                               for _ in range(LOOKS))
            world.end()
        finally:
            world.abandon()
    print(f"{mode}{' over TLS' if tls else ''}: "
          f"{'ok' if is_right else 'FAILED'}", flush=True)
    return is_right


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("modes", nargs="*")
    arguments = parser.parse_args()
    if missing_binary():
        sys.exit(missing_binary())
    verdicts = [run(mode, arguments.tls, arguments.connections,
                    arguments.seconds)
                for mode in arguments.modes or MODES]
    sys.exit(not all(verdicts))


if __name__ == "__main__":
    main()
