"""Test that runs and incidents are stored with the plan of an event, and follow from the set of events and acts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import time, timedelta
from itertools import count
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from tests.support.databases import LUID, Clock, some_event
from webhooks.clock import from_timestamp, parse_time, utc_now
from webhooks.event import Event
from webhooks.inbox import Inbox, IncidentRecord, UnknownIncident
from webhooks.inbox.notices.notices import policy_as_dict, policy_from_dict
from webhooks.incidents import Act, DestinationPolicy, IncidentFilter, Policy
from webhooks.incidents.silences import WeeklyPeriod
from webhooks.incidents.state import state
from webhooks.incidents.wording import describe_cure
from webhooks.job import NOTICE, SLACK_PRESS, SUPERSEDED_NOTICE, Job

MINUTE, DAY = 60.0, 86_400.0
START = 1_795_600_000.0
POLICY = Policy(rule="Finance", destinations=(DestinationPolicy("slack:#bi"),))
numbers = count(1)


def refresh(outcome: str, at: float, luid: str = LUID, **fields: object) -> Event:
    """Return a webhook about a refresh of a workbook that happened `at` seconds after START."""
    created = from_timestamp(START + at).strftime("%Y-%m-%dT%H:%M:%SZ")
    fields = {"resource": "EXTRACTS", "resource_luid": luid, "created_at": created, **fields}
    return some_event(next(numbers), f"WorkbookRefresh{outcome}", **fields)


@pytest.fixture
def arrive(box: Inbox, clock: Clock) -> Callable[..., Sequence[IncidentRecord]]:
    """Receive and plan events one by one, without rules, and return all incidents."""
    clock.seconds = START

    def arrive(*events: Event) -> Sequence[IncidentRecord]:
        for event in events:
            # Nothing is received before it happens.
            happened = parse_time(event.created_at)
            clock.seconds = max(clock.seconds, happened.timestamp() if happened else 0)
            box.events.receive(event)
            box.events.plan(lambda _: [])
            clock.forward(1)
        return box.incidents.list()

    return arrive


Arrive = Callable[..., Sequence[IncidentRecord]]


def test_failures_in_a_row_are_one_incident(arrive: Arrive, box: Inbox) -> None:
    """Three failures open one incident, which counts them; every refresh is a run."""
    (one,) = arrive(*(refresh("Failed", at) for at in (0, 3600, 7200)))
    assert (one.incident.state, one.incident.failures, one.incident.in_a_row) == ("open", 3, 3)
    assert one.incident.opened_at == from_timestamp(START)
    assert one.incident.closed_at is None
    assert [run.outcome for run in box.runs.list()] == ["failed"] * 3


def test_success_closes_the_incident(arrive: Arrive) -> None:
    """The success after a failure closes the incident at the time of the success."""
    (one,) = arrive(refresh("Failed", 0), refresh("Succeeded", 8040))
    assert (one.incident.state, one.incident.closed_at) == ("closed", from_timestamp(START + 8040))


def test_duplicate_and_repeated_plan_change_nothing(arrive: Arrive, box: Inbox) -> None:
    """The same event again, and an event that is planned again, are no second failure."""
    failed = refresh("Failed", 0)
    (one,) = arrive(failed, failed)
    box.events.replay([1])
    box.events.plan(lambda _: [])
    assert box.incidents.get(one.id).incident.failures == 1


def test_late_failure_changes_counts_only(arrive: Arrive) -> None:
    """An older failure that arrives after the success is counted, and the incident stays closed."""
    (one,) = arrive(refresh("Failed", 600), refresh("Succeeded", 1200), refresh("Failed", 0))
    assert (one.incident.state, one.incident.failures) == ("closed", 2)
    assert one.incident.opened_at == from_timestamp(START)


def test_success_between_two_failures_that_comes_last_makes_two_incidents(arrive: Arrive) -> None:
    """A late success closes the first incident; the later failure is another one."""
    arrive(refresh("Failed", 0), refresh("Failed", 40_000))
    second, first = arrive(refresh("Succeeded", 20_000))
    assert (second.incident.state, second.incident.failures) == ("open", 1)
    assert (first.incident.state, first.incident.failures) == ("closed", 1)


@pytest.mark.parametrize("visible", ["first", "second", "both", "neither"])
def test_incidents_that_turn_out_to_be_one_keep_the_visible_message(arrive: Arrive, box: Inbox, visible: str) -> None:
    """Two incidents with notices for one destination become one with one of them: that of the message people see."""
    minute = 60
    arrive(refresh("Failed", 0), refresh("Succeeded", 10 * minute), refresh("Failed", 45 * minute))
    second, first = box.incidents.list()
    registered = {
        name: box.notices.register(one.id, "slack:#bi", POLICY) for name, one in (("first", first), ("second", second))
    }
    box.notices.register(second.id, "slack:#other", POLICY)
    for name in registered if visible == "both" else registered.keys() & {visible}:
        message = {"message": {"kind": "slack", "channel": "C1", "id": name}}
        box.notices.save(registered[name], posted=message, shown={"message": 1})
    # It follows the recovery by less than half an hour, and the second incident follows it.
    (one,) = arrive(refresh("Failed", 35 * minute))
    stored = {notice.destination: notice for notice in box.incidents.get(one.id).notices}
    assert set(stored) == {"slack:#bi", "slack:#other"}
    posted = stored["slack:#bi"].posted
    assert (posted["message"]["id"] if posted else "neither") == ("first" if visible == "both" else visible)
    superseded = [job.params for job in box.jobs.claim("me", 50, 900) if job.handler == SUPERSEDED_NOTICE]
    assert [one["message"]["id"] for one in superseded] == (["second"] if visible == "both" else [])


def test_resources_have_incidents_of_their_own(arrive: Arrive) -> None:
    """Failures of two workbooks are two incidents."""
    other = LUID.replace("e3", "a1")
    assert len(arrive(refresh("Failed", 0), refresh("Failed", 1, other))) == 2


@pytest.mark.parametrize(
    ("resource", "found"), [("sales*", 1), ("SALES ?AILY", 1), (LUID, 1), ("Sales", 0), ("Sales%", 0)]
)
def test_incidents_are_found_by_resource(arrive: Arrive, box: Inbox, resource: str, found: int) -> None:
    """A LUID or a name finds them; names are compared without case, and only `*` and `?` match other characters."""
    arrive(refresh("Failed", 0, resource_name="Sales Daily"))
    assert len(box.incidents.list(IncidentFilter(resources=[resource]))) == found


def test_acknowledgement_is_stored(arrive: Arrive, box: Inbox, clock: Clock) -> None:
    """An acknowledged incident says who did it, stays open, and is closed by a success."""
    (one,) = arrive(refresh("Failed", 0))
    clock.forward(60)
    act = Act("", "acknowledge", "", from_timestamp(clock()), "Ann")
    acknowledged = box.incidents.act(one.id, act)
    assert (acknowledged.incident.state, acknowledged.incident.quiet_by) == ("acknowledged", "Ann")
    (closed,) = arrive(refresh("Succeeded", 600))
    assert closed.incident.state == "closed"
    assert [one.kind for one in closed.incident.acts] == ["acknowledge"]


def test_act_about_an_unknown_incident_is_refused(box: Inbox) -> None:
    """Nothing is stored for an incident that does not exist."""
    with pytest.raises(UnknownIncident):
        box.incidents.act(7, Act("", "acknowledge", "", from_timestamp(START), "Ann"))


def test_changes_make_jobs_for_notices(arrive: Arrive, box: Inbox, clock: Clock) -> None:
    """A further failure, an act and the success each make a job per notice, for the event or the last one before."""
    (one,) = arrive(refresh("Failed", 0))
    notice = box.notices.register(one.id, "slack:#bi", POLICY)
    assert box.notices.register(one.id, "slack:#bi", POLICY) == notice
    assert notice_jobs(box) == []
    clock.forward(600)
    arrive(refresh("Failed", 600))
    box.incidents.act(one.id, Act("", "acknowledge", "", from_timestamp(clock()), "Ann"))
    arrive(refresh("Succeeded", 1200))
    jobs = notice_jobs(box)
    assert [(job.event.id, job.params) for job in jobs] == [
        (event_id, {"notice": notice.id, "to": "slack:#bi"}) for event_id in (2, 2, 3)
    ]
    assert {job.rule for job in jobs} == {"Finance"}


def test_notice_remembers_what_was_sent(arrive: Arrive, box: Inbox) -> None:
    """The address of a message and the versions that were sent survive a restart."""
    (one,) = arrive(refresh("Failed", 0))
    notice = box.notices.register(one.id, "slack:#bi", POLICY)
    box.notices.save(notice, posted={"pending": {}}, shown={})
    assert box.incidents.get(one.id).notices[0].posted_at is None
    posted = {"message": {"channel": "C1", "ts": "1.2"}}
    box.notices.save(notice, posted=posted, shown={"message": 3})
    (stored,) = box.incidents.get(one.id).notices
    assert (stored.posted, stored.shown, stored.policy) == (posted, {"message": 3}, POLICY)
    assert stored.posted_at is not None


def test_incident_wakes_when_it_is_due(arrive: Arrive, box: Inbox, clock: Clock) -> None:
    """A time that was saved makes one job per notice when it has come, and not before."""
    (one,) = arrive(refresh("Failed", 0))
    box.notices.register(one.id, "slack:#bi", POLICY)
    box.incidents.save_due(one.id, from_timestamp(START + 1800))
    box.incidents.save_due(one.id, from_timestamp(START + 3600))
    assert box.incidents.wake() == 0
    clock.forward(1800)
    assert (box.incidents.wake(), len(notice_jobs(box)), box.incidents.wake()) == (1, 1, 0)


def test_last_event_of_an_open_incident_is_kept(arrive: Arrive, box: Inbox, clock: Clock) -> None:
    """Retention deletes the events of a closed incident, and keeps the one that an open incident needs for its jobs."""
    arrive(refresh("Failed", 0))
    clock.forward(40 * DAY)
    assert box.retention.delete_before(clock()) == 0
    arrive(refresh("Succeeded", 40 * DAY))
    clock.forward(DAY)
    assert box.retention.delete_before(clock()) == 2


def test_runs_have_their_own_retention(arrive: Arrive, box: Inbox, clock: Clock) -> None:
    """Old runs are deleted, except for those of content that still fails."""
    other = LUID.replace("e3", "a1")
    arrive(refresh("Succeeded", 0), refresh("Failed", 10, other))
    assert box.runs.delete_before(START + DAY) == 1
    assert [run.resource_luid for run in box.runs.list()] == [other]


def test_deletion_of_the_content_closes_its_incident(arrive: Arrive, box: Inbox) -> None:
    """The incident is closed by the deletion, its notice gets a job, and a replay adds nothing."""
    (one,) = arrive(refresh("Failed", 0))
    notice = box.notices.register(one.id, "slack:#bi", POLICY)
    created = from_timestamp(START + 600).strftime("%Y-%m-%dT%H:%M:%SZ")
    gone = some_event(next(numbers), "WorkbookDeleted", resource="WORKBOOK", resource_luid=LUID, created_at=created)
    (closed,) = arrive(gone)
    assert (closed.incident.state, closed.incident.closed_at) == ("closed", from_timestamp(START + 600))
    cure = box.incidents.get(one.id).incident.cure
    assert cure
    assert describe_cure(cure) == ("Closed because", "the content was deleted")
    assert [job.params["notice"] for job in notice_jobs(box)] == [notice.id]
    box.events.replay([2])
    box.events.plan(lambda _: [])
    assert len(box.incidents.get(one.id).incident.acts) == 1


@pytest.mark.parametrize("seed", range(6))
def test_batch_gives_the_same_incidents_as_single_events(
    sqlite_url: str, tmp_path: Path, opened: Callable[..., Inbox], seed: int
) -> None:
    """Planning all events at once, one by one, or in portions stores the same, in any order."""
    random = Random(seed)
    luids = [LUID.replace("e3", f"b{number}") for number in range(4)]
    events = [
        refresh(random.choice(["Failed", "Succeeded", "Started"]), random.randrange(200) * 700.0, random.choice(luids))
        for _ in range(60)
    ]
    found = []
    for limit in (1, 7, 100):
        box = opened(f"sqlite:///{tmp_path}/{limit}.sqlite3", clock=lambda: START + 200 * 700.0)
        for event in events:
            box.events.receive(event)
        while box.events.plan(lambda _: [], limit):
            pass
        incidents = [replace(record.incident, acts=()) for record in box.incidents.list(limit=1000)]
        found.append(sorted(incidents, key=lambda one: (one.resource_luid, one.opened_at)))
        runs = box.runs.list(limit=1000)
        pure = [
            one for luid in luids for one in state([run for run in runs if run.resource_luid == luid], (), utc_now())
        ]
        assert [(one.id, one.state, one.failures) for one in found[-1]] == [
            (one.id, one.state, one.failures)
            for one in sorted(pure, key=lambda one: (one.resource_luid, one.opened_at))
        ]
    assert found[0] == found[1] == found[2]


def test_closed_incidents_have_the_retention_of_runs(arrive: Arrive, box: Inbox, clock: Clock) -> None:
    """An incident that closed long ago is deleted with its acts and notices; an open or recent one is kept."""
    other, third = LUID.replace("e3", "a1"), LUID.replace("e3", "a2")
    (one,) = arrive(refresh("Failed", 0))
    box.notices.register(one.id, "slack:#bi", POLICY)
    box.incidents.act(one.id, Act("", "note", "", from_timestamp(clock()), "Ann", text="Disk"))
    arrive(refresh("Succeeded", 60), refresh("Failed", 0, other), refresh("Failed", 0, third))
    clock.forward(2 * DAY)
    arrive(refresh("Succeeded", 2 * DAY, third))
    assert box.incidents.delete_before(START + DAY) == 1
    assert {record.incident.resource_luid for record in box.incidents.list()} == {other, third}
    assert [box.store.scalar(text(f"SELECT count(*) FROM {table}")) for table in ("acts", "notices")] == [0, 0]
    assert box.incidents.delete_before(START + DAY) == 0
    assert box.incidents.delete_before(START + 3 * DAY, stopping=lambda: True) == 0


def test_act_about_an_incident_whose_events_were_deleted(arrive: Arrive, box: Inbox, clock: Clock) -> None:
    """A closed incident outlives its events: a note about it is stored, and no job is made."""
    (one,) = arrive(refresh("Failed", 0), refresh("Succeeded", 60))
    box.notices.register(one.id, "slack:#bi", POLICY)
    clock.forward(100 * DAY)
    assert box.retention.delete_before(clock() - DAY) == 2
    noted = box.incidents.act(one.id, Act("", "note", "", from_timestamp(clock()), "Ann", text="Disk"))
    assert [act.text for act in noted.incident.acts] == ["Disk"]
    assert box.events.list() == []


def test_two_processes_record_the_same_resource(url: str, opened: Callable[..., Inbox]) -> None:
    """Failures of one workbook that several processes plan at once are one incident with all of them."""
    boxes = [opened(url) for _ in range(3)]
    for at in range(30):
        boxes[0].events.receive(refresh("Failed", at * 600))

    def plan(box: Inbox) -> None:
        while box.events.plan(lambda _: [], limit=1):
            pass

    threads = [threading.Thread(target=plan, args=(box,)) for box in boxes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (one,) = boxes[0].incidents.list()
    assert one.incident.failures == 30


def test_error_in_an_incident_does_not_stop_the_planning(
    arrive: Arrive, box: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged run is logged; events of other content, and the jobs of this event, are planned."""
    arrive(refresh("Failed", 0))
    box.store.execute(text("UPDATE runs SET evidence = 'damaged'"))
    arrive(refresh("Failed", 600), refresh("Failed", 601, LUID.replace("e3", "a1")))
    assert "Runs not recorded: event=2" in caplog.text
    assert len(box.incidents.list()) == 2
    assert [record.state for record in box.events.list()] == ["ignored"] * 3


