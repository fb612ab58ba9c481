"""Test `flask rules check`, `test` and `backtest`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from notifiers import Notifiers
from tests.cli.conftest import Receive, Run, objects
from webhooks.cli.trigger.sample import FOLDER
from webhooks.inbox import Inbox
from webhooks.job import Job
from webhooks.registry import Registry
from webhooks.services import Services

BROKEN = """
[[rule]]
name = "One"
on = "WorkbookCreated"
notify = "slak"

[[rule]]
name = "Two"
wen = "x"
"""

NEW = """
[[rule]]
name = "Finance failures"
on = "WorkbookRefreshFailed"
notify = "slack:#finance"

[[rule]]
name = "In Finance"
on = "*Created"
where = { project = "Finance*" }
notify = "console"
"""


def test_check_summarizes_valid_rules(flask: Run, rules_file: Path) -> None:
    """The summary has the number of rules, and the events, actions and conditions of each."""
    result = flask("rules", "check")
    assert result.exit_code == 0
    assert f"{rules_file}: 2 rules, no errors." in result.stdout
    finance = next(line for line in result.stdout.splitlines() if line.startswith("Finance failures"))
    assert "WorkbookRefreshFailed or DatasourceRefreshFailed" in finance
    assert "notify slack:#finance, notify twilio:+15550100" in finance
    assert finance.endswith("resource_name Finance*")


def test_check_prints_every_error(flask: Run, tmp_path: Path) -> None:
    """All errors of the file are printed at once, each with its rule and line; the exit code is 1."""
    file = tmp_path / "broken.toml"
    file.write_text(BROKEN, encoding="utf-8")
    result = flask("rules", "check", file)
    assert (result.exit_code, result.stdout) == (1, "")
    for words in ('rule 1 "One" (line 5)', "slak", 'rule 2 "Two" (line 7)', "wen is not known", "on is missing"):
        assert words in result.stderr


def test_check_json_has_rules_or_errors(flask: Run, tmp_path: Path) -> None:
    """There is one rule per line, or one error per line."""
    rules = objects(flask("rules", "check", "--json").stdout)
    assert [rule["name"] for rule in rules] == ["Finance failures", "Published"]
    assert rules[0]["steps"][1] == {
        "action": "notify",
        "label": "twilio:+15550100",
        "params": {"to": "twilio:+15550100"},
    }
    file = tmp_path / "broken.toml"
    file.write_text(BROKEN, encoding="utf-8")
    result = flask("rules", "check", file, "--json")
    assert result.exit_code == 1
    assert all(error.keys() == {"place", "message", "file", "line"} for error in objects(result.stdout))


def test_check_reads_stdin_and_reports_missing_files(flask: Run) -> None:
    """`-` is stdin, and a file that does not exist is an error like others."""
    assert "1 rule, no errors" in flask("rules", "check", "-", stdin=NEW.partition('[[rule]]\nname = "In')[0]).stdout
    missing = flask("rules", "check", "nowhere.toml")
    assert (missing.exit_code, "cannot be read" in missing.stderr) == (1, True)


def test_check_warns_of_probable_mistakes(flask: Run) -> None:
    """An unknown event type is a warning, not an error."""
    result = flask("rules", "check", "-", stdin='[[rule]]\nname = "x"\non = "WorkbookCreatd"\nnotify = "console"\n')
    assert result.exit_code == 0
    assert "did you mean WorkbookCreated?" in result.stderr


def test_a_strict_check_fails_for_warnings(flask: Run) -> None:
    """With --strict, a probable mistake ends the command with 1; without one, the exit code is 0."""
    misspelt = '[[rule]]\nname = "x"\non = "WorkbookCreatd"\nnotify = "console"\n'
    result = flask("rules", "check", "-", "--strict", stdin=misspelt)
    assert (result.exit_code, "1 rule, 1 warning." in result.stdout) == (1, True)
    assert flask("rules", "check", "--strict").exit_code == 0


def test_check_warns_of_a_misspelt_handler(flask: Run, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event types of @on are checked, too, because a misspelt one would never match."""
    own = Registry()
    own.on("WorkbookCreatd", name="sales.greet")(lambda event: None)
    own.action("notify")(lambda event: None)
    monkeypatch.setitem(services.__dict__, "registry", own)
    result = flask("rules", "check", "-", stdin='[[rule]]\nname = "x"\non = "*"\nnotify = true\n')
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: handler sales.greet: WorkbookCreatd is not a known event type")
    assert "1 rule, 1 warning." in result.stdout


UNREACHABLE = """
[[rule]]
name = "x"
on = "WorkbookCreated"
notify = ["slack:#bi", "teams:finance", "pagerduty:nope", "post:x", "apprise:ops", "email:ann@acme.example"]
"""


