"""The checker of the fault tests: it must see each kind of damage."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fault"))

from histories import Amended, check, news_text  # noqa: E402


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


# ---- amendments -----------------------------------------------------------

def news(number, data):
    return {"id": number, "channel": "a", "type": "tidings.x", "data": data}


def amended(number, told, *texts):
    event = Amended(number, "a", f"k{number} filler")
    event.texts += texts
    event.told = told
    return event


CORRECTION = '{"corrects":1,"type":"","data":"k1 new"}'
WITHDRAWAL = '{"withdraws":2}'
AMENDED_JOURNAL = [
    {**event(1, "k1"), "data": "k1 new", "corrected_by": 4},
    {"id": 2, "channel": "a", "withdrawn_by": 5}, JOURNAL[2],
    news(4, CORRECTION), news(5, WITHDRAWAL)]
AMENDED = {1: amended(1, [("corrects", "k1 new", 4)], "k1 new"),
           2: amended(2, [("withdraws", "", 5)])}
LIVE = GIVEN + [(4, news_text(CORRECTION)), (5, news_text(WITHDRAWAL))]
BACK = [(1, "k1 new")] + LIVE[2:]


def amended_kinds(journal=AMENDED_JOURNAL, given=LIVE, known=AMENDED):
    findings = check(journal, TOLD,
                     {"s": (lambda channel: True, given)}, known)
    return {kind for kind, found in findings.examples.items() if found}


@pytest.mark.parametrize("given", [LIVE, BACK])
def test_amended_events_are_one_story_live_and_later(given):
    assert amended_kinds(given=given) == set()


@pytest.mark.parametrize("damage, kind", [
    ({"journal": JOURNAL + AMENDED_JOURNAL[3:]}, "wrong"),
    ({"journal": AMENDED_JOURNAL[:3], "given": LIVE[:3]}, "lost"),
    ({"journal": AMENDED_JOURNAL + [news(6, CORRECTION)]}, "twice"),
    ({"journal": AMENDED_JOURNAL + [news(6, '{"withdraws":3}')]}, "wrong"),
    ({"known": {1: AMENDED[1]}}, "wrong"),
    ({"given": LIVE[:4]}, "lost"),
    ({"given": [LIVE[0], LIVE[1], *LIVE[3:]]}, "lost"),
    ({"given": [(1, "k1 other"), *LIVE[1:]]}, "wrong"),
    ({"given": [LIVE[0], LIVE[2], LIVE[1], *LIVE[3:]]}, "disordered"),
])
def test_half_an_amendment_is_found(damage, kind):
    assert kind in amended_kinds(**damage)