def test_damaged_run_concerns_its_content_only(arrive: Arrive, box: Inbox) -> None:
    """Events of other content that are planned together with that of a damaged run are recorded."""
    arrive(refresh("Failed", 0))
    box.store.execute(text("UPDATE runs SET evidence = 'damaged'"))
    others = [LUID.replace("e3", f"a{number}") for number in range(3)]
    for luid in (others[0], LUID, *others[1:]):
        box.events.receive(refresh("Failed", 600, luid))
    assert box.events.plan(lambda _: []) == 4
    assert {record.incident.resource_luid for record in box.incidents.list()} == {LUID, *others}


def notice_jobs(box: Inbox) -> list[Job]:
    """Return the jobs of notices, oldest first."""
    jobs = [record.job for event in box.events.list() for record in event.jobs]
    return sorted((job for job in jobs if job.handler == NOTICE), key=lambda job: job.id)


def test_policy_is_stored_whole() -> None:
    """A policy keeps its intervals, hours and mentions when it is stored."""
    quiet = WeeklyPeriod(time(22), time(6, 30), frozenset(range(5)), ZoneInfo("Europe/Berlin"))
    policy = Policy("R", (DestinationPolicy("slack", 2, timedelta(minutes=30), "@ops"),), timedelta(hours=4), quiet)
    assert policy_from_dict(policy_as_dict(policy)) == policy


