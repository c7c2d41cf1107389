#!/usr/bin/python3
"""session_rounds.py -- sessions whose clients go from instance to instance, while
these and the nats-server are killed.

    session_rounds.py [--rounds 10] [--readers 8] [--servers 1] [--seed N] [--keep]

Two instances follow one stream. A publisher offers each event under its key until
it is told an id. Each reader has a session and asks a randomly drawn instance for
what comes next, by short-poll or long-poll; it keeps no position. In each round one
instance, or the nats-server (of three the stream's leader), is killed and started again.

What readers got is compared with the journal: nothing lost; each answer whole and in
order. After a kill an answer may have what the answer before it had, and nothing
older; twice for any other reason is an error. While the nats-server is away instances
cannot ask each other, so then more may come again.

Exit status 0: as it must be; 1: it is not; 2: the run itself failed.
"""

import argparse
import http.client
import json
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]
                       / "blackbox"))

from nats_cluster import NatsCluster  # noqa: E402
from patience import eventually  # noqa: E402
from world import World, missing_binary  # noqa: E402

AGAIN_S = 0.03
TROUBLE = (OSError, http.client.HTTPException, ValueError)


class Run:
    """Two instances, a stream, and how often something was killed."""

    def __init__(self, directory, seed, servers):
        self.random = random.Random(seed)
        self.nats = NatsCluster(directory / "js", servers)
        self.nats.create("EVENTS")
        self.worlds = [self.make_world(directory / name) for name in "ab"]
        self.kills = 0     # begun and ended ones: odd while one is under way
        self.outages = 0   # of these, of the nats-server, counted likewise
        self.ended = False

    def make_world(self, directory):
        directory.mkdir()
        world = World(directory, self.nats)
        world.settings.update({"nats": self.nats.url, "stream": "EVENTS",
                               "session_messages_per_second": 1000})
        return world.start()

    def ask(self, seed, method, target, body=None, headers={}):
        """One request on a connection of its own, at a drawn instance."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", seed.choice(self.worlds).port, timeout=20)
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def troubles(self):
        return self.kills, self.outages

    def kill_one(self):
        victim = self.random.choice([*self.worlds, *self.worlds, self.nats])
        is_outage = victim is self.nats
        self.kills += 1
        self.outages += is_outage
        which = [self.nats.leader("EVENTS")] if is_outage else []
        victim.kill(*which)
        time.sleep(self.random.uniform(0, 0.3))
        victim.start(*which)
        if is_outage:
            self.nats.wait_until_whole("EVENTS")
        for world in self.worlds:
            world.wait_until_ready()
        self.kills += 1
        self.outages += is_outage
        return "nats" if is_outage else victim.directory.name

    def stop(self):
        for world in self.worlds:
            world.end()
        self.nats.stop()


class Publisher(threading.Thread):
    def __init__(self, run, seed):
        super().__init__(daemon=True)
        self.run_, self.seed = run, random.Random(f"{seed} publisher")
        self.ids = []

    def run(self):
        number = 0
        while not self.run_.ended:
            number += 1
            while True:
                try:
                    status, body = self.run_.ask(
                        self.seed, "POST", "/publish/news", f"text {number}",
                        {"Idempotency-Key": f"key {number}"})
                    if status in (200, 201):
                        self.ids.append(json.loads(body)["id"])
                        break
                except TROUBLE:
                    pass
                time.sleep(AGAIN_S)
            time.sleep(self.seed.uniform(0, 0.02))


class Reader(threading.Thread):
    """Its answers, each with what had been killed before and after it."""

    def __init__(self, run, name, seed):
        super().__init__(daemon=True)
        self.run_, self.seed = run, random.Random(f"{seed} {name}")
        self.name_, self.answers, self.last = name, [], 0

    def poll(self):
        flavor = self.seed.choice(["&flavor=short-poll", "&timeout=1", ""])
        before = self.run_.troubles()
        status, body = self.run_.ask(
            self.seed, "GET",
            f"/events/news?session={self.name_}&timeout=1{flavor}")
        ids = [event["id"] for event in json.loads(body)] \
            if status == 200 else []
        if ids:
            self.answers.append((before, self.run_.troubles(), ids))
            self.last = max(self.last, ids[-1])
        return status == 200

    def run(self):
        while not self.run_.ended or self.last < self.run_.newest:
            try:
                if self.poll():
                    continue
            except TROUBLE:
                pass
            time.sleep(AGAIN_S)


class Verdict:
    def __init__(self, ids):
        self.place = {number: place for place, number in enumerate(ids)}
        self.ids, self.faults, self.again = ids, [], 0

    def look(self, reader, start):
        """`start`: the place of the first event that it must get."""
        begun, upto, before = start, start, (0, 0)
        for now, after, numbers in reader.answers:
            places = [self.place[number] for number in numbers]
            if places != list(range(places[0], places[0] + len(places))):
                self.fault(reader, f"an answer with holes {numbers}")
            if places[0] > upto:
                self.fault(reader, f"lost {self.ids[upto:places[0]]}")
            if places[0] < upto:
                self.again += 1
                had_kill, had_outage = (
                    was % 2 or was != is_
                    for was, is_ in zip(before, after))
                if not had_outage and (places[0] < begun or not had_kill):
                    self.fault(reader, f"twice {numbers[0]}, had up to "
                               f"{self.ids[upto - 1]}")
            if places[-1] >= upto:
                begun, upto = places[0], places[-1] + 1
            before = now
        if upto != len(self.ids):
            self.fault(reader, f"lost the end from {self.ids[upto:][:1]}")

    def fault(self, reader, sentence):
        self.faults.append(f"{reader.name_}: {sentence}")


def begin_sessions(run, readers):
    """All are there, and know where they begin, before anything is published."""
    for reader in readers:
        assert reader.poll(), "a session cannot be made"


def rounds(run, arguments):
    readers = [Reader(run, f"s{n}", arguments.seed)
               for n in range(arguments.readers)]
    publisher = Publisher(run, arguments.seed)
    begin_sessions(run, readers)
    for thread in [publisher, *readers]:
        thread.start()
    for n in range(arguments.rounds):
        time.sleep(run.random.uniform(0.3, 1.2))
        print(f"round {n + 1}: killed {run.kill_one()}", flush=True)
    run.newest = sys.maxsize
    run.ended = True
    publisher.join()
    run.newest = publisher.ids[-1]
    for reader in readers:
        reader.join(60)
        assert not reader.is_alive(), f"{reader.name_} waits for ever"
    return readers, publisher


def judge(run, readers, publisher):
    eventually(lambda: all(world.dump()[-1]["id"] == publisher.ids[-1]
                           for world in run.worlds), "both journals")
    dumps = [world.dump() for world in run.worlds]
    verdict = Verdict([event["id"] for event in dumps[0]])
    if dumps[0] != dumps[1]:
        verdict.faults.append("the journals differ")
    if [event["id"] for event in dumps[0]] != sorted(set(publisher.ids)):
        verdict.faults.append("the publisher was told other ids")
    for reader in readers:
        verdict.look(reader, 0)
    for world in run.worlds:
        world.verify()
    alone = sum(world.metrics()["sessions_alone"] for world in run.worlds)
    print(f"{len(publisher.ids)} events, {len(readers)} sessions, "
          f"{sum(len(reader.answers) for reader in readers)} answers, "
          f"{verdict.again} that were given again, {alone:.0f} served alone "
          f"since the last starts")
    return verdict.faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument("--servers", type=int, default=1)
    parser.add_argument("--seed", type=int,
                        default=random.randrange(1 << 32))
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    if missing_binary():
        print(missing_binary())
        return 2
    directory = pathlib.Path(tempfile.mkdtemp(prefix="session_rounds."))
    print(f"seed {arguments.seed}, {directory}")
    run = Run(directory, arguments.seed, arguments.servers)
    faults = None
    try:
        faults = judge(run, *rounds(run, arguments))
        run.stop()
    except Exception:
        traceback.print_exc()
        for world in run.worlds:
            print(world.output()[-4000:])
            world.abandon()
        run.nats.stop()
        return 2
    for fault in faults[:20]:
        print(fault)
    print(f"{len(faults)} faults")
    if not faults and not arguments.keep:
        shutil.rmtree(directory)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
