"""The journal seen from outside: dedup, retention, `tidings log`."""

import json
import time

import pytest
from marks import serve
from patience import eventually


def count_of(world, channel):
    return world.get(f"/channels/{channel}").json()["count"]


# ---- dedup (section 7) ----------------------------------------------------

def test_7_a_key_that_was_seen_gives_the_first_id(world):
    first = world.post("/publish/news", "one", {"Idempotency-Key": "k1"})
    again = world.post("/publish/news", "one", {"Idempotency-Key": "k1"})
    assert (first.status, again.status) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert len(world.dump()) == 1


def test_7_a_duplicate_is_not_delivered(world):
    news = world.sse("/events/news")
    for _ in range(3):
        world.post("/publish/news", "one", {"Idempotency-Key": "k1"})
    world.publish("news", "marker")
    assert [event.data for event in news.take(2)] == ["one", "marker"]


def test_7_keys_are_remembered_over_restart_and_kill(world):
    first = world.post("/publish/news", "x", {"Idempotency-Key": "k"}).json()
    world.restart()
    again = world.post("/publish/news", "x", {"Idempotency-Key": "k"})
    assert (again.status, again.json()["id"]) == (200, first["id"])
    world.kill()
    world.start()
    again = world.post("/publish/news", "x", {"Idempotency-Key": "k"})
    assert (again.status, again.json()["id"]) == (200, first["id"])


@serve(dedup_window_ms=1)
def test_a_key_is_forgotten_after_the_window(world):
    first = world.post("/publish/news", "x", {"Idempotency-Key": "k"}).json()

    def is_new():
        answer = world.post("/publish/news", "x", {"Idempotency-Key": "k"})
        return answer.status == 201 and answer.json()["id"] > first["id"]

    eventually(is_new, "the key to be forgotten")


def test_7_the_same_key_twice_in_one_batch_is_one_event(world):
    ids = world.publish_batch("news", [
        {"data": "a", "key": "k1"}, {"data": "b", "key": "k2"},
        {"data": "a", "key": "k1"}])
    assert ids[0] == ids[2] != ids[1]
    assert [event["data"] for event in world.dump()] == ["a", "b"]


def test_7_a_batch_sent_again_gives_the_same_ids(world):
    batch = [{"data": f"{n}", "key": f"k{n}"} for n in range(10)]
    first = world.publish_batch("news", batch)
    assert world.publish_batch("news", batch) == first
    assert len(world.dump()) == 10


# ---- retention ------------------------------------------------------------

@serve(keep_count=5)
def test_only_the_newest_so_many_are_kept(world):
    for number in range(30):
        world.publish("news", f"{number}")
    eventually(lambda: count_of(world, "news") == 5, "5 events to be left")
    stream = world.sse("/events/news", last_event_id="earliest")
    assert [event.data for event in stream.take(5)] == \
        [f"{n}" for n in range(25, 30)]
    world.verify()


@serve(keep_age_ms=50)
def test_only_the_newest_by_age_are_kept(world):
    for number in range(10):
        world.publish("news", f"{number}")
    eventually(lambda: count_of(world, "news") == 0, "all events to be gone")
    world.verify()
    last = world.publish("news", "new")
    assert world.get("/channels/news").json()["last_id"] == last


@serve(keep_bytes=200000)
def test_only_so_many_bytes_are_kept_in_all(world):
    for number in range(30):
        world.publish(f"c{number % 3}", f"{number}".rjust(20000))
    eventually(lambda: 0 < sum(count_of(world, f"c{n}") for n in range(3))
               <= 12, "the oldest to be trimmed")
    left = [int(event["data"]) for event in world.dump()]
    assert left == list(range(30 - len(left), 30)), "oldest first"
    world.verify()


def test_what_a_pattern_keeps(idle_world):
    path = idle_world.directory / "made.conf"
    path.write_text("[channel logs.>]\nkeep_count = 2\n"
                    "[channel tiny]\nkeep_bytes = 1000\n")
    world = idle_world.start(config=path)
    for number in range(10):
        for channel in ("logs.a.b", "logs.c", "tiny", "news"):
            world.publish(channel, f"{number}".rjust(300))
    for channel, count in (("logs.a.b", 2), ("logs.c", 2), ("news", 10)):
        eventually(lambda c=channel, n=count: count_of(world, c) == n, channel)
    eventually(lambda: 1 <= count_of(world, "tiny") <= 3, "tiny")
    world.verify()
    world.restart()
    assert count_of(world, "logs.c") == 2 and count_of(world, "news") == 10


@serve(keep_count=3)
def test_figures_are_right_after_retention_and_kill(world):
    ids = [world.publish("news", f"{n}") for n in range(20)]
    eventually(lambda: count_of(world, "news") == 3, "3 events to be left")
    world.kill()
    world.start()
    channel = world.get("/channels/news").json()
    assert (channel["count"], channel["first_id"], channel["last_id"]) == \
        (3, ids[17], ids[19])
    world.verify()