def test_press_is_one_act_and_one_answer(arrive: Arrive, box: Inbox) -> None:
    """A press that Slack sends again changes nothing; the act has urgent jobs for the answer and for the message."""
    (one,) = arrive(refresh("Failed", 0))
    box.notices.register(one.id, "slack:#bi", POLICY)
    act = Act("", "acknowledge", "", from_timestamp(START), "ann")
    outcomes = [box.presses.record("press", one.id, one.incident.id, {"user": "U1"}, act) for _ in range(2)]
    assert outcomes == ["", None]
    stored = box.incidents.get(one.id).incident
    assert (stored.state, stored.quiet_by, len(stored.acts)) == ("acknowledged", "ann", 1)
    claimed = box.jobs.claim("w", 10, 30, urgent=True)
    assert [job.handler for job in claimed] == [SLACK_PRESS, NOTICE]
    assert claimed[0].params == {"incident": one.id, "user": "U1", "problem": "", "act": 1}
    assert box.jobs.claim("w", 10, 30, urgent=False) == []


@pytest.mark.parametrize(
    ("number", "key", "problem"), [(1, "of another server", "unknown"), (99, "", "unknown"), (1, "", "repeated")]
)
def test_press_that_is_out_of_date_is_no_act(arrive: Arrive, box: Inbox, number: int, key: str, problem: str) -> None:
    """The button of another server, of an incident that is gone, or pressed before: an answer and no act."""
    (one,) = arrive(refresh("Failed", 0))
    act = Act("", "acknowledge", "", from_timestamp(START), "ann")
    box.presses.record("before", one.id, one.incident.id, {}, act)
    assert box.presses.record("now", number, key or one.incident.id, {}, act) == problem
    assert len(box.incidents.get(one.id).incident.acts) == 1
    answers = [job for job in box.jobs.claim("w", 10, 30) if job.key == "press now"]
    assert [job.params["problem"] for job in answers] == [problem]


