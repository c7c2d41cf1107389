#!/usr/bin/python3
"""rewind_rounds.py -- a stream that comes back with an older tail, again and again.

    rewind_rounds.py [--rounds N] [--seed N] [--tail N] [--blind] [--keep]

One nats-server, three instances, subscribers of every flavor that roam them. A round:
nats-server ends, its store is copied, it runs on and takes a tail; it ends, the older
copy takes the store's place, it runs again and gives the tail's sequences to new
messages. Meanwhile each instance plays a part that is drawn:

    stays     reads the tail, is connected all the time
    killed    reads the tail, is killed, and comes when the new messages are there
    stopped   was away while the tail came, comes when the new messages are there
    empty     likewise, and has lost its journal
    frozen    stands still (SIGSTOP) from before the tail until the new messages came
    behind    its connection passes nothing on from before the tail until then

One stays, unless --blind: then those who read the tail may all be away when the first
of the others reads the new messages, which is more than Tidings promises; the report
counts what comes of it.

Services publish by NATS and by HTTP, also through instances that answer after the
stream's acknowledgement alone. At the end: no id means two events, in any journal that
ever was, to any subscriber, in any answer; what the stream has is in every journal, once,
in its order, under the same id; what only the lost tail had is in the journals that
read it; each subscriber has all that the stream has, in order, and was told `rewound`
before what came after the rewind, if it was given lost events before it.
"""

import argparse
import json
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]
                       / "blackbox"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from fault_proxy import FaultProxy  # noqa: E402
from ending import end  # noqa: E402
from fleet import (Fleet, LinesRoamer, PollRoamer, SseRoamer,  # noqa: E402
                   WebSocketRoamer)
from histories import Findings  # noqa: E402
from jetstream import JetStream  # noqa: E402
from nats_raw import NatsClient, NatsServer, free_port  # noqa: E402
from patience import SLOWNESS, eventually  # noqa: E402
from world import World, missing_binary  # noqa: E402

CHANNELS = ["orders.1", "orders.eu.2", "news"]
TARGETS = {
    "/events/>": lambda channel: True,
    "/events/orders.>": lambda channel: channel != "news",
    "/events/news": lambda channel: channel == "news",
}
ROAMERS = [SseRoamer, LinesRoamer, WebSocketRoamer, PollRoamer]
READS_TAIL = ("stays", "killed")
AWAY = ("stopped", "empty", "frozen", "behind")


class Story:
    """What was published: what the stream has, and what it took back."""

    def __init__(self):
        self.texts = {}     # text -> (channel, number of the life it came in)
        self.stream = {}    # sequence -> text
        self.lost = {}      # text -> number of the life that lost it
        self.answers = []   # (text, id) that publishers by HTTP were told
        self.life = 0
        self.ended = []     # when each life did

    def took(self, sequence, channel, text):
        self.texts[text] = (channel, self.life)
        self.stream[sequence] = text

    def rewound_to(self, last, at):
        self.ended.append(at)
        for sequence in [s for s in self.stream if s > last]:
            self.lost[self.stream.pop(sequence)] = self.life
        self.life += 1

    def in_order(self):
        return [self.stream[sequence] for sequence in sorted(self.stream)]


