"""The figures that the project wants to reach: how each is measured.

A row is a function that returns Figures; the table at the end lists the rows. A
row with a peer measures Tidings and Nchan one after the other with the same
generator on the same processors, and gives each the settings of the generator
(window, connections) and of itself (workers) that suit it best: all are tried
once, the best is measured three times, the median counts.
"""

import tempfile

import feed
import stream_figures
from figures_base import Figure, best, hold_idle, median, pause
from generator import Load, LostEvents, check, measure
from servers import CannotMeasure, Nats, Nchan, Tidings
from tls_figures import tls

BIG_JOURNAL = (("keep_bytes", 10 ** 12),)


def by_nats(settings=(), **fixed):
    """A run of Tidings with a publisher on NATS, to be given to best()."""

    def run(choice):
        with Nats() as nats, Tidings(nats, settings=settings) as tidings:
            return measure(tidings, nats=nats.port, **fixed, **choice)
    return run


def by_http(**fixed):
    def run(choice):
        with Tidings() as tidings:
            return measure(tidings, **fixed, **choice)
    return run


def at_nchan(**fixed):
    def run(choice):
        options = dict(choice)
        with Nchan(options.pop("workers")) as nchan:
            return measure(nchan, drain_ms=60000, **fixed, **options)
    return run


def each_with(choices, **values):
    """Every choice with every value of one more option."""
    (name, several), = values.items()
    return [{name: value, **choice} for value in several for choice in choices]


# Subscribers that have nothing to do ------------------------------------------


def idle(plan):
    figures = []
    for count in (10000, 18000):
        plan.tell(f"  {count} idle subscribers")
        held, cpu = hold_idle(plan, Tidings(), count)
        peer, _ = hold_idle(plan, Nchan(2), count, watch=False)
        figures.append(Figure(
            f"memory-{count}", f"memory per idle SSE subscriber, {count:,}",
            "≤ 1.0 KB", held / 1000, 1.0, "KB", peer / 1000, False))
        if count == 10000:
            figures.append(Figure(
                "idle-cpu", "CPU when 10,000 subscribers idle",
                "≤ 1 % of a core", cpu * 100, 1.0, "%", None, False,
                "two keep-alive periods"))
    return figures


# Deliveries -------------------------------------------------------------------


def fan_out(plan, subscribers, times_peer, ours, peers):
    key = "overall_s"
    # All deliveries from first to last: a full window may take seconds.
    common = dict(subscribers=subscribers, channel="hot", warmup_ms=1000,
                  measure_ms=3000 if plan.quick else 6000)
    plan.tell("  Tidings")
    mine, how = best(plan, by_nats(**common), ours, key)
    plan.tell("  Nchan")
    peer, peer_how = best(plan, at_nchan(**common), peers, key)
    return [Figure(
        f"fanout-{subscribers}",
        f"fan-out on one channel, {subscribers:,} subscribers",
        f"≥ {times_peer} × Nchan", mine[key], times_peer * peer[key],
        "deliveries/s", peer[key],
        note=f"Tidings: {how}; Nchan: {peer_how}")]


def fan_out_10000(plan):
    return fan_out(
        plan, 10000, 4,
        each_with([{"window": 400}, {"window": 150}], readers=(1, 2)),
        each_with([{"window": 20, "depth": 10, "readers": 1},
                   {"window": 20, "depth": 10, "readers": 2},
                   {"window": 100, "depth": 50, "readers": 1}], workers=(1, 2))
        + [{"workers": 2, "window": 200, "depth": 100, "readers": 1}])


def fan_out_1000(plan):
    return fan_out(
        plan, 1000, 3,
        each_with([{"window": 1000}, {"window": 250}], readers=(1, 2)),
        each_with([{"window": 64, "depth": 16, "readers": 1},
                   {"window": 400, "depth": 100, "readers": 1},
                   {"window": 2000, "depth": 500, "readers": 1}],
                  workers=(1, 2)))


