"""The planner: which jobs an event leads to and why, for everything that decides about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from webhooks.errors import StoreUnavailable
from webhooks.event import MONITOR, RECONCILED, Event, build, parse
from webhooks.inbox import Inbox
from webhooks.job import BUILT_IN_HANDLERS, MONITOR_ALERT, PLANNING_FAILED
from webhooks.planner import Plan, Planner, failed_plan
from webhooks.registry import Registry, registry
from webhooks.rules import Rules
from webhooks.rules import parse as parse_rules

RULES = """
[[rule]]
name = "Failures"
on = "*RefreshFailed"
notify = ["slack:#bi", "twilio:+15550100"]

[[rule]]
name = "All"
on = "*"
where = { site = "Finance" }
notify = "console"

[dead_letters]
notify = ["slack:#ops", "console"]
"""


@pytest.fixture
def rules() -> Rules:
    registry.load()
    return parse_rules(RULES, registry.actions)


@pytest.fixture
def handlers() -> Registry:
    own = Registry()
    own.on("Workbook*", name="own")(lambda event: None)
    return own


@pytest.fixture
def planner(rules: Rules, handlers: Registry) -> Planner:
    return Planner(rules, handlers, max_attempts=7)


def event(event_type: str = "WorkbookRefreshFailed", event_id: int | None = 41, origin: str | None = None) -> Event:
    built = build(event_type, origin=origin or "", resource_name="Sales", resource_luid="luid")
    return replace(built, id=event_id, origin=origin)


def verdicts(plan: Plan) -> list[tuple[str, str, bool]]:
    return [(one.kind, one.name, one.matched) for one in plan.verdicts]


def test_plan_has_a_verdict_for_each_rule_and_handler(planner: Planner) -> None:
    """Rules in the order of their file, then handlers; the jobs are those of the verdicts."""
    plan = planner.plan(event())
    assert verdicts(plan) == [("rule", "Failures", True), ("rule", "All", False), ("handler", "own", True)]
    assert [job.key for job in plan.jobs] == ["Failures/notify/slack:#bi", "Failures/notify/twilio:+15550100", "own"]
    assert plan.jobs == planner.jobs(event())
    assert [job.max_attempts for job in plan.jobs if job.rule is None] == [7]


def test_site_is_filled_in_before_rules_are_asked(planner: Planner) -> None:
    """A condition on the site's name holds once the look-up knows the site."""
    labelled = replace(planner, with_site=lambda one: replace(one, site="Finance"))
    assert ("rule", "All", True) in verdicts(labelled.plan(event()))


def test_alert_of_the_monitor_goes_to_the_destinations_of_dead_letters(planner: Planner) -> None:
    """Rules are not asked, so that `on = "*"` does not send it a second time."""
    plan = planner.plan(event("WebhooksDrifted", origin=MONITOR))
    assert verdicts(plan) == [("monitor", "monitor", True)]
    jobs = [(job.key, job.handler, dict(job.params)) for job in plan.jobs]
    assert jobs == [
        ("monitor/slack:#ops", MONITOR_ALERT, {"to": "slack:#ops"}),
        ("monitor/console", MONITOR_ALERT, {"to": "console"}),
    ]


def test_alert_without_destinations_says_so(handlers: Registry) -> None:
    """The explanation names the missing setting."""
    plan = Planner(Rules(dead_letters=()), handlers).plan(event("WebhooksDrifted", origin=MONITOR))
    assert plan.jobs == ()
    assert "[dead_letters] names no destination" in plan.verdicts[0].reason


@pytest.mark.parametrize("claimed", ["monitor", "watch", "reconciled"])
def test_sender_cannot_pose_as_the_monitor(claimed: str, planner: Planner) -> None:
    """The payload's origin is not trusted: such an event is planned by the rules like any other."""
    sent = parse(b'{"event_type": "WebhooksDrifted", "resource_luid": "1", "origin": "%s"}' % claimed.encode())
    assert sent
    assert sent.origin is None
    assert {verdict.kind for verdict in planner.plan(sent).verdicts} == {"rule", "handler"}


def test_event_whose_reconciled_twin_ran_leads_to_nothing(planner: Planner) -> None:
    """The verdict names the twin, and no rule promises a job."""
    plan = replace(planner, find_twin=lambda _: 40).plan(event())
    assert verdicts(plan) == [("reconciled", "event 40", False)]
    assert plan.jobs == ()


@pytest.mark.parametrize(
    ("twin", "given"),
    [
        (None, event()),
        (42, event()),  # created later: this event ran first
        (40, event(origin=RECONCILED)),  # itself made by the reconciliation
        (40, event(event_id=None)),  # not received, only tried out
    ],
)
def test_all_other_events_are_planned(twin: int | None, given: Event, planner: Planner) -> None:
    """Only a synthetic event that was there first takes the place of a received one."""
    assert replace(planner, find_twin=lambda _: twin).plan(given).jobs


def test_failure_is_a_job_that_reports_it(rules: Rules, caplog: pytest.LogCaptureFixture) -> None:
    """A rule or handler that raises does not lose the event: someone is notified, and the log has the traceback."""

    def broken(given: Event) -> Event:
        raise ZeroDivisionError("in a look-up")

    plan = Planner(rules, Registry(), with_site=broken).plan(event())
    (job,) = plan.jobs
    assert (job.handler, dict(job.params)) == (PLANNING_FAILED, {"error": "ZeroDivisionError: in a look-up"})
    assert verdicts(plan) == [("planning", PLANNING_FAILED, True)]
    assert plan == failed_plan(ZeroDivisionError("in a look-up"))
    assert "Planning failed: event=41" in caplog.text
    assert caplog.records[0].exc_info


def test_failure_does_not_hold_up_other_events(rules: Rules, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its event gets the job that reports it, in the same round in which the others get theirs."""

    def broken(given: Event) -> Event:
        if given.event_type == "AdminPromoted":
            raise KeyError("oops")
        return given

    planner = Planner(rules, Registry(), with_site=broken)
    inbox = Inbox.open(f"sqlite:///{tmp_path / 'inbox.sqlite3'}")
    inbox.events.receive(event("AdminPromoted"))
    inbox.events.receive(event())
    assert inbox.events.plan(planner.jobs) == 2
    fine, failed = inbox.events.list()
    inbox.close()
    assert [record.job.handler for record in fine.jobs] == ["notify", "notify"]
    assert [record.job.params["error"] for record in failed.jobs] == ["KeyError: 'oops'"]


def unavailable(given: Event) -> int | None:
    raise StoreUnavailable("the database is down")


def test_inbox_that_is_unavailable_is_no_failure_of_the_plan(planner: Planner) -> None:
    """The event stays unplanned and is planned later; it is not dead-lettered."""
    with pytest.raises(StoreUnavailable):
        replace(planner, find_twin=unavailable).plan(event())


def test_built_in_handlers_exist_and_no_rule_can_name_them(rules: Rules) -> None:
    """A renamed handler would leave its jobs without one."""
    assert all(registry.handler(name).name == name for name in BUILT_IN_HANDLERS)
    assert not BUILT_IN_HANDLERS & registry.actions.keys()