class Run:
    def __init__(self, directory, seed, tail, is_blind):
        self.random = random.Random(seed)
        self.tail, self.is_blind = tail, is_blind
        self.directory = pathlib.Path(directory)
        (self.directory / "n").mkdir()
        self.nats = NatsServer(self.directory / "n", free_port(),
                               has_streams=True)
        self.proxy = FaultProxy(self.nats.port).__enter__()
        self.story, self.fleet = Story(), Fleet()
        self.dumps = []      # (name, events, texts that must be there)
        self.must = {}       # number of an instance -> lost texts it has read
        self.parts = []      # of each round
        self.client = None
        self.drawn = self.refused = 0
        self.worlds = [self.make_world(name) for name in "abc"]
        self.with_streams(lambda streams: streams.create("EVENTS"))
        for number in range(3):
            self.start(number)
        self.subscribers = [
            kind(f"{kind.__name__} {target}", self.fleet, seed, target, 1)
            for turn, target in enumerate(TARGETS)
            for kind in ROAMERS[turn:] + ROAMERS[:turn]]

    def make_world(self, name):
        (self.directory / name).mkdir()
        world = World(self.directory / name)
        world.settings.update(
            nats=self.nats.url, stream="EVENTS", ahead_wait_ms=60000,
            drain_ms=200, stream_ack="stream" if name == "b" else "journal")
        if name == "c":
            world.settings["nats"] = f"nats://127.0.0.1:{self.proxy.port}"
        return world

    # ---- instances -------------------------------------------------------

    def start(self, number):
        world = self.worlds[number]
        world.start()
        self.fleet.is_up(number, world.port)

    def stop(self, number, how):
        self.fleet.is_down(number)
        self.worlds[number].hang_up_all()
        how(self.worlds[number])

    def leave(self, number, part):
        """Before the tail."""
        if part in ("stopped", "empty"):
            self.stop(number, self.random.choice([World.stop, World.kill]))
        elif part == "frozen":
            self.fleet.is_down(number)
            self.worlds[number].process.send_signal(signal.SIGSTOP)
        elif part == "behind":
            for link in list(self.proxy.links):
                link.stall()

    def come_back(self, number, part):
        """When new messages are there."""
        if part == "empty":
            self.keep_dump(number)
            shutil.rmtree(self.worlds[number].data)
            self.must.pop(number, None)
        if part in ("stopped", "empty", "killed"):
            self.start(number)
        elif part == "frozen":
            self.worlds[number].process.send_signal(signal.SIGCONT)
            self.fleet.is_up(number, self.worlds[number].port)
        elif part == "behind":
            for link in list(self.proxy.links):
                link.reset()

    def keep_dump(self, number):
        world = self.worlds[number]
        world.verify()
        self.dumps.append((world.directory.name, world.dump(),
                           self.must.get(number, set())))

    # ---- publishing --------------------------------------------------------

    def with_streams(self, question):
        if self.client is None:
            self.client = NatsClient(self.nats.port, is_patient=True)
        return question(JetStream(self.client))

    def draw(self):
        self.drawn += 1
        return (self.random.choice(CHANNELS),
                f"{self.story.life}-{self.drawn} "
                + "x" * self.random.choice([0, 10, 300]))

    def publish(self, count):
        """Through the stream itself; all are acknowledged."""
        def send(streams):
            drawn = [self.draw() for _ in range(count)]
            replies = [streams.client.ask(f"events.{channel}", text)
                       for channel, text in drawn]
            for (channel, text), reply in zip(drawn, replies):
                self.story.took(streams.acknowledged(reply)["seq"], channel,
                                text)
        self.with_streams(send)

    def publish_by_http(self, number):
        """The answer's id must be the event's; without an answer it may be
        in the stream or not, so it counts only if it is answered."""
        channel, text = self.draw()
        answer = self.worlds[number].post(f"/publish/{channel}", text)
        if answer.status != 201:
            self.refused += 1
        else:
            self.story.answers.append((text, answer.json()["id"]))
        self.story.texts[text] = (channel, self.story.life)

    def learn_http(self):
        """Where the stream has what came by HTTP."""
        known = set(self.story.stream.values())
        last = self.last()
        for sequence in range(1, last + 1):
            if sequence in self.story.stream:
                continue
            text = self.with_streams(
                lambda streams, at=sequence: streams.message("EVENTS", at))
            if text in self.story.texts and text not in known:
                self.story.stream[sequence] = text

    def last(self):
        return self.with_streams(lambda streams: streams.last("EVENTS"))

    # ---- nats-server ---------------------------------------------------------

    def end_nats(self):
        if self.client is not None:
            self.client.close()
            self.client = None
        if self.random.random() < 0.5:
            self.nats.kill()
        else:
            self.nats.stop()

    # ---- a round -------------------------------------------------------------

    def draw_parts(self):
        parts = [self.random.choice(READS_TAIL + AWAY) for _ in range(3)]
        parts[:2] = ["stopped" if part == "behind" else part
                     for part in parts[:2]]
        if self.is_blind:
            parts[self.random.randrange(2)] = "killed"
        elif "stays" not in parts:
            parts[self.random.randrange(2)] = "stays"
        return parts

    def round(self):
        parts = self.draw_parts()
        self.parts.append(parts)
        self.publish(self.random.choice([1, 5, 50]))
        if self.random.random() < 0.7:
            self.settle()
        self.end_nats()
        shutil.copytree(self.nats.store, self.directory / "copy")
        self.nats.start()
        for number, part in enumerate(parts):
            self.leave(number, part)
        self.have_tail(parts)
        self.ended = time.monotonic()
        self.end_nats()
        shutil.rmtree(self.nats.store)
        shutil.move(self.directory / "copy", self.nats.store)
        for number, part in enumerate(parts):
            if part == "killed":
                self.stop(number, World.kill)
        self.nats.start()
        self.learn_lost()
        self.go_on(parts)

    def have_tail(self, parts):
        if self.random.random() < 0.5:
            self.publish(self.random.randrange(1, self.tail))
        readers = [n for n, part in enumerate(parts) if part in READS_TAIL]
        if self.random.random() < 0.3:
            for number in readers:
                self.worlds[number].wait_until_ready()
                self.publish_by_http(number)
        self.publish(self.random.randrange(1, self.tail))
        if self.random.random() < 0.8:
            for number in readers:
                self.await_stored(number)
        self.learn_http()
        self.read_by = {n: self.texts_of(n) for n in readers}

    def texts_of(self, number):
        return {event["data"] for event in self.worlds[number].dump()}

    def await_stored(self, number):
        """By the text: sequences come again."""
        newest = self.story.in_order()[-1]
        eventually(lambda: newest in self.texts_of(number),
                   f"{newest[:20]!r} in the journal of {number}",
                   60 * SLOWNESS)

    def learn_lost(self):
        """What the instances had read of it must stay in their journals."""
        last = self.last()
        lost = {text for sequence, text in self.story.stream.items()
                if sequence > last}
        for number, texts in self.read_by.items():
            self.must.setdefault(number, set()).update(lost & texts)
        self.story.rewound_to(last, self.ended)

    def go_on(self, parts):
        """New messages, at once or when those who stayed know of the rewind."""
        if self.random.random() < 0.4:
            for number, part in enumerate(parts):
                if part == "stays":
                    self.worlds[number].wait_until_ready()
        self.publish(self.random.choice([1, 2, self.tail]))
        order = list(enumerate(parts))
        self.random.shuffle(order)
        if self.is_blind:  # those who do not know come first
            order.sort(key=lambda item: item[1] in READS_TAIL)
        for number, part in order:
            self.come_back(number, part)
            if self.random.random() < 0.3:
                self.publish(1)
            if self.is_blind and part not in READS_TAIL:
                self.worlds[number].wait_until_ready()
        for number in range(3):
            self.worlds[number].wait_until_ready()
            if self.random.random() < 0.5:
                self.publish_by_http(number)
        self.publish(1)
        self.learn_http()
        self.settle()

    def settle(self):
        """All instances have all, and so have all subscribers."""
        for number in range(3):
            self.await_stored(number)
        newest = {target: next((text for text in reversed(self.story.in_order())
                                if covers(self.story.texts[text][0])), None)
                  for target, covers in TARGETS.items()}
        for subscriber in self.subscribers:
            wanted = newest[subscriber.target]
            if wanted is not None:
                eventually(lambda: any(text == wanted for _, text in
                                       subscriber.history[-400:]),
                           f"{subscriber.name} to have {wanted[:20]}",
                           60 * SLOWNESS)

    # ---- the end ----------------------------------------------------------

    def finish(self):
        self.publish(1)
        for channel in CHANNELS[1:]:
            text = f"last {channel}"
            told = self.with_streams(lambda streams: streams.publish(
                f"events.{channel}", text))
            self.story.took(told["seq"], channel, text)
        self.settle()
        for subscriber in self.subscribers:
            subscriber.ends = 0
        for channel in CHANNELS:  # wakes who waits for its next event
            self.with_streams(lambda streams: streams.publish(
                f"events.{channel}", "end"))
        for subscriber in self.subscribers:
            subscriber.finish()
        for number in range(3):
            self.await_stored(number)
        for number, world in enumerate(self.worlds):
            world.hang_up_all()
            self.stop(number, World.stop)
            self.keep_dump(number)

    def findings(self):
        findings = Findings()
        check_meanings(self, findings)
        for name, dump, must in self.dumps[-3:]:
            check_dump(self.story, name, dump, findings)
        for name, dump, must in self.dumps:
            missing = must - {event["data"] for event in dump}
            for text in sorted(missing):
                findings.add("lost", f"{name} has no longer {text[:20]!r} of a "
                                     f"lost tail that it had read")
        check_alike(self.story, self.dumps[-3:], findings)
        for subscriber in self.subscribers:
            check_subscriber(self.story, subscriber, findings)
        return findings

    def summary(self):
        return (f"{len(self.parts)} rewinds, {len(self.story.stream)} events in "
                f"the stream, {len(self.story.lost)} lost by it, "
                f"{sum(len(s.history) for s in self.subscribers)} deliveries on "
                f"{sum(s.returns for s in self.subscribers)} connections, "
                f"{sum(len(s.gaps) for s in self.subscribers)} gaps told, "
                f"{len(self.story.answers)} answers to HTTP publishers, "
                f"{self.refused} refused")

    def end(self):
        for world in self.worlds:
            world.abandon()
        self.proxy.__exit__()
        self.nats.stop()