def paced(plan):
    common = dict(subscribers=10000, channel="paced", rate=10, latency=1,
                  warmup_ms=1000, measure_ms=3000 if plan.quick else 8000)
    runs = 1 if plan.quick else 3
    plan.tell("  Tidings")
    mine = [by_nats(**common)({}) for _ in range(runs)]
    peers = []
    for workers in (1, 2):
        plan.tell(f"  Nchan, {workers} workers")
        peers.append([at_nchan(**common)({"workers": workers})
                      for _ in range(runs)])

    def line(name, title, key, factor, scale, unit):
        ours = median(mine, key)[key] / scale
        peer = min(median(results, key)[key] for results in peers) / scale
        goal = f"≤ {factor} × Nchan" if factor != 1 else "below Nchan's"
        return Figure(name, title, goal, ours, factor * peer, unit, peer, False)

    at = "10,000 subscribers at 10 events/s"
    return [
        line("paced-cpu", f"CPU per delivery, {at}", "cpu_us_per_delivery", 0.75,
             1, "µs"),
        line("paced-p50", f"latency p50, {at}", "p50_us", 1, 1000, "ms"),
        line("paced-p99", f"latency p99, {at}", "p99_us", 1, 1000, "ms")]


def channels(plan):
    key = "delivered_s"
    common = dict(subscribers=10000, channels=10000, channel="each",
                  behind="mean", **plan.times)
    plan.tell("  Tidings")
    mine, how = best(plan, by_nats(**common),
                     each_with([{"window": 5000}, {"window": 20000}],
                               readers=(1, 2)), key)
    plan.tell("  Nchan")
    peer, peer_how = best(
        plan, at_nchan(**common),
        each_with([{"window": 5000, "publishers": 16, "depth": 4},
                   {"window": 20000, "publishers": 64, "depth": 16}],
                  workers=(1, 2)), key)
    return [Figure(
        "channels", "10,000 channels with a subscriber each, durable",
        "≥ 2 × Nchan", mine[key], 2 * peer[key], "events/s", peer[key],
        note=f"Tidings: {how}; Nchan: {peer_how}")]


def ingest(plan):
    key = "delivered_s"
    run = by_nats(subscribers=1, readers=1, channel="ingest", event_bytes=250,
                  **plan.times)
    mine, how = best(plan, run, [{"window": 20000}, {"window": 60000}], key)
    return [Figure("ingest", "durable ingest by core NATS, 250 bytes",
                   "≥ 300,000/s", mine[key], 300000, "events/s", note=how)]


def long_poll(plan):
    key = "cycles_s"
    common = dict(subscribers=1000, longpoll=1, channel="poll", **plan.times)
    plan.tell("  Tidings")
    mine, how = best(plan, by_nats(**common),
                     each_with([{"window": 2}, {"window": 16}, {"window": 200}],
                               readers=(1, 2)), key)
    plan.tell("  Nchan")
    peer, peer_how = best(
        plan, at_nchan(**common),
        each_with([{"window": 4, "depth": 4}, {"window": 64, "depth": 32}],
                  workers=(1, 2)), key)
    return [Figure("longpoll", "long-poll cycles, 1,000 subscribers",
                   "≥ 0.8 × Nchan", mine[key], 0.8 * peer[key], "cycles/s",
                   peer[key],
                   note=f"Tidings: {how}; Nchan: {peer_how}")]


def websocket(plan):
    """The same events to the same number of readers by WebSocket and by SSE."""
    key = "overall_s"
    common = dict(subscribers=1000, channel="hot", warmup_ms=1000,
                  measure_ms=3000 if plan.quick else 6000)
    windows = each_with([{"window": 1000}, {"window": 250}], readers=(1, 2))
    plan.tell("  Tidings, WebSocket")
    mine, how = best(plan, by_nats(websocket=1, **common), windows, key)
    plan.tell("  Tidings, SSE")
    sse, _ = best(plan, by_nats(**common), windows, key)
    plan.tell("  Nchan, WebSocket")
    peer, peer_how = best(
        plan, at_nchan(websocket=1, **common),
        each_with([{"window": 64, "depth": 16, "readers": 1},
                   {"window": 400, "depth": 100, "readers": 1}],
                  workers=(1, 2)), key)
    return [Figure(
        "websocket-fanout", "fan-out by WebSocket, 1,000 subscribers",
        f"≥ 0.8 × by SSE, {sse[key]:,.0f}/s", mine[key], 0.8 * sse[key],
        "deliveries/s", peer[key],
        note=f"Tidings: {how}; Nchan: {peer_how}")] + websocket_paced(plan)


