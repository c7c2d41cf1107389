"""A stream that comes back with an older tail: ids that are promised by its
acknowledgements, and positions that were never read (test_74_rewound.py)."""

import signal

import pytest
from patience import eventually
from rewinding import *
from rewinding import ids_of, see_rewind, wait_for_text
from stream_world import *
from stream_world import wait_until_stored
from test_71_stream import base_of, leave_note


@pytest.mark.parametrize("how", ["start=new", "purged"])
def test_who_has_passed_over_the_lost_tail_sees_it_too(another, tape, how):
    """It has read no message, but its sequence is one that comes again, before it
    looks."""
    tape.publish("a")
    tape.keep()
    tape.publish("lost")
    if how == "purged":
        tape.streams.purge("EVENTS")
    world = another(stream_start="new" if how == "start=new" else "all")
    world.process.send_signal(signal.SIGSTOP)
    try:
        tape.rewind()
        tape.publish("new 2")
    finally:
        world.process.send_signal(signal.SIGCONT)
    see_rewind(world)
    tape.publish("new 3")
    wait_for_text(world, "new 3")
    assert "new 2" in ids_of(world)
    world.wait_for_metric("stream_rewinds", lambda figure: figure == 1)


def test_who_has_passed_over_the_lost_tail_tells_of_it(reader, another, tape):
    tape.publish("a")
    tape.keep()
    tape.publish("lost")
    wait_for_text(reader, "lost")
    passed = another(stream_start="new", stream_peers_ms=20000)
    tape.rewind()
    see_rewind(reader)
    see_rewind(passed)
    reader.process.send_signal(signal.SIGSTOP)
    try:
        fresh = another(stream_peers_ms=3000)
        tape.publish("new")
        wait_for_text(fresh, "new")
    finally:
        reader.process.send_signal(signal.SIGCONT)
    for world in (reader, passed):
        wait_for_text(world, "new")
        assert ids_of(world)["new"] == ids_of(fresh)["new"]


def test_no_id_is_promised_before_the_new_ones_are_known(proxy, idle_followed,
                                                         tape):
    """The stream acknowledges a sequence; which id that is, its first message since
    the rewind will tell."""
    reader = idle_followed.start(nats=f"nats://127.0.0.1:{proxy.port}",
                                 stream_ack="stream")
    tape.publish("a")
    tape.keep()
    tape.publish("lost")
    wait_for_text(reader, "lost")
    tape.cut()
    proxy.for_new_links = lambda link: setattr(  # no message comes through
        link.to_client, "swaps", [(b"$JS.ACK.EVENTS.", b"$JS.NAK.EVENTS.")])
    tape.js.start()
    see_rewind(reader)
    answer = reader.connect()
    answer.request("POST", "/publish/news", {}, b"new")
    eventually(lambda: tape.streams.last("EVENTS") == 2, "the stream's word")
    eventually(lambda: proxy.links[-1].to_client.swapped > 3, "messages")
    proxy.for_new_links = None
    proxy.links[-1].to_client.swap(None, None)
    response = answer.response()
    assert response.status == 201
    wait_for_text(reader, "new")
    assert response.json()["id"] == ids_of(reader)["new"] > \
        ids_of(reader)["lost"]


def test_a_stream_that_was_restored_under_an_open_connection(proxy, tape,
                                                             idle_followed):
    """The connection was not lost, so only the look says that it is not what it
    was: what is acknowledged meanwhile has no id yet."""
    reader = idle_followed.start(nats=f"nats://127.0.0.1:{proxy.port}",
                                 stream_ack="stream")
    assert reader.post("/publish/news", b"a").status == 201
    snapshot = tape.streams.snapshot("EVENTS")
    lost = reader.post("/publish/news", b"lost").json()["id"]
    wait_for_text(reader, "lost")
    tape.streams.restore("EVENTS", snapshot)
    see_rewind(reader)
    to_client = proxy.links[-1].to_client
    to_client.swap(b"$JS.ACK.EVENTS.", b"$JS.NAK.EVENTS.")  # not read yet
    answer = reader.connect()
    answer.request("POST", "/publish/news", {}, b"new")
    eventually(lambda: tape.streams.last("EVENTS") == 2, "the stream's word")
    eventually(lambda: to_client.swapped > 2, "messages")
    to_client.swap(None, None)
    response = answer.response()
    assert response.status == 201
    wait_for_text(reader, "new")
    assert response.json()["id"] == ids_of(reader)["new"] > lost


def test_ids_that_others_began_are_promised_at_once(idle_followed, tape):
    """Their note comes by in the stream; nothing is looked at anew for it."""
    reader = idle_followed.start(stream_ack="stream")
    base = base_of(tape.streams)
    assert reader.post("/publish/news", b"a").json()["id"] == base + 1
    leave_note(tape.streams, f"1:{base} 2:{base + (1 << 20)}")
    wait_until_stored(reader, 2)
    answers = {text: reader.post("/publish/news", text.encode()).json()["id"]
               for text in "bc"}
    wait_for_text(reader, "c")
    ids = ids_of(reader)
    assert answers == {text: ids[text] for text in "bc"}
    assert ids["b"] == base + (1 << 20) + 3


def test_a_look_on_the_same_connection_waits_for_no_dead(idle_followed, another,
                                                         tape):
    gone = another()
    reader = idle_followed.start(stream_peers_ms=60000)
    reader.wait_for_metric("stream_peers", lambda n: n == 1)
    gone.kill()
    for name in tape.streams.call("CONSUMER.NAMES.EVENTS")["consumers"]:
        tape.streams.call(f"CONSUMER.DELETE.EVENTS.{name}")
    tape.publish("late")
    wait_for_text(reader, "late")
    gone.start()
