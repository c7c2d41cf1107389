"""steady_publisher.py -- publishes number after number, whatever happens.

    with SteadyPublisher(world) as publisher:
        publisher.wait_for_more(5)      five more are on disk
        ids = publisher.stop()          of all numbers, in their order

As a publisher should: each number has a key, and is sent again with it until the
server says the id. So all numbers are stored once, also those during which the
server was killed, and `ids` is what every reader must have, no more and no less.

One number is on its way at a time. The thread follows world.port, so the server
may be started again anywhere; None is nowhere.
"""

import http.client
import threading

from patience import DEADLINE_S, Deadline, TimedOut, eventually

PACE_S = 0.02  # between two numbers: readers shall have quiet moments


class SteadyPublisher:
    def __init__(self, world, channel="news", patience_s=DEADLINE_S):
        self.world = world
        self.channel = channel
        self.patience_s = patience_s  # for one number, however often sent
        self.ids = []
        self.failure = None
        self.changed = threading.Condition()  # guards ids and failure
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._run, name="publisher",
                                       daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join(DEADLINE_S)

    def wait_for_more(self, count):
        """Waits until so many were acknowledged since the call; their ids."""
        deadline = Deadline()
        with self.changed:
            begin = len(self.ids)
            while len(self.ids) < begin + count:
                self._check()
                if not self.changed.wait(deadline.left("acknowledgements")):
                    raise TimedOut("nothing is acknowledged")
            return self.ids[begin:]

    def stop(self):
        """Finishes the number that is on its way. The ids of all."""
        self.ending.set()
        self.thread.join(Deadline().left("the publisher"))
        assert not self.thread.is_alive(), "the last number is not acknowledged"
        self._check()
        return list(self.ids)

    def _check(self):
        if self.failure is not None:
            raise self.failure

    # ---- its thread ----------------------------------------------------

    def _run(self):
        try:
            while not self.ending.wait(PACE_S):
                number = eventually(lambda: self._publish(len(self.ids)),
                                    "a number to be acknowledged",
                                    self.patience_s)
                with self.changed:
                    self.ids.append(number)
                    self.changed.notify_all()
        except AssertionError as failure:
            with self.changed:
                self.failure = failure
                self.changed.notify_all()

    def _publish(self, number):
        """The id, or None if the server is away."""
        port = self.world.port
        if port is None:
            return None
        connection = http.client.HTTPConnection("127.0.0.1", port,
                                                timeout=self.patience_s)
        try:
            connection.request("POST", f"/publish/{self.channel}", str(number),
                               {"Idempotency-Key": f"number-{number}"})
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        assert answer.status in (200, 201, 503), (answer.status, body)
        return None if answer.status == 503 else int(
            body.split(b":")[1].rstrip(b"}\n "))
