"""What the rows of all figures have in common: a figure, a plan, the best of some
choices, and subscribers that are only held."""

import tempfile
import time
from dataclasses import dataclass, field

from generator import Load, LostEvents, commit_time


@dataclass
class Figure:
    """One line of the table. `limit` is what `ours` is compared with."""

    name: str
    title: str
    goal: str
    ours: float
    limit: float
    unit: str
    peer: float = None
    more_is_better: bool = True
    note: str = ""

    @property
    def reached(self):
        if self.more_is_better:
            return self.ours >= self.limit
        return self.ours <= self.limit

    @property
    def ratio(self):
        return self.ours / self.peer if self.peer else None


@dataclass
class Plan:
    """How long and how often; `tell` reports progress."""

    quick: bool
    tell: callable
    commits: list = field(default_factory=list)

    @property
    def repeats(self):
        return 1 if self.quick else 3

    @property
    def times(self):
        return ({"warmup_ms": 500, "measure_ms": 1500} if self.quick else
                {"warmup_ms": 1000, "measure_ms": 4000})

    def commit_us(self, key):
        """One LMDB commit, where the journals lie; measured with each row that
        asks, because it changes from minute to minute."""
        result = commit_time(tempfile.gettempdir(), 500 if self.quick else 2000)
        self.commits.append(result)
        return result[key]


def median(results, key):
    return sorted(results, key=lambda result: result[key])[len(results) // 2]


def spoken(options):
    return " ".join(f"{name} {value}" for name, value in options.items())


def best(plan, run, choices, key, less=False):
    """Tries each choice once, the best one again; returns its median result and
    the choice in words. A choice that loses events does not count, unless it is
    the only one."""
    tried = []
    for choice in choices:
        try:
            result = run(choice)
        except LostEvents as loss:
            plan.tell(f"    {spoken(choice)}: {loss}")
            if len(choices) == 1:
                raise
            continue
        plan.tell(f"    {spoken(choice)}: {key} {result[key]:,.1f}")
        tried.append((result[key], len(tried), choice, result))
    if not tried:
        raise LostEvents("with every choice")
    tried.sort(reverse=not less)
    choice, results = tried[0][2], [tried[0][3]]
    while len(results) < plan.repeats:
        results.append(run(choice))
    return median(results, key), spoken(choice)


def hold_idle(plan, server, count, watch=True, **more):
    """Memory per subscriber in bytes, share of a core in use."""
    seconds = 0 if not watch else 16 if plan.quick else 31
    with server:
        with Load(server, publish=0, subscribers=64, hold=1, **more) as few:
            few.reach("connected")
        before = server.memory_bytes()
        with Load(server, publish=0, subscribers=count, hold=1,
                  **more) as load:
            load.reach("connected")
            pause(1)
            used = server.memory_bytes() - before
            cpu = server.cpu_s()
            pause(seconds)
            cpu = server.cpu_s() - cpu
    return used / count, cpu / seconds if seconds else None


def pause(seconds):
    """A measured or a settling time; nothing is waited for."""
    time.sleep(seconds)
