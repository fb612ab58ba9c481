"""The actions on labels and certifications against a simulated Tableau, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

import simulator
from simulator.config import Config
from tableau_rest import Forbidden
from tests.support.handler_context import MakeEvent
from tests.support.simulated_actions import Simulation
from webhooks.config.settings import Settings
from webhooks.context import call
from webhooks.errors import Permanent, Skip
from webhooks.inbox import Inbox
from webhooks.registry import registry

LABEL = 'label = { value = "stale", message = "The refresh fails", elevated = true }'


def labels(simulation: Simulation) -> list[tuple[str, str, bool]]:
    """Return the labels of the site."""
    found = simulation.running.world.home.labels.values()
    return [(one.value, one.message, one.elevated) for one in found if one.content_kind != "table"]


def written(simulation: Simulation) -> list[str]:
    """Return the calls that have changed something in Tableau."""
    calls = simulation.running.world.calls.log
    return [
        f"{one.method} {one.path.rpartition('/')[0].rpartition('/')[2]}"
        for one in calls
        if one.method in {"PUT", "DELETE"} or (one.method == "POST" and "dataQualityWarnings" in one.path)
    ]


def test_label_is_set_on_failure_and_removed_on_recovery(simulation: Simulation) -> None:
    """Nothing is done twice, a changed message is written, and the job says what it has done."""
    before = labels(simulation)
    assert simulation.run(simulation.happen("DatasourceRefreshFailed", name="Orders"), LABEL) == "label stale set"
    assert labels(simulation) == [*before, ("stale", "The refresh fails", True)]
    for event_type in ("DatasourceRefreshFailed", "LabelCreated"):
        failed = simulation.happen("DatasourceRefreshFailed", name="Orders")
        again = simulation.event(**{**failed.payload, "event_type": event_type, "resource": "DATASOURCE"})
        with pytest.raises(Skip, match="it has this label already"):
            simulation.run(again, LABEL)
    changed = 'label = { value = "Stale", message = "Since Monday" }'
    assert simulation.run(simulation.happen("DatasourceRefreshFailed", name="Orders"), changed) == "label stale set"
    assert labels(simulation) == [*before, ("stale", "Since Monday", False)]
    recovery = 'unlabel = "STALE"'
    dry = 'unlabel = { value = "stale", dry_run = true }'
    with pytest.raises(Skip, match="dry run: label stale would be removed"):
        simulation.run(simulation.happen("DatasourceRefreshSucceeded", name="Orders"), dry)
    ended = simulation.run(simulation.happen("DatasourceRefreshSucceeded", name="Orders"), recovery)
    assert ended == "label STALE removed"
    assert labels(simulation) == before
    with pytest.raises(Skip, match="it does not have this label"):
        simulation.run(simulation.happen("DatasourceRefreshSucceeded", name="Orders"), recovery)


def test_result_of_an_action_is_recorded_and_repeated(simulation: Simulation) -> None:
    """A job that runs again after its change was recorded returns the same result and changes nothing."""
    job = simulation.job(simulation.happen("WorkbookRefreshFailed", name="Sales"), LABEL)
    results = [call(registry.handler("label"), simulation.context(job)) for _ in range(2)]
    assert results == ["label stale set"] * 2
    assert written(simulation) == ["PUT " + simulation.running.world.home.luid]
    simulation.inbox.jobs.finish(job, results[0])
    (event,) = simulation.inbox.events.list()
    (record,) = event.jobs
    assert (record.job.error, record.attempts_made[0].error) == ("label stale set", "label stale set")


def test_rules_that_undo_each_other_end(simulation: Simulation) -> None:
    """An action is done `per_day` times for the same content within 24 hours; other content is not affected."""
    for _ in range(2):
        simulation.run(
            simulation.happen("DatasourceUpdated", name="Orders"), 'certify = { note = "Checked", per_day = 2 }'
        )
        simulation.run(simulation.happen("DatasourceUpdated", name="Orders"), "uncertify = true")
    with pytest.raises(Skip, match=r"limit reached: certify was done 2 times within 24 hours \(per_day = 2\)"):
        simulation.run(simulation.happen("DatasourceUpdated", name="Orders"), "certify = { per_day = 2 }")
    assert simulation.run(simulation.happen("DatasourceUpdated", name="Web Sessions"), "certify = { per_day = 2 }")


def test_certification_is_given_and_taken_once(simulation: Simulation) -> None:
    """Only data sources can be certified; one that is as wanted is not changed, which ends every loop."""
    (orders,) = [one for one in simulation.running.world.home.datasources.values() if one.name == "Orders"]
    orders.is_certified, orders.certification_note = False, ""
    simulation.run(simulation.happen("DatasourceUpdated", name="Orders"), 'certify = "Checked by BI"')
    assert (orders.is_certified, orders.certification_note) == (True, "Checked by BI")
    for action in ("certify = true", 'certify = "Checked by BI"'):
        with pytest.raises(Skip, match="it is certified already"):
            simulation.run(simulation.happen("DatasourceUpdated", name="Orders"), action)
    simulation.run(simulation.happen("DatasourceUpdated", name="Orders"), "uncertify = true")
    assert (orders.is_certified, orders.certification_note) == (False, "")
    with pytest.raises(Skip, match="it is not certified"):
        simulation.run(simulation.happen("DatasourceUpdated", name="Orders"), "uncertify = true")
    with pytest.raises(Skip, match="a workbook cannot be certified"):
        simulation.run(simulation.happen("WorkbookUpdated", name="Sales"), "certify = true")


def test_labels_need_content_and_permission(simulation: Simulation) -> None:
    """Users have no labels, deleted content is skipped, and without Data Management the job is dead-lettered."""
    with pytest.raises(Skip, match="a user has no labels"):
        simulation.run(simulation.happen("AdminPromoted"), LABEL)
    with pytest.raises(Skip, match="this workbook no longer exists"):
        simulation.run(simulation.happen("WorkbookDeleted", name="Sales"), LABEL)
    simulation.inject(kind="error", path="/labels", code="403004", times=1)
    with pytest.raises(Forbidden) as refused:
        simulation.run(simulation.happen("DatasourceRefreshFailed", name="Orders"), LABEL)
    assert refused.value.permanent


@pytest.fixture
def older(inbox: Inbox, event: MakeEvent, settings: Settings) -> Iterator[Simulation]:
    """Simulate a Tableau Server 2022.3, which has data quality warnings in place of labels."""
    registry.load()
    with simulator.running(replace(Config(), api_version="3.17")) as running:
        yield Simulation(running, inbox, event, settings)


def test_older_servers_get_data_quality_warnings(older: Simulation) -> None:
    """A label is the warning of its type there; other labels and workbooks are dead-lettered with the reason."""
    before = labels(older)
    (orders,) = [one for one in older.running.world.home.datasources.values() if one.name == "Orders"]
    assert older.run(older.happen("DatasourceRefreshFailed", name="Orders"), LABEL) == "data quality warning STALE set"
    assert labels(older) == [*before, ("STALE", "The refresh fails", True)]
    with pytest.raises(Skip, match="it has this data quality warning already"):
        older.run(older.happen("DatasourceRefreshFailed", name="Orders"), LABEL)
    older.tableau.add_quality_warning("datasource", orders.luid, "Moving", type="MAINTENANCE")
    assert older.run(older.happen("DatasourceRefreshSucceeded", name="Orders"), 'unlabel = "stale"')
    assert labels(older) == [*before, ("MAINTENANCE", "Moving", False)]
    with pytest.raises(Permanent, match=r"label golden needs REST API 3.21; this server is used with 3.17"):
        older.run(older.happen("DatasourceRefreshFailed", name="Orders"), 'label = "golden"')
    with pytest.raises(Permanent, match=r"Labels on a workbook need REST API 3.21"):
        older.run(older.happen("WorkbookRefreshFailed", name="Sales"), LABEL)
