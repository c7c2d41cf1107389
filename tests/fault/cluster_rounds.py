#!/usr/bin/python3
"""cluster_rounds.py -- three instances of one stream, and what breaks under them.

    cluster_rounds.py [--rounds KIND=N,...] [--seconds N] [--rate N]
                      [--longest-stop S] [--seed N]
                      [--servers 1|3] [--keep]

Kinds: tidings (SIGKILL of an instance), nats (of a nats-server), leader (of the one
that leads the stream), both (an instance and the leader at once), stop (SIGSTOP of an
instance, or of the only nats-server, for 1 to S seconds, then SIGCONT), proxy (an instance's connection to NATS: cut mid-message,
stalled, dripping), disk (of an instance: full for a while; needs the right to mount, and
is left out without).

A cluster of three nats-servers keeps the stream; three instances follow it. Publishers
send to the stream at --rate a second in all and repeat each message under its
Nats-Msg-Id until it is acknowledged. Subscribers of every flavor, on a channel,
several and patterns, roam: they leave after so many events as they drew and go on at
another instance with their last id. The kinds come mixed. A nats-server is killed when
all copies are whole: without a majority that knows everything the stream itself may
forget what it has acknowledged (seen with nats-server 2.9.10). At the end the stream's
acknowledgements, the journal of each instance and every subscriber's history must be
one story: 0 lost, 0 twice, 0 out of order, and the journals equal to the byte.

With --servers 1 one nats-server keeps the stream alone.

Exit status 0: so it is; 1: it is not; 2: the run itself failed; 3: it is not, and the
nats-servers' own files show why (copies.py): two of them had different messages at one
sequence, or another than was acknowledged, or none. Then nothing can be said of
those who follow the stream. An instance that says that the stream was rewound, while
the files know of nothing, is wrong.
"""

import argparse
import collections
import datetime
import math
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]
                       / "blackbox"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from copies import Testimony  # noqa: E402
from fault_proxy import FaultProxy  # noqa: E402
from ending import end  # noqa: E402
from fleet import (Fleet, JetPublisher, LinesRoamer,  # noqa: E402
                   PollRoamer, SseRoamer, WebSocketRoamer)
from histories import check  # noqa: E402
from lookout import Lookout  # noqa: E402
from nats_cluster import NatsCluster  # noqa: E402
from patience import SLOWNESS, eventually  # noqa: E402
from world import World, missing_binary  # noqa: E402

CHANNELS = ["orders.1", "orders.2", "orders.eu.3", "news", "quiet"]
TARGETS = {
    "/events/>": lambda channel: True,
    "/events/orders.*": lambda channel: channel in ("orders.1", "orders.2"),
    "/events/news": lambda channel: channel == "news",
    "/events/quiet,orders.>": lambda channel: channel != "news",
}
ROAMERS = [SseRoamer, LinesRoamer, WebSocketRoamer, PollRoamer]
DISK_BYTES = 1 << 28
CI = "tidings=10,nats=10,leader=5,both=5,stop=3,proxy=20"