def test_check_names_destinations_that_are_not_configured(
    flask: Run, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that the settings lack is a warning; settings that are missing as a whole are a note, as in a pipeline."""
    result = flask("rules", "check", "-", "--strict", stdin=UNREACHABLE)
    kinds = ["apprise", "email", "pagerduty", "post", "slack", "teams"]
    notes = [f"note: rules send messages to {kind}, which is not configured" for kind in kinds]
    assert (result.exit_code, result.stderr.splitlines()) == (0, notes)
    variables = {
        "TEAMS_URLS": "bi=https://teams.example.org/1",
        "PAGERDUTY_KEYS": f"data={'0a' * 16}",
        "POST_URLS": "ops=https://ops.example.org",
        "POST_SECRET": "0a" * 32,
    }
    monkeypatch.setitem(services.__dict__, "notifiers", Notifiers.from_variables(variables))
    result = flask("rules", "check", "-", "--strict", stdin=UNREACHABLE)
    warnings = [line for line in result.stderr.splitlines() if line.startswith("warning: rules send messages to ")]
    assert result.exit_code == 1
    assert [line.split()[5] for line in warnings] == ["pagerduty:nope:", "post:x:", "teams:finance:"]
    assert "1 rule, 3 warnings." in result.stdout


def test_check_shows_excluded_events(flask: Run) -> None:
    """A pattern with `!` is shown as "not"."""
    text = '[[rule]]\nname = "x"\non = ["*Created", "!Site*", "!View*"]\nwhere.name = "!Copy*"\nnotify = "console"\n'
    shown = flask("rules", "check", "-", stdin=text).stdout
    assert "*Created, not Site* nor View*" in shown
    assert "resource_name not Copy*" in shown


def test_check_warns_of_a_file_without_rules(flask: Run) -> None:
    """An empty file is valid, but probably a mistake."""
    result = flask("rules", "check", "-", stdin="")
    assert (result.exit_code, "stdin: 0 rules, 1 warning." in result.stdout) == (0, True)
    assert result.stderr == "warning: the file contains no rule: events are stored, but no rule acts on them\n"


def test_test_previews_the_jobs_of_an_event(flask: Run, tmp_path: Path, inbox: Inbox) -> None:
    """Matching rules are shown with their jobs, others with the reason; nothing is stored and no action runs."""
    file = tmp_path / "event.json"
    file.write_text(json.dumps({"event_type": "WorkbookRefreshFailed", "resource_name": "Finance X"}), encoding="utf-8")
    text = flask("rules", "test", file).stdout
    assert re.search("notify slack:#finance +would run", text)
    assert "2 jobs would be created." in text
    assert inbox.events.list() == []


def test_test_accepts_ids_types_and_stdin(flask: Run, receive: Receive) -> None:
    """EVENT is a stored event, the sample of an event type, or JSON on stdin."""
    event_id = receive()
    assert "2 jobs would be created." in flask("rules", "test", event_id).stdout
    assert "2 jobs would be created." in flask("rules", "test", "WorkbookRefreshFailed", "--name", "Finance").stdout
    assert "The event would be ignored." in flask("rules", "test", "-", stdin='{"event_type": "Other"}').stdout
    assert "1 job would be created." in flask("rules", "test", FOLDER / "WorkbookCreated.json").stdout


@pytest.mark.parametrize(
    ("argument", "stdin", "code", "words"),
    [
        ("999", None, 1, "Event 999 not found"),
        ("WorkbookCreatd", None, 2, "Did you mean WorkbookCreated?"),
        ("refresh succeeded", None, 2, "Did you mean DatasourceRefreshSucceeded or WorkbookRefreshSucceeded?"),
        ("-", "{", 1, "not JSON"),
        ("-", "[]", 1, "expected a JSON object"),
        ("-", "", 1, "test request"),
    ],
)
def test_test_refuses_an_invalid_event(flask: Run, argument: str, stdin: str | None, code: int, words: str) -> None:
    """An argument that is not an event ends the command with the reason."""
    result = flask("rules", "test", argument, stdin=stdin)
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in result.stderr


def test_expected_jobs_are_compared(flask: Run) -> None:
    """With --expect, the exit code says whether the jobs would be created."""
    words = ("rules", "test", "WorkbookRefreshFailed", "--name", "Finance")
    assert flask(*words, "--expect", "notify slack:#finance").exit_code == 0
    missed = flask(*words, "--expect", "notify slack:#finance", "--expect", "notify slack:#bi")
    assert missed.exit_code == 1
    assert "notify slack:#bi" in missed.stderr


def test_test_uses_another_file(flask: Run, tmp_path: Path) -> None:
    """--rules previews rules that are not in use."""
    file = tmp_path / "new.toml"
    file.write_text(NEW, encoding="utf-8")
    (finance, conditional) = objects(flask("rules", "test", "DatasourceCreated", "--rules", file, "--json").stdout)
    assert finance["verdict"] == "no"
    assert (conditional["verdict"], conditional["reason"]) == ("matched", "if project ~ Finance*")
    assert conditional["unmade"] == ["In Finance/notify/console"]


def test_backtest_compares_files(
    flask: Run, tmp_path: Path, receive: Receive, claim: Callable[[], list[Job]], inbox: Inbox
) -> None:
    """For each action there is the number of jobs created, and of those that another file would have created."""
    for _ in range(3):
        receive()
    receive(resource_name="Sales")
    receive("WorkbookCreated")
    inbox.jobs.skip(claim()[0], "project is Sales")
    file = tmp_path / "new.toml"
    file.write_text(NEW, encoding="utf-8")
    found = {(line["rule"], line["step"]): line for line in objects(flask("rules", "backtest", file, "--json").stdout)}
    slack = found["Finance failures", "notify slack:#finance"]
    assert (slack["made"], slack["skipped"], slack["would"], slack["at_most"]) == (3, 1, 4, False)
    assert (found["Finance failures", "notify twilio:+15550100"]["would"]) == 0
    conditional = found["In Finance", "notify console"]
    assert (conditional["made"], conditional["would"], conditional["at_most"]) == (0, 1, True)
    text = flask("rules", "backtest", file).stdout
    assert text.startswith("5 events since ")
    assert "≤ 1" in text


def test_backtest_of_the_rules_in_use_has_no_change(
    flask: Run, receive: Receive, claim: Callable[[], list[Job]]
) -> None:
    """The same rules create the same jobs."""
    receive()
    claim()
    for line in objects(flask("rules", "backtest", "--since", "1h", "--json").stdout):
        assert line["made"] == line["would"] == 1


def test_backtest_counts_messages_by_destination(
    flask: Run, tmp_path: Path, receive: Receive, claim: Callable[[], list[Job]]
) -> None:
    """Failures that follow each other are one problem and so one message, unless a rule wants each."""
    for second, outcome in enumerate(["Failed", "Failed", "Succeeded", "Failed"]):
        receive(f"WorkbookRefresh{outcome}", created_at=f"2026-01-31T09:30:0{second}Z")
    claim()
    file = tmp_path / "new.toml"
    rule = '[[rule]]\nname = "{}"\non = "*RefreshFailed"\nnotify = [{}]\n'
    file.write_text(
        rule.format("One", '"slack:#one", { to = "console", each = true }')
        + rule.format("Two", '"slack:#one"')
        + rule.format("Finance", '"slack:#maybe"').replace("notify", 'where.project = "Finance"\nnotify'),
        encoding="utf-8",
    )
    lines = objects(flask("rules", "backtest", file, "--json").stdout)
    numbers = {one["messages_to"]: (one["made"], one["would"], one["at_most"]) for one in lines if "messages_to" in one}
    then = numbers.pop("slack:#finance")
    assert then == (2, 0, False)
    assert {to: now for to, now in numbers.items() if now[1]} == {
        "slack:#one": (0, 2, False),
        "console": (0, 3, False),
        "slack:#maybe": (0, 2, True),
    }
    text = flask("rules", "backtest", file).stdout
    assert re.search(r"slack:#maybe +0 +≤ 2 +\+2", text)


def test_backtest_counts_messages_of_routes(
    flask: Run, tmp_path: Path, receive: Receive, claim: Callable[[], list[Job]]
) -> None:
    """Each event has one of the routes; whether its route has a second destination, only Tableau knows."""
    receive("WorkbookCreated")
    claim()
    file = tmp_path / "new.toml"
    file.write_text('[routes]\nHR = ["slack:#hr", "owner"]\n[[rule]]\nname = "R"\non = "*"\nnotify = "routes"\n')
    lines = objects(flask("rules", "backtest", file, "--json").stdout)
    numbers = {one["messages_to"]: (one["would"], one["at_most"]) for one in lines if "messages_to" in one}
    assert (numbers["routes"], numbers["routes 2"]) == ((1, False), (1, True))
    steps = {one["step"]: one["at_most"] for one in lines if "step" in one}
    assert (steps["notify routes"], steps["notify routes 2"]) == (False, True)


def test_backtest_of_an_invalid_file_ends_with_1(flask: Run, tmp_path: Path) -> None:
    """A file with errors is not used."""
    file = tmp_path / "broken.toml"
    file.write_text(BROKEN, encoding="utf-8")
    result = flask("rules", "backtest", file)
    assert (result.exit_code, "2 errors" in result.stderr or "errors" in result.stderr) == (1, True)
