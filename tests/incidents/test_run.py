"""Events and Tableau's jobs about one run become one run, in whatever order they arrive."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.incidents.building import MIDNIGHT, at, event, job, piece
from webhooks.event import RECONCILED
from webhooks.incidents.evidence import RunEvidence, evidence
from webhooks.incidents.run import MERGE_WINDOW, Run, merge, runs


def short(found: tuple[Run, ...]) -> list[str]:
    """Return each run as `outcome start-end`."""

    def clock(time: object) -> str:
        return f"{time:%H:%M}" if time else "?"

    return [f"{run.outcome} {clock(run.started_at)}-{clock(run.ended_at)}" for run in found]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([piece("running", "2:00"), piece("failed", "2:05")], ["failed 02:00-02:05"]),
        ([piece("failed", "2:05")], ["failed ?-02:05"]),
        ([piece("running", "2:00")], ["running 02:00-?"]),
        # The end of the first run was lost.
        (
            [piece("running", "2:00"), piece("running", "3:00"), piece("failed", "3:05")],
            ["unknown 02:00-?", "failed 03:00-03:05"],
        ),
        ([piece("running", "2:00"), piece("running", "3:00")], ["unknown 02:00-?", "running 03:00-?"]),
        # The start of the second run was lost.
        (
            [piece("running", "2:00"), piece("failed", "2:05"), piece("succeeded", "3:05")],
            ["failed 02:00-02:05", "succeeded ?-03:05"],
        ),
        # Tableau's job says when it began, and ended some seconds earlier or later.
        ([piece("failed", "2:05", 1), job("j", "failed", "1:58", "2:04:57")], ["failed 01:58-02:04"]),
        ([piece("failed", "2:05", 1), job("j", "failed", "1:58", "2:06:59")], ["failed 01:58-02:06"]),
        ([piece("failed", "2:05", 1), job("j", "failed", "1:58", "2:07:01")], ["failed ?-02:05", "failed 01:58-02:07"]),
        # Whether Tableau reports a cancelled job as failed is not documented; a failure is not hidden.
        ([piece("failed", "2:05", 1), job("j", "cancelled", "1:58", "2:05:03")], ["failed 01:58-02:05"]),
        (
            [piece("succeeded", "2:05", 1), job("j", "failed", "2:04", "2:05:03")],
            ["succeeded ?-02:05", "failed 02:04-02:05"],
        ),
        # Webhook, reconciled event and job of one run.
        (
            [
                piece("failed", "2:05", 1),
                piece("failed", "2:05:04", 2, source="reconciled"),
                job("j", "failed", "1:58", "2:05:04"),
                piece("running", "1:58:02", 3),
            ],
            ["failed 01:58-02:05"],
        ),
        # A job that was listed while it was running.
        ([job("j", "running", "1:58", None), job("j", "failed", "1:58", "2:05")], ["failed 01:58-02:05"]),
        ([job("j", "running", "1:58", None), piece("running", "1:58:01", 1)], ["running 01:58-?"]),
        (
            [job("j", "running", "1:58", None), piece("running", "1:58:01", 1), piece("failed", "2:05", 2)],
            ["failed 01:58-02:05"],
        ),
        # Two failures within seconds, because someone pressed Run now twice: an event that is repeated is identical.
        ([piece("failed", "2:05", 1), piece("failed", "2:05:20", 2)], ["failed ?-02:05", "failed ?-02:05"]),
        (
            [
                piece("failed", "2:05:00", 1),
                piece("failed", "2:05:20", 2),
                job("i", "failed", "2:04", "2:05:01"),
                job("j", "failed", "2:05:10", "2:05:22"),
            ],
            ["failed 02:04-02:05", "failed 02:05-02:05"],
        ),
        # It began and ended within one second, which Tableau rounded differently.
        ([piece("running", "2:05:01", 1), piece("failed", "2:05:00", 2)], ["failed 02:05-02:05"]),
        # A start of the day before yesterday is not the start of this run.
        ([piece("running", "0:00", 1), piece("failed", "25:00", 2)], ["unknown 00:00-?", "failed ?-01:00"]),
    ],
)
def test_evidence_becomes_runs(pieces: list[RunEvidence], expected: list[str]) -> None:
    """Each history gives these runs, in both orders and with every piece twice."""
    numbered = [one if one.event_id or one.job_luid else replace(one, event_id=i) for i, one in enumerate(pieces, 10)]
    assert short(runs(numbered)) == expected
    assert runs(reversed(numbered * 2)) == runs(numbered)


SOURCES = st.sampled_from(["webhook", "reconciled", "job list"])
OUTCOMES = st.sampled_from(["running", "succeeded", "failed", "cancelled"])


def numbered(specs: list[tuple[str, str, int, int]]) -> list[RunEvidence]:
    """Return evidence with an id for each event, and with two jobs that are listed repeatedly."""
    history = []
    for number, (source, outcome, minute, second) in enumerate(specs, 1):
        if source == "job list":
            ended = None if outcome == "running" else f"2:{minute + 2}:{second}"
            history.append(job(f"j{number % 2}", outcome, f"2:{minute}", ended))
        else:
            history.append(piece(outcome, f"2:{minute}:{second}", number, source=source))
    return history


HISTORIES = st.lists(st.tuples(SOURCES, OUTCOMES, st.integers(0, 9), st.integers(0, 59)), max_size=8).map(numbered)


@given(HISTORIES, st.data())
@settings(max_examples=100, deadline=None)
def test_merging_is_idempotent_commutative_and_associative(whole: list[RunEvidence], data: st.DataObject) -> None:
    """Merging evidence in parts, in any order and repeatedly, gives the runs of all evidence."""
    expected = runs(whole)
    assert merge(expected, *whole) == expected
    shuffled = data.draw(st.permutations([*whole, *whole[:3]]))
    found: tuple[Run, ...] = ()
    for one in shuffled:
        found = merge(found, one)
    assert found == expected
    cut = data.draw(st.integers(0, len(shuffled)))
    assert merge([*runs(shuffled[cut:]), *runs(shuffled[:cut])]) == expected


@given(HISTORIES)
@settings(max_examples=100, deadline=None)
def test_every_piece_of_evidence_belongs_to_one_run(history: list[RunEvidence]) -> None:
    """No evidence is lost, none is in two runs, and two jobs or two webhooks about an end are never one run."""
    found = runs(history)
    keys = [key for run in found for key in sorted(run.keys)]
    assert sorted(keys) == sorted({one.key for one in history})
    for run in found:
        ends = [one.source for one in run.evidence if one.ended_at]
        assert len(ends) == len(set(ends))
        assert len({one.job_luid for one in run.evidence if one.job_luid}) <= 1
        assert run.started_at or run.ended_at


def test_evidence_outside_the_window_changes_nothing() -> None:
    """Evidence further away than MERGE_WINDOW leaves a run as it is, so that a store needs to load only these."""
    old = [piece("running", "0:00", 1), piece("failed", "0:10", 2), job("j", "failed", "0:00", "0:10:02")]
    later = [piece("running", "0:00", 3), piece("succeeded", "0:10", 4)]
    moved = [
        replace(
            one,
            started_at=one.started_at and one.started_at + MERGE_WINDOW + timedelta(hours=1),
            ended_at=one.ended_at and one.ended_at + MERGE_WINDOW + timedelta(hours=1),
        )
        for one in later
    ]
    assert runs(old + moved) == runs(old) + runs(moved)


def test_job_gives_the_reason_and_the_event_the_moment() -> None:
    """A run has the reason and the times of Tableau's job, and the ids of all events about it."""
    (run,) = runs(
        [piece("failed", "2:05", 7), job("j", "failed", "1:58", "2:05:03", reason="Invalid username or password")]
    )
    assert (run.reason, run.reason_class, run.job_luid) == ("Invalid username or password", "credentials", "j")
    assert (run.event_ids, run.sources) == ((7,), {"webhook", "job list"})
    assert run.ended_at == at("2:05:03")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("WorkbookRefreshFailed", ("workbook", "failed")),
        ("DatasourceRefreshSucceeded", ("datasource", "succeeded")),
        ("WorkbookRefreshStarted", ("workbook", "running")),
        ("FlowRunFailed", ("flow", "failed")),
        ("FlowRefreshSucceeded", ("flow", "succeeded")),
        ("FlowRunStarted", ("flow", "running")),
    ],
)
def test_events_about_runs_are_evidence(name: str, expected: tuple[str, str]) -> None:
    """Refresh events and the server's own events of flows say something about a run."""
    found = evidence(event(name, "2:05"))
    assert found is not None
    assert (found.resource_kind, found.outcome) == expected
    assert (found.site_luid, found.resource_luid, found.at) == ("s", "w", at("2:05"))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("WorkbookUpdated", {}),
        ("UserDeleted", {}),
        ("FlowCreated", {}),
        ("ViewRefreshFailed", {}),
        ("SubscriptionFailed", {"resource": "SUBSCRIPTION"}),
        ("BridgeRefreshFailed", {"resource": "VIEW"}),
        ("WorkbookRefreshFailed", {"resource_luid": None}),
        ("WorkbookRefreshFailed", {"resource_luid": " "}),
        ("WorkbookRefreshFailed", {"resource_luid": 99}),
        ("WorkbookRefreshFailed", {"created_at": "yesterday"}),
    ],
)
def test_other_events_are_no_evidence(name: str, fields: dict[str, object]) -> None:
    """Events of other types, without a LUID or without any time, say nothing about a run."""
    assert evidence(event(name, "2:05", **fields)) is None