def websocket_paced(plan):
    key = "cpu_us_per_delivery"
    common = dict(subscribers=10000, channel="paced", rate=10, latency=1,
                  warmup_ms=1000, measure_ms=3000 if plan.quick else 8000)
    runs = 1 if plan.quick else 3

    def of(run, **choice):
        return median([run(choice) for _ in range(runs)], key)

    plan.tell("  Tidings, 10 events/s")
    mine = of(by_nats(websocket=1, **common))
    sse = of(by_nats(**common))
    plan.tell("  Nchan, 10 events/s")
    peers = [of(at_nchan(websocket=1, **common), workers=workers)
             for workers in (1, 2)]
    peer = min(peers, key=lambda result: result[key])
    return [Figure(
        "websocket-cpu",
        "CPU per delivery by WebSocket, 10,000 subscribers at 10 events/s",
        f"≤ 1.2 × by SSE, {sse[key]:.1f} µs", mine[key], 1.2 * sse[key], "µs",
        peer[key], False,
        f"p50 {mine['p50_us'] / 1000:.0f} ms, by SSE "
        f"{sse['p50_us'] / 1000:.0f} ms, Nchan {peer['p50_us'] / 1000:.0f} ms")]


def gzip(plan):
    """Prices to 200 readers, plain and compressed."""
    size = dict(events=100) if plan.quick else {}
    results = {}
    for is_packed in (False, True):
        with Tidings() as tidings:
            results[is_packed] = feed.measure(tidings, is_packed, **size)
    plain, packed = results[False], results[True]
    return [
        Figure("gzip-bytes", "bytes per delivery of the FX feed with gzip",
               f"below {plain['bytes']:.0f} without", packed["bytes"],
               plain["bytes"], "bytes", None, False,
               f"{100 - 100 * packed['bytes'] / plain['bytes']:.0f} % saved"),
        Figure("gzip-cpu", "CPU per delivery of the FX feed with gzip",
               f"≤ 1.2 × {plain['cpu_us']:.1f} µs without", packed["cpu_us"],
               1.2 * plain["cpu_us"], "µs", None, False,
               "200 readers, 50 events/s")]


# Publishing -------------------------------------------------------------------


def publish_many(plan):
    key = "answered_s"
    figures = []
    for connections, factor in ((16, 0.6), (64, 1.0)):
        plan.tell(f"  {connections} connections")
        common = dict(channels=64, channel="post", publishers=connections,
                      **plan.times)
        mine, _ = best(plan, by_http(**common), [{}], key)
        peer, how = best(plan, at_nchan(**common),
                         [{"workers": 1}, {"workers": 2}], key)
        figures.append(Figure(
            f"publish-{connections}",
            f"durable HTTP publish, 64 channels, {connections} connections",
            f"≥ {factor} × Nchan in memory", mine[key], factor * peer[key],
            "events/s", peer[key], note=f"Nchan: {how}"))
    return figures


def publish_one(plan):
    key = "answered_s"
    common = dict(channels=64, channel="post", **plan.times)
    commit_us = plan.commit_us("mean_us")
    mine, _ = best(plan, by_http(**common), [{}], key)
    peer, how = best(plan, at_nchan(**common), [{"workers": 1}], key)
    return [Figure(
        "publish-1", "durable HTTP publish, 1 connection",
        f"≥ 0.7 / {commit_us:.0f} µs commit", mine[key], 0.7e6 / commit_us,
        "events/s", peer[key], note=f"Nchan in memory: {how}")]


def delivery(plan):
    key = "p50_us"
    common = dict(subscribers=1, readers=1, channel="one", rate=100, latency=1,
                  **plan.times)
    commit_us = plan.commit_us("p50_us")
    plan.tell(f"  one commit: {commit_us} µs")
    figures = []
    for way, run in (("NATS", by_nats(**common)), ("HTTP", by_http(**common))):
        mine, _ = best(plan, run, [{}], key, less=True)
        figures.append(Figure(
            f"delivery-{way.lower()}",
            f"publish → durable → delivered, one subscriber, by {way}",
            f"p50 ≤ commit + 0.2 = {commit_us / 1000 + 0.2:.2f} ms",
            mine[key] / 1000, commit_us / 1000 + 0.2, "ms", None, False,
            f"p99 {mine['p99_us'] / 1000:.2f} ms"))
    return figures


# Coming back ------------------------------------------------------------------


def resume(plan):
    sizes = (1000000, 200000) if plan.quick else (10000000, 1000000)
    figures = []
    for events in sizes:
        with tempfile.TemporaryDirectory(prefix="tidings-bench-") as data:
            figures += resume_from(plan, events, data)
    return figures


