"""The inbox as visitors with limits see it, with both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.dashboard.conftest import SITE, fail
from webhooks.clock import utc_now
from webhooks.errors import UnknownIncident
from webhooks.inbox import Inbox
from webhooks.inbox.access.scope import Scope
from webhooks.inbox.access.visible import VisibleInbox
from webhooks.inbox.resources.resources import Resource

SINCE = timedelta(hours=3)


def test_each_query_is_limited(url: str, opened: Callable[..., Inbox]) -> None:
    """Every read of the visible inbox returns the content of the project only, and nothing of another site."""
    inbox = opened(url)
    names = {"Own": "Finance/Reports", "Moved": "Finance", "Other": "HR", "Same": "HR/Finance", "Unknown": ""}
    found = {name: fail(inbox, name, project=project) for name, project in names.items()}
    luids = {name: record.incident.resource_luid for name, record in found.items()}
    # The monitor has seen it in another project since.
    inbox.resources.save([Resource(luids["Moved"], "workbook", SITE, "Moved", project="HR")])
    since = utc_now() - SINCE
    for scope, expected in (
        (Scope(None, ("Finance",)), {"Own"}),
        (Scope((SITE,), ("Finance", "HR/*")), {"Own", "Same"}),
        (Scope(("another",), ("Finance",)), set()),
        (Scope((), ()), set()),
        (Scope((SITE,), None), set(names)),
    ):
        visible = VisibleInbox(inbox, scope)
        ids = {found[name].id for name in expected}
        assert {one.id for one in visible.incidents.list()} == ids, scope
        assert {one.id for one in visible.incidents.page()} == ids
        assert sum(visible.incidents.count_open().values()) == len(ids)
        assert visible.incidents.closed(since=since) == []
        assert {one.event.resource_name for one in visible.events.list()} == expected
        assert {line.resource_name for line in visible.event_lists.page().lines} == expected
        assert {one.name for one in visible.resource_lists.page()} == expected
        assert {run.resource_name for run in visible.runs.list()} == expected
        assert sum(visible.runs.outcomes_since(since).values()) == len(expected)
        assert sum(hour.number for hour in visible.overviews.runs_by_hour(since)) == len(expected)
        assert visible.event_lists.dead_by_cause() == []
        assert visible.event_lists.rule_activity() == {}
        assert visible.event_lists.open_jobs() == 0
        assert len(visible.event_lists.existing([record.event_id or 0 for record in found.values()])) == len(expected)
        for name, record in found.items():
            shown = name in expected
            assert bool(visible.incidents.failing(SITE).get(luids[name])) == shown
            assert bool(visible.resource_lists.incidents_of(luids[name])) == shown
            assert (visible.resource_lists.get(luids[name]) is not None) == shown
            assert visible.resource_lists.last_success(luids[name]) is None
            assert visible.resource_lists.next_expected(luids[name], since) is None
            assert (visible.events.get(record.event_id or 0) is not None) == shown
            assert visible.events.replay([record.event_id or 0]) == int(shown)
            if not shown:
                with pytest.raises(UnknownIncident):
                    visible.incidents.get(record.id)
