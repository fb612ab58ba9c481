"""Conditions that only Tableau can answer: they pass, skip with the reason, or fail if the answer is unknown."""

from __future__ import annotations

from typing import Any

import pytest

from tableau_rest import ConnectionFailed, Forbidden, InvalidResponse, NotFound
from tests.support.fake_tableau import FakeTableau
from tests.support.handler_context import MakeContext, MakeEvent, MakeJob
from tests.support.simulated_actions import Simulation
from webhooks.context import CONDITIONS, call
from webhooks.errors import Permanent, Skip
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.registry import Registry


def run(context: Any) -> bool:
    """Run a handler in this context and return whether it ran."""
    own, runs = Registry(), []
    own.on("*", name="h")(lambda event: runs.append(event.id))
    call(own.handler("h"), context)
    return bool(runs)


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"project": ["Reports"]},
        {"project": ["Finance/Reports"]},
        {"project": ["finance*"]},
        {"project": ["!Marketing*"], "owner": ["ann"], "tags": ["gold"]},
        {"tags": ["silver", "gold"]},
        {"tags": ["!draft"]},
    ],
)
def test_handler_runs_if_all_conditions_hold(where: dict[str, object], context: MakeContext, job: MakeJob) -> None:
    """A project matches by its name or its path, tags by any of them."""
    assert run(context(job(where=where), tableau=FakeTableau))


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ({"project": ["Marketing*"]}, "project is Finance/Reports, not Marketing*"),
        ({"project": ["!Finance*"]}, "project is Finance/Reports, excluded by !Finance*"),
        ({"tags": ["!old"]}, "tags is gold, old, excluded by !old"),
        ({"owner": ["ben", "cleo"]}, "owner is ann, not ben or cleo"),
        ({"certified": ["true"]}, "certified is unknown, not true"),
    ],
)
def test_condition_that_does_not_hold_skips_the_job(
    where: dict[str, object], reason: str, context: MakeContext, job: MakeJob
) -> None:
    """The job ends as skipped, with the reason."""
    with pytest.raises(Skip) as caught:
        run(context(job(where=where), tableau=FakeTableau))
    assert str(caught.value) == reason


def test_data_sources_can_be_certified(context: MakeContext, job: MakeJob, event: MakeEvent) -> None:
    """The condition `certified` is evaluated for data sources."""
    tableau = FakeTableau()
    claimed = job(event("DatasourceUpdated"), where={"certified": ["true"]})
    assert run(context(claimed, tableau=lambda: tableau))
    assert tableau.asked == ["datasource"]


@pytest.mark.parametrize(
    ("fields", "error", "reason"),
    [
        ({}, NotFound("gone"), "this workbook no longer exists, or the server's Tableau user cannot see it"),
        ({"resource_luid": "99"}, None, "the event's resource_luid 99 is not a LUID, so that it cannot be looked up"),
        ({"resource_luid": None}, None, "the event has no resource_luid, so that it cannot be looked up"),
    ],
)
def test_content_that_cannot_be_found_skips_the_job(
    *,
    fields: dict[str, object],
    error: Exception | None,
    reason: str,
    context: MakeContext,
    job: MakeJob,
    event: MakeEvent,
) -> None:
    """Content that is gone meets no condition that only Tableau can answer."""
    with pytest.raises(Skip) as caught:
        run(context(job(event(**fields), where={"project": ["A"]}), tableau=lambda: FakeTableau(error)))
    assert str(caught.value).startswith(f"cannot evaluate the condition on project: {reason}")


def test_refused_lookup_fails_the_job(context: MakeContext, job: MakeJob) -> None:
    """It is unknown whether the job should run: it is dead-lettered and announced."""
    with pytest.raises(Permanent, match="Cannot evaluate the condition on project: not for you"):
        run(context(job(where={"project": ["A"]}), tableau=lambda: FakeTableau(Forbidden("not for you"))))


def test_outage_is_raised(context: MakeContext, job: MakeJob) -> None:
    """While Tableau is down the job is retried; on its last attempt it fails with the reason."""
    claimed = job(where={"project": ["A"]})
    down = FakeTableau(ConnectionFailed("connection refused"))
    with pytest.raises(ConnectionFailed):
        run(context(claimed, tableau=lambda: down))
    with pytest.raises(Permanent, match="Cannot evaluate the condition on project: connection refused"):
        run(context(claimed, attempts=claimed.max_attempts, tableau=lambda: down))


