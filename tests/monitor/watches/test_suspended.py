"""Test that a schedule that Tableau suspends is an incident until a refresh succeeds, whatever was seen before."""

from __future__ import annotations

from tests.monitor.watches.watched import HOUR, MINUTE, ORDERS, SALES, Watched, at, event_of
from webhooks.incidents import RunEvidence
from webhooks.incidents.wording import describe


def test_suspended_until_a_success(watched: Watched) -> None:
    """Five failures in a row by Tableau's count open it once, nothing is missed meanwhile, and a success closes it."""
    for number in range(4):
        watched.site.schedule(SALES, at(f"26 0{number}:00"), consecutive_failed_count=number)
        watched.runs(SALES, f"26 0{number}:00", 1, "failed")
        watched.until(f"26 0{number}:30", step=10 * MINUTE)
    assert [kind for kind, _ in watched.open()] == ["failing"]
    watched.site.schedule(SALES, at("27 04:00"), consecutive_failed_count=5)
    watched.runs(SALES, "26 04:00", 1, "failed")
    watched.until("27 12:00", step=HOUR)
    assert sorted(kind for kind, _ in watched.open()) == ["failing", "suspended"]
    event = event_of(watched.inbox, "ScheduleSuspended")
    assert "suspended its schedule after 5 failures in a row" in str(event.payload["reason"])
    watched.restart()
    watched.until("27 14:00", step=HOUR)
    assert len(watched.inbox.incidents.list()) == 2
    watched.site.schedule(SALES, at("28 04:00"), consecutive_failed_count=0)
    watched.runs(SALES, "27 14:30", 5)
    watched.until("27 16:00")
    assert watched.open() == []
    (one,) = [one for one in watched.inbox.incidents.list() if one.incident.kind == "suspended"]
    assert describe(watched.inbox.incidents.get(one.id).incident).startswith("Schedule resumed after 1 d ")


def test_suspended_before_the_installation(watched: Watched) -> None:
    """A schedule suspended before the first start is open at the first look, reported once, until a success."""
    watched.site.schedule(SALES, None, consecutive_failed_count=5)
    watched.site.schedule(ORDERS, None, consecutive_failed_count=9)
    watched.until("26 00:00")
    assert sorted(watched.open()) == [("suspended", "Orders"), ("suspended", "Sales")]
    watched.restart()
    watched.until("27 12:00", step=HOUR)
    assert [one.event.event_type for one in watched.inbox.events.list()] == ["ScheduleSuspended"] * 2
    assert len(watched.inbox.incidents.list()) == 2
    watched.site.schedule(SALES, at("28 04:00"), consecutive_failed_count=0)
    watched.runs(SALES, "27 12:30", 5)
    watched.until("27 14:00", step=HOUR)
    assert watched.open() == [("suspended", "Orders")]


def test_suspended_again_is_another_one(watched: Watched) -> None:
    """A schedule that is suspended a second time, after it had been resumed, is reported a second time."""
    for day in (26, 27):
        watched.site.schedule(SALES, at(f"{day} 02:00"), consecutive_failed_count=5)
        watched.until(f"{day} 03:00", step=30 * MINUTE)
        watched.site.schedule(SALES, at(f"{day} 20:00"), consecutive_failed_count=0)
        watched.runs(SALES, f"{day} 04:00", 5)
        watched.until(f"{day} 06:00", step=30 * MINUTE)
        watched.runs(SALES, f"{day} 20:00", 5)
        watched.until(f"{day} 21:00", step=30 * MINUTE)
    assert [one.incident.kind for one in watched.inbox.incidents.list()] == ["suspended", "suspended"]
    assert watched.open() == []


def test_failure_does_not_close_it(watched: Watched) -> None:
    """A refresh that was started by hand and fails leaves the schedule suspended."""
    watched.site.schedule(ORDERS, None, consecutive_failed_count=7)
    watched.until("26 01:00")
    watched.runs(ORDERS, "26 02:00", 5, "failed")
    assert ("suspended", "Orders") in watched.open()


def test_strikes_that_no_webhook_reports_are_shown(watched: Watched) -> None:
    """Tableau's count reaches the incident also if the webhooks of the later failures were lost, before it is five."""
    watched.site.schedule(SALES, at("27 02:00"), consecutive_failed_count=1)
    watched.runs(SALES, "26 00:01", 1, "failed")
    watched.until("26 00:30")
    watched.site.schedule(SALES, at("27 02:00"), consecutive_failed_count=4)
    watched.until("26 01:00")
    (one,) = watched.inbox.incidents.list()
    assert (one.incident.kind, one.details.strikes) == ("failing", 4)
    assert one.due_at is not None
    assert watched.inbox.incidents.wake() == 1


def test_failures_from_before_the_installation_are_announced(watched: Watched) -> None:
    """Content that failed four times before the server was installed has an event of its last failure, and only one."""
    for number in range(4):
        ended = at(f"26 0{number}:05")
        watched.inbox.incidents.learn(
            RunEvidence("job list", watched.site.luid, SALES, "workbook", "failed", ended, ended_at=ended,
                        resource_name="Sales", job_luid=f"job {number}")
        )  # fmt: skip
    watched.site.schedule(SALES, at("27 02:00"), consecutive_failed_count=3)
    watched.until("26 04:30", step=10 * MINUTE)
    assert watched.inbox.events.list() == []
    watched.site.schedule(SALES, at("27 02:00"), consecutive_failed_count=4)
    watched.until("26 05:00", step=10 * MINUTE)
    event = event_of(watched.inbox, "WorkbookRefreshFailed")
    assert (event.resource_luid, event.created_at, event.origin) == (SALES, "2026-11-26T03:05:00Z", "reconciled")
    watched.restart()
    watched.until("26 05:30", step=10 * MINUTE)
    assert len(watched.inbox.events.list()) == 1
    (one,) = watched.inbox.incidents.list()
    assert (one.incident.failures, one.details.strikes) == (4, 4)