def resume_from(plan, events, data):
    millions = f"{events / 1e6:g} million"
    plan.tell(f"  filling a journal with {millions} events")
    with Tidings(data=data, settings=BIG_JOURNAL) as tidings:
        filled = measure(tidings, "fill", channel="far", events=events,
                         channels=10000)
        plan.tell(f"    {filled['stored_s']:,.0f} events/s in batches")
        back = measure(tidings, "resume", channel="far")
        figures = [Figure(
            f"resume-{events}",
            f"resume: 1,000 missed events out of {millions}",
            "≤ 5 ms to the last byte", back["p50_us"] / 1000, 5.0, "ms", None,
            False, f"longest of 15: {back['max_us'] / 1000:.1f} ms")]
        kill_while_busy(tidings)
    with Tidings(data=data, settings=BIG_JOURNAL) as tidings:
        figures.append(Figure(
            f"restart-{events}",
            f"start after SIGKILL with {millions} events", "≤ 1 s to ready",
            tidings.start_s, 1.0, "s", None, False))
        measure(tidings, "resume", channel="far", rounds=1)
    return figures


def kill_while_busy(tidings):
    with Load(tidings, publishers=8, channels=64, channel="busy", hold=1,
              warmup_ms=60000) as load:
        load.reach("connected")
        load.go_on()
        pause(2)
        tidings.kill()


# Rude company -----------------------------------------------------------------


def crowd(plan):
    common = dict(channel="calm", rate=200, warmup_ms=1000,
                  measure_ms=4000 if plan.quick else 10000)
    key = "reply_p99_us"
    many = dict(idle=10000, slow_heads=1000, slow_bodies=1000)
    plan.tell("  without them")
    alone, _ = best(plan, by_http(**common), [{}], key)
    plan.tell("  with them")
    among, _ = best(plan, by_http(**common, **many), [{}], key)
    return [Figure(
        "crowd", "a publish among 10,000 idle connections, 1,000 slow heads, "
        "1,000 slow bodies", f"p99 ≤ 2 × {alone[key] / 1000:.2f} ms without",
        among[key] / 1000, 2 * alone[key] / 1000, "ms", None, False,
        f"p50 {among['reply_p50_us'] / 1000:.2f} ms, without them "
        f"{alone['reply_p50_us'] / 1000:.2f} ms")]


def slow(plan):
    common = dict(channel="slow", rate=200, latency=1, warmup_ms=2000,
                  measure_ms=4000 if plan.quick else 10000)
    outbox = 262144
    runs = 1 if plan.quick else 3
    plan.tell("  9,000 fast ones alone")
    alone = median([hold_slow(plan, 0, common) for _ in range(runs)], "p99_us")
    plan.tell("  with 1,000 slow ones")
    mixed = median([hold_slow(plan, 1000, common) for _ in range(runs)],
                   "p99_us")
    each = (mixed["memory"] - alone["memory"]) / 1000
    return [
        Figure("slow-p99",
               "9,000 fast subscribers beside 1,000 that read 1 KiB/s, "
               "200 events/s",
               f"p99 ≤ 1.5 × {alone['p99_us'] / 1000:.0f} ms without",
               mixed["p99_us"] / 1000, 1.5 * alone["p99_us"] / 1000, "ms", None,
               False, f"p50 {mixed['p50_us'] / 1000:.0f} ms, without them "
               f"{alone['p50_us'] / 1000:.0f} ms"),
        Figure("slow-memory", "memory per slow subscriber",
               "≤ its outbox, 262 KB", each / 1000, outbox / 1000, "KB", None,
               False)]


def hold_slow(plan, count, common):
    with Nats() as nats, Tidings(nats) as tidings:
        with Load(tidings, nats=nats.port, subscribers=9000 + count, slow=count,
                  hold=1, **common) as load:
            load.reach("connected")
            before = tidings.memory_bytes()
            load.go_on()
            result = load.line()
            result["memory"] = tidings.memory_bytes() - before
    check(result)
    return result


def stream(plan):
    return stream_figures.stream(plan, Figure)


def stream_publish(plan):
    return list(stream_figures.through(plan, Figure))


ROWS = {
    "idle": idle,
    "fanout-10000": fan_out_10000,
    "fanout-1000": fan_out_1000,
    "paced": paced,
    "channels": channels,
    "ingest": ingest,
    "publish-many": publish_many,
    "publish-1": publish_one,
    "delivery": delivery,
    "longpoll": long_poll,
    "websocket": websocket,
    "gzip": gzip,
    "resume": resume,
    "crowd": crowd,
    "stream": stream,
    "stream-publish": stream_publish,
    "slow": slow,
    "tls": tls,
}
