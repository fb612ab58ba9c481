"""Test the lists and figures for pages, on both databases."""

from __future__ import annotations

from datetime import timedelta

from tests.support.databases import NOTIFY, some_event
from webhooks.clock import utc_now
from webhooks.inbox import Inbox, Resource
from webhooks.inbox.resources.lists import CurrentIncident
from webhooks.incidents import IncidentFilter, ResourceDetails, RunEvidence
from webhooks.incidents.run import RunOutcome

SITE = "6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6"
NOW = utc_now().replace(microsecond=0)


def run(inbox: Inbox, luid: str, minutes: float, outcome: RunOutcome = "succeeded", *, length: float = 4) -> None:
    """Record a run that ended some minutes ago and took `length` minutes."""
    ended = NOW - timedelta(minutes=minutes)
    inbox.incidents.learn(
        RunEvidence(
            source="job list",
            site_luid=SITE,
            resource_luid=luid,
            resource_kind="workbook",
            resource_name=f"Name {luid[:1]}",
            outcome=outcome,
            recorded_at=ended,
            started_at=ended - timedelta(minutes=length),
            ended_at=ended,
            job_luid=f"{luid}-{minutes}",
        )
    )


def test_content_with_its_last_runs(inbox: Inbox) -> None:
    """One statement returns the outcomes newest first, the seconds, the last run, the owner and the project."""
    inbox.resources.save([Resource("b", "workbook", SITE, "Name b", "Ann (ann@a.example)", "Finance")])
    for minutes in (90, 60, 30):
        run(inbox, "a", minutes)
        run(inbox, "b", minutes, "failed" if minutes == 30 else "succeeded", length=minutes / 10)
    first, second = inbox.resource_lists.page()
    assert (first.luid, first.outcomes, first.seconds, first.project) == ("a", "sss", [240, 240, 240], "")
    assert (second.name, second.outcomes, second.seconds) == ("Name b", "fss", [180, 360, 540])
    assert (second.owner, second.project) == ("Ann (ann@a.example)", "Finance")
    assert second.last_at == NOW - timedelta(minutes=30)
    assert [one.luid for one in inbox.resource_lists.page(after=(first.name, first.luid))] == ["b"]
    assert [one.luid for one in inbox.resource_lists.page(names=["*NAME A*"])] == ["a"]
    assert [one.luid for one in inbox.resource_lists.page(projects=["fin*"])] == ["b"]
    assert inbox.resource_lists.page(luids=[]) == []
    assert inbox.resource_lists.last_success("b") == NOW - timedelta(minutes=60)
    assert inbox.resource_lists.get("c") is None
    assert inbox.resource_lists.next_expected("a", NOW) is None
    assert [one.incident.resource_luid for one in inbox.resource_lists.incidents_of("b")] == ["b"]
    assert [one.luid for one in inbox.resource_lists.page(states=["open"])] == ["b"]
    assert inbox.resource_lists.page(states=["acknowledged"]) == []
    (record,) = inbox.resource_lists.incidents_of("b")
    current = inbox.resource_lists.current_incidents([first, second], ["open"])
    assert current == {"b": CurrentIncident(record.id, "failing")}
    assert inbox.resource_lists.current_incidents([second], ["snoozed"]) == {}
    assert inbox.resource_lists.current_incidents([], ["open"]) == {}


def test_runs_by_project_and_hour(inbox: Inbox) -> None:
    """Runs are counted in the hour in which they ended, in the project that the monitor or else a look-up has found."""
    inbox.resources.save([Resource("b", "workbook", SITE, "Name b", "", "Finance")])
    for minutes, outcome in ((170, "succeeded"), (150, "succeeded"), (50, "failed")):
        run(inbox, "b", minutes, outcome)  # type: ignore[arg-type]
    run(inbox, "a", 500)
    run(inbox, "a", 55)
    # In another project when it failed: the monitor has seen it since then.
    (record,) = inbox.incidents.list(IncidentFilter(resources=["b"]))
    inbox.incidents.save_details(record.id, ResourceDetails(project="Before"))
    run(inbox, "c", 40, "failed")
    (record,) = inbox.incidents.list(IncidentFilter(resources=["c"]))
    inbox.incidents.save_details(record.id, ResourceDetails(project="Marketing/EU"))
    found = inbox.overviews.runs_by_hour(NOW - timedelta(hours=3))
    rows = sorted((row.project, row.hour, row.outcome, row.number) for row in found)
    assert rows == [
        ("", 2, "succeeded", 1),
        ("Finance", 0, "succeeded", 2),
        ("Finance", 2, "failed", 1),
        ("Marketing/EU", 2, "failed", 1),
    ]


def test_events_without_their_bodies(inbox: Inbox) -> None:
    """Pages have the states of the jobs; searches are by pattern; dead jobs are grouped by their cause."""
    for number in range(4):
        inbox.events.receive(some_event(number, "WorkbookDeleted" if number == 1 else "WorkbookCreated"))
    inbox.events.plan(lambda event: [NOTIFY] if event.resource_name != "Sales 3" else [])
    for job in inbox.jobs.claim("tests", 2, 60):
        inbox.dead_letters.dead_letter(job, "channel_not_found")
    page = inbox.event_lists.page(limit=3)
    assert [(line.id, dict(line.jobs), line.state) for line in page.lines] == [
        (4, {}, "ignored"),
        (3, {"ready": 1}, "planned"),
        (2, {"dead": 1}, "planned"),
    ]
    assert (page.older, page.searched_to) == (2, None)
    assert [line.id for line in inbox.event_lists.page(before=2).lines] == [1]
    assert [line.id for line in inbox.event_lists.page(event_types=["*deleted"]).lines] == [2]
    assert [line.id for line in inbox.event_lists.page(names=["sales 0"]).lines] == [1]
    assert [line.id for line in inbox.event_lists.page(states=["dead"]).lines] == [2, 1]
    assert inbox.event_lists.page(since=utc_now() + timedelta(minutes=1)).lines == []
    (cause,) = inbox.event_lists.dead_by_cause()
    assert (cause.rule, cause.handler, cause.error, cause.number) == ("R", "notify", "channel_not_found", 2)
    assert sorted(cause.event_ids) == [1, 2]
    assert inbox.event_lists.rule_activity() == {"R": {"dead": 2, "ready": 1}}
    assert inbox.dead_letters.requeue_jobs(cause.job_ids[:1]) == 1
    assert inbox.dead_letters.dismiss(cause.job_ids) == 1
    assert inbox.event_lists.dead_by_cause() == []
