"""What anybody may tell of a stream's ids, and what of that cannot be: forged or
strayed notes and words."""

from rewinding import *
from rewinding import ids_of, wait_for_text
from stream_world import *
from stream_world import wait_for_check
from test_71_stream import base_of, leave_note


def created_ns(tape):
    """As any instance that has looked at the stream says it."""
    words = tape.streams.client.subscribe("tidings.position.EVENTS")
    while (created := words.next().data.split(b" ")[2]) == b"0":
        pass
    return int(created)


LATEST_BASE = 2 ** 53 - 1


def impossible_epochs(base):
    yield from (f"2:{LATEST_BASE}", f"1:{base} 2:{LATEST_BASE}",
                f"1:{base} 2:{base + (10 ** 6 << 20)}",  # in days
                f"1:{base} {10 ** 15}:{base + (1 << 20)}",
                f"1:{base - (1 << 20)} 2:{base + (1 << 20)}",
                f"2:{base + (1 << 20)}", f"1:{base + (1 << 20)}",
                f"0:{base} 2:{base + (1 << 20)}", "1:0", "\u00e4", "1:1 1:1")


def test_epochs_that_cannot_be_are_not_believed(reader, another, tape):
    """In a word or in a note, nor after a restart, nor by who comes new."""
    base, created = base_of(tape.streams), created_ns(tape)
    for epochs in impossible_epochs(base):
        tape.streams.client.publish(
            "tidings.position.EVENTS",
            f"7 001 {created} 5 {created + 1} 3 {epochs}")
        leave_note(tape.streams, epochs)
    ids = {}
    for text in ("a", "b"):
        last = tape.publish(text)[-1]
        wait_for_text(reader, text)
        ids[text] = base + last
        reader.restart()
    fresh = another(stream_peers_ms=2000)
    wait_for_text(fresh, "b")
    assert ids_of(fresh) == ids_of(reader) == ids
    assert reader.metrics()["stream_rewinds"] == 0
    wait_for_check(reader, "ok")


def test_a_note_of_a_stream_that_is_a_source_is_not_ours(idle_followed, another,
                                                         streams):
    """Its ids are others, though all that it has is here."""
    streams.create("EVENTS", ["global.none"], sources=[{"name": "EU"}])
    streams.create("EU", ["events.>"])
    idle_followed.start()
    streams.publish_many("events.news", ["a", "b"])
    wait_for_text(idle_followed, "b")
    eu = base_of(streams, "EU")
    leave_note(streams, f"1:{eu} 2:{eu + (20 << 20)}", "EU")
    streams.publish("events.news", "c")
    fresh = another()
    for world in (idle_followed, fresh):
        wait_for_text(world, "c")
        assert list(ids_of(world).values()) == \
            [base_of(streams) + n for n in (1, 2, 4)]
        assert world.metrics()["stream_rewinds"] == 0


def test_a_note_of_another_stream_or_of_none_is_passed_over(reader, another,
                                                            tape):
    base = base_of(tape.streams)
    epochs = f"1:{base} 2:{base + (20 << 20)}"
    tape.publish("a")
    for created in ("", "0", "1", "x", "9" * 30):
        leave_note(tape.streams, epochs, **{"Tidings-Stream-Created": created})
    leave_note(tape.streams, epochs, **{"Nats-Stream-Source": "EU 1"})
    tape.streams.publish("events.$tidings.epochs", "",
                         {"Tidings-Epochs": epochs})
    last = tape.publish("b")[-1]
    fresh = another()
    for world in (reader, fresh):
        wait_for_text(world, "b")
        assert ids_of(world) == {"a": base + 1, "b": base + last}
    leave_note(tape.streams, epochs)  # and this one is ours
    last = tape.publish("c")[-1]
    wait_for_text(reader, "c")
    assert ids_of(reader)["c"] == base + (20 << 20) + last


def test_words_of_another_stream_of_that_name_count_for_nothing(reader, tape):
    base, created = base_of(tape.streams), created_ns(tape)
    words = tape.streams.client.subscribe("tidings.position.EVENTS")
    tape.streams.client.publish(
        "tidings.position.EVENTS",
        f"7 101 {created + 1} 1000 {created + 2} 3 1:{base}")
    said = words.next().data
    while said.startswith(b"7 "):
        said = words.next().data
    assert int(said.split(b" ")[2]) == created
    assert reader.metrics()["stream_peers"] == 0
