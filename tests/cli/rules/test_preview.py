"""Test `flask rules preview`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from webhooks.event_types import RULE_EVENT_TYPES

RULES = """
[[rule]]
name = "Failures"
on = "*RefreshFailed"
notify = ["slack:#a", { to = "twilio:+15550100", title = "{{ resource.name | upper }}: {{ incident.failures }}" }]

[[rule]]
name = "All"
on = ["*", "Flow*"]
notify = { to = "console", each = true, text = "{{ run.reason_class or event.headline }}" }

[[rule]]
name = "Tags"
on = "WorkbookCreated"
tag = "new"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "preview.toml"
    path.write_text(RULES, encoding="utf-8")
    return path


def test_messages_are_shown_as_each_medium_would(flask: Run, file: Path) -> None:
    """One preview for each title and text, within 80 columns, with the conditions' examples."""
    result = flask("rules", "preview", "Failures", "WorkbookRefreshFailed", "--name", "Sales", "--rules", file)
    assert result.exit_code == 0
    first, second = result.stdout.split("To twilio:+15550100")
    for part, title in ((first, "Failing: Sales (workbook)"), (second, "SALES: 1")):
        assert [word in part for word in ("── Slack", "── SMS", "── E-mail", title)] == [True] * 4
        assert "ORA-01017" in part
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_preview_lists_the_destinations_of_routes(flask: Run, tmp_path: Path) -> None:
    """All that a project can have are named, with that of the other projects."""
    file = tmp_path / "routes.toml"
    file.write_text('[routes]\nHR = ["slack:#hr", "owner"]\n[[rule]]\nname = "R"\non = "*"\nnotify = "routes"\n')
    result = flask("rules", "preview", "R", "WorkbookCreated", "--rules", file)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (
        0,
        "To routes (slack:#hr, default), routes (owner)",
    )


def test_every_event_type_has_a_preview(flask: Run, file: Path) -> None:
    """Also one that the rule does not select, which a note says."""
    for name in ("SiteCreated", "FlowRunFailed", "SubscriptionFailed", "UserDeleted", "LabelUpdated"):
        assert name in RULE_EVENT_TYPES
        result = flask("rules", "preview", "All", name, "--rules", file)
        assert (result.exit_code, "── SMS" in result.stdout, result.stderr) == (0, True, "")
    found = {
        "RefreshRunsLong": "Running too long",
        "RefreshMissed": "Missed",
        "ScheduleSuspended": "Suspended by Tableau",
    }
    for name, status in found.items():
        rule = f'[[rule]]\nname = "{name}"\non = "{name}"\nnotify = "slack:#a"\n'
        file.write_text(f"{rule}\n{RULES}", encoding="utf-8")
        result = flask("rules", "preview", name, "--rules", file)
        assert (result.exit_code, result.stderr) == (0, "")
        assert status in result.stdout, result.stdout
        tested = flask("rules", "test", name, "--rules", file)
        assert "notify slack:#a" in tested.stdout
    other = flask("rules", "preview", "Failures", "WorkbookCreated", "--rules", file)
    assert "does not match this event: event type does not match" in other.stderr


@pytest.mark.parametrize(
    ("rule", "error"),
    [("Failure", 'No rule is called "Failure"; did you mean Failures?'), ("Tags", "sends no messages")],
)
def test_rule_without_a_message_is_an_error(rule: str, error: str, flask: Run, file: Path) -> None:
    """The message says which rules there are."""
    result = flask("rules", "preview", rule, "--rules", file)
    assert result.exit_code == 1
    assert error in result.stderr
