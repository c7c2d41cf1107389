"""The figures of a followed stream: a nats-server with JetStream beside Tidings.

Catching up, the live path, publishing through the stream, and one instance next to
three. All on the processors that the other figures have; the yardsticks (one
acknowledgement, one commit, nats.c's own rate) are measured in the same row.
"""

import json
import os
import resource
import subprocess
import sys
import time

from generator import Load, check, measure, tool
from servers import (CPUS, CannotMeasure, Nats, Tidings, only_on, pin, spawn,
                     wait_for)

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "blackbox"))

from http_raw import Connection  # noqa: E402
from jetstream import JetStream  # noqa: E402
from nats_raw import NatsClient  # noqa: E402
from streams import Sse  # noqa: E402

SETTINGS = (("stream", "EVENTS"), ("keep_bytes", 10 ** 12),
            ("stream_lag_max", 10 ** 12))
UNLIMITED = tuple((f"publish_{what}_per_second", 0)
                  for what in ("events", "bytes", "channels"))
BATCH_LINES = 100
POSTERS = 64
UNACKNOWLEDGED_MAX = 4096


class Jet(Nats):
    """Debian's nats-server with JetStream, its file store in its directory."""

    def start(self):
        self.process = spawn(
            ["nats-server", "-a", "127.0.0.1", "-p", "-1", "-js",
             "-sd", os.path.join(self.home, "store"),
             "--ports_file_dir", self.home],
            stdout=self.log, stderr=self.log)
        ports = os.path.join(self.home, f"nats-server_{self.process.pid}.ports")
        wait_for(lambda: os.path.exists(ports) and os.path.getsize(ports) > 2,
                 self.process, self.name)
        with open(ports) as file:
            self.port = int(json.load(file)["nats"][0].rsplit(":", 1)[1])
        self.streams = JetStream(NatsClient(self.port, is_patient=True))
        self.streams.create("EVENTS")


def figures_of(server):
    connection = Connection(server.port)
    connection.request("GET", "/metrics", {"Connection": "close"})
    text = connection.response().text
    connection.close()
    return {line.split(" ")[0].removeprefix("tidings_").removesuffix("_total"):
            float(line.split(" ")[1]) for line in text.splitlines()
            if line and line[0] != "#"}


