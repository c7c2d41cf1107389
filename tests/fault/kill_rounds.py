#!/usr/bin/python3
"""kill_rounds.py -- SIGKILL at random moments under load; nothing may be lost.

    kill_rounds.py [--rounds 20] [--seed N] [--keep]

Publishers send by NATS (Nats-Msg-Id) and HTTP (Idempotency-Key) over several
channels and repeat each message under its key until they are told an id. In
some of the HTTP publishers correct and withdraw what they have published. In
each round the server is killed right after a randomly drawn acknowledgement
and started again on the same data. Subscribers by SSE and long-poll come back
with their last position. At the end publishers, journal and subscribers must
tell one story (histories.py), and `tidings log verify` must be content.

Exit status 0: 0 lost, 0 twice, 0 out of order; 1: it is not one story; 2: the
run itself failed. The seed that is printed draws the same numbers again;
threads and the kernel decide the rest.
"""

import argparse
import pathlib
import random
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]
                       / "blackbox"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from ending import end  # noqa: E402
from histories import check  # noqa: E402
from load import (Amender, HttpPublisher, NatsPublisher,  # noqa: E402
                  PollSubscriber, Server, SseSubscriber)
from nats_raw import NatsServer  # noqa: E402
from world import World, missing_binary  # noqa: E402

CHANNELS = ["orders.1", "orders.2", "orders.eu.3", "news", "quiet"]
TARGETS = {
    "/events/>": lambda channel: True,
    "/events/orders.*": lambda channel: channel in ("orders.1", "orders.2"),
    "/events/news": lambda channel: channel == "news",
    "/events/quiet,orders.>": lambda channel: channel != "news",
}


class Run:
    def __init__(self, directory, seed, binary=None):
        self.random = random.Random(seed)
        self.seed = seed
        self.nats = NatsServer(directory)
        self.server = Server()
        self.world = World(directory, self.nats,
                           **({"binary": binary} if binary else {}))
        self.publishers = self.amenders = self.subscribers = []

    def start_server(self, kill_after=None):
        self.world.start(nats=True)
        self.world.hang_up_all()
        self.server.is_up(self.world.port, self.world.process.pid, kill_after)

    def start_clients(self):
        self.publishers = [
            HttpPublisher(f"http{n}", self.server, self.seed, CHANNELS)
            for n in range(2)]
        self.amenders = [
            Amender(f"amend{n}", self.server, self.seed, CHANNELS)
            for n in range(2)]
        self.publishers += self.amenders
        self.publishers += [
            NatsPublisher(f"nats{n}", self.server, self.seed, CHANNELS,
                          self.nats.port) for n in range(2)]
        self.subscribers = [
            kind(f"{kind.__name__} {target}", self.server, self.seed, target,
                 sum(map(covers, CHANNELS)))
            for target, covers in TARGETS.items()
            for kind in (SseSubscriber, PollSubscriber)]

    def kill_once(self):
        """One life: up, killed after so many acknowledgements."""
        self.start_server(self.random.choice(
            [1, 2, self.random.randrange(3, 30), self.random.randrange(3000)]))
        self.server.wait_for_kill(self.world.process)
        self.world.process.wait()
        self.world.process = None

    def finish(self):
        self.start_server()
        for publisher in self.publishers:
            publisher.is_stopping.set()
        for publisher in self.publishers:
            publisher.finish()
        self.world.publish_batch("news", [{"channel": channel, "data": "last"}
                                          for channel in CHANNELS])
        for subscriber in self.subscribers:
            subscriber.finish()
        self.world.end()

    def findings(self):
        told = {}
        for publisher in self.publishers:
            told.update(publisher.told)
        histories = {s.name: (TARGETS[s.target], s.history)
                     for s in self.subscribers}
        amended = {}
        for amender in self.amenders:
            amended.update(amender.amended)
        findings = check(self.world.dump(), told, histories, amended)
        for amender in self.amenders:
            for event in amender.missing:
                findings.add("lost", f"{event.number} was acknowledged, and "
                                     f"not there when it was amended")
        for publisher in self.publishers:
            for contradiction in publisher.contradictions:
                findings.add("twice", f"told two ids: {contradiction}")
        for subscriber in self.subscribers:
            for gap in subscriber.gaps:
                findings.add("wrong", f"{subscriber.name} was told {gap}")
        self.world.verify()
        return findings

    def summary(self):
        told = sum(len(p.told) for p in self.publishers)
        attempts = sum(p.attempts for p in self.publishers)
        given = sum(len(s.history) for s in self.subscribers)
        returns = sum(s.returns for s in self.subscribers)
        amended = sum(len(event.told) for amender in self.amenders
                      for event in amender.amended.values())
        return (f"{told} events and {amended} amendments acknowledged "
                f"({attempts} attempts), "
                f"{given} deliveries to {len(self.subscribers)} subscribers "
                f"({returns} connections)")

    def end(self):
        self.world.abandon()
        self.nats.stop()


def run_rounds(run, rounds):
    run.start_clients()
    for _ in range(rounds):
        run.kill_once()
    run.finish()
    return run.findings()


def main():
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--rounds", type=int, default=20)
    words.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    words.add_argument("--keep", action="store_true",
                       help="keep the directory of the run")
    words = words.parse_args()
    if missing_binary():
        sys.exit(missing_binary())
    directory = tempfile.mkdtemp(prefix="tidings-kill-")
    started = time.monotonic()
    run = Run(directory, words.seed)
    verdict, status = "broken off", 2
    try:
        findings = run_rounds(run, words.rounds)
        print(run.summary())
        verdict, status = findings, 1 if findings else 0
    except Exception:
        traceback.print_exc()
        print("server's output:", run.world.output()[-5000:], sep="\n")
    run.end()
    end(f"kill_rounds: {words.rounds} rounds in "
        f"{time.monotonic() - started:.0f} s, seed {words.seed}: {verdict}",
        directory, status, words.keep)


if __name__ == "__main__":
    main()