# ---- the story is checked ----------------------------------------------------

def check_meanings(run, findings):
    """An id means one event, whoever was told it and when."""
    meanings = {}

    def means(number, text, who):
        known = meanings.setdefault(number, (text, who))
        if known[0] != text:
            findings.add("twice", f"{number} is {known[0][:20]!r} to {known[1]} "
                                  f"and {text[:20]!r} to {who}")
    for name, dump, _ in run.dumps:
        for event in dump:
            means(event["id"], event["data"], f"journal {name}")
    for subscriber in run.subscribers:
        for number, text in subscriber.history:
            means(number, text, subscriber.name)
    for text, number in run.story.answers:
        means(number, text, "a publisher")


def check_dump(story, name, dump, findings):
    ids = [event["id"] for event in dump]
    if ids != sorted(set(ids)):
        findings.add("disordered", f"the ids of journal {name} do not rise")
    kept = [event["data"] for event in dump
            if event["data"] not in story.lost and event["data"] != "end"]
    wanted = story.in_order()
    for text in sorted(set(wanted) - set(kept)):
        findings.add("lost", f"{text[:20]!r} is not in journal {name}")
    if len(set(kept)) != len(kept):
        findings.add("twice", f"journal {name} has an event again")
    elif set(wanted) <= set(kept) and kept != wanted:
        findings.add("wrong", f"journal {name} is not what the stream is")


