"""What TLS costs: memory of an idle subscriber, deliveries and CPU each, next to
the same without TLS and with nginx as the end of TLS in front, one after the other.

Figures of a pair need a goal; those without one only show what it is.
"""

from figures_base import Figure, best, hold_idle, median
from generator import measure
from servers import Nats, NginxTls, Tidings, TidingsTls

SUBSCRIBERS = 1000

# name in words -> how its server is made
WAYS = {
    "without TLS": Tidings,
    "TLS": TidingsTls,
    "TLS by nginx in front": lambda nats: NginxTls(Tidings(nats)),
}


def run_by(way, **fixed):
    def run(choice):
        with Nats() as nats, WAYS[way](nats) as server:
            return measure(server, nats=nats.port, tls=int("TLS" in way.split()[0]),
                           **fixed, **choice)
    return run


def memory(plan):
    count = 2000 if plan.quick else 5000
    plan.tell(f"  {count} idle subscribers")
    plain, _ = hold_idle(plan, Tidings(), count, watch=False)
    held, _ = hold_idle(plan, TidingsTls(), count, watch=False, tls=1)
    return [Figure(f"tls-memory-{count}",
                   f"memory per idle SSE subscriber over TLS, {count:,}",
                   "≤ 16 KB", held / 1000, 16.0, "KB", None, False,
                   f"without TLS {plain / 1000:.2f} KB")]


def flat_out(plan):
    """Deliveries per second, as many as go."""
    key = "overall_s"
    common = dict(subscribers=SUBSCRIBERS, channel="hot", warmup_ms=1000,
                  measure_ms=2000 if plan.quick else 5000)
    choices = [{"window": 1000}, {"window": 250}]
    found = {}
    for way in WAYS:
        plan.tell(f"  {way}")
        found[way], _ = best(plan, run_by(way, **common), choices, key)
    cpu = "; ".join(f"{way} {found[way]['cpu_us_per_delivery']:.2f}"
                    for way in WAYS)
    return [Figure("tls-fanout",
                   f"fan-out over TLS, {SUBSCRIBERS:,} subscribers",
                   "≥ with nginx in front", found["TLS"][key],
                   found["TLS by nginx in front"][key], "deliveries/s", None,
                   note=f"without TLS {found['without TLS'][key]:,.0f}, nginx "
                   f"in front {found['TLS by nginx in front'][key]:,.0f}; "
                   f"µs of CPU per delivery: {cpu}")]


def paced(plan):
    """CPU per delivery where each event is a write of its own."""
    key = "cpu_us_per_delivery"
    common = dict(subscribers=SUBSCRIBERS, channel="paced", rate=20, latency=1,
                  warmup_ms=1000, measure_ms=3000 if plan.quick else 8000)
    found = {}
    for way in WAYS:
        plan.tell(f"  {way}")
        runs = [run_by(way, **common)({}) for _ in range(plan.repeats)]
        found[way] = median(runs, key)
    words = "; ".join(f"{way} {found[way][key]:.1f} µs, p99 "
                      f"{found[way]['p99_us'] / 1000:.1f} ms" for way in WAYS)
    return [Figure("tls-cpu",
                   f"CPU per delivery over TLS, {SUBSCRIBERS:,} subscribers at "
                   "20 events/s", "≤ with nginx in front", found["TLS"][key],
                   found["TLS by nginx in front"][key], "µs", None, False,
                   note=words)]


def tls(plan):
    return memory(plan) + flat_out(plan) + paced(plan)
