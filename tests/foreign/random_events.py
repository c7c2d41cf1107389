"""random_events.py -- events that a stream's framing could trip over.

The same seed gives the same events. Data is text of all planes of Unicode with
more line ends, NULs, byte order marks and colons than anybody would send; some is
empty, some is JSON, and a few are of 200 kB.
"""

import json
import random

AWKWARD = ["\r", "\n", "\r\n", "\n\n", "\r\r", "\0", "\ufeff", ":", " ", ": ",
           "data: ", "id: 1\n", "event: x\n", "\t", "\v", "\f", "\x1c", "\x1e",
           "\x7f", "\x85", "\u2028", "\u2029", "\ufffd", "\ufffe", "\uffff",
           "\"", "\\", "e\u0301", "👩‍👩‍👧", "\U0010ffff"]

TYPES = ["", "", "message", "error", "open", "cheese_created", "a:b", ": a",
         " begins with a space", "ends with one ", "\ufeffbegins with a BOM",
         "Käse", "チーズ", "🧀", "\U0010fffd", "\u2028", "x" * 128]

LARGE_BYTES = 200_000
LARGE_SHARE = 1 / 500


def character(dice):
    """Any character of any plane, the planes being equally likely."""
    while True:
        number = dice.randrange(17) << 16 | dice.randrange(1 << 16)
        if not 0xd800 <= number < 0xe000:
            return chr(number)


def piece(dice):
    kind = dice.random()
    if kind < 0.3:
        return dice.choice(AWKWARD)
    if kind < 0.6:
        return character(dice)
    return dice.choice(("cheese", "Gruyère", "92", "pieces", "x"))


def text(dice, pieces):
    return "".join(piece(dice) for _ in range(pieces))


def large(dice):
    block = text(dice, 500)
    return block * (LARGE_BYTES // len(block.encode("utf-8")) + 1)


def data(dice):
    kind = dice.random()
    if kind < LARGE_SHARE:
        return large(dice)
    if kind < 0.05:
        return ""
    if kind < 0.10:
        return dice.choice(("\ufeff", "\n", "\r", "\r\n")) + text(dice, 3)
    if kind < 0.30:
        return json.dumps({"pieces": dice.randrange(100), "cheese_type":
                           text(dice, 2)}, ensure_ascii=False,
                          separators=(",", ":"))
    return text(dice, dice.randrange(1, 30))


def random_events(count, seed):
    """`count` objects with `type` and `data`, of which the last says so."""
    dice = random.Random(seed)
    events = [{"type": dice.choice(TYPES), "data": data(dice)}
              for _ in range(count - 1)]
    return events + [{"type": "", "data": "the end"}]


def in_batches(events, most_bytes):
    """Parts of the list, each of which is at most so long as NDJSON."""
    batch, total = [], 0
    for event in events:
        length = len(json.dumps(event, ensure_ascii=False).encode("utf-8")) + 1
        if batch and total + length > most_bytes:
            yield batch
            batch, total = [], 0
        batch.append(event)
        total += length
    yield batch
