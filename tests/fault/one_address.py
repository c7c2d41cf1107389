#!/usr/bin/python3
"""one_address.py -- one address opens connections without end: the others are
served, and publishers are never refused.

    one_address.py [--connections N] [--seconds S] [CASE...]

share     The limit by address holds: it has its share, and the others have all
          that they want: publishes and health on fresh connections from many
          addresses, streams that show every event.
all       The limit by address is lifted, so it takes every connection that there
          is: publishers and health checks of the others go on in the reserve, a
          stream that was there before goes on too, and who asks for a new one is
          told to come back.

Whether the address that does it can publish is told and not required: it has a
quarter of the reserve, for which its own crowd contends.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "blackbox"))

from beside import percentile  # noqa: E402
from http_raw import Connection  # noqa: E402
from patience import DEADLINE_S  # noqa: E402
from world import World, missing_binary  # noqa: E402

ATTACKER = "127.0.0.66"
PROCESSES = 4
PACE_S = 0.02


class Crowd:
    """Some processes that open so many connections together."""

    def __init__(self, port, count):
        self.members = [
            subprocess.Popen(
                [sys.executable, str(HERE / "crowd_member.py"), str(port),
                 ATTACKER, str(count // PROCESSES)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(PROCESSES)]
        for member in self.members:
            assert member.stdout.readline() == "there\n"

    def end(self):
        """What they did, added up."""
        for member in self.members:
            member.stdin.close()
        totals = {}
        for member in self.members:
            for name, figure in json.loads(member.stdout.read()).items():
                totals[name] = totals.get(name, 0) + figure
            member.wait(DEADLINE_S)
        return totals

    def kill(self):
        for member in self.members:
            if member.poll() is None:
                member.kill()
                member.wait()


class Others:
    """Fresh connections from many addresses; each request must be answered."""

    def __init__(self, world):
        self.world = world
        self.next = 0
        self.times = []

    def source(self):
        self.next = self.next % 200 + 1
        return f"127.0.2.{self.next}"

    def ask(self, method, target, body=None, headers=(), source=None):
        begun = time.monotonic()
        connection = Connection(self.world.port,
                                source=source or self.source())
        connection.request(method, target, {"Connection": "close",
                                            **dict(headers)}, body)
        response = connection.response(method)
        connection.close()
        self.times.append(time.monotonic() - begun)
        return response

    def publish(self):
        response = self.ask("POST", "/publish/news", b"x")
        assert response.status == 201, response
        return response.json()["id"]

    def is_healthy(self):
        for target in ("/healthz", "/readyz"):
            response = self.ask("GET", target)
            assert response.status == 200, response


def check_stream_is_turned_away(others):
    response = others.ask("GET", "/events/news", None,
                          {"Accept": "text/event-stream"})
    assert response.status == 200 and "Last-Event-ID" not in response.headers
    assert b"retry: " in response.body


def serve_others(world, stream, seconds, is_full):
    others = Others(world)
    rounds = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        number = others.publish()
        assert int(stream.next().id) == number
        others.is_healthy()
        if is_full:
            check_stream_is_turned_away(others)
        else:
            assert others.ask("GET", "/channels").status == 200
            fresh = world.sse("/events/news")
            assert "Last-Event-ID" in fresh.headers
            world.hang_up(fresh.connection)
        rounds += 1
        time.sleep(PACE_S)
    return rounds, others.times


def attacker_may_publish(world):
    """In the reserve it has its part, for which its own crowd contends."""
    others = Others(world)

    def is_taken():
        try:
            return others.ask("POST", "/publish/attacker", b"x",
                              source=ATTACKER).status == 201
        except (AssertionError, OSError):
            return False
    return is_taken()


# Silent connections go after 10 s and come again, or stay.
CASES = {"share": {},
         "all": {"head_ms": 600000, "connections_per_address": 10000000}}


def run(case, connections, seconds):
    with tempfile.TemporaryDirectory() as directory:
        world = World(directory)
        crowd = None
        try:
            world.start(reserve_ms=1000,
                        connections_max=None if connections >= 20000
                        else int(connections * 0.7), **CASES[case])
            stream = world.sse("/events/news")
            crowd = Crowd(world.port, connections)
            over = ("over_connections_per_address" if case == "share"
                    else "over_connections_max")
            world.wait_for_metric(over, lambda figure: figure > 0)
            rounds, times = serve_others(world, stream, seconds,
                                         case == "all")
            figures = world.metrics()
            published = attacker_may_publish(world)
            totals = crowd.end()
            world.wait_for_metric("connections_open",
                                  lambda figure: figure <= 4,
                                  "the crowd to be gone")
            world.end()
        finally:
            if crowd is not None:
                crowd.kill()
            world.abandon()
    print(f"{case}: one address opened {totals['opened']} connections in all, "
          f"{totals['held']} at the end; the server had "
          f"{figures['connections_open']:.0f}, counted "
          f"{figures[over]:.0f} over and closed "
          f"{figures['connections_refused']:.0f} at once; the others: {rounds} "
          f"rounds, {len(times)} requests on fresh connections, none refused, "
          f"p50 {1000 * percentile(times, 0.5):.1f} ms, p99 "
          f"{1000 * percentile(times, 0.99):.1f} ms; its own publish was "
          f"{'taken' if published else 'not taken'}")
    print(f"{case}: ok", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=20000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("cases", nargs="*")
    arguments = parser.parse_args()
    if missing_binary():
        sys.exit(missing_binary())
    for case in arguments.cases or CASES:
        run(case, arguments.connections, arguments.seconds)


if __name__ == "__main__":
    main()
