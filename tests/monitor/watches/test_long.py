"""Test that a refresh that runs far longer than usual is noticed, and that a lost end is looked up first."""

from __future__ import annotations

from tests.monitor.watches.watched import DAY, HOUR, MINUTE, SALES, Watched, at, event_of
from webhooks.incidents import RunEvidence
from webhooks.incidents.wording import describe


def start(watched: Watched, text: str) -> None:
    """Let the webhook about the start of a refresh arrive."""
    began = at(text)
    piece = RunEvidence("webhook", watched.site.luid, SALES, "workbook", "running", began, started_at=began)
    watched.inbox.incidents.learn(piece)


def with_history(watched: Watched, minutes: float = 20) -> None:
    """Let Sales have ten refreshes that took so long."""
    for number in range(10, 0, -1):
        watched.runs(SALES, at("26 00:00") - number * DAY, minutes)


def test_long_run_is_reported_and_ends(watched: Watched) -> None:
    """A run beyond three times the usual is reported once while it runs, and closed with its whole duration."""
    with_history(watched)
    start(watched, "26 02:00")
    job = watched.site.run(SALES, at("26 02:00"), None)
    assert watched.until("26 02:59") == []
    (one,) = watched.until("26 04:30")
    incident = watched.inbox.incidents.get(one.id).incident
    assert (incident.kind, incident.opened_at, incident.failures) == ("long", at("26 03:00"), 1)
    assert incident.reason == "It has been running since 02:00. It usually takes up to 20 min."
    assert event_of(watched.inbox, "RefreshRunsLong").resource_luid == SALES
    watched.site.change(job, status="Success", ended_at=at("26 05:00"))
    watched.inbox.incidents.learn(
        RunEvidence(
            "webhook", watched.site.luid, SALES, "workbook", "succeeded", at("26 05:00"), ended_at=at("26 05:00")
        )
    )
    closed = watched.inbox.incidents.get(one.id).incident
    assert (closed.state, describe(closed)) == ("closed", "Ended after 3 h")


def test_lost_end_is_looked_up(watched_on_both: Watched) -> None:
    """A run whose end is in the job list was not too long, nor is one that the list does not know."""
    watched = watched_on_both
    with_history(watched)
    start(watched, "26 02:00")
    watched.site.run(SALES, at("26 02:00"), at("26 02:15"))
    watched.until("26 05:00")
    assert watched.open() == []
    (run,) = [run for run in watched.inbox.runs.list() if run.started_at == at("26 02:00")]
    assert (run.outcome, run.ended_at) == ("succeeded", at("26 02:15"))
    assert watched.site.calls["jobs"] == 1
    start(watched, "26 05:00")
    watched.until("26 08:00")
    assert watched.open() == []


def test_too_few_runs_and_short_ones(watched: Watched) -> None:
    """Nothing is too long without eight known durations, nor before half an hour."""
    for number in range(7, 0, -1):
        watched.runs(SALES, at("26 00:00") - number * DAY, 20)
    start(watched, "26 02:00")
    watched.site.run(SALES, at("26 02:00"), None)
    assert watched.until("26 12:00", step=10 * MINUTE) == []


def test_failed_long_run(watched: Watched) -> None:
    """A long run that ends with a failure is over, and fails."""
    with_history(watched, 1)
    start(watched, "26 02:00")
    watched.site.run(SALES, at("26 02:00"), None)
    (one,) = watched.until("26 02:40")
    assert one.incident.opened_at == at("26 02:30")
    piece = RunEvidence(
        "webhook", watched.site.luid, SALES, "workbook", "failed", at("26 02:50"), ended_at=at("26 02:50")
    )
    watched.inbox.incidents.learn(piece)
    assert [kind for kind, _ in watched.open()] == ["failing"]
    assert describe(watched.inbox.incidents.get(one.id).incident) == "Ended after 50 min, and failed"
    assert watched.inbox.incidents.get(one.id).incident.duration(at("26 02:50")) < HOUR


def test_long_run_that_waited_in_the_queue(watched: Watched) -> None:
    """A run that began an hour after it was queued, as the job list counts, is found when it takes too long."""
    with_history(watched)
    job = watched.site.queue(SALES, at("26 01:00"))
    watched.site.change(job, status="InProgress", started_at=at("26 02:00"))
    start(watched, "26 02:00")
    (one,) = watched.until("26 04:30")
    assert (one.incident.kind, one.incident.opened_at) == ("long", at("26 03:00"))
