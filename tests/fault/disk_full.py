#!/usr/bin/python3
"""disk_full.py -- no room: publishers are told, readers go on, and publishing
resumes when room returns, without a restart.

    disk_full.py [map] [disk]

map    the journal's map is small and retention by age makes room again.
disk   a small tmpfs, filled by a ballast file that is then deleted. Needs the
       right to mount; without it the case says so and is left out.

In both: the first publish that does not fit is answered 507 (NATS: an error),
a stream and a long-poll go on meanwhile, every acknowledged event reaches the
subscriber once and in order, and `tidings log verify` is content, also after
the server was killed and started again.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]
                       / "blackbox"))

from nats_raw import NatsServer  # noqa: E402
from patience import DEADLINE_S, SLOWNESS, eventually  # noqa: E402
from world import World, missing_binary  # noqa: E402

DATA = "x" * 4000


class Story:
    """What was acknowledged, and a stream that must show exactly this."""

    def __init__(self, world):
        self.world = world
        self.accepted = 0
        self.last_id = None
        self.stream = world.sse("/events/news")

    def acknowledged(self, ids):
        """The stream shows these next."""
        given = [int(self.stream.next().id) for _ in ids]
        assert given == ids, f"told {ids}, given {given}"
        self.accepted += len(ids)
        self.last_id = ids[-1]

    def publish(self, events=1):
        """Events in one commit; the status."""
        response = self.world.post_batch("news", [{"data": DATA}] * events)
        if response.status == 201:
            self.acknowledged(response.json()["ids"])
        elif response.status == 507:
            assert response.error
        else:
            raise AssertionError(response)
        return response.status

    def fill(self):
        """First with many at a time, then to the last one."""
        for events in (50, 10, 1):
            for _ in range(1000):
                if self.publish(events) == 507:
                    break
            else:
                raise AssertionError("never full")

    def check_readers_go_on(self):
        answer = self.world.poll("/events/news?flavor=short-poll", "last-3")
        assert len(answer.events) == 3, answer
        assert self.world.get("/healthz").status == 200
        assert self.world.get("/readyz").status == 503
        told = self.world.nats.request("events.news", DATA)
        assert "error" in told, told

    def check_room_again(self):
        eventually(lambda: self.publish() == 201, "room again", 2 * DEADLINE_S)
        for _ in range(3):
            assert self.publish() == 201
        told = self.world.nats.request("events.news", DATA)
        self.acknowledged([told["id"]])
        self.world.wait_until_ready()
        self.world.verify()

    def check_a_kill(self):
        """Nothing of the trouble is left in what a start reads."""
        self.world.kill()
        self.world.verify()
        self.world.start()
        channel, events = eventually(self.at_rest, "retention to rest")
        assert channel["count"] == len(events), channel
        assert channel["last_id"] == self.last_id, channel
        self.stream = self.world.sse("/events/news",
                                     last_event_id=self.last_id)
        assert self.publish() == 201
        self.world.verify()

    def at_rest(self):
        """Figures and events between which retention took nothing."""
        channel = self.world.get("/channels/news").json()
        events = self.world.dump()
        is_same = channel == self.world.get("/channels/news").json()
        return (channel, events) if is_same else None

    def tell(self, make_room):
        self.fill()
        full_at = self.accepted
        self.check_readers_go_on()
        make_room()
        self.check_room_again()
        self.check_a_kill()
        self.world.end()
        return f"507 after {full_at} events of 4 kB"


def map_full(directory, nats):
    """4 MiB of map, no limit by size, 10 s by age."""
    world = World(directory, nats)
    try:
        world.start(nats=True, map_bytes=4 << 20, keep_bytes=0,
                    keep_age_ms=int(10000 * SLOWNESS), dedup_window_ms=1000)
        story = Story(world).tell(lambda: None)
        return f"{story}, room again by age"
    except BaseException:
        print(world.output()[-5000:])
        raise
    finally:
        world.abandon()


def disk_full(directory, nats):
    """A tmpfs of 16 MiB with a ballast of 10."""
    mount = pathlib.Path(directory) / "small"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none",
                           str(mount)], capture_output=True)
    if done.returncode != 0:
        return "left out: no right to mount"
    try:
        return disk_full_mounted(directory, mount, nats)
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def disk_full_mounted(directory, mount, nats):
    ballast = mount / "ballast"
    ballast.write_bytes(bytes(10 << 20))
    world = World(directory, nats)
    world.settings["data"] = world.data = mount / "data"
    try:
        world.start(nats=True, keep_bytes=0)
        story = Story(world).tell(ballast.unlink)
        return f"{story}, room again by deletion"
    except BaseException:
        print(world.output()[-5000:])
        raise
    finally:
        world.abandon()


CASES = {"map": map_full, "disk": disk_full}


def main():
    failed = 0
    if missing_binary():
        sys.exit(missing_binary())
    for name in sys.argv[1:] or CASES:
        directory = tempfile.mkdtemp(prefix="tidings-full-")
        nats = NatsServer(directory)
        try:
            print(f"disk_full {name}: ok: {CASES[name](directory, nats)}")
        except (AssertionError, OSError) as failure:
            failed += 1
            print(f"disk_full {name}: FAILED: {failure}")
        finally:
            nats.stop()
            shutil.rmtree(directory)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