def test_press_after_the_recovery_is_no_act(arrive: Arrive, box: Inbox) -> None:
    """An incident that is closed cannot be acknowledged any more."""
    (one,) = arrive(refresh("Failed", 0), refresh("Succeeded", 60))
    act = Act("", "acknowledge", "", from_timestamp(START), "ann")
    assert box.presses.record("late", one.id, one.incident.id, {}, act) == "closed"


def test_repeated_acknowledgement_is_no_second_act(arrive: Arrive, box: Inbox) -> None:
    """The same acknowledgement by the same person is stored once; another end, a note or another person is an act."""
    (one,) = arrive(refresh("Failed", 0))
    at, end = from_timestamp(START), from_timestamp(START + 7200)
    acts = [("Ann", None, ""), ("Ann", None, ""), ("Ann", end, ""), ("Ann", end, "fixing it"), ("Ben", None, "")]
    for (by, until, note), number in zip(acts, (1, 1, 2, 3, 4), strict=True):
        record = box.incidents.act(one.id, Act("", "acknowledge", "", at, by, until, note))
        assert len(record.incident.acts) == number
    assert len(list(box.audit.list(limit=10))) == 4


def test_author_is_named_later(arrive: Arrive, box: Inbox) -> None:
    """The name that was looked up replaces the one in the press, and the message is updated; once is enough."""
    (one,) = arrive(refresh("Failed", 0))
    box.notices.register(one.id, "slack:#bi", POLICY)
    box.presses.record("press", one.id, one.incident.id, {}, Act("", "acknowledge", "", from_timestamp(START), "ann"))
    box.jobs.claim("w", 10, 30)
    for _ in range(2):
        box.incidents.name_author(1, "Ann Lee (ann@acme.example)")
    assert box.incidents.get(one.id).incident.quiet_by == "Ann Lee (ann@acme.example)"
    assert [job.handler for job in box.jobs.claim("w", 10, 30)] == [NOTICE]


