"""Many failures at once cause few requests to Tableau, and every look-up is as fresh as its event needs."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from notifiers import Link, Message, NotifierError, Table, Timestamp
from tableau_rest import BadRequest, NotFound, PersonalAccessToken, Tableau, TableauError
from tests.support.simulated_actions import Simulation
from webhooks.clock import utc_now
from webhooks.context import call
from webhooks.context.context import JOB_QUERIES_PER_HOUR
from webhooks.context.shared_lookups import SharedLookups
from webhooks.context.unsent_message import message_from_json, message_to_json
from webhooks.event import Event, happened_at
from webhooks.registry import registry

NAMES = tuple(f"Report {number}" for number in range(8))


def failures(simulation: Simulation, names: tuple[str, ...] = NAMES) -> list[Event]:
    """Let the refreshes of workbooks with these names fail."""
    created = [simulation.cause("WorkbookCreated", name=name) for name in names]
    failed = [simulation.cause("WorkbookRefreshFailed", luid=str(one.resource_luid)) for one in created]
    simulation.tableau.session()
    simulation.running.world.calls.log.clear()
    return failed


def requests(simulation: Simulation) -> Counter[str]:
    """Return the requests to Tableau by what they ask for, without signing in."""
    paths = [one.path.partition("/sites/")[2].partition("/")[2] for one in simulation.running.world.calls.log]
    return Counter(path.split("/")[0] + "/…" * ("/" in path) for path in paths if path)


def find(shared: SharedLookups, simulation: Simulation, event: Event, waiting: tuple[str, ...] = NAMES) -> Any:
    """Look up the event's workbook, which may be five minutes old."""
    now = utc_now()
    not_before = now - timedelta(minutes=5)
    luid = str(event.resource_luid)
    return shared.content(simulation.tableau, "workbook", luid, now=now, not_before=not_before, waiting=lambda: waiting)


def test_one_list_answers_for_all_that_wait(simulation: Simulation) -> None:
    """Eight workbooks and their failed jobs are one list each, and one request for each job's reason."""
    shared = SharedLookups()
    for event in failures(simulation):
        at = happened_at(event)
        assert at
        assert find(shared, simulation, event).name == event.resource_name
        about = {"name": str(event.resource_name), "at": at, "now": utc_now(), "waiting": lambda: NAMES}
        for _ in range(2):
            job = shared.failed_job(simulation.tableau, str(event.resource_luid), **about)
            assert job
            assert job.content
            assert job.content.luid == event.resource_luid
    assert requests(simulation) == {"workbooks": 1, "jobs": 1, "jobs/…": len(NAMES)}


def test_threads_share_requests_under_way(simulation: Simulation) -> None:
    """Many jobs of one event need its workbook, owner and failed job at the same moment: each is requested once."""
    (event,) = failures(simulation, NAMES[:1])
    simulation.running.world.faults.add({"kind": "delay", "target": "tableau", "seconds": 0.2})
    shared, at, luid = SharedLookups(), happened_at(event), str(event.resource_luid)
    assert at
    about = {"name": NAMES[0], "at": at, "now": utc_now(), "waiting": lambda: NAMES[:1]}
    owner = simulation.tableau.session().user_luid

    def look_up(_: int) -> tuple[Any, Any, Any]:
        content = find(shared, simulation, event, NAMES[:1])
        return content.name, shared.user(simulation.tableau, owner, utc_now()).luid, shared.failed_job(
            simulation.tableau, luid, **about
        )  # fmt: skip

    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(look_up, range(6)))
    assert len({(name, user, job and job.luid) for name, user, job in found}) == 1
    assert requests(simulation) == {"workbooks/…": 1, "users/…": 1, "jobs": 1, "jobs/…": 1}