def test_conditions_are_evaluated_once_and_their_reason_is_recorded(
    context: MakeContext, job: MakeJob, inbox: Inbox
) -> None:
    """A retried job does not ask again, and `explain` can show why it ran."""
    tableau, claimed = FakeTableau(), job(where={"project": ["Finance*"], "tags": ["gold"]})
    for attempt in (1, 2):
        run(context(claimed, attempts=attempt, tableau=lambda: tableau))
    assert tableau.asked.count("workbook") == 1
    assert inbox.checkpoints.get(claimed, CONDITIONS) == "project Finance/Reports ~ Finance*; tags gold, old ~ gold"


REFUSED = {"kind": "error", "path": "/projects", "code": "403004"}
NO_LIST: dict[str, object] = {"kind": "document", "path": "/projects", "document": '{"projects": {"project": "none"}}'}
EMPTY = {"kind": "empty", "path": "/projects"}


def workbook(simulation: Simulation) -> Event:
    """Return an event of a workbook in Finance/Reports."""
    return simulation.cause("WorkbookUpdated", name="Cash Flow")


@pytest.mark.parametrize("fault", [REFUSED, NO_LIST, EMPTY])
@pytest.mark.parametrize("pattern", ["Finance/*", "!Finance*", "Finance*", "!*/Reports", "Marketing*"])
def test_condition_on_a_project_list_that_is_refused_fails_the_job(
    pattern: str, fault: dict[str, object], simulation: Simulation
) -> None:
    """A condition that needs the project's path neither passes nor skips if Tableau does not list the projects."""
    event = workbook(simulation)
    simulation.inject(**fault)
    # A response that is no list may be a proxy's, so the job is retried before it fails permanently.
    with pytest.raises((Permanent, InvalidResponse), match=r"condition on project: |list of projects"):
        simulation.run(event, f'where = {{ project = "{pattern}" }}\nnotify = "slack"')
    assert simulation.messages == []


@pytest.mark.parametrize(
    ("patterns", "runs"),
    [
        ('"Reports"', True),
        ('["Reports", "Finance/*"]', True),
        ('"!Reports"', False),
        ('"Marketing"', False),
        ('["!Reports", "!Finance/*"]', False),
        ('"!Marketing"', True),
    ],
)
def test_name_of_a_project_decides_without_its_path(patterns: str, runs: bool, simulation: Simulation) -> None:
    """A pattern that only the name can match, or that it does match, needs no list of projects."""
    event = workbook(simulation)
    simulation.inject(**REFUSED)
    try:
        simulation.run(event, f'where = {{ project = {patterns} }}\nnotify = "slack"')
    except Skip:
        assert not runs
    else:
        assert runs
    assert len(simulation.messages) == runs


def test_broken_project_list_is_retried(simulation: Simulation) -> None:
    """A gateway's page in place of the list may pass: the error is raised for a retry."""
    event = workbook(simulation)
    simulation.inject(kind="html", path="/projects", status=502)
    with pytest.raises(Exception, match="502") as caught:
        simulation.run(event, 'where = { project = "!Finance*" }\nnotify = "slack"')
    assert getattr(caught.value, "permanent", None) is False
    assert simulation.messages == []


@pytest.mark.parametrize("document", ["{}", "[]", '{"workbook": {}}', '{"workbook": []}', '"none"'])
@pytest.mark.parametrize("pattern", ["Finance*", "!Finance*"])
def test_condition_on_an_empty_workbook_fails_the_job(document: str, pattern: str, simulation: Simulation) -> None:
    """A response without the workbook is invalid: the job is retried and fails, but neither passes nor skips."""
    event = workbook(simulation)
    simulation.inject(kind="document", path="/workbooks/", document=document)
    rule = f'where = {{ project = "{pattern}" }}\nnotify = "slack"\nmax_attempts = 1'
    with pytest.raises(Permanent, match="Cannot evaluate the condition on project: "):
        simulation.run(event, rule)
    assert simulation.messages == []


@pytest.mark.parametrize("condition", ['owner = "!ann*"', 'tags = "!gold"', "certified = true", 'project = "!A"'])
def test_refused_workbook_fails_every_condition(condition: str, simulation: Simulation) -> None:
    """A refusal is unknown for each condition, also for those that exclude."""
    event = workbook(simulation)
    simulation.inject(kind="error", path="/workbooks/", code="403004")
    with pytest.raises(Permanent, match="Cannot evaluate the condition on"):
        simulation.run(event, f'where = {{ {condition} }}\nnotify = "slack"')
    assert simulation.messages == []
