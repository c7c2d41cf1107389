"""Full queues and limits: design.md 2. Whoever is refused is told; nothing
that was accepted is lost.
"""

import json
import resource

from marks import serve
from patience import eventually

GOOD = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@serve(journal_queue_events=8)
def test_7_publishers_beyond_the_queue_are_told_503(world):
    """Each publish is either 201 and in the journal, or 503 with Retry-After
    and not there."""
    connections = [world.connect() for _ in range(100)]
    told, refused = [], 0
    for turn in range(5):
        for connection in connections:
            connection.request("POST", "/publish/news", {}, b"x" * 5000)
        for connection in connections:
            response = connection.response()
            if response.status == 201:
                told.append(response.json()["id"])
            else:
                assert response.status == 503 and response.error
                assert int(response.headers["Retry-After"]) >= 1
                refused += 1
    print(f"{len(told)} accepted, {refused} refused")
    assert sorted(told) == [event["id"] for event in world.dump()]


@serve(crew_queue_bytes=65536, crew_threads=2)
def test_batches_beyond_a_crew_thread_s_queue_come_from_the_journal(world):
    streams = [world.sse(target) for target in ("/events/news", "/events/>")
               for _ in range(5)]
    ids = []
    for _ in range(20):
        ids += world.publish_batch("news", [{"data": "x" * 2000}] * 200)
    for stream in streams:
        assert [int(event.id) for event in stream.take(len(ids))] == ids


@serve(drain_ms=300)
def test_8_a_stop_does_not_wait_for_readers_that_do_not_read(world):
    for _ in range(20):
        world.publish("news", "x" * 500000)
    for _ in range(5):
        world.sse("/events/news", "earliest", receive_buffer=4096)
    world.ask_to_stop()
    assert world.wait_for_end() == 0


@serve(nats="nats://127.0.0.1:1")
def test_8_a_stop_does_not_wait_for_a_nats_that_is_not_there(world):
    world.publish("news", "x")
    world.stop()


def test_no_descriptors_left_is_survived(idle_world):
    """With 64 descriptors in all: more clients than that are refused or wait,
    and when they are gone everybody is served again."""
    world = idle_world

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    world.before_exec = limit
    world.start()
    clients = [world.connect() for _ in range(150)]
    for client in clients:
        client.try_send(GOOD)
    assert clients[0].response().status == 200
    world.hang_up_all()

    def is_served():
        client = world.connect()
        client.try_send(GOOD)
        is_answered = client.is_answered()
        world.hang_up(client)
        return is_answered

    eventually(is_served, "room for a new connection")
    assert world.publish("news", "x")


@serve(body_max_bytes=4000000, event_max_bytes=4000000, outbox_bytes=4096)
def test_events_much_bigger_than_an_outbox(world):
    stream = world.sse("/events/news")
    numbers = [world.publish("news", f"{n}".rjust(3000000)) for n in range(4)]
    for number in numbers:
        event = stream.next()
        assert (int(event.id), len(event.data)) == (number, 3000000)


def test_4_a_position_of_2_kib_in_a_query_fits_a_head(world):
    names = {f"channel-{n:04}": 1 for n in range(80)}
    target = "/events/channel-0001?" + world.query(
        last_event_id=json.dumps(names), gap="tell", flavor="short-poll")
    assert world.get(target).status == 200