def check_alike(story, dumps, findings):
    """What the stream has now has one id everywhere."""
    ids = [{event["data"]: event["id"] for event in dump}
           for _, dump, _ in dumps]
    for text in story.stream.values():
        given = {where.get(text) for where in ids}
        if len(given) > 1:
            findings.add("wrong", f"{text[:20]!r} has the ids {given}")


def check_subscriber(story, subscriber, findings):
    name, covers = subscriber.name, TARGETS[subscriber.target]
    history = [item for item in subscriber.history if item[1] != "end"]
    for (before, _), (number, _) in zip(history, history[1:]):
        if number <= before:
            findings.add("disordered", f"{name}: {number} after {before}")
    given = [text for _, text in history]
    kept = [text for text in given if text not in story.lost]
    wanted = [text for text in story.in_order()
              if covers(story.texts[text][0])]
    if kept != wanted:
        missing = [text for text in wanted if text not in set(kept)]
        findings.add("lost" if missing else "wrong",
                     f"{name} is not what the stream is: {len(missing)} "
                     f"missing {missing[:1]}, {len(kept)} of {len(wanted)}")
    check_told(story, subscriber, given, findings)


def check_told(story, subscriber, given, findings):
    """`rewound` is told before what came after the rewind: at the end of what was
    lost, or in the middle to one who is given the rest of it all the same. Who
    came later and reads what an instance has kept of it is told nothing."""
    told = [place for place, gap in zip(subscriber.gap_places,
                                        subscriber.gaps)
            if reason_of(gap) == "rewound"]
    begun = {}  # life -> its first event in this history
    for place, text in enumerate(given):
        begun.setdefault(story.texts[text][1], place)
    for place, text in enumerate(given[:-1]):
        after = given[place + 1]
        if text in story.lost and \
                story.texts[after][1] > story.lost[text] and \
                began(subscriber, place) < story.ended[story.lost[text]] and \
                not any(begun[story.lost[text]] <= at <= place + 1
                        for at in told):
            findings.add("wrong", f"{subscriber.name} was not told between "
                                  f"{text[:20]!r} and {after[:20]!r}")


def began(subscriber, place):
    """When the connection began by which this was given."""
    return [at for before, at in subscriber.visits if before <= place][-1]


def reason_of(gap):
    return (json.loads(gap) if isinstance(gap, str) else gap)["reason"]


def main():
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--rounds", type=int, default=4)
    words.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    words.add_argument("--tail", type=int, default=100)
    words.add_argument("--blind", action="store_true",
                       help="nobody who knows of the lost tail need be there")
    words.add_argument("--keep", action="store_true",
                       help="keep the directory of the run")
    words = words.parse_args()
    if missing_binary():
        sys.exit(missing_binary())
    directory = tempfile.mkdtemp(prefix="tidings-rewind-")
    started = time.monotonic()
    run, verdict, status = None, "broken off", 2
    try:
        run = Run(directory, words.seed, words.tail, words.blind)
        for _ in range(words.rounds):
            run.round()
        run.finish()
        verdict = run.findings()
        status = 1 if verdict else 0
        print(run.summary())
    except Exception:
        traceback.print_exc()
        for world in run.worlds if run else ():
            print(f"{world.directory.name}:", world.output()[-3000:], sep="\n")
    if run is not None:
        run.end()
        if status:
            print("parts:", *run.parts, sep="\n  ")
    end(f"rewind_rounds: {words.rounds} rounds in "
        f"{time.monotonic() - started:.0f} s, seed {words.seed}: {verdict}",
        directory, status, words.keep)


if __name__ == "__main__":
    main()
