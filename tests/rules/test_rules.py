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

DESIGN = """
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


def one(action: str) -> str:
    return f'[[rule]]\nname = "R"\non = "*"\n{action}\n'


def test_matching_gives_one_job_per_rule_and_destination(actions: Actions, event: Callable[..., Event]) -> None:
    """Each destination of a rule is a job of its own, with a key of its own, and carries what only Tableau knows."""
    jobs = parse(DESIGN, actions).matching(event("DatasourceRefreshFailed"))
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


def test_matching_gives_the_params_of_a_table(actions: Actions, event: Callable[..., Event]) -> None:
    """What a table says beside the destination goes into the job."""
    (job,) = parse(DESIGN, actions).matching(event("WorkbookUpdated"))
    assert job.params == {"to": "slack:#bi", "picture": True}
    assert job.where == {}


@pytest.mark.parametrize("event_type", ["WorkbookRefreshStarted", "FlowCompleted", "", "workbook created"])
def test_matching_gives_nothing_without_a_rule(event_type: str, actions: Actions, event: Callable[..., Event]) -> None:
    """An event that no rule is about makes no job."""
    assert parse(DESIGN, actions).matching(event(event_type)) == []


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
def test_actions_are_written_as_is_shortest(
    action: str, params: list[dict[str, Any]], actions: Actions, event: Callable[..., Event]
) -> None:
    """A plain value, a list, a table, a list of tables and true all mean what they look like."""
    assert [dict(job.params) for job in parse(one(action), actions).matching(event())] == params


def test_keys_name_rule_action_and_destination(actions: Actions, event: Callable[..., Event]) -> None:
    """The key of a job tells what it is for, to people as well."""
    text = one('notify = ["slack", "default"]\ntag = ["gold", "new"]\nrefresh = true\nwait = 7')
    keys = [job.key for job in parse(text, actions).matching(event())]
    assert keys == ["R/notify/slack", "R/notify/default", "R/tag/gold,new", "R/refresh", "R/wait"]


def test_max_attempts_of_a_rule_wins(actions: Actions, event: Callable[..., Event]) -> None:
    """A rule says how often its jobs are tried, or the server's setting does."""
    text = one('notify = "slack"') + one('notify = "slack"\nmax_attempts = 3').replace('"R"', '"S"')
    jobs = parse(text, actions, max_attempts=7).matching(event())
    assert [job.max_attempts for job in jobs] == [7, 3]


def test_explain_gives_a_reason_for_every_rule(actions: Actions, event: Callable[..., Event]) -> None:
    """Rules that did not match say why, rules that are switched off too, in the order of the file."""
    off = one('notify = "slack"\nenabled = false')
    named = '[[rule]]\nname = "S"\non = "*Failed"\nwhere.name = "X*"\nnotify = "slack"\n'
    verdicts = parse(DESIGN + off + named, actions).explain(event("WorkbookRefreshFailed"))
    assert [(verdict.name, verdict.matched, verdict.reason, len(verdict.jobs)) for verdict in verdicts] == [
        ("Finance refresh failures", True, "if project ~ Finance*", 2),
        ("New on the site", False, "not one of its events", 0),
        ("R", False, "switched off (enabled = false)", 0),
        ("S", False, "resource_name is Sales, not X*", 0),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ("default",)),
        ("[dead_letters]\nnotify = []", ()),
        ("[dead_letters]\nnotify = 'slack:#ops'", ("slack:#ops",)),
        ("[dead_letters]\nnotify = ['slack:#ops', 'slack: #ops']", ("slack:#ops",)),
        ("dead_letters.notify = ['slack', 'twilio']", ("slack", "twilio")),
    ],
)
def test_dead_letters_are_told_to_the_default_unless_said(text: str, told: tuple[str, ...], actions: Actions) -> None:
    """Somebody is told about dead jobs, unless the file says nobody."""
    assert parse(text, actions).dead_letters == told


def test_warnings_name_the_rule(actions: Actions) -> None:
    """An unknown event type is no fault, but it is pointed out."""
    text = DESIGN.replace('"WorkbookCreated"', '"WorkbokCreated"')
    (warning,) = parse(text, actions).warnings
    assert warning.startswith('rule 2 "New on the site" (line 8): WorkbokCreated is not an event type')
    assert warning.endswith("did you mean WorkbookCreated?")


def test_shipped_rules_are_sound(root: Path, actions: Actions, event: Callable[..., Event]) -> None:
    """The rules that come with the server read without a warning and take up what they promise."""
    rules = load(root / "rules.toml", actions)
    assert rules.warnings == ()
    taken = [name for name in TAKEN_UP if len(rules.matching(event(name))) == 1]
    assert taken == TAKEN_UP
    assert not rules.matching(event("WorkbookRefreshSucceeded"))


TAKEN_UP = [
    *("WorkbookCreated", "WorkbookUpdated", "WorkbookDeleted", "WorkbookRefreshFailed"),
    *("DatasourceCreated", "DatasourceUpdated", "DatasourceDeleted", "DatasourceRefreshFailed"),
    *("ViewDeleted", "UserDeleted", "AdminPromoted", "AdminDemoted"),
]


def test_shipped_rules_to_copy_are_sound(root: Path, actions: Actions) -> None:
    """What the shipped file offers for copying works once the # is taken away."""
    text = (root / "rules.toml").read_text(encoding="utf-8").partition("Rules to copy")[2].partition("\n")[2]
    rules = parse("\n".join(line.removeprefix("#").removeprefix(" ") for line in text.splitlines()), actions)
    assert len(rules.rules) == 2
    assert rules.warnings == ()


def test_load_reads_a_file_with_a_byte_order_mark(tmp_path: Path, actions: Actions) -> None:
    """Editors that put a byte order mark in front, or end lines with CR LF, do no harm."""
    path = tmp_path / "rules.toml"
    path.write_bytes(b"\xef\xbb\xbf" + DESIGN.replace("\n", "\r\n").encode())
    assert [rule.name for rule in load(path, actions).rules] == ["Finance refresh failures", "New on the site"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read: No such file or directory"), (b"name = '\xe4'", "byte 8 is not UTF-8")],
)
def test_load_says_what_is_wrong_with_the_file(
    content: bytes | None, message: str, tmp_path: Path, actions: Actions
) -> None:
    """A file that is not there, or not UTF-8, is named."""
    path = tmp_path / "rules.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RulesError) as caught:
        load(path, actions)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_no_rules_match_nothing(event: Callable[..., Event]) -> None:
    """Without rules nothing happens, and that is no error."""
    assert Rules().matching(event()) == []