def test_threads_that_wait_for_a_request_get_its_error(simulation: Simulation) -> None:
    """Each trying again would repeat the failure, one after the other; later look-ups send a request again."""
    (event,) = failures(simulation, NAMES[:1])
    shared = SharedLookups()
    simulation.running.world.faults.add({"kind": "delay", "target": "tableau", "seconds": 0.2})
    simulation.running.world.faults.add({"kind": "error", "target": "tableau", "code": "403000"})

    def look_up(_: int) -> str:
        with pytest.raises(TableauError) as caught:
            find(shared, simulation, event, NAMES[:1])
        return caught.value.code

    with ThreadPoolExecutor(6) as threads:
        assert set(threads.map(look_up, range(6))) == {"403000"}
    assert requests(simulation)["workbooks/…"] == 1
    simulation.running.world.faults.remove()
    assert find(shared, simulation, event, NAMES[:1]).name == NAMES[0]


def test_single_failure_is_looked_up_by_itself(simulation: Simulation) -> None:
    """Without others that wait, the workbook is requested by its LUID, and once for all jobs of the event."""
    (event,) = failures(simulation, NAMES[:1])
    shared = SharedLookups()
    for _ in range(3):
        assert find(shared, simulation, event, NAMES[:1]).name == NAMES[0]
    assert requests(simulation) == {"workbooks/…": 1}


def test_names_that_no_filter_can_contain_are_requested_one_by_one(simulation: Simulation) -> None:
    """A comma, a bracket or an ampersand in a name does not hide content, nor do names that exist twice."""
    names = ("A, B & Co", "Sum [EUR]", "Twice", "Twice", "x" * 2000)
    shared = SharedLookups()
    for event in failures(simulation, names):
        found = find(shared, simulation, event, names)
        assert (found.luid, found.name) == (event.resource_luid, event.resource_name)


def test_server_without_the_filter_is_asked_for_each(simulation: Simulation) -> None:
    """A server that refuses the filter is asked only once to use it."""
    events = failures(simulation)
    simulation.inject(kind="error", code="400006", path="workbooks$", method="GET")
    with pytest.raises(BadRequest):
        list(simulation.tableau.workbooks())
    simulation.running.world.calls.log.clear()
    shared = SharedLookups()
    assert [find(shared, simulation, event).luid for event in events] == [event.resource_luid for event in events]
    assert requests(simulation) == {"workbooks": 1, "workbooks/…": len(events)}


def test_deleted_content_is_not_found(simulation: Simulation) -> None:
    """Content that is missing in the list is requested by its LUID, and then not found."""
    events = failures(simulation)
    simulation.cause("WorkbookDeleted", luid=str(events[0].resource_luid))
    with pytest.raises(NotFound):
        find(SharedLookups(), simulation, events[0])


def test_event_that_may_report_a_change_gets_fresh_content(simulation: Simulation) -> None:
    """A response from before the event was received is not used for it."""
    (event,) = failures(simulation, NAMES[:1])
    shared, luid, now = SharedLookups(), str(event.resource_luid), utc_now()

    def look(not_before: Any) -> Any:
        given = {"now": now, "not_before": not_before, "waiting": lambda: ()}
        return shared.content(simulation.tableau, "workbook", luid, **given).name

    assert look(now) == NAMES[0]
    simulation.running.world.home.workbooks[luid].name = "Renamed"
    assert look(now) == NAMES[0]
    assert look(now + timedelta(seconds=1)) == "Renamed"


def test_late_job_list_is_requested_again(simulation: Simulation) -> None:
    """A list that did not contain a job yet is requested again two seconds later, once for all that wait."""
    events = failures(simulation)
    hidden = dict(simulation.running.world.home.jobs)
    simulation.running.world.home.jobs.clear()
    shared, now = SharedLookups(), utc_now()

    def look(event: Event, seconds: float) -> Any:
        at = happened_at(event)
        assert at
        about = {"name": str(event.resource_name), "at": at, "now": now + timedelta(seconds=seconds)}
        return shared.failed_job(simulation.tableau, str(event.resource_luid), **about, waiting=lambda: NAMES)

    assert [look(event, 0) for event in events] == [None] * len(events)
    simulation.running.world.home.jobs.update(hidden)
    assert [look(event, 1) for event in events] == [None] * len(events)
    assert None not in [look(event, 3) for event in events]
    assert requests(simulation) == {"jobs": 2, "jobs/…": len(events)}


