"""Start and stop: design.md 2 and 5, protocol.md 8 (scheduled end, SIGTERM)."""

import os
import signal

from http_raw import Connection
from marks import serve
from patience import eventually


def test_the_port_file_holds_the_port_of_a_server_that_is_ready(world):
    assert world.get("/healthz").status == 200


def test_sigterm_and_sigint_end_it_with_status_0(idle_world):
    for number in (signal.SIGTERM, signal.SIGINT):
        idle_world.start()
        idle_world.process.send_signal(number)
        assert idle_world.wait_for_end() == 0


def test_it_stops_quickly_when_nobody_is_connected(world):
    world.get("/healthz")
    world.stop()
    world.start()
    assert world.get("/healthz").status == 200


def test_a_second_server_on_the_same_data_is_refused(world):
    done = world.tidings("serve", "--listen", "127.0.0.1:0",
                         "--data", world.data)
    assert done.returncode != 0
    assert str(world.data) in (done.stdout + done.stderr).decode()
    assert world.get("/healthz").status == 200


def test_a_port_in_use_is_refused_with_a_sentence(world):
    done = world.tidings("serve", "--listen", f"127.0.0.1:{world.port}",
                         "--data", world.directory / "other")
    assert done.returncode != 0
    assert str(world.port) in (done.stdout + done.stderr).decode()


def test_data_that_is_no_directory_is_refused_with_a_sentence(world):
    path = world.directory / "a-file"
    path.write_text("not a journal")
    done = world.tidings("serve", "--listen", "127.0.0.1:0", "--data", path)
    assert done.returncode != 0
    assert b"a-file" in done.stdout + done.stderr


def test_a_start_in_the_stream_that_is_none_is_named(world):
    done = world.tidings("serve", "--listen", "127.0.0.1:0", "--nats",
                         "nats://127.0.0.1:1", "--stream", "EVENTS",
                         "--stream_start", "yesterday",
                         "--data", world.directory / "other")
    assert done.returncode != 0
    assert b"stream_start is" in done.stdout + done.stderr


def test_after_a_kill_it_starts_again_on_the_same_data(world):
    first = world.publish("news", "one")
    world.kill()
    world.start()
    second = world.publish("news", "two")
    assert second > first
    assert [event["data"] for event in world.dump()] == ["one", "two"]


@serve(first_id=1)
def test_a_new_journal_starts_at_first_id(world):
    assert [world.publish("news", "x") for _ in range(3)] == [1, 2, 3]


def test_a_new_journal_starts_at_its_time_of_birth(world):
    """protocol.md 1: ids stay below 2^53 and out of [10^11, 10^14)."""
    first = world.publish("news", "x")
    assert 10 ** 14 <= first < 2 ** 53
    assert world.publish("news", "y") > first


@serve(retry_ms=1000, drain_ms=400)
def test_8_sigterm_closes_streams_with_a_new_retry(world):
    """Section 8: streams are closed over drain_ms with jittered `retry:`."""
    streams = [world.sse("/events/news") for _ in range(8)]
    first = [stream.wait_for_retry() for stream in streams]
    world.ask_to_stop()
    for stream in streams:
        assert stream.ends() == []
        assert stream.body.is_complete, "cut off without the last chunk"
        assert len(stream.retries) == 2, stream.raw
        assert 800 <= stream.retry <= 1200
    assert len(first) == 8
    assert world.wait_for_end() == 0


def test_8_sigterm_answers_waiting_long_polls(world):
    waiting = world.begin_poll("/events/news")
    world.wait_for_subscribers(1)
    world.ask_to_stop()
    assert world.poll_answer(waiting).events == []
    assert world.wait_for_end() == 0


def test_8_everything_accepted_is_committed_at_sigterm(world):
    """Publishes that are under way when SIGTERM comes are either answered
    with an id that the journal has, or not accepted at all."""
    publishers = [world.connect() for _ in range(50)]
    for number, publisher in enumerate(publishers):
        publisher.request("POST", "/publish/news", {}, b"%d" % number)
    world.ask_to_stop()
    ids = set()
    for publisher in publishers:
        publisher.is_ended()
        if publisher.buffer:
            response = publisher.response()
            if response.status == 201:
                ids.add(response.json()["id"])
    assert world.wait_for_end() == 0
    assert ids <= {event["id"] for event in world.dump()}


def test_no_descriptor_is_left_open(world):
    """Connections that came and went leave nothing behind."""
    folder = f"/proc/{world.process.pid}/fd"

    def descriptors():
        return len(os.listdir(folder))

    world.get("/healthz")
    world.wait_for_metric("connections_open", lambda n: n <= 1)
    before = descriptors()
    for _ in range(20):
        world.get("/healthz")
        world.publish("news", "x")
        world.sse("/events/news").hang_up()
        Connection(world.port).close()
    eventually(lambda: descriptors() <= before, "descriptors to be closed")
