"""The state of an incident follows from the times of runs and acts, never from the order in which they arrive."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from tests.incidents.building import MIDNIGHT, act, at, history, id_of, job, piece
from webhooks.incidents.incident import Act, Finding, Incident
from webhooks.incidents.run import merge, runs
from webhooks.incidents.state import FLAPPING, incidents, state


def short(found: tuple[Incident, ...]) -> list[str]:
    """Return each incident as `state opened-closed failures/in a row`, with a mark if it is flapping."""
    return [
        f"{one.state} {one.opened_at:%H:%M}-{f'{one.closed_at:%H:%M}' if one.closed_at else ''}"
        f" {one.failures}/{one.in_a_row}{' flapping' if one.flapping else ''}"
        for one in found
    ]


def test_states_of_histories() -> None:
    """Each history of ended runs gives these incidents, in every order of arrival."""
    for text, expected in {
        "S 2:00": [],
        "C 2:00": [],
        "R 2:00": [],
        "F 2:00": ["open 02:00- 1/1"],
        "F 2:00, F 3:00": ["open 02:00- 2/2"],
        "F 2:00, S 3:00": ["closed 02:00-03:00 1/1"],
        "F 2:00, F 3:00, S 4:00": ["closed 02:00-04:00 2/2"],
        "F 2:00, S 3:00, S 4:00": ["closed 02:00-03:00 1/1"],
        # A failure after the closing opens a new incident; within 30 minutes it is the same one.
        "F 2:00, S 3:00, F 3:31": ["closed 02:00-03:00 1/1", "open 03:31- 1/1"],
        "F 2:00, S 3:00, F 3:30": ["open 02:00- 2/1 flapping"],
        "F 2:00, S 3:00, F 3:30, S 4:00": ["closed 02:00-04:00 2/1 flapping"],
        "F 2:00, S 3:00, F 3:30, S 4:00, F 4:10, F 4:20": ["open 02:00- 4/2 flapping"],
        # A cancelled run says nothing about whether the content can be refreshed.
        "F 2:00, C 3:00": ["open 02:00- 1/1"],
        "F 2:00, C 3:00, F 4:00": ["open 02:00- 2/2"],
        "F 2:00, S 3:00, C 3:10": ["closed 02:00-03:00 1/1"],
        # Two ends in the same second: the failure is taken for the later one.
        "F 2:00, S 2:00": ["open 02:00- 1/1"],
        "F 2:00, S 2:00:00.4": ["closed 02:00-02:00 1/1"],
    }.items():
        for order in permutations(runs(history(text))):
            assert short(state(order, [], at("12:00"))) == expected, text


@pytest.mark.parametrize(
    ("first", "late", "before", "after"),
    [
        # An older failure moves the opening and counts, and the incident is the same.
        ("F 3:00", piece("failed", "2:00", 9, recorded_at=at("3:10")), "open 03:00- 1/1", "open 02:00- 2/2"),
        # An older success changes nothing.
        ("F 3:00", piece("succeeded", "2:00", 9, recorded_at=at("3:10")), "open 03:00- 1/1", "open 03:00- 1/1"),
        # An older failure does not open what a later success closed.
        ("F 2:00, S 3:00", piece("failed", "2:30", 9, recorded_at=at("3:10")), "closed 02:00-03:00 1/1",
         "closed 02:00-03:00 2/2"),
        # A job that gives the reason is about the same failure.
        ("F 3:00", job("j", "failed", "2:50", "3:00:04"), "open 03:00- 1/1", "open 03:00- 1/1"),
        # An older failure before the previous success changes the previous incident only.
        ("F 1:00, S 2:00, F 3:00", piece("failed", "1:30", 9, recorded_at=at("3:10")), "open 03:00- 1/1",
         "open 03:00- 1/1"),
    ],
)  # fmt: skip
def test_late_evidence_makes_no_other_incident(first: str, late: object, before: str, after: str) -> None:
    """Late evidence changes counts and the opening; the id of the incident stays."""
    known = runs(history(first))
    early = state(known, [], at("12:00"))[-1]
    then = state(merge(known, late), [], at("12:00"))[-1]  # type: ignore[arg-type]
    assert (short((early,)), short((then,))) == ([before], [after])
    assert early.id == then.id
    assert early.ids <= then.ids


def test_late_success_divides_an_incident() -> None:
    """A success that was missed closes the older part under the old id; the rest is a new incident."""
    known = runs(history("F 2:00, F 4:00"))
    (before,) = state(known, [], at("12:00"))
    missed = piece("succeeded", "3:00", 9, recorded_at=at("5:00"))
    older, newer = state(merge(known, missed), [], at("12:00"))
    assert short((older, newer)) == ["closed 02:00-03:00 1/1", "open 04:00- 1/1"]
    assert older.id == before.id
    assert newer.id in before.ids
    assert newer.version != before.version


def test_two_incidents_that_turn_out_to_be_one_keep_the_older_id() -> None:
    """A late failure between them joins them; acts under the newer id still belong to it."""
    known = runs(history("F 2:00, S 3:00, F 3:40"))
    older, newer = state(known, [], at("12:00"))
    late = piece("failed", "3:20", 9, recorded_at=at("4:00"))
    acts = [act("acknowledge", "3:50", newer.id)]
    (joined,) = state(merge(known, late), acts, at("12:00"))
    assert joined.id == older.id
    assert {older.id, newer.id} <= joined.ids
    assert joined.state == "acknowledged"


ID = id_of(1)


@pytest.mark.parametrize(
    ("text", "acts", "now", "expected"),
    [
        ("F 2:00", [act("acknowledge", "2:10", ID)], "12:00", "acknowledged"),
        ("F 2:00, F 3:00", [act("acknowledge", "2:10", ID)], "12:00", "acknowledged"),
        ("F 2:00", [act("acknowledge", "2:10", ID, "4:00")], "3:59", "acknowledged"),
        ("F 2:00", [act("acknowledge", "2:10", ID, "4:00")], "4:00", "open"),
        ("F 2:00", [act("snooze", "2:10", ID, "4:00")], "3:59", "snoozed"),
        ("F 2:00", [act("snooze", "2:10", ID, "4:00")], "4:00", "open"),
        # The latest act holds.
        ("F 2:00", [act("acknowledge", "2:10", ID), act("snooze", "2:20", ID, "4:00")], "4:00", "open"),
        ("F 2:00", [act("snooze", "2:10", ID, "4:00"), act("acknowledge", "2:20", ID)], "4:00", "acknowledged"),
        # Acts of the future, and one that ends before it begins, change nothing.
        ("F 2:00", [act("acknowledge", "4:00", ID)], "3:00", "open"),
        ("F 2:00", [act("snooze", "4:00", ID, "3:00")], "5:00", "open"),
        # An acknowledgement that crosses the closing does not open it again.
        ("F 2:00, S 3:00", [act("acknowledge", "3:01", ID)], "12:00", "closed"),
        ("F 2:00, S 3:00", [act("snooze", "3:01", ID, "4:00")], "3:30", "closed"),
        # Closed by hand; a failure after that opens it again.
        ("F 2:00", [act("close", "2:10", ID)], "12:00", "closed"),
        ("F 2:00, F 2:20", [act("close", "2:10", ID)], "12:00", "open"),
        ("F 2:00, S 3:00", [act("close", "3:10", ID)], "12:00", "closed"),
        # An acknowledgement ends with the closing, a snooze at its time.
        ("F 2:00, S 3:00, F 3:10", [act("acknowledge", "2:10", ID)], "3:20", "open"),
        ("F 2:00, S 3:00, F 3:10", [act("snooze", "2:10", ID, "4:00")], "3:20", "snoozed"),
        # It refers to another incident, or to none that is known.
        ("F 2:00, S 3:00, F 4:00", [act("acknowledge", "4:10", ID)], "12:00", "open"),
        ("F 2:00", [act("acknowledge", "2:10", "0" * 12)], "12:00", "open"),
        # The clock of this server is behind Tableau's.
        ("F 2:00", [act("acknowledge", "1:59", ID)], "12:00", "acknowledged"),
        ("F 2:00, S 3:00", [act("close", "1:59", ID)], "12:00", "closed"),
        # A note changes no state.
        ("F 2:00", [act("note", "2:10", ID, text="ticket 7")], "12:00", "open"),
    ],
)
def test_acts(text: str, acts: list[Act], now: str, expected: str) -> None:
    """Acknowledging, snoozing and closing have these effects, in every order of runs and acts."""
    for order in permutations(runs(history(text))):
        for acts_order in permutations(acts):
            assert state(order, acts_order, at(now))[-1].state == expected


def test_failures_in_a_row_continue_after_a_closing_by_hand() -> None:
    """Only a success ends the row, as Tableau counts it; 31 minutes after the closing the incident is a new one."""
    first, second = state(runs(history("F 2:00, F 3:00, F 4:00")), [act("close", "3:10", ID)], at("12:00"))
    assert (first.failures, first.in_a_row, first.cure and first.cure.by) == (2, 2, "Ann")
    assert (second.failures, second.in_a_row, second.rows) == (1, 3, ((at("4:00"), 3),))


@pytest.mark.parametrize(
    ("acts", "run", "expected"),
    [
        ([], {}, ("run", "")),
        ([act("refresh", "2:30", ID, job_luid="j")], {"job_luid": "j"}, ("refresh", "Ann")),
        ([act("refresh", "2:30", ID)], {}, ("refresh", "Ann")),
        ([act("refresh", "2:30", ID)], {"started_at": at("2:31")}, ("refresh", "Ann")),
        # Started before the refresh, by another job, or before the last failure: the schedule cured it.
        ([act("refresh", "2:30", ID)], {"started_at": at("2:20")}, ("run", "")),
        ([act("refresh", "2:30", ID, job_luid="i")], {"job_luid": "j"}, ("run", "")),
        ([act("refresh", "1:30", ID)], {}, ("run", "")),
    ],
)
def test_cure(acts: list[Act], run: dict[str, object], expected: tuple[str, str]) -> None:
    """A closed incident says whether a scheduled run cured it, or a refresh that a person started through us."""
    evidence = [*history("F 1:00, F 2:00"), piece("succeeded", "3:00", 3, **run)]
    (incident,) = state(runs(evidence), acts, at("12:00"))
    assert incident.cure is not None
    assert (incident.cure.kind, incident.cure.by, incident.cure.at) == (*expected, at("3:00"))


def test_incident_describes_its_failures() -> None:
    """It has the last known reason with its class, the first and last failure, the duration and the acts."""
    evidence = [
        piece("failed", "2:00", 1),
        job("i", "failed", "1:58", "2:00:02", reason="Invalid username or password"),
        piece("failed", "3:00", 2),
    ]
    acts = [act("note", "2:10", ID, text="ticket 7"), act("snooze", "2:20", ID, "5:00")]
    (incident,) = state(runs(evidence), acts, at("4:00"))
    assert (incident.reason, incident.reason_class) == ("Invalid username or password", "credentials")
    assert (incident.first_failure_at, incident.last_failure_at) == (at("2:00:02"), at("3:00"))
    assert (incident.quiet_by, incident.quiet_until) == ("Ann", at("5:00"))
    assert incident.duration(at("4:00:02")) == timedelta(hours=2)
    assert [one.kind for one in incident.acts] == ["note", "snooze"]


def test_runs_before_a_quiet_success_need_not_be_loaded() -> None:
    """From a success that no failure follows within 30 minutes on, older runs change no later incident."""
    every = runs(history("F 0:30, S 1:00, F 2:00, S 3:00, S 4:00, F 5:00, F 6:00"))
    recent = [run for run in every if run.at >= at("4:00")]
    assert state(recent, [], at("12:00")) == state(every, [], at("12:00"))[-1:]
    assert timedelta(minutes=30) == FLAPPING


@pytest.mark.parametrize(
    "change",
    [
        "F 2:00, F 3:00",
        "F 2:00, S 3:00",
        "F 2:01",
    ],
)
def test_version_changes_with_what_is_shown(change: str) -> None:
    """Another count, state, opening, reason or act is another version; the same evidence again is not."""
    (before,) = state(runs(history("F 2:00")), [], at("12:00"))
    (after,) = state(runs(history(change)), [], at("12:00"))
    (again,) = state(runs(history("F 2:00") * 2), [], at("13:00"))
    (noted,) = state(runs(history("F 2:00")), [act("note", "2:10", ID, text="x")], at("12:00"))
    assert len({before.version, after.version, noted.version}) == 3
    assert before.version == again.version < 2**53


def test_other_kinds_have_the_same_semantics() -> None:
    """A check's findings open and close an incident as runs do; each kind has ids of its own."""

    def finding(clock: str, *, problem: bool) -> Finding:
        name = f"check {clock}"
        return Finding("s", "hook", "webhook", "RefreshFailed", at(clock), problem, frozenset({name}), name,
                       (at(clock), 0, name), reason="disabled" if problem else "")  # fmt: skip

    findings = [finding("2:00", problem=True), finding("3:00", problem=True), finding("4:00", problem=False)]
    (incident,) = incidents("webhook", findings, [], at("12:00"))
    assert (incident.kind, incident.state, incident.failures, incident.reason) == ("webhook", "closed", 2, "disabled")
    (other,) = incidents("blind", findings, [], at("12:00"))
    assert not incident.ids & other.ids
    acts = [act("acknowledge", "2:10", incident.id)]
    assert incidents("webhook", findings[:2], acts, at("12:00"))[0].state == "acknowledged"


def test_id_stays_when_events_are_planned_in_another_order() -> None:
    """The id follows the order in which the server received events, not that in which it planned them."""
    first, second = piece("failed", "3:00", 1, recorded_at=MIDNIGHT), piece("failed", "2:00", 2)
    second = replace(second, recorded_at=MIDNIGHT)
    one = state(merge((), second), [], at("12:00"))[0]
    both = state(merge((), first, second), [], at("12:00"))[0]
    assert both.id == id_of(1)
    assert one.id in both.ids