def middle(values):
    return sorted(values)[len(values) // 2]


def catch_up_once(events):
    """Events a second of an instance that starts empty."""
    with Jet() as jet:
        jet.streams.fill("events.fill", ("x" * 250 for _ in range(events)))
        with Tidings(jet, settings=SETTINGS) as server:
            begun, first = time.monotonic(), None
            while True:
                at = figures_of(server)["stream_sequence"]
                now = time.monotonic()
                if first is None and at > 0:
                    first = (now, at)
                if at >= events:
                    break
                if now - begun > 120:
                    raise CannotMeasure(f"only {at} of {events} read")
                time.sleep(0.002)
    return (events - first[1]) / (now - first[0])


def live_once(events):
    """Milliseconds, p50: an acknowledgement alone, an event to its subscriber,
    and the mean commit meanwhile by the server's own count."""
    with Jet() as jet:
        acknowledgements, deliveries = [], []
        for _ in range(events):
            begun = time.monotonic()
            jet.streams.publish("events.other", "x" * 200)
            acknowledgements.append(time.monotonic() - begun)
        with Tidings(jet, settings=SETTINGS) as server:
            connection = Connection(server.port)
            connection.request("GET", "/events/live",
                               {"Accept": "text/event-stream"})
            stream = Sse(connection)
            before = figures_of(server)
            for number in range(events):
                begun = time.monotonic()
                reply = jet.streams.client.ask("events.live",
                                               f"{number} " + "x" * 200)
                event = stream.next()
                deliveries.append(time.monotonic() - begun)
                if event.data.split(" ")[0] != str(number):
                    raise CannotMeasure(f"{event} instead of {number}")
                jet.streams.acknowledged(reply)
            after = figures_of(server)
            connection.close()
    commit_us = ((after["journal_commit_us"] - before["journal_commit_us"])
                 / (after["journal_commits"] - before["journal_commits"]))
    return (middle(acknowledgements) * 1000, middle(deliveries) * 1000,
            commit_us / 1000)


def children_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def counted(servers, run):
    """What `run` gives, and the microseconds of CPU per event that the servers
    and the program that it runs have used."""
    before = [server.cpu_s() for server in servers] + [children_s()]
    result = run()
    after = [server.cpu_s() for server in servers] + [children_s()]
    return result, [(end - begin) * 1e6 / result["published"]
                    for begin, end in zip(before, after)]


def own_rate(plan, jet, unacknowledged=UNACKNOWLEDGED_MAX):
    """What nats.c publishes."""
    done = subprocess.run(
        [tool("bench_jetstream"), f"nats://127.0.0.1:{jet.port}",
         "events.yardstick", str(plan.times["measure_ms"]), "200",
         str(unacknowledged)],
        capture_output=True, text=True, preexec_fn=pin)
    if done.returncode != 0:
        raise CannotMeasure(done.stderr)
    return json.loads(done.stdout)


def post(plan, server, lines):
    """64 kept connections publish, `lines` events a request."""
    return measure(server, channels=POSTERS, channel="post",
                   publishers=POSTERS, lines=lines, **plan.times)


def through_once(plan, ack, lines):
    """Through the stream; nats.c alone; nats.c with as many under way as the
    requests have, into a stream that Tidings follows, which is the same work but
    for HTTP; and by HTTP without a stream. Each in turn: what the machine does
    besides changes from minute to minute. In words too what each costs, which
    changes less."""
    followed = SETTINGS + UNLIMITED + (("stream_ack", ack),)
    with Jet() as jet:
        alone, alone_us = counted([jet], lambda: own_rate(plan, jet))
    with Jet() as jet, Tidings(jet, settings=followed):
        alike = own_rate(plan, jet, min(POSTERS * lines, UNACKNOWLEDGED_MAX))
    with Tidings(settings=UNLIMITED) as server:
        plain = post(plan, server, lines)
    with Jet() as jet, Tidings(jet, settings=followed) as server:
        ours, spent_us = counted([server, jet],
                                 lambda: post(plan, server, lines))
    ratio = ours["answered_s"] / alone["published_s"]
    told = (f"{ratio:.2f} × nats.c alone; "
            f"{ours['answered_s'] / alike['published_s']:.2f} × nats.c with as "
            f"many under way and followed too, {alike['published_s']:,.0f}/s; "
            f"the same requests without a stream: "
            f"{plain['answered_s']:,.0f} events/s; CPU per event: Tidings "
            f"{spent_us[0]:.1f}, nats-server {spent_us[1]:.1f}, generator "
            f"{spent_us[2]:.1f} µs; nats.c alone {alone_us[1]:.1f}, its "
            f"nats-server {alone_us[0]:.1f} µs")
    plan.tell(f"    {lines} a request, {ack}: {told}")
    return ratio, ours["answered_s"], alone["published_s"], told


def through(plan, Figure):
    for lines, shape in ((1, "one event each"),
                         (BATCH_LINES, f"{BATCH_LINES} lines each")):
        for ack in ("stream", "journal"):
            runs = sorted(through_once(plan, ack, lines)
                          for _ in range(plan.repeats))
            _, ours, theirs, told = runs[len(runs) // 2]
            yield Figure(
                f"stream-publish-{ack}-{lines}",
                f"HTTP publish through the stream, 64 connections, {shape}, "
                f"stream_ack={ack}",
                f"≥ 0.7 × nats.c alone, {theirs:,.0f}/s", ours, 0.7 * theirs,
                "events/s", None, True, told)


def fan_out_once(plan, places):
    """Deliveries a second of all instances together, one for each of `places`,
    which are processors; with it are 300 subscribers of a channel that a
    publisher of its own fills as fast as they take it."""
    with Jet() as jet:
        servers = [Tidings(jet, settings=SETTINGS) for _ in places]
        loads = []
        try:
            for number, (server, cpus) in enumerate(zip(servers, places)):
                with only_on(cpus):
                    server.__enter__()
                    loads.append(Load(server, nats=jet.port, subscribers=300,
                                      channel=f"hot{number}", window=500,
                                      readers=1, warmup_ms=1000,
                                      measure_ms=plan.times["measure_ms"]))
            total = 0
            for load in loads:
                out, err = load.process.communicate(timeout=120)
                if not out.strip():
                    raise CannotMeasure(err.strip())
                result = json.loads(out.strip().splitlines()[-1])
                check(result)
                total += result["overall_s"]
        finally:
            for server in servers:
                if server.process is not None:
                    server.__exit__()
    return total


def fan_out(plan, places):
    return middle([fan_out_once(plan, places) for _ in range(plan.repeats)])


def stream(plan, Figure):
    events = 150000 if plan.quick else 600000
    rates = [catch_up_once(events) for _ in range(plan.repeats)]
    found = [Figure("stream-catch-up", "catching up from a stream, 250 bytes",
                    "≥ 300,000/s", middle(rates), 300000, "events/s")]
    runs = sorted((live_once(150 if plan.quick else 500)
                   for _ in range(plan.repeats)),
                  key=lambda run: run[1] - run[0] - run[2])
    ack_ms, live_ms, commit_ms = runs[len(runs) // 2]
    found.append(Figure(
        "stream-live", "publisher → stream → journal → subscriber, p50",
        f"≤ acknowledgement {ack_ms:.2f} + commit {commit_ms:.2f} + 1 ms",
        live_ms, ack_ms + commit_ms + 1, "ms", None, False))
    one, three = (fan_out(plan, [CPUS] * count) for count in (1, 3))
    found.append(Figure(
        "stream-instances", "fan-out of three instances on the same cores",
        f"≥ 0.8 × one alone, {one:,.0f}/s", three, 0.8 * one, "deliveries/s",
        None, True,
        "all share the cores: this shows the price of three, not their gain"))
    own_cores = [[cpu] for cpu in CPUS]
    first, each = (fan_out(plan, places)
                   for places in (own_cores[:1], own_cores))
    found.append(Figure(
        "stream-instances-pinned",
        f"fan-out of {len(own_cores)} instances, each with its subscribers on a "
        "core of its own", f"≥ one such, {first:,.0f}/s", each, first,
        "deliveries/s", None, True,
        f"{each / first:.2f} × one; nats-server is on all of them"))
    return found
