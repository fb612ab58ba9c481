"""Test that incidents about what did not happen are a function of the sets of findings, runs and acts."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from tests.incidents.building import act, at, job, piece
from tests.incidents.properties import view
from webhooks.incidents import Act, Finding, Incident, RunEvidence, runs
from webhooks.incidents.incident import IncidentKind
from webhooks.incidents.watched import WATCHED, watched_incidents
from webhooks.incidents.wording import describe

END = at("48:00")


def finding(kind: str, clock: str, since: str = "", **fields: object) -> Finding:
    """Return what a watch found about workbook w."""
    key = f"{kind} {clock}"
    values = {"since": at(since) if since else None, "needs_success": kind == "suspended", **fields}
    return Finding("s", "w", "workbook", "Sales", at(clock), True, frozenset({key}), key, (at(clock), 0, key), **values)  # type: ignore[arg-type]


def computed(kind: IncidentKind, *items: Finding | RunEvidence | Act) -> tuple[Incident, ...]:
    """Return the incidents of findings, evidence of runs, and acts."""
    found = [one for one in items if isinstance(one, Finding)]
    pieces = [one for one in items if isinstance(one, RunEvidence)]
    acts = [one for one in items if isinstance(one, Act)]
    return watched_incidents(kind, found, runs(pieces), acts, END)


@pytest.mark.parametrize(
    ("kind", "items", "expected"),
    [
        ("missed", [finding("missed", "2:30", "2:00")], ["Missed"]),
        ("missed", [finding("missed", "2:30", "2:00"), piece("succeeded", "4:10", 1)], ["Came 2 h 10 min late"]),
        ("missed", [finding("missed", "2:30", "2:00"), piece("failed", "3:00", 1)], ["Came 1 h late, and failed"]),
        ("missed", [finding("missed", "2:30", "2:00"), piece("running", "3:00", 1)], ["Missed"]),
        ("missed", [finding("missed", "2:30", "2:00"), piece("succeeded", "1:00", 1)], ["Missed"]),
        ("missed", [finding("missed", "2:30", "2:00"), piece("succeeded", "2:10", 1)],
         ["Came in time, but this was known late"]),
        ("missed", [finding("missed", "2:30", "2:00"), finding("missed", "26:30", "26:00")], ["Missed, 2 in a row"]),
        ("missed",
         [finding("missed", "2:30", "2:00"), piece("succeeded", "4:00", 1), finding("missed", "26:30", "26:00")],
         ["Came 2 h late", "Missed"]),
        ("missed", [finding("missed", "7:30", "7:30", needs_success=True), piece("failed", "8:00", 1)], ["Missed"]),
        ("long", [finding("long", "3:00", "2:00"), piece("running", "2:00", 1)], ["Running too long"]),
        ("long", [finding("long", "3:00", "2:00"), piece("running", "2:00", 1), piece("succeeded", "5:00", 2)],
         ["Ended after 3 h"]),
        ("long", [finding("long", "3:00", "2:00"), piece("running", "2:00", 1), piece("running", "9:00", 2)],
         ["Ended after 7 h"]),
        ("long", [finding("long", "3:00", "2:00"), job("j", "cancelled", "2:00", "4:00")],
         ["Ended after 2 h, and was cancelled"]),
        ("suspended", [finding("suspended", "3:00"), piece("failed", "4:00", 1)], ["Suspended by Tableau"]),
        ("suspended", [finding("suspended", "3:00"), piece("succeeded", "12:05", 1)],
         ["Schedule resumed after 9 h 5 min"]),
    ],
)  # fmt: skip
def test_described(kind: IncidentKind, items: list[Finding | RunEvidence], expected: list[str]) -> None:
    """Each kind has its own words for its states and for how it ended."""
    assert [describe(one) for one in computed(kind, *items)] == expected


@pytest.mark.parametrize("seed", range(60))
def test_order_and_repetition_do_not_matter(seed: int) -> None:
    """Findings, runs and acts in any order, some of them twice, give the same incidents; one is open at most."""
    random = Random(seed)
    kind = WATCHED[seed % 3]
    items: list[Finding | RunEvidence | Act] = []
    minute = 0
    for number in range(random.randrange(1, 9)):
        minute += random.choice((5, 29, 31, 90, 400))
        choice = random.random()
        clock = f"0:{minute}"
        if choice < 0.5:
            since = f"0:{max(minute - random.choice((0, 30, 90)), 0)}"
            items.append(finding(kind, clock, since, needs_success=random.random() < 0.3))
        elif choice < 0.9 or not items:
            items.append(piece(random.choice(("succeeded", "failed", "running", "cancelled")), clock, number))
    found = computed(kind, *items)
    if found:
        items.append(act(random.choice(("acknowledge", "snooze", "close")), "0:45", found[0].id, "3:00"))
    expected = [view(one) for one in computed(kind, *items)]
    assert sum(one.is_open for one in computed(kind, *items)) <= 1
    for _ in range(4):
        order = [*items, *random.choices(items, k=2)]
        random.shuffle(order)
        # A finding is stored once, as its name is unique.
        once = list({id(one) if not isinstance(one, Finding) else one.first_name: one for one in order}.values())
        assert [view(one) for one in computed(kind, *once)] == expected


def test_late_evidence_gives_the_same_as_evidence_in_time() -> None:
    """A run that is learned of after the finding closes the incident right after its opening."""
    (one,) = computed("missed", finding("missed", "2:30", "2:00"), piece("succeeded", "2:10", 1))
    assert one.closed_at == at("2:30") + timedelta(microseconds=1)
    assert one.is_open is False
