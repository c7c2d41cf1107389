"""The checker of the fault tests: it must see each kind of damage."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fault"))

from histories import check  # noqa: E402


def event(number, key, channel="a"):
    return {"id": number, "channel": channel, "data": f"{key} filler"}


JOURNAL = [event(1, "k1"), event(2, "k2"), event(3, "k3", "b")]
TOLD = {"k1": ("a", 1), "k2": ("a", 2), "k3": ("b", 3)}
GIVEN = [(e["id"], e["data"]) for e in JOURNAL]


def kinds(journal=None, told=None, given=None):
    findings = check(journal or JOURNAL, told or TOLD,
                     {"s": (lambda channel: True, given or GIVEN)})
    return {kind for kind, found in findings.examples.items() if found}


def test_one_story_has_no_findings():
    assert kinds() == set()


@pytest.mark.parametrize("damage, kind", [
    ({"told": {**TOLD, "k4": ("a", 4)}}, "lost"),
    ({"told": {**TOLD, "k2": ("a", 1)}}, "wrong"),
    ({"told": {**TOLD, "k2": ("b", 2)}}, "wrong"),
    ({"journal": JOURNAL + [event(4, "k2")], "given": GIVEN + [
        (4, "k2 filler")]}, "twice"),
    ({"journal": [JOURNAL[1], JOURNAL[0], JOURNAL[2]]}, "disordered"),
    ({"given": GIVEN[:2]}, "lost"),
    ({"given": [GIVEN[0], GIVEN[2]]}, "lost"),
    ({"given": [GIVEN[0], *GIVEN]}, "twice"),
    ({"given": [GIVEN[1], GIVEN[0], GIVEN[2]]}, "disordered"),
    ({"given": [(1, "other"), *GIVEN[1:]]}, "wrong"),
    ({"given": GIVEN + [(9, "x")]}, "wrong"),
])
def test_each_kind_of_damage_is_found(damage, kind):
    assert kind in kinds(**damage)
