"""The table of actions in docs/rules.md is that of the code."""

from __future__ import annotations

import re
from pathlib import Path

from tableau_rest import Tableau
from tableau_rest.protocol.version import parse
from webhooks.registry import registry

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
# The calls that each action needs at least.
CALLS = {
    "notify": ("workbook",),
    "tag": ("workbook", "add_tags"),
    "untag": ("workbook", "delete_tag"),
    "refresh": ("refresh_workbook",),
    "label": ("labels", "put_label"),
    "unlabel": ("labels", "delete_label"),
    "cancel": ("running_job", "cancel_job"),
    "export": ("workbook", "view_image", "view_pdf", "view_csv", "workbook_pdf"),
    "downstream": ("downstream_workbooks",),
    "transfer": ("update_workbook", "users", "projects"),
    "run_flow": ("flows", "run_flow"),
    "run_task": ("run_extract_refresh_task", "run_flow_task"),
    "post": ("workbook",),
    "pause": ("schedules", "update_schedule"),
    "resume": ("schedules", "update_schedule"),
    "certify": ("certify_datasource",),
    "uncertify": ("uncertify_datasource",),
}


def test_table_of_actions_is_that_of_the_code() -> None:
    """Every action is in the table, with the REST API that its calls need and its default limit per day."""
    registry.load()
    rows = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| [`")]
    table = {name: (api, limit.strip(" |")) for names, *_, api, limit in rows for name in re.findall("`(.+?)`", names)}
    expected = {}
    for name, model in registry.actions.items():
        since = max((getattr(Tableau, call).endpoint.since for call in CALLS[name]), key=parse)
        limit = model.model_fields.get("per_day")
        expected[name] = (since, str(limit.default) if limit else "none")
    assert table == expected


def test_actions_that_change_something_have_limits() -> None:
    """Each has a limit per day and can be tried without effect."""
    registry.load()
    unlimited = {
        name for name, model in registry.actions.items() if not {"per_day", "dry_run"} <= {*model.model_fields}
    }
    assert unlimited == {"notify"}
