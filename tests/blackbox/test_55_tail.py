"""The command `tail`: a subscriber in the terminal that resumes."""

import json
import subprocess

import pytest
from marks import serve
from nats_raw import free_port
from patience import DEADLINE_S
from test_50_resume import wait_until_count


class Tail:
    """A `tidings tail` process whose lines are read one by one."""

    def __init__(self, world, *words):
        self.process = subprocess.Popen(
            [world.binary, "tail", *words, "--url",
             f"http://127.0.0.1:{world.port}"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=world.directory)

    def line(self):
        return self.process.stdout.readline().decode().rstrip("\n")

    def wait(self):
        return self.process.wait(DEADLINE_S)

    def end(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def tails():
    running = []
    yield running
    for tail in running:
        tail.end()


def test_it_prints_what_comes_and_ends_after_so_many(world, tails):
    first = world.publish("news", "one", event_type="headline")
    tails.append(Tail(world, "news", "--after", "earliest", "--count", "2"))
    assert str(first) in (line := tails[0].line())
    assert "headline" in line and "one" in line
    world.publish("news", "two")
    assert "two" in tails[0].line()
    assert tails[0].wait() == 0


def test_it_can_print_json(world, tails):
    number = world.publish("news", '{"a":1}', event_type="t")
    tails.append(Tail(world, "news", "--after", "earliest", "--json",
                      "--count", "1"))
    event = json.loads(tails[0].line())
    assert event["id"] == number and tails[0].wait() == 0


def test_it_comes_back_after_a_kill_without_losing_or_repeating(idle_world,
                                                                tails):
    world = idle_world.start(listen=f"127.0.0.1:{free_port()}", retry_ms=20)
    world.publish("news", "one")
    tails.append(Tail(world, "news", "--after", "earliest", "--count", "4"))
    assert "one" in tails[0].line()
    world.kill()
    world.start()
    world.publish("news", "two")
    world.publish("news", "three")
    assert "two" in tails[0].line()
    world.hang_up_all()
    world.stop()
    world.start()
    world.publish("news", "four")
    assert "three" in tails[0].line()
    assert "four" in tails[0].line()
    assert tails[0].wait() == 0


def test_controls_do_not_reach_the_terminal(world, tails):
    world.publish("news", "\x1b[31mred\x1b[0m\x07")
    tails.append(Tail(world, "news", "--after", "earliest", "--count", "1"))
    assert "\x1b" not in (line := tails[0].line()) and "red" in line


def test_a_wrong_address_is_said(world, tails):
    done = world.tidings("tail", "news", "--url", "http://127.0.0.1:1")
    assert done.returncode > 0 and done.stderr


@serve(keep_count=1)
def test_a_gap_is_shown(world, tails):
    first = world.publish("news", "one")
    for number in range(5):
        world.publish("news", f"{number}")
    wait_until_count(world, "news", 1)
    tails.append(Tail(world, "news", "--after", str(first), "--json",
                      "--count", "2"))
    lines = [tails[0].line(), tails[0].line()]
    assert any("gap" in line or "trimmed" in line for line in lines), lines