class SmallDisk:
    """A file system of an instance's own, which a ballast fills."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(exist_ok=True)
        self.is_mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs",
             str(directory)], capture_output=True).returncode == 0

    def fill(self):
        with open(self.directory / "filler", "wb", buffering=0) as ballast:
            for bytes_at_once in (1 << 20, 4096):
                try:
                    while True:
                        ballast.write(bytes(bytes_at_once))
                except OSError:
                    pass

    def free(self):
        (self.directory / "filler").unlink()

    def end(self):
        if self.is_mounted:
            subprocess.run(["umount", "-l", str(self.directory)], check=False)


class Run:
    def __init__(self, directory, seed, rate, servers=3):
        self.random = random.Random(seed)
        self.seed, self.rate = seed, rate
        directory = pathlib.Path(directory)
        self.cluster = NatsCluster(directory, servers)
        self.created = self.cluster.create("EVENTS")["created"]
        self.proxies = [FaultProxy(port).__enter__()
                        for port in self.cluster.ports]
        self.fleet = Fleet()
        self.worlds = []
        for name in "abc":
            (directory / name).mkdir(exist_ok=True)
            world = World(directory / name)
            world.settings.update(nats=self.cluster.url, stream="EVENTS",
                                  ahead_wait_ms=60000, drain_ms=200)
            self.worlds.append(world)
        self.worlds[2].settings["nats"] = ",".join(
            f"nats://127.0.0.1:{proxy.port}" for proxy in self.proxies)
        self.disk = SmallDisk(directory / "b" / "data")
        self.longest_stop = 2
        self.publishers = self.subscribers = ()
        self.done = collections.Counter()
        self.lookout = Lookout(self.fleet, self.worlds)
        self.testimony = Testimony("EVENTS", {
            member.directory.name: member.store
            for member in self.cluster.members})

    @property
    def base(self):
        second = datetime.datetime.fromisoformat(self.created[:19] + "+00:00")
        return int(second.timestamp()) << 20

    def start(self, number):
        world = self.worlds[number]
        world.start()
        self.fleet.is_up(number, world.port)

    def start_all(self):
        for number in range(len(self.worlds)):
            self.start(number)
        self.publishers = [
            JetPublisher(f"jet{n}", self.fleet, self.seed, CHANNELS,
                         self.cluster.ports, self.rate / 3) for n in range(3)]
        self.subscribers = [
            kind(f"{kind.__name__} {target}", self.fleet, self.seed, target,
                 sum(map(covers, CHANNELS)))
            for (target, covers), kind in zip(
                list(TARGETS.items()) * 2, ROAMERS + ROAMERS[1:] + ROAMERS[:1])]

    # ---- what breaks ---------------------------------------------------

    def kill_server(self, number):
        self.cluster.kill(number)
        self.testimony.hear()

    def kill_instance(self):
        number = self.random.randrange(3)
        self.fleet.is_down(number)
        self.worlds[number].kill()
        return number

    def round_tidings(self):
        number = self.kill_instance()
        self.run_on()
        self.start(number)

    def round_nats(self):
        self.cluster.wait_until_whole("EVENTS")
        number = self.random.randrange(len(self.cluster.members))
        self.kill_server(number)
        self.run_on()
        self.cluster.start(number)

    def round_leader(self):
        self.cluster.wait_until_whole("EVENTS")
        number = self.cluster.leader("EVENTS")
        self.kill_server(number)
        self.run_on()
        self.cluster.start(number)

    def round_both(self):
        self.cluster.wait_until_whole("EVENTS")
        leader = self.cluster.leader("EVENTS")
        self.kill_server(leader)
        number = self.kill_instance()
        self.run_on()
        self.start(number)
        self.cluster.start(leader)

    def round_stop(self):
        servers = len(self.cluster.members)
        number = self.random.randrange(4 if servers == 1 else 3)
        process = (self.cluster.members[0] if number == 3
                   else self.worlds[number]).process
        self.fleet.is_down(number)
        process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(self.random.uniform(1, self.longest_stop))  # the fault
        finally:
            process.send_signal(signal.SIGCONT)
        if number < 3:
            self.fleet.is_up(number, self.worlds[number].port)

    def round_proxy(self):
        """To all connections through the proxies, and to the next ones."""
        def of(action):
            for proxy in self.proxies:
                for link in list(proxy.links):
                    if not link.is_over:
                        action(link)
        how = self.random.choice(["cut", "stall", "drip", "reset"])
        if how == "cut":
            count = self.random.randrange(1, 5000)
            of(lambda link: link.to_client.end_after(count, link.reset))
        elif how == "stall":
            of(lambda link: link.stall())
            self.run_on()
            of(lambda link: link.flow())
        elif how == "drip":
            of(lambda link: link.to_client.drip(7, 0.01))
            self.run_on()
            of(lambda link: link.to_client.drip(1 << 16, 0.0001))
        else:
            of(lambda link: link.reset())

    def round_disk(self):
        if not self.disk.is_mounted:
            return
        self.disk.fill()
        try:
            self.run_on()
            self.fleet.wait_for_acknowledgements(int(self.rate / 2))
        finally:
            self.disk.free()

    def run_on(self):
        """Under load for a while, counted in what the stream takes; nothing is
        taken while the only server is away."""
        if not any(map(self.cluster.is_up, range(len(self.cluster.members)))):
            return
        self.fleet.wait_for_acknowledgements(self.random.choice(
            [0, 10, 100, int(self.rate / 4)]))

    # ---- the end ---------------------------------------------------------

    def rounds(self, kinds, seconds):
        order = [kind for kind, count in kinds.items() for _ in range(count)]
        self.random.shuffle(order)
        until = time.monotonic() + seconds
        for kind in order:
            if time.monotonic() > until:
                return
            self.run_on()
            getattr(self, f"round_{kind}")()
            self.done[kind] += 1
            if len(self.cluster.members) > 1 and self.testimony.others:
                raise AssertionError("the copies differ: the run is void")

    def finish(self):
        for publisher in self.publishers:
            publisher.is_stopping.set()
        for publisher in self.publishers:
            publisher.finish()
        last = JetPublisher(
            "end", self.fleet, self.seed, [], self.cluster.ports, 0,
            {f"end-{channel}": (channel, f"end-{channel}", "last")
             for channel in CHANNELS})
        last.is_stopping.set()
        last.finish()
        self.await_end(max(seq for _, seq in last.told.values()))
        self.cluster.wait_until_whole("EVENTS")
        for subscriber in self.subscribers:
            subscriber.finish()
        for world in self.worlds:
            world.hang_up_all()
            world.stop()

    def await_end(self, sequence):
        for world in self.worlds:
            world.wait_until_ready()
            eventually(lambda: world.metrics()["stream_sequence"] >= sequence,
                       f"sequence {sequence} in every journal", 120 * SLOWNESS)

    def stop_servers(self):
        """What they have on their disks is then all."""
        self.cluster.stop()
        self.testimony.conclude()

    def broken_promises(self):
        """Of several nats-servers, by their own files."""
        if len(self.cluster.members) == 1:
            return []
        return self.testimony.contradictions(
            {key: sequence for publisher in self.publishers
             for key, (_, sequence) in publisher.told.items()})

    def took_back(self):
        """The instances that said so of what they had read."""
        return [world.directory.name for world in self.worlds
                if len(self.cluster.members) > 1 and
                "the stream was rewound" in world.output()]

    def findings(self):
        told = {key: (channel, self.base + sequence)
                for publisher in self.publishers
                for key, (channel, sequence) in publisher.told.items()}
        histories = {s.name: (TARGETS[s.target], s.history)
                     for s in self.subscribers}
        journals = [world.dump() for world in self.worlds]
        findings = check(journals[0], told, histories)
        for world, journal in zip(self.worlds, journals):
            world.verify()
            if journal != journals[0]:
                findings.add("wrong", f"the journal of {world.directory.name} "
                                      f"differs from that of a")
        for publisher in self.publishers:
            for contradiction in publisher.contradictions:
                findings.add("twice", f"told two sequences: {contradiction}")
        for subscriber in self.subscribers:
            for gap in subscriber.gaps:
                findings.add("wrong", f"{subscriber.name} was told {gap}")
        for name in self.took_back():
            findings.add("wrong", f"{name} said that the stream was rewound")
        return findings

    def summary(self, seconds):
        told = sum(len(p.told) for p in self.publishers)
        given = sum(len(s.history) for s in self.subscribers)
        returns = sum(s.returns for s in self.subscribers)
        refused = [status for s in self.subscribers for status in s.refusals]
        return (f"{self.cluster.version}: {told} events acknowledged, {told / seconds:.0f} a second, "
                f"{given} deliveries to {len(self.subscribers)} subscribers "
                f"on {returns} connections, {len(refused)} refused "
                f"{sorted(set(refused))}; stood still longest: "
                f"{self.lookout.worst()}")

    def end(self):
        for actor in (*self.publishers,):
            actor.is_stopping.set()
        for world in self.worlds:
            world.abandon()
        self.lookout.end()
        self.disk.end()
        for proxy in self.proxies:
            proxy.__exit__()
        self.cluster.stop()


def kinds_of(text):
    return {kind: int(count) for kind, count in
            (item.split("=") for item in text.split(","))}


def story_of(run, rounds, seconds):
    """(findings, exit status)"""
    run.start_all()
    begun = time.monotonic()
    run.rounds(rounds, seconds)
    seconds = time.monotonic() - begun
    run.finish()
    run.stop_servers()
    findings = run.findings()
    print(run.summary(seconds))
    return findings, 1 if findings else 0


def main():
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--rounds", type=kinds_of, default=CI)
    words.add_argument("--seconds", type=float, default=math.inf,
                       help="begin no round after so long")
    words.add_argument("--rate", type=int, default=600)
    words.add_argument("--longest-stop", type=float, default=2)
    words.add_argument("--servers", type=int, choices=[1, 3], default=3)
    words.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    words.add_argument("--keep", action="store_true",
                       help="keep the directory of the run")
    words = words.parse_args()
    if missing_binary():
        sys.exit(missing_binary())
    directory = tempfile.mkdtemp(prefix="tidings-cluster-")
    started = time.monotonic()
    run, verdict, status = None, "broken off", 2
    try:
        run = Run(directory, words.seed, words.rate, words.servers)
        run.longest_stop = words.longest_stop
        verdict, status = story_of(run, words.rounds, words.seconds)
    except Exception:
        traceback.print_exc()
        if run is not None:
            print(run.cluster.describe("EVENTS"))
            run.stop_servers()
    if run is not None and (status != 0 or words.keep):
        print(run.lookout.report())
    broken = run.broken_promises() if run is not None else []
    if broken:
        print(verdict, *broken, sep="\n")
    if broken and status != 0:
        verdict, status = "void: the stream is not one", 3
    if run is not None:
        run.end()
    text = " ".join(f"{kind} {run.done[kind] if run else 0}"
                    for kind in words.rounds)
    end(f"cluster_rounds: {text}, {words.servers} nats-servers, in "
        f"{time.monotonic() - started:.0f} s, seed {words.seed}: {verdict}",
        directory, status, words.keep)


if __name__ == "__main__":
    main()
