"""A storm of openings at one destination makes one message, and so does the end of a silence."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.incidents.building import MIDNIGHT, act, at, history, id_of, piece
from webhooks.incidents import Opening, describe_group, group, group_version, merge, runs, state


def openings(*seconds: int, held: str | None = None) -> list[Opening]:
    """Return openings at these seconds of the day, named by their position."""
    times = [MIDNIGHT + timedelta(seconds=number) for number in seconds]
    return [Opening(f"i{number}", time, at(held) if held else None) for number, time in enumerate(times)]


@pytest.mark.parametrize(
    ("seconds", "now", "groups", "single", "next_at"),
    [
        # One, and one more after a minute: at once.
        ([0], 0, [], ["i0"], None),
        ([0, 60], 60, [], ["i0", "i1"], None),
        # Those that follow within a minute wait for ten seconds, and are not five.
        ([0, 1, 2, 3], 3, [], ["i0"], 11),
        ([0, 1, 2, 3], 11, [], ["i0", "i1"], 12),
        ([0, 1, 2, 3], 13, [], ["i0", "i1", "i2", "i3"], None),
        ([0, 59], 59, [], ["i0"], 69),
        # The fifth makes a group; the first one has a message of its own already and is listed as well.
        ([0, 1, 2, 3, 4], 3, [], ["i0"], 11),
        ([0, 1, 2, 3, 4], 4, [["i0", "i1", "i2", "i3", "i4"]], ["i0"], None),
        # So have the first ones of a slower storm.
        ([0, 10, 20, 30, 40], 39, [], ["i0", "i1", "i2"], 40),
        ([0, 10, 20, 30, 40], 40, [["i0", "i1", "i2", "i3", "i4"]], ["i0"], None),
        ([0, 10, 20, 30, 59], 59, [["i0", "i1", "i2", "i3", "i4"]], ["i0"], None),
        ([0, 10, 20, 30, 60], 60, [], ["i0", "i1", "i2", "i3"], 70),
        # Any minute counts, not only the one of the first.
        ([0, 50, 60, 70, 80, 90], 90, [["i1", "i2", "i3", "i4", "i5"]], ["i0"], None),
        # Late ones join by edit, up to five minutes after the last one; then the next one is alone.
        ([0, 0, 0, 0, 0, 300], 300, [["i0", "i1", "i2", "i3", "i4", "i5"]], ["i0"], None),
        ([0, 0, 0, 0, 0, 50], 50, [["i0", "i1", "i2", "i3", "i4", "i5"]], ["i0"], None),
        ([0, 0, 0, 0, 0, 301], 301, [["i0", "i1", "i2", "i3", "i4"]], ["i0", "i5"], None),
        # Those that open later do not count yet.
        ([0, 10, 20, 30, 40], 0, [], ["i0"], None),
    ],
)
def test_grouping(
    seconds: list[int], now: int, groups: list[list[str]], single: list[str], next_at: int | None
) -> None:
    """Openings at these seconds are in these groups, have these messages of their own, or wait."""
    found = group(openings(*seconds), MIDNIGHT + timedelta(seconds=now))
    assert [list(one.members) for one in found.groups] == groups
    assert list(found.single) == single
    assert found.next_at == (None if next_at is None else MIDNIGHT + timedelta(seconds=next_at))


def test_warehouse_down_makes_two_messages() -> None:
    """200 failures in three minutes: the first is sent at once, all others are lines of one message."""
    storm = [Opening(f"i{number:03}", MIDNIGHT + timedelta(seconds=number * 0.9)) for number in range(200)]
    sent = set()
    for second in range(0, 300, 5):
        found = group(storm, MIDNIGHT + timedelta(seconds=second))
        sent |= {("group", one.id) for one in found.groups} | {("single", one) for one in found.single}
    assert sent == {("single", "i000"), ("group", "i000")}
    assert len(found.groups[0].members) == 200


def test_end_of_a_silence_makes_one_summary() -> None:
    """Everything that is still open at the end is listed once, also if it is less than five; one alone is not."""
    held = openings(0, 600, held="6:30")
    found = group([*held, Opening("i8", at("6:30")), Opening("i9", at("5:00"), at("5:00"))], at("6:30"))
    assert [(one.kind, one.members) for one in found.groups] == [("summary", ("i0", "i1"))]
    assert set(found.single) == {"i8", "i9"}


def test_incident_waits_for_others_at_the_end_of_a_silence() -> None:
    """One that is alone at the end waits ten seconds for others before it gets a message of its own."""
    alone = [Opening("i1", at("6:30"), at("6:30"))]
    assert group(alone, at("6:30")).single == ()
    assert group(alone, at("6:30")).next_at == at("6:30") + timedelta(seconds=10)
    assert group(alone, at("6:30") + timedelta(seconds=10)).single == ("i1",)


def test_group_shows_the_states_of_its_members() -> None:
    """Members keep their own state and acknowledgement; any change of one changes the group's version."""
    known = runs(history("F 2:00, S 3:00, F 4:00"))
    other = runs([piece("failed", "4:00", 9, resource_luid="v")])
    members = [*state(known, [], at("5:00")), *state(other, [], at("5:00"))]
    assert describe_group(members) == "2 open, 1 closed"
    acknowledged = [*state(known, [act("acknowledge", "4:30", id_of(3))], at("5:00")), members[-1]]
    assert describe_group(acknowledged) == "1 open, 1 acknowledged, 1 closed"
    assert group_version(members) != group_version(acknowledged)
    assert group_version(members) == group_version(reversed(members)) < 2**53
    again = [*state(merge(known, *known[0].evidence), [], at("6:00")), members[-1]]
    assert group_version(members) == group_version(again)
