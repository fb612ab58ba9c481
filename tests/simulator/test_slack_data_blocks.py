"""Tables and charts of the simulated Slack: its limits, and a workspace that does not have them yet."""

from __future__ import annotations

from typing import Any

import pytest
import slack_sdk
from slack_sdk.errors import SlackApiError

from simulator.slack.blocks import validate


def _cell(text: str = "x", kind: str = "raw_text") -> dict[str, Any]:
    return {"type": kind, "text": text}


def _rows(rows: int, columns: int = 2, text: str = "x") -> list[list[dict[str, Any]]]:
    return [[_cell(text) for _ in range(columns)] for _ in range(rows)]


def _table(**changes: Any) -> dict[str, Any]:
    return {"type": "data_table", "caption": "Failed tonight", "rows": _rows(3)} | changes


def _chart(**changes: Any) -> dict[str, Any]:
    points = [{"label": str(number), "value": number} for number in range(20)]
    axis = {"categories": [point["label"] for point in points]}
    chart = {"type": "bar", "series": [{"name": "minutes", "data": points}], "axis_config": axis} | changes
    return {"type": "data_visualization", "title": "Last runs", "chart": chart}


PIE = {"type": "data_visualization", "title": "x", "chart": {"type": "pie", "segments": [{"label": "a", "value": 1}]}}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "table", "rows": _rows(100, 20)},
        {"type": "table", "rows": _rows(1), "column_settings": [{"align": "right"}]},
        _table(rows=_rows(101), page_size=100),
        _table(rows=[[_cell()], [{"type": "raw_number", "value": 3}]]),
        _table(rows=[[_cell()], [{"type": "rich_text", "elements": []}]]),
        _chart(),
        PIE,
    ],
)
def test_allowed(block: dict[str, Any]) -> None:
    """Tables and charts within the limits are accepted."""
    assert validate([block]) == []


@pytest.mark.parametrize(
    "block",
    [
        {"type": "table"},
        {"type": "table", "rows": _rows(101)},
        {"type": "table", "rows": _rows(1, 21)},
        {"type": "table", "rows": _rows(1), "column_settings": [{}] * 21},
        {"type": "table", "rows": _rows(6, 1, "x" * 1999)},
        {"type": "table", "rows": _rows(1, 1, "")},
        {"type": "table", "rows": [["text"]]},
        _table(caption=""),
        _table(rows=_rows(1)),
        _table(rows=_rows(102)),
        _table(rows=[[_cell()], [_cell(), _cell()]]),
        _table(rows=[[{"type": "rich_text", "elements": []}], [_cell()]]),
        _table(page_size=101),
        _chart(type="donut"),
        _chart(series=[]),
        _chart(series=[{"name": "minutes", "data": [{"label": "a", "value": "3"}]}]),
        _chart(axis_config={"categories": [str(number) for number in range(21)]}),
        _chart() | {"title": "x" * 51},
    ],
)
def test_refused(block: dict[str, Any]) -> None:
    """Each limit is checked, and the problem has its place."""
    assert "[json-pointer:/blocks/0" in validate([block])[0]


@pytest.mark.parametrize(
    ("blocks", "problem"),
    [
        ([PIE] * 3, "no more than 2 data_visualization blocks"),
        ([{"type": "table", "rows": _rows(3, 1, "x" * 1999)}] * 2, "characters in tables"),
    ],
)
def test_limits_of_a_message(slack: slack_sdk.WebClient, blocks: list[Any], problem: str) -> None:
    """A message has at most two charts, and 10,000 characters in all its tables."""
    with pytest.raises(SlackApiError) as refused:
        slack.chat_postMessage(channel="#bi", text="x", blocks=blocks)
    assert problem in refused.value.response["errors"][0]


def test_workspace_without_the_new_blocks(slack: slack_sdk.WebClient, control: Any) -> None:
    """They are refused if Slack has not introduced them; older tables are accepted."""
    for blocks in ([_table()], [_chart()]):
        slack.chat_postMessage(channel="#bi", text="x", blocks=blocks)
    control("POST", "settings", {"slack_data_blocks": False})
    for blocks in ([_table()], [_chart()]):
        with pytest.raises(SlackApiError, match="invalid_blocks"):
            slack.chat_postMessage(channel="#bi", text="x", blocks=blocks)
    slack.chat_postMessage(channel="#bi", text="x", blocks=[{"type": "table", "rows": _rows(2)}])
