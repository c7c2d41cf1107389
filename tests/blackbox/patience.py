"""patience.py -- how long a test waits for what must come.

No test sleeps and none asserts that something is quick: a wait ends when the
awaited thing happens, and only a server that is wrong lets it run to the
deadline. TIDINGS_TEST_SLOWNESS stretches every deadline, for builds that check
themselves while they run and for busy machines.
"""

import os
import time

SLOWNESS = float(os.environ.get("TIDINGS_TEST_SLOWNESS", "1"))
DEADLINE_S = 20 * SLOWNESS


class TimedOut(AssertionError):
    """What a test waited for did not come."""


class Deadline:
    """A point in time that several waits share."""

    def __init__(self, seconds=None):
        seconds = DEADLINE_S if seconds is None else seconds
        self.at = time.monotonic() + seconds

    def left(self, what):
        """Seconds still to wait; raises when there are none."""
        seconds = self.at - time.monotonic()
        if seconds <= 0:
            raise TimedOut(f"waited in vain for {what}")
        return seconds


def eventually(condition, what, seconds=None):
    """Asks until the answer is true and returns it: for conditions that can
    only be asked for (a file, a counter), never instead of an event."""
    deadline = Deadline(seconds)
    pause = 0.001
    while True:
        answer = condition()
        if answer:
            return answer
        deadline.left(what)
        time.sleep(pause)
        pause = min(pause * 2, 0.05)