def test_queries_of_jobs_have_a_limit(simulation: Simulation) -> None:
    """Once the site's share of the hour is used up, the messages say so instead of the reason."""
    event = failures(simulation, NAMES[:1])[0]
    assert simulation.inbox.quotas.take("queries of jobs acme", JOB_QUERIES_PER_HOUR, JOB_QUERIES_PER_HOUR - 10)
    simulation.run(event, 'notify = "slack"\neach = true')
    assert "used its share of the queries of jobs that Tableau allows an hour" in simulation.text
    assert requests(simulation)["jobs"] == 0


def test_content_and_job_of_a_failure_are_requested_at_the_same_time(simulation: Simulation) -> None:
    """No request waits for a response that it does not need, and an error that may pass fails the attempt.

    The project and the owner, which are known by the content, are requested at the same time, too.
    """
    event = simulation.cause("WorkbookRefreshFailed", name="Sales", reason="Disk full on db7")
    both, details = threading.Barrier(2), threading.Barrier(3)

    @contextmanager
    def observe(_method: str, path: str) -> Iterator[Callable[[int], object]]:
        if path.endswith((f"/workbooks/{event.resource_luid}", "/jobs")):
            both.wait(60)
        elif "/users/" in path or "/jobs/" in path or path.endswith("/projects"):
            details.wait(60)
        yield str

    config = simulation.running.world.config
    credential = PersonalAccessToken(config.pat_name, config.pat_secret)
    simulation.tableau = Tableau(simulation.running.url, config.content_url, credential, observe=observe)
    job = simulation.job(event, 'notify = "slack"\neach = true')
    fault = simulation.inject(kind="error", path="/jobs/", status=500)
    with pytest.raises(TableauError):
        call(registry.handler("notify"), simulation.context(job))
    simulation.running.world.faults.remove(fault)
    both.reset()
    details.reset()
    simulation.tableau = Tableau(simulation.running.url, config.content_url, credential, observe=observe)
    call(registry.handler("notify"), simulation.context(job))
    assert "Disk full on db7" in simulation.text


def test_event_of_another_site_uses_no_queries_of_jobs(simulation: Simulation) -> None:
    """Its job could not be found, and Tableau limits the queries for the site's own events."""
    event = simulation.event("WorkbookRefreshFailed", site_luid="ffffffff-0000-4000-8000-000000000000")
    call(registry.handler("notify"), simulation.context(simulation.job(event, 'notify = "slack"\neach = true')))
    assert "This event comes from another site" in simulation.text
    assert requests(simulation) == {"workbooks/…": 1}


def test_attempt_that_only_has_to_send_asks_tableau_for_nothing(simulation: Simulation) -> None:
    """The message that Slack did not take is sent as it was, by whichever process."""
    event = simulation.cause("WorkbookRefreshFailed", name="Sales", reason="Disk full on db7")
    job = simulation.job(event, 'notify = "slack"\neach = true')
    fault = simulation.inject(target="slack", kind="error", code="service_unavailable")
    with pytest.raises(NotifierError):
        call(registry.handler("notify"), simulation.context(job))
    simulation.running.world.faults.remove(fault)
    simulation.running.world.calls.log.clear()
    simulation.inbox.jobs.postpone(job, 0, "Slack is unavailable")
    (again,) = simulation.inbox.jobs.claim("another process", 1, 60)
    # Slack's limit of a message a second has passed.
    simulation.inbox.store.write(lambda one: one.exec_driver_sql("DELETE FROM state WHERE key LIKE 'limit %'").rowcount)

    def no_tableau() -> Any:
        raise AssertionError("Tableau is not needed")

    call(registry.handler("notify"), simulation.context(again, tableau=no_tableau))
    assert "Disk full on db7" in simulation.text
    assert {one.target for one in simulation.running.world.calls.log} == {"slack"}


def test_message_comes_back_from_json_as_it_was() -> None:
    """Parts that are made again for each attempt, such as a table, are not stored."""
    message = Message(
        "A",
        "b",
        (("Since", Timestamp(utc_now(), ZoneInfo("Asia/Tokyo"))), ("Owner", "Ann")),
        Link("https://x.example"),
        "bad",
    )
    stored = message_to_json(message)
    assert stored
    assert message_from_json(stored) == message
    assert message_to_json(Message("A", table=Table(("x",), (("1",),)))) is None