@serve(channels_max=3)
def test_more_channels_than_the_setting_are_refused(world):
    for channel in "abc":
        world.publish(channel, "x")
    refused = world.post("/publish/d", "x")
    assert refused.status in (503, 507) and refused.error
    world.publish("a", "still works")


# ---- tidings log ----------------------------------------------------------

def test_log_dump_beside_the_running_server(world):
    first = world.publish("news", "one\ntwo", event_type="t")
    second = world.publish("sport", '{"a":1}')
    one, two = world.dump()
    assert (one["id"], one["channel"], one["type"], one["data"]) == \
        (first, "news", "t", "one\ntwo")
    assert two["id"] == second and two["time"] >= one["time"]
    assert [e["id"] for e in world.dump("--channel", "sport")] == [second]
    assert [e["id"] for e in world.dump("--after", first)] == [second]
    assert [e["id"] for e in world.dump("--limit", "1")] == [first]
    world.publish("news", "the server goes on")


def test_log_stat_and_verify_beside_the_running_server(world):
    for number in range(100):
        world.publish(f"c{number % 7}", f"{number}")
    stat = world.tidings("log", "stat", "--data", world.data)
    assert stat.returncode == 0 and b"100" in stat.stdout
    world.verify()


def test_log_after_the_server_is_gone(world):
    world.publish("news", "one")
    world.kill()
    assert [event["data"] for event in world.dump()] == ["one"]
    world.verify()


def test_log_of_no_journal_is_an_error_and_makes_none(idle_world):
    done = idle_world.tidings("log", "stat", "--data", "nothing-here")
    assert done.returncode > 0 and b"nothing-here" in done.stderr
    assert not (idle_world.directory / "nothing-here").exists()


def test_log_verify_finds_a_flipped_byte(world):
    world.publish("news", "unmistakable-" * 5)
    world.stop()
    path = max(world.data.glob("**/*.mdb"), key=lambda p: p.stat().st_size)
    raw = path.read_bytes()
    assert b"unmistakable-" in raw
    path.write_bytes(raw.replace(b"unmistakable-", b"unmistakablE-"))
    done = world.tidings("log", "verify", "--data", world.data)
    assert done.returncode == 1, (done.stdout, done.stderr)


# ---- the other commands ---------------------------------------------------

def test_the_command_publish(world):
    url = f"http://127.0.0.1:{world.port}"
    done = world.tidings("publish", "news", "hello", "--type", "t",
                         "--key", "k", "--url", url)
    assert done.returncode == 0, done.stderr
    event, = world.dump()
    assert done.stdout.strip() == str(event["id"]).encode()
    assert (event["data"], event["type"]) == ("hello", "t")
    again = world.tidings("publish", "news", "hello", "--key", "k",
                          "--url", url)
    assert again.stdout == done.stdout and len(world.dump()) == 1


def test_the_command_publish_reads_its_input(world):
    url = f"http://127.0.0.1:{world.port}"
    done = world.tidings("publish", "news", "-", "--url", url,
                         stdin="Gruyère\n".encode())
    assert done.returncode == 0, done.stderr
    assert world.dump()[0]["data"].rstrip("\n") == "Gruyère"


@pytest.mark.parametrize("lines", [False, True])
def test_the_command_publish_says_when_it_was(world, lines):
    words = ("--lines",) if lines else ("-",)
    minute_ago = int(time.time() * 1000) - 60000
    done = world.tidings(
        "publish", "news", *words, "--time", str(minute_ago), "--url",
        f"http://127.0.0.1:{world.port}", stdin=b"one\ntwo\n")
    assert done.returncode == 0, done.stderr
    assert {event["time"] for event in world.dump()} == {minute_ago}
    assert len(world.dump()) == (2 if lines else 1)
    refused = world.tidings("publish", "news", "x", "--time", "noon")
    assert refused.returncode == 2 and b"--time" in refused.stderr


def test_the_command_channels(world):
    world.publish("news", "x")
    world.publish("orders.1", "x")
    url = f"http://127.0.0.1:{world.port}"
    done = world.tidings("channels", "--url", url)
    assert done.returncode == 0, done.stderr
    assert b"news" in done.stdout and b"orders.1" in done.stdout


@pytest.mark.parametrize("words", [
    ["publish", "a..b", "x"], ["channels"], ["publish", "news", "x"]])
def test_commands_without_a_server_say_what_is_wrong(idle_world, words):
    done = idle_world.tidings(*words, "--url", "http://127.0.0.1:1")
    assert done.returncode > 0 and done.stderr


def test_dump_is_json_whatever_the_text(world):
    data = "\0 \x01 \" \\ \u2028 🧀 \r\n"
    world.publish("news", data)
    done = world.tidings("log", "dump", "--data", world.data)
    line, = done.stdout.splitlines()
    assert json.loads(line)["data"] == data