def test_flood_of_refreshes_of_one_content_is_bounded(
    box: Inbox, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More refreshes than Tableau can run are not recorded as runs; those of other content are."""
    monkeypatch.setattr("webhooks.inbox.runs.runs.MAX_NEARBY", 20)
    clock.seconds = START + DAY
    other = LUID.replace("e3", "a1")
    for at in range(30):
        box.events.receive(refresh("Succeeded", at * 60))
        box.events.plan(lambda _: [])
    box.events.receive(refresh("Failed", 3600, other))
    box.events.plan(lambda _: [])
    assert len(box.runs.list(resource_luid=LUID)) == 21
    assert len(box.runs.list(resource_luid=other)) == 1
    assert f"Refreshes not recorded: {LUID} has more than 20 within an hour" in caplog.text


def test_closed_incidents_come_page_by_page(arrive: Arrive, box: Inbox, clock: Clock) -> None:
    """Those that closed last come first, and each is on one page, also if several closed at the same moment."""
    arrive(*(refresh("Failed", 0, f"{number}{LUID[1:]}") for number in range(5)))
    for record in box.incidents.list():
        box.incidents.act(record.id, Act("", "close", "", from_timestamp(clock()), "Ann"))
    seen: list[int] = []
    before = None
    while page := box.incidents.closed(since=from_timestamp(0), before=before, limit=2):
        seen += [record.id for record in page]
        closed_at = page[-1].incident.closed_at
        assert closed_at
        before = (closed_at.timestamp(), page[-1].id)
    assert seen == [5, 4, 3, 2, 1]
    assert box.incidents.closed(since=from_timestamp(clock() + 1)) == []
