"""The workbooks that use a data source are known before it fails, if the site has a Metadata API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from simulator import Running
from tests.support.simulated_site import inject_fault
from webhooks.clock import utc_now
from webhooks.inbox import Inbox
from webhooks.incidents import RunEvidence
from webhooks.monitor.dependents import MAX_AGE, REFUSAL_AGE, DependentsCheck
from webhooks.monitor.job_runs import learn_runs
from webhooks.services import Services

GONE = "00000000-0000-4000-8000-00000000dead"


def refreshed(inbox: Inbox, services: Services, *luids: str) -> None:
    """Store a refresh of each data source."""
    facts = {"site_luid": services.client().session().site_luid.lower(), "resource_kind": "datasource"}
    at = utc_now() - timedelta(hours=1)
    times = {"source": "job list", "outcome": "succeeded", "recorded_at": at, "ended_at": at}
    names: Any = {**facts, **times, "resource_name": "Orders"}
    learn_runs(inbox, [RunEvidence(**names, resource_luid=luid) for luid in luids])


def test_dependent_workbooks_are_looked_up(site: Running, services: Services, inbox: Inbox) -> None:
    """Each data source once a week; one that the Metadata API does not know is left out for a day."""
    sources = [one.luid for one in services.client().datasources()]
    check, now = DependentsCheck(inbox, services.client), utc_now()
    check.run(now)
    refreshed(inbox, services, GONE, *sources)
    check.run(now)
    found = {luid: inbox.downstream.get(luid) for luid in sources}
    assert all(found.values())
    assert any(one.workbooks for one in found.values() if one)
    assert inbox.downstream.get(GONE) is None
    assert inbox.downstream.outdated(now - MAX_AGE, limit=5) == [GONE]
    for days, expected in ((0.5, now), (7.5, now + timedelta(days=7.5))):
        check.run(now + timedelta(days=days))
        again = inbox.downstream.get(sources[0])
        assert again
        assert abs((again.at - expected).total_seconds()) < 1


def test_refusal_ends_the_lookups_for_a_day(site: Running, services: Services, inbox: Inbox) -> None:
    """A site without a Metadata API is queried once, and the check raises no error."""
    (source, *_) = [one.luid for one in services.client().datasources()]
    refreshed(inbox, services, source)
    check, now = DependentsCheck(inbox, services.client), utc_now()
    inject_fault(site, kind="error", target="tableau", path="/graphql", code="403004", times=1)
    check.run(now)
    check.run(now + REFUSAL_AGE / 2)
    assert inbox.downstream.get(source) is None
    check.run(now + REFUSAL_AGE)
    assert inbox.downstream.get(source) is not None
