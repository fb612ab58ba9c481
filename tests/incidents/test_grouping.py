"""A storm of openings at one destination makes one message, and so does the end of a silence."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.incidents.building import MIDNIGHT, act, at, history, id_of, piece
from webhooks.incidents import Opening, describe_group, group, group_version, merge, runs, state
from webhooks.incidents.grouping import WINDOW, Manner, PersonalMessage, message_to_join


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
        # One that follows within a minute waits for ten seconds.
        ([0, 1], 3, [], ["i0"], 11),
        ([0, 1], 11, [], ["i0", "i1"], None),
        ([0, 59], 59, [], ["i0"], 69),
        # The third makes a group; the first one has a message of its own already and is listed as well.
        ([0, 1, 2], 2, [["i0", "i1", "i2"]], ["i0"], None),
        ([0, 1, 2, 3, 4], 4, [["i0", "i1", "i2", "i3", "i4"]], ["i0"], None),
        # So have the first two of a slower storm.
        ([0, 20, 40, 59], 29, [], ["i0"], 30),
        ([0, 20, 40, 59], 39, [], ["i0", "i1"], None),
        ([0, 20, 40, 59], 40, [["i0", "i1", "i2"]], ["i0"], None),
        ([0, 20, 60, 100], 100, [], ["i0", "i1", "i2"], 110),
        # Any minute counts, not only the one of the first.
        ([0, 50, 60, 70, 80], 80, [["i1", "i2", "i3", "i4"]], ["i0"], None),
        # Late ones join by edit, up to five minutes after the last one; then the next one is alone.
        ([0, 0, 0, 300], 300, [["i0", "i1", "i2", "i3"]], ["i0"], None),
        ([0, 0, 0, 50], 50, [["i0", "i1", "i2", "i3"]], ["i0"], None),
        ([0, 0, 0, 301], 301, [["i0", "i1", "i2"]], ["i0", "i3"], None),
        # Those that open later do not count yet.
        ([0, 10, 20], 0, [], ["i0"], None),
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


def reading(*databases: str, every: int = 240) -> list[Opening]:
    """Return openings with this many seconds between them, whose content reads these databases (a space divides)."""
    times = [MIDNIGHT + timedelta(seconds=every * number) for number in range(len(databases))]
    return [
        Opening(f"i{number}", at, upstream=frozenset(names.split()))
        for number, (at, names) in enumerate(zip(times, databases, strict=True))
    ]


@pytest.mark.parametrize(
    ("databases", "groups"),
    [
        # The third reader of a database makes the group, and later ones join.
        (["w", "w", "w", "w"], [("upstream", ["i0", "i1", "i2", "i3"])]),
        # Content that reads others, or of which nothing is known, is not in it.
        (["w", "x", "w", "", "w"], []),
        (["w", "", "w", "w", "", "x"], [("upstream", ["i0", "i2", "i3"])]),
        # One common database is enough; one that joined by another does not make that one common.
        (["v w", "w x", "w", "x"], [("upstream", ["i0", "i1", "i2"])]),
        (["", "", ""], []),
    ],
)
def test_one_database(databases: list[str], groups: list[tuple[str, list[str]]]) -> None:
    """Openings every four minutes whose content reads one database share a message."""
    found = group(reading(*databases), at("23:59"))
    assert [(one.kind, list(one.members)) for one in found.groups] == groups


def test_one_database_is_known_for_a_quarter_of_an_hour() -> None:
    """Three readers of one database within 15 minutes are a group, and each pause of more ends it."""
    assert group(reading("w", "w", "w", every=450), at("23:59")).groups == ()
    found = group([*reading("w", "w", "w"), Opening("late", at("0:24"), upstream=frozenset("w"))], at("23:59"))
    assert [one.members for one in found.groups] == [("i0", "i1", "i2")]
    assert found.single == ("i0", "i1", "late")


def test_storm_is_joined_later_by_its_database() -> None:
    """After five minutes without another failure, only content that reads the database of all members joins."""
    storm = [Opening(f"s{number}", MIDNIGHT, upstream=frozenset(names)) for number, names in enumerate(["w", "wx", ""])]
    other = [Opening("x", at("0:06"), upstream=frozenset("x")), Opening("w", at("0:12"), upstream=frozenset("w"))]
    found = group([*storm, *other], at("1:00"))
    assert [(one.kind, one.members) for one in found.groups] == [("storm", ("s0", "s1", "s2", "w"))]
    assert found.single == ("s0", "x")


seconds_between = st.lists(st.integers(0, 29), min_size=1, max_size=60)
pauses = st.lists(st.integers(0, 400), min_size=1, max_size=40)
known_databases = st.lists(st.sampled_from(["", "w", "x", "w x"]), min_size=40, max_size=40)


def messages_over_time(story: list[Opening]) -> dict[tuple[str, str], datetime]:
    """Return the messages that a destination gets, with the times, if it is looked at every second."""
    sent: dict[tuple[str, str], datetime] = {}
    last = max(one.at for one in story) + timedelta(seconds=30)
    moments = {one.at + timedelta(seconds=more) for one in story for more in (0, 10)} | {last}
    for now in sorted(moments):
        found = group(story, now)
        for name in [("group", one.id) for one in found.groups] + [("single", one) for one in found.single]:
            sent.setdefault(name, now)
    return sent


@settings(max_examples=60, deadline=None)
@given(between=seconds_between)
def test_storm_makes_at_most_three_messages(between: list[int]) -> None:
    """Failures that follow each other within 29 seconds make at most three messages, in whatever rhythm."""
    times = [MIDNIGHT + timedelta(seconds=total) for total in accumulate(between)]
    story = [Opening(f"i{number:02}", time) for number, time in enumerate(times)]
    assert len(messages_over_time(story)) <= 3


@settings(max_examples=60, deadline=None)
@given(between=pauses, databases=known_databases, order=st.randoms(use_true_random=False))
def test_every_opening_is_shown(between: list[int], databases: list[str], order: random.Random) -> None:
    """At the end each opening has its own message or a line of a group, and any minute has at most three messages."""
    times = [MIDNIGHT + timedelta(seconds=total) for total in accumulate(between)]
    story = [
        Opening(f"i{number:02}", time, upstream=frozenset(names.split()))
        for number, (time, names) in enumerate(zip(times, databases, strict=False))
    ]
    sent = messages_over_time(story)
    end = group(story, times[-1] + timedelta(seconds=30))
    members = [member for one in end.groups for member in one.members]
    assert len(members) == len(set(members))
    assert {one.incident for one in story} == {name for kind, name in sent if kind == "single"} | set(members)
    opened = {one.incident: one.at for one in story}
    for time in times:
        minute = [kind for kind, name in sent if kind == "single" and time <= opened[name] < time + WINDOW]
        minute += [kind for (kind, _), at in sent.items() if kind == "group" and time <= at < time + WINDOW]
        assert len(minute) <= 2 + len({one.id for one in end.groups})
    shuffled = list(story)
    order.shuffle(shuffled)
    assert group(shuffled, times[-1]) == group(story, times[-1])


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


@pytest.mark.parametrize(
    ("seconds", "joins"),
    [((50,), "m0"), ((300,), "m0"), ((301,), None), ((1200,), None), ((300, 600), "m0"), ((50, 351), None)],
)
def test_person_is_alerted_once_within_five_minutes(seconds: tuple[int, ...], joins: str | None) -> None:
    """An opening joins a message that something joined in the last five minutes, however long that goes on."""
    joined_at = MIDNIGHT + timedelta(seconds=seconds[-2] if len(seconds) > 1 else 0)
    opening = Opening("new", MIDNIGHT + timedelta(seconds=seconds[-1]))
    found = message_to_join([PersonalMessage("m0", joined_at, Manner(), has_open=True)], opening, Manner())
    assert (found.id if found else None) == joins


def test_person_is_alerted_by_what_no_message_may_hide() -> None:
    """Nothing joins a message without an open incident, or of another manner; of those that fit, the newest is taken.

    A database that all of its content reads keeps a message open for a quarter of an hour.
    """
    message, opening = PersonalMessage("m0", MIDNIGHT, Manner(), has_open=True), Opening("new", at("0:01"))
    manners = [Manner(title="T"), Manner(text="T"), Manner(mention="@a"), Manner(is_escalation=True)]
    for other in [replace(message, manner=manner) for manner in [*manners, Manner(of_server=True)]]:
        assert message_to_join([other], opening, Manner()) is None
        assert message_to_join([other, message], opening, Manner()) == message
    assert message_to_join([replace(message, has_open=False)], opening, Manner()) is None
    newer = replace(message, id="m1", joined_at=at("0:01"))
    assert message_to_join([message, newer], opening, Manner()) == newer
    reading = replace(message, upstream=frozenset("wx"))
    for time, databases, joins in (("0:15", "w", True), ("0:16", "w", False), ("0:10", "y", False)):
        found = message_to_join([reading], Opening("new", at(time), upstream=frozenset(databases)), Manner())
        assert (found == reading) is joins, (time, databases)


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
