"""beside.py -- a publisher and a stream beside whatever is done to the server.

Both go on at a steady pace, and what they take is compared with what they took
just before, undisturbed, in the same run: machines and their other work differ.
"""

import math
import time

PACE_S = 0.005


def percentile(samples, share):
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


class Beside:
    """One kept connection that publishes, one stream that must show it."""

    def __init__(self, world, source="127.0.0.1", headers=()):
        self.world = world
        self.headers = dict(headers)
        self.publisher = world.connect(source=source)
        self.stream = world.sse("/events/beside")

    def once(self):
        """Seconds until the answer, and until the event is there."""
        begun = time.monotonic()
        self.publisher.request("POST", "/publish/beside", self.headers, b"x")
        response = self.publisher.response()
        answered = time.monotonic()
        assert response.status == 201, response
        event = self.stream.next()
        assert int(event.id) == response.json()["id"], event
        return answered - begun, time.monotonic() - begun

    def measure(self, seconds):
        """The p99 of both, in milliseconds, and of how many."""
        samples = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            samples.append(self.once())
            time.sleep(PACE_S)
        return [1000 * percentile(column, 0.99)
                for column in zip(*samples)] + [len(samples)]


class Comparison:
    """Undisturbed and disturbed; worse by what factor."""

    def __init__(self, before, during):
        self.before, self.during = before, during

    @property
    def factor(self):
        return max(self.during[i] / self.before[i] for i in range(2))

    def __str__(self):
        return ("publish p99 {:.2f} -> {:.2f} ms, stream p99 {:.2f} -> {:.2f} "
                "ms, {} and {} samples, worst factor {:.2f}".format(
                    self.before[0], self.during[0], self.before[1],
                    self.during[1], self.before[2], self.during[2],
                    self.factor))
