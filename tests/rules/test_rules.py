"""From the text of a rules file to the jobs that an event makes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from webhooks.event import Event
from webhooks.job import NewJob
from webhooks.rules import Rules, RulesError, load, parse

Actions = dict[str, type[BaseModel]]

RULES = """
[[rule]]
name = "Finance refresh failures"
on = ["WorkbookRefreshFailed", "DatasourceRefreshFailed"]
where = { project = "Finance*" }
notify = ["slack:#finance-data", "twilio:+15550100"]

[[rule]]
name = "New on the site"
on = ["WorkbookCreated", "WorkbookUpdated"]
notify = { to = "slack:#bi", picture = true }
"""


def jobs_of(rules: Rules, event: Event) -> list[NewJob]:
    """Return the jobs in the verdicts of all rules."""
    return [job for verdict in rules.explain(event) for job in verdict.jobs]


def rule(action: str) -> str:
    return f'[[rule]]\nname = "R"\non = "*"\n{action}\n'


def test_each_destination_of_a_rule_is_a_job(actions: Actions, event: Callable[..., Event]) -> None:
    """Each destination is a job with its own key, and with the conditions that only Tableau can answer."""
    jobs = jobs_of(parse(RULES, actions), event("DatasourceRefreshFailed"))
    assert jobs == [
        NewJob(
            key=f"Finance refresh failures/notify/{to}",
            handler="notify",
            rule="Finance refresh failures",
            params={"to": to},
            where={"project": ("Finance*",)},
            max_attempts=20,
        )
        for to in ("slack:#finance-data", "twilio:+15550100")
    ]


def test_table_of_an_action_becomes_the_parameters_of_the_job(actions: Actions, event: Callable[..., Event]) -> None:
    """The other keys of the table are parameters, like the destination."""
    (job,) = jobs_of(parse(RULES, actions), event("WorkbookUpdated"))
    assert job.params == {"to": "slack:#bi", "picture": True}
    assert job.where == {}


@pytest.mark.parametrize("event_type", ["WorkbookRefreshStarted", "FlowCompleted", "workbook created"])
def test_event_without_a_matching_rule_makes_no_job(
    event_type: str, actions: Actions, event: Callable[..., Event]
) -> None:
    """This holds also if its event type is unknown."""
    assert jobs_of(parse(RULES, actions), event(event_type)) == []


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ('notify = "slack"', [{"to": "slack"}]),
        ("notify = true", [{}]),
        ('notify = ["slack", "console"]', [{"to": "slack"}, {"to": "console"}]),
        ('notify = { to = "slack" }', [{"to": "slack"}]),
        (
            'notify = { to = ["slack", "console"], picture = true }',
            [{"to": "slack", "picture": True}, {"to": "console", "picture": True}],
        ),
        (
            'notify = ["slack", { to = "console", picture = true }]',
            [{"to": "slack"}, {"to": "console", "picture": True}],
        ),
        ("[[rule.notify]]\nto = 'slack'\n[[rule.notify]]\nto = 'console'", [{"to": "slack"}, {"to": "console"}]),
        ('tag = ["gold", "silver"]', [{"tags": ["gold", "silver"]}]),
        ('tag = { tags = ["gold", "silver"] }', [{"tags": ["gold", "silver"]}]),
        ("refresh = true", [{}]),
        ("refresh = {}", [{}]),
        ('refresh = false\nnotify = "slack"', [{"to": "slack"}]),
    ],
)
def test_actions_have_short_forms(
    action: str, params: list[dict[str, Any]], actions: Actions, event: Callable[..., Event]
) -> None:
    """A plain value, a list, a table, a list of tables, and true or false are all understood."""
    assert [dict(job.params) for job in jobs_of(parse(rule(action), actions), event())] == params


def test_job_key_consists_of_rule_action_and_destination(actions: Actions, event: Callable[..., Event]) -> None:
    """People can read from the key of a job what it does."""
    text = rule('notify = ["slack", "default"]\ntag = ["gold", "new"]\nrefresh = true\nwait = 7')
    keys = [job.key for job in jobs_of(parse(text, actions), event())]
    assert keys == ["R/notify/slack", "R/notify/default", "R/tag/gold,new", "R/refresh", "R/wait"]


def test_max_attempts_of_a_rule_overrides_the_setting(actions: Actions, event: Callable[..., Event]) -> None:
    """The setting applies to rules without their own."""
    text = rule('notify = "slack"') + rule('notify = "slack"\nmax_attempts = 3').replace('"R"', '"S"')
    jobs = jobs_of(parse(text, actions, max_attempts=7), event())
    assert [job.max_attempts for job in jobs] == [7, 3]


def test_every_rule_has_a_verdict_with_a_reason(actions: Actions, event: Callable[..., Event]) -> None:
    """Rules that did not match, or are disabled, say why; the order is that of the file."""
    disabled = rule('notify = "slack"\nenabled = false')
    by_name = '[[rule]]\nname = "S"\non = "*Failed"\nwhere.name = "X*"\nnotify = "slack"\n'
    verdicts = parse(RULES + disabled + by_name, actions).explain(event("WorkbookRefreshFailed"))
    assert [(verdict.name, verdict.matched, verdict.reason, len(verdict.jobs)) for verdict in verdicts] == [
        ("Finance refresh failures", True, "if project ~ Finance*", 2),
        ("New on the site", False, "event type does not match", 0),
        ("R", False, "disabled (enabled = false)", 0),
        ("S", False, "resource_name is Sales, not X*", 0),
    ]


@pytest.mark.parametrize(
    ("text", "destinations"),
    [
        ("", ("default",)),
        ("[dead_letters]\nnotify = []", ()),
        ("[dead_letters]\nnotify = 'slack:#ops'", ("slack:#ops",)),
        ("[dead_letters]\nnotify = ['slack:#ops', 'slack: #ops']", ("slack:#ops",)),
        ("dead_letters.notify = ['slack', 'twilio']", ("slack", "twilio")),
    ],
)
def test_dead_letters_are_reported_to_default_unless_the_file_says_otherwise(
    text: str, destinations: tuple[str, ...], actions: Actions
) -> None:
    """An empty list disables the reports."""
    assert parse(text, actions).dead_letters == destinations


def test_warnings_name_the_rule_and_the_line(actions: Actions) -> None:
    """An unknown event type is a warning, not an error."""
    text = RULES.replace('"WorkbookCreated"', '"WorkbokCreated"')
    (warning,) = parse(text, actions).warnings
    assert warning.startswith('rule 2 "New on the site" (line 10): WorkbokCreated is not a known event type')
    assert warning.endswith("did you mean WorkbookCreated?")


def test_shipped_rules_are_valid(root: Path, actions: Actions, event: Callable[..., Event]) -> None:
    """The rules that come with the server have no warnings and act on the events that they promise."""
    rules = load(root / "rules.toml", actions)
    assert rules.warnings == ()
    acted_on = [name for name in SHIPPED if len(jobs_of(rules, event(name))) == 1]
    assert acted_on == SHIPPED
    assert not jobs_of(rules, event("WorkbookRefreshSucceeded"))
    # Its data source refresh is reported.
    assert not jobs_of(rules, event("BridgeRefreshFailed"))


SHIPPED = [
    *("WorkbookCreated", "WorkbookUpdated", "WorkbookDeleted", "WorkbookRefreshFailed"),
    *("DatasourceCreated", "DatasourceUpdated", "DatasourceDeleted", "DatasourceRefreshFailed"),
    *("ViewDeleted", "UserDeleted", "AdminPromoted", "AdminDemoted"),
    *("FlowRunFailed", "SubscriptionFailed"),
]


def test_shipped_examples_are_valid(root: Path, actions: Actions) -> None:
    """The examples in the shipped file are valid rules once their # is removed."""
    text = (root / "rules.toml").read_text(encoding="utf-8").partition("# Examples")[2].partition("\n")[2]
    rules = parse("\n".join(line.removeprefix("#").removeprefix(" ") for line in text.splitlines()), actions)
    assert len(rules.rules) == 2
    assert rules.warnings == ()


def test_file_with_a_byte_order_mark_is_read(tmp_path: Path, actions: Actions) -> None:
    """Some editors write a byte-order mark, and end lines with CR LF."""
    path = tmp_path / "rules.toml"
    path.write_bytes(b"\xef\xbb\xbf" + RULES.replace("\n", "\r\n").encode())
    assert [rule.name for rule in load(path, actions).rules] == ["Finance refresh failures", "New on the site"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read: No such file or directory"), (b"name = '\xe4'", "byte 8 is not UTF-8")],
)
def test_unreadable_file_is_an_error(content: bytes | None, message: str, tmp_path: Path, actions: Actions) -> None:
    """A file that does not exist, or is not UTF-8, is named."""
    path = tmp_path / "rules.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RulesError) as caught:
        load(path, actions)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_no_rules_match_nothing(event: Callable[..., Event]) -> None:
    """No rules are valid, and make no jobs."""
    assert jobs_of(Rules(), event()) == []