def test_time_of_an_event_is_that_of_its_text_if_it_agrees() -> None:
    """`text` gives milliseconds; one that contradicts created_at, or an impossible created_at, is not used."""
    posted = "Event WorkbookRefreshFailed for resource Sales: W on site S posted at 2026-11-26T{}Z"
    exact = event("WorkbookRefreshFailed", "2:05:57", text=posted.format("02:05:56.941"))
    wrong = event("WorkbookRefreshFailed", "2:05:57", text=posted.format("01:05:56.941"))
    late = replace(event("WorkbookRefreshFailed", "2:05"), received_at=at("2:05") + timedelta(days=40))
    assert [evidence(one).at for one in (exact, wrong, late)] == [  # type: ignore[union-attr]
        at("2:05:56.941"),
        at("2:05:57"),
        late.received_at,
    ]


@pytest.mark.parametrize("resource", ["DATASOURCE", "WORKBOOK"])
def test_bridge_refresh_is_a_run_of_its_content(resource: str) -> None:
    """A Bridge refresh that the job list shows and the webhook about it are one run."""
    bridge = replace(event("BridgeRefreshFailed", "2:05:03", resource=resource), id=1)
    webhook = replace(event(f"{resource.title()}RefreshFailed", "2:05"), id=2)
    (run,) = runs([one for one in map(evidence, (bridge, webhook)) if one])
    assert (run.resource_kind, run.outcome, run.event_ids) == (resource.lower(), "failed", (1, 2))


def test_reason_in_an_event_of_the_job_list_counts_only_from_the_server_itself() -> None:
    """An event that the server made of a job has its reason and its LUID; a webhook that claims them does not."""
    claimed = event("FlowRunFailed", "2:05", reason="Login failed", job_luid="j")
    for one, expected in ((claimed, ("", None)), (replace(claimed, origin=RECONCILED), ("Login failed", "j"))):
        found = evidence(one)
        assert found is not None
        assert (found.reason, found.job_luid) == expected


def test_reconciled_event_is_evidence_of_its_own_source() -> None:
    """An event that reconciliation added is marked as such, so that it joins the webhook that arrives later."""
    found = evidence(replace(event("WorkbookRefreshFailed", "2:05"), origin=RECONCILED, id=5, received_at=MIDNIGHT))
    assert found is not None
    assert (found.source, found.key, found.recorded_at) == ("reconciled", "event 5", MIDNIGHT)
