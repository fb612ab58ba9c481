"""Conditions of jobs beyond the content: alternatives, rules that go before, failures in a row, and the reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tableau_rest import Forbidden
from tests.support.fake_tableau import FakeTableau
from tests.support.handler_context import LUID, SITE_LUID, MakeContext, MakeEvent, MakeJob
from tests.support.simulated_actions import Simulation
from webhooks.clock import utc_now
from webhooks.context.conditions import check_conditions
from webhooks.errors import Permanent, Skip
from webhooks.inbox import Inbox
from webhooks.incidents import RunEvidence

# The content of FakeTableau is in Finance/Reports, belongs to ann, and has the tags gold and old.
YES, NO = {"project": ["Finance*"]}, {"owner": ["ben"]}


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ({"any": [NO, YES]}, ""),
        ({"any": [NO, {**YES, **NO}]}, "no alternative holds: owner is ann, not ben; or owner is ann, not ben"),
        ({"tags": ["gold"], "any": [YES]}, ""),
        ({"unless": [{"rule": "A", "where": NO}]}, ""),
        ({"unless": [{"rule": "A", "where": YES}]}, 'rule "A" takes this event: project Finance/Reports ~ Finance*'),
        ({"unless": [{"rule": "A", "where": NO}, {"rule": "B", "where": {"any": [YES]}}]}, 'rule "B" takes this event'),
        ({"failures": ["3+"]}, "failures is none, not 3+"),
        ({"reason_class": ["network"]}, "reason_class is unknown, not network"),
    ],
)
def test_alternatives_and_rules_before(where: dict[str, Any], reason: str, context: MakeContext, job: MakeJob) -> None:
    """One alternative is enough; a rule that goes before and takes the event skips the job with its name."""
    given = context(job(where=where), tableau=FakeTableau)
    if not reason:
        assert check_conditions(given)
        return
    with pytest.raises(Skip) as caught:
        check_conditions(given)
    assert reason in str(caught.value)


UNKNOWN = {"project": ["Finance*"]}
KNOWN_NO, KNOWN_YES = {"site_luid": ["other"]}, {"site_luid": [SITE_LUID]}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({**UNKNOWN, **KNOWN_NO}, Skip),
        ({**UNKNOWN, **KNOWN_YES}, Permanent),
        ({"any": [UNKNOWN, KNOWN_YES]}, None),
        ({"any": [UNKNOWN, KNOWN_NO]}, Permanent),
        ({"unless": [{"rule": "A", "where": UNKNOWN}]}, Permanent),
        ({"unless": [{"rule": "A", "where": {**UNKNOWN, **KNOWN_NO}}]}, None),
        ({"unless": [{"rule": "A", "where": UNKNOWN}, {"rule": "B", "where": KNOWN_YES}]}, Skip),
    ],
)
def test_unknown_conditions_decide_only_if_nothing_else_does(
    where: dict[str, Any], expected: type[Exception] | None, context: MakeContext, job: MakeJob
) -> None:
    """A condition that Tableau refuses to answer is neither true nor false; the job is dead-lettered if it matters."""
    given = context(job(where=where), tableau=lambda: FakeTableau(Forbidden("no permission")))
    if expected is None:
        assert check_conditions(given)
        return
    with pytest.raises(expected):
        check_conditions(given)


def hours_ago(hours: int) -> str:
    """Return a time that is right for an event which is received now."""
    return f"{utc_now() - timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"


def test_failures_in_a_row_are_those_up_to_the_event(
    context: MakeContext, job: MakeJob, event: MakeEvent, inbox: Inbox
) -> None:
    """A success in between begins a new row; later failures do not count."""
    for hours, outcome in ((7, "Failed"), (6, "Failed"), (5, "Succeeded"), (4, "Failed"), (2, "Failed")):
        inbox.events.receive(event(f"WorkbookRefresh{outcome}", created_at=hours_ago(hours)))
    inbox.events.plan(lambda _: [])
    third = event("WorkbookRefreshFailed", created_at=hours_ago(3))
    given = context(job(third, where={"failures": ["2"]}))
    assert check_conditions(given) == "failures 2 ~ 2"
    other = event("WorkbookRefreshFailed", created_at=hours_ago(1))
    with pytest.raises(Skip, match="failures is 4, not 1-3"):
        check_conditions(context(job(other, where={"failures": ["1-3"]})))


def test_known_reason_is_compared_without_asking_tableau(
    context: MakeContext, job: MakeJob, event: MakeEvent, inbox: Inbox
) -> None:
    """Another job may have looked it up already; class and text are compared."""
    at = utc_now().replace(microsecond=0)
    failed = event("WorkbookRefreshFailed", created_at=f"{at:%Y-%m-%dT%H:%M:%SZ}")
    claimed = job(failed, where={"reason": ["*ORA-01017*"], "reason_class": ["credentials"]})
    inbox.incidents.learn(
        RunEvidence(
            source="job list",
            site_luid=SITE_LUID,
            resource_luid=LUID,
            resource_kind="workbook",
            outcome="failed",
            recorded_at=at,
            ended_at=at,
            resource_name="Sales",
            reason="ORA-01017: invalid username/password",
            job_luid=LUID,
        )
    )
    reason = check_conditions(context(claimed))
    assert "reason ORA-01017: invalid username/password ~ *ORA-01017*" in reason
    assert "reason_class credentials ~ credentials" in reason


def test_reason_is_looked_up_in_the_job_list(simulation: Simulation) -> None:
    """The rule runs for the reason that Tableau gives, and is skipped for another."""
    event = simulation.cause("WorkbookRefreshFailed", name="Sales")
    job = simulation.job(event, 'where.reason_class = "!Bridge offline"\nnotify = "slack:#bi"')
    assert check_conditions(simulation.context(job)).startswith("reason_class ")
    other = replace(job, where={"reason_class": ["Bridge offline"]})
    with pytest.raises(Skip, match="reason_class is"):
        check_conditions(simulation.context(other))
