#!/usr/bin/python3
"""rolling_restart.py -- every instance is restarted, one after the other, under load.

    rolling_restart.py [--subscribers 1000] [--rounds 1] [--rate 10] [--seed N]

Three instances of one stream stand behind HAProxy and nginx, as docs/proxies has them.
Subscribers of every flavor come through either and stay until they are closed; each
comes back with its last id, by whichever, wherever that sends it. At the end
publishers, journals and every subscriber must tell one story: 0 lost, 0 twice, 0 out
of order, and nobody was told a gap.

Exit status as of cluster_rounds.py.
"""

import argparse
import pathlib
import random
import sys
import tempfile
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]
                       / "blackbox"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from balancers import Haproxy, Nginx  # noqa: E402
from cluster_rounds import CHANNELS, ROAMERS, TARGETS, Run  # noqa: E402
from ending import end  # noqa: E402
from fleet import Fleet, JetPublisher  # noqa: E402
from nats_raw import free_port  # noqa: E402
from patience import eventually  # noqa: E402
from world import missing_binary  # noqa: E402


class Rolling(Run):
    def __init__(self, directory, seed, rate):
        super().__init__(directory, seed, rate)
        for world in self.worlds:
            world.settings.update(listen=f"127.0.0.1:{free_port()}",
                                  nats=self.cluster.url, drain_ms=1000)
        self.balancers = []

    def start_everything(self, count):
        for world in self.worlds:
            world.start()
            world.wait_until_ready()
            world.hang_up_all()
        self.balancers = [kind(self.cluster.members[0].directory,
                               [world.port for world in self.worlds])
                          for kind in (Haproxy, Nginx)]
        self.fleet = Fleet([balancer.port for balancer in self.balancers])
        self.publishers = [JetPublisher("jet", self.fleet, self.seed, CHANNELS,
                                        self.cluster.ports, self.rate)]
        targets = list(TARGETS.items())
        self.subscribers = []
        for number in range(count):
            target, covers = targets[number % len(targets)]
            kind = ROAMERS[number // len(targets) % len(ROAMERS)]
            self.subscribers.append(
                kind(f"{number} {kind.__name__} {target}", self.fleet,
                     self.seed, target, sum(map(covers, CHANNELS)),
                     roams=False))

    def subscribed(self):
        for subscriber in self.subscribers:
            if subscriber.failure:
                raise RuntimeError(subscriber.name) from subscriber.failure
        return sum(world.metrics()["subscribers"] for world in self.worlds
                   if world.process is not None)

    def restart_each(self, count):
        """The next one when this one serves and all have found a place."""
        for world in self.worlds:
            world.hang_up_all()
            world.stop()
            self.fleet.wait_for_acknowledgements(3)
            world.start()
            world.wait_until_ready()
            eventually(lambda: self.subscribed() >= count * 0.9,
                       "the subscribers to be back", 120)
            self.fleet.wait_for_acknowledgements(3)

    def end(self):
        super().end()
        for balancer in self.balancers:
            balancer.stop()


def main():
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--subscribers", type=int, default=1000)
    words.add_argument("--rounds", type=int, default=1)
    words.add_argument("--rate", type=int, default=10)
    words.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    words = words.parse_args()
    if missing_binary():
        sys.exit(missing_binary())
    threading.stack_size(256 << 10)
    directory = tempfile.mkdtemp(prefix="tidings-rolling-")
    started = time.monotonic()
    run, verdict, status = None, "broken off", 2
    try:
        run = Rolling(directory, words.seed, words.rate)
        run.start_everything(words.subscribers)
        eventually(lambda: run.subscribed() >= words.subscribers * 0.9,
                   "the subscribers to be there", 120)
        begun = time.monotonic()
        for _ in range(words.rounds):
            run.restart_each(words.subscribers)
        seconds = time.monotonic() - begun
        run.finish()
        findings = run.findings()
        for subscriber in run.subscribers:
            for status in subscriber.refusals:
                findings.add("wrong", f"{subscriber.name} was answered {status}, "
                                      f"after which an EventSource is over")
        print(run.summary(seconds))
        verdict, status = findings, 1 if findings else 0
    except Exception:
        traceback.print_exc()
        for world in run.worlds if run else ():
            print(f"{world.directory.name}:", world.output()[-3000:], sep="\n")
    if run is not None:
        run.end()
    end(f"rolling_restart: {words.rounds} rounds of 3, {words.subscribers} "
        f"subscribers, {time.monotonic() - started:.0f} s, seed {words.seed}: "
        f"{verdict}", directory, status)


if __name__ == "__main__":
    main()
