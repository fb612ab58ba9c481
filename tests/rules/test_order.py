"""Test the order of rules with `stop`, `otherwise` and alternatives, and that the index agrees with it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from webhooks.event import Event
from webhooks.rules import Rules, parse

Actions = dict[str, type[BaseModel]]


def rule(name: str, *lines: str, on: str = "*") -> str:
    return "\n".join(["[[rule]]", f'name = "{name}"', f'on = "{on}"', f'notify = "slack:#{name}"', *lines, ""])


def decide(rules: Rules, event: Event) -> dict[str, Any]:
    """Return the conditions of the jobs of each rule that matches."""
    return {job.rule or "": dict(job.where) for job in rules.jobs(event)}


def test_rules_after_one_with_stop_are_not_asked(actions: Actions, event: Callable[..., Event]) -> None:
    """The rules above it are, and the verdict of those below says why they are not."""
    text = rule("a") + rule("b", 'where.name = "Sales"', "stop = true") + rule("c") + rule("d", "otherwise = true")
    rules = parse(text, actions)
    assert list(decide(rules, event())) == ["a", "b"]
    assert list(decide(rules, event(resource_name="Costs"))) == ["a", "c"]
    verdicts = rules.explain(event())
    assert [verdict.reason for verdict in verdicts[2:]] == [
        'not asked: rule "b" takes this event and has stop = true',
        'not asked: rule "a" takes this event',
    ]


def test_otherwise_takes_what_no_other_rule_does(actions: Actions, event: Callable[..., Event]) -> None:
    """Wherever it is in the file; a disabled rule takes nothing, and the rule's own conditions count."""
    text = (
        rule("rest", "otherwise = true")
        + rule("a", on="WorkbookCreated")
        + rule("off", "enabled = false")
        + rule("named", "otherwise = true", 'where.name = "Sales"')
    )
    rules = parse(text, actions)
    assert list(decide(rules, event("WorkbookCreated"))) == ["a"]
    assert list(decide(rules, event("WorkbookDeleted"))) == ["rest", "named"]
    assert list(decide(rules, event("WorkbookDeleted", resource_name="Costs"))) == ["rest"]


def test_conditions_of_the_rules_before_go_into_the_job(actions: Actions, event: Callable[..., Event]) -> None:
    """If only Tableau knows whether a rule stops, the jobs below it run unless its conditions hold."""
    text = (
        rule("a", 'where.project = "Finance"', "stop = true")
        + rule("b", 'where.tags = "gold"')
        + rule("rest", "otherwise = true")
    )
    rules = parse(text, actions)
    before = [{"rule": "a", "where": {"project": ("Finance",)}}]
    assert decide(rules, event()) == {
        "a": {"project": ("Finance",)},
        "b": {"tags": ("gold",), "unless": before},
        "rest": {"unless": [*before, {"rule": "b", "where": {"tags": ("gold",)}}]},
    }
    reason = rules.explain(event())[2].reason
    assert reason == (
        'event type matches; unless rule "a" takes it (project ~ Finance); unless rule "b" takes it (tags ~ gold)'
    )


def test_alternatives_that_cannot_hold_are_left_out(actions: Actions, event: Callable[..., Event]) -> None:
    """One that holds by the event alone leaves nothing to look up; without any the rule does not match."""
    where = 'where = { any = [{ name = "Sales", project = "Finance" }, { tags = "gold" }, { name = "Top*" }] }'
    rules = parse(rule("a", where), actions)
    both = {"any": [{"project": ("Finance",)}, {"tags": ("gold",)}]}
    assert decide(rules, event()) == {"a": both}
    assert decide(rules, event(resource_name="Costs")) == {"a": {"any": [{"tags": ("gold",)}]}}
    assert decide(rules, event(resource_name="Top 10")) == {"a": {}}
    narrow = parse(rule("a", 'where = { any = [{ name = "x" }, { name = "y" }] }'), actions)
    assert decide(narrow, event()) == {}
    (verdict,) = narrow.explain(event())
    assert verdict.reason == "no alternative holds: resource_name is Sales, not x; or resource_name is Sales, not y"


CONDITIONS = [
    'where.name = "Sal*"',
    'where.name = ["Sales", "costs"]',
    'where.name = ["*", "!*old", "(none)"]',
    'where.name = "!Sales"',
    'where.luid = "(none)"',
    'where.site = "s1"',
    'where.hour = "8-17"',
    'where.content_type = "workbook"',
    'where.project = "Finance"',
    'where = { project = "F*", name = "?ales*" }',
    'where = { any = [{ name = "Sales" }, { owner = "ann" }] }',
    'where = { resource = "WORKBOOK", tags = "x" }',
]
EVENT_TYPES = ["*", "Workbook*", "WorkbookCreated", "*RefreshFailed", "!Site*", "FlowRunFailed"]


@pytest.mark.parametrize("seed", range(20))
def test_index_agrees_with_asking_every_rule(seed: int, actions: Actions, event: Callable[..., Event]) -> None:
    """With random rules and events the jobs are those of the verdicts, in the same order."""
    choice = random.Random(seed)
    lines = []
    for number in range(12):
        more = [choice.choice(["", *CONDITIONS])]
        more += [key for key in ("stop = true", "otherwise = true", "enabled = false") if choice.random() < seed / 100]
        lines.append(rule(f"r{number}", *more, on=choice.choice(EVENT_TYPES)))
    rules = parse("".join(lines), actions)
    for _ in range(20):
        given = event(
            choice.choice(["WorkbookCreated", "WorkbookRefreshFailed", "SiteCreated", "FlowRunFailed", "Other"]),
            resource_name=choice.choice(["Sales", "SALES old", "Costs", "", None, 7]),
            resource_luid=choice.choice(["a1", None]),
            created_at=choice.choice(["2026-01-30T12:00:00Z", "2026-01-30T22:00:00Z", None]),
            site_luid=choice.choice(["s1", "s2"]),
        )
        assert list(rules.jobs(given)) == [job for verdict in rules.explain(given) for job in verdict.jobs]
