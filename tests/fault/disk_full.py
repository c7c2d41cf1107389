#!/usr/bin/python3
"""disk_full.py -- no room: publishers are told, readers go on, and publishing
resumes when room returns, without a restart.

    disk_full.py [map] [disk]

map    the journal's map is small and retention by age makes room again.
disk   a small tmpfs, filled by a ballast file that is then deleted. Needs the
       right to mount; without it the case says so and is left out.

In both: the first publish that does not fit is answered 507 (NATS: an error),
a stream and a long-poll go on meanwhile, every acknowledged event reaches the
subscriber once and in order, and `tidings log verify` is content.
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
        self.ids = []
        self.stream = world.sse("/events/news")

    def publish(self):
        """One event; its status."""
        response = self.world.post("/publish/news", DATA)
        if response.status == 201:
            self.ids.append(response.json()["id"])
        elif response.status == 507:
            assert response.error
        else:
            raise AssertionError(response)
        return response.status

    def publish_until(self, status, most):
        for _ in range(most):
            if self.publish() == status:
                return
        raise AssertionError(f"no {status} after {most} publishes")

    def check_stream(self):
        given = [int(e.id) for e in self.stream.take(len(self.ids))]
        assert given == self.ids, "the stream tells another story"
        self.ids = []

    def check_readers_go_on(self):
        self.check_stream()
        answer = self.world.poll("/events/news?flavor=short-poll", "last-3")
        assert len(answer.events) == 3, answer
        assert self.world.get("/healthz").status == 200
        told = self.world.nats.request("events.news", DATA)
        assert "error" in told, told

    def check_room_again(self):
        eventually(lambda: self.publish() == 201, "room again", 2 * DEADLINE_S)
        for _ in range(3):
            assert self.publish() == 201
        told = self.world.nats.request("events.news", DATA)
        self.ids.append(told["id"])
        self.check_stream()
        self.world.wait_until_ready()


def map_full(directory, nats):
    """4 MiB of map, no limit by size, 5 s by age."""
    world = World(directory, nats)
    try:
        world.start(nats=True, map_bytes=4 << 20, keep_bytes=0,
                    keep_age_ms=int(5000 * SLOWNESS), dedup_window_ms=1000)
        story = Story(world)
        story.publish_until(507, 3000)
        full_at = len(story.ids)
        story.check_readers_go_on()
        story.check_room_again()
        world.verify()
        world.end()
        return f"507 after {full_at} events of 4 kB, room again by age"
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
        story = Story(world)
        story.publish_until(507, 5000)
        full_at = len(story.ids)
        story.check_readers_go_on()
        ballast.unlink()
        story.check_room_again()
        world.verify()
        world.end()
        return f"507 after {full_at} events of 4 kB, room again by deletion"
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
