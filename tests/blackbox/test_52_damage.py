"""Shelf 52: a disk that changed what was written."""


def damage(world, text):
    """Changes one byte of the data `text`, wherever the journal keeps it."""
    path = world.data / "data.mdb"
    content = bytearray(path.read_bytes())
    assert content.count(text) >= 1
    at = content.find(text)
    while at >= 0:
        content[at] ^= 0x01
        at = content.find(text, at + 1)
    path.write_bytes(content)


def test_5_a_damaged_record_is_a_gap_and_not_the_end(world):
    """What the checksum refuses is never sent; readers are told and go on."""
    ids = [world.publish("news", text)
           for text in ("before it", "the damaged one", "after it")]
    world.stop()
    damage(world, b"the damaged one")
    world.start()

    stream = world.sse("/events/news", last_event_id="earliest")
    assert stream.next().data == "before it"
    gap = stream.next()
    assert gap.type == "tidings.gap"
    assert gap.json()["resumed"] == str(ids[1])
    assert stream.next().data == "after it"
    world.publish("news", "and live again")
    assert stream.next().data == "and live again"

    answer = world.get("/events/news?last_event_id=earliest").json()
    assert [element["data"]["type"] for element in answer] == \
        ["", "tidings.gap", "", ""]
    assert world.tidings("log", "verify", "--data",
                         world.data).returncode == 1
