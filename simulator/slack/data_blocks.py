"""Validate tables and charts as Slack does. Pure.

https://docs.slack.dev/reference/block-kit/blocks/table-block
https://docs.slack.dev/reference/block-kit/blocks/data-table-block
https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from simulator.slack.blocks import Problems, check_list, check_string, checks, count_characters

# Slack introduces these in one workspace after the other since 2026.
NEW_TYPES = ("data_table", "data_visualization")
MAX_ROWS, MAX_COLUMNS, MAX_CELL_CHARACTERS = 100, 20, 10_000
MAX_CHARTS, MAX_SERIES, MAX_POINTS = 2, 6, 20
CELLS, HEADER_CELLS = ("raw_text", "raw_number", "rich_text"), ("raw_text", "raw_number")


@checks("table")
def _table(block: Mapping[str, object], at: str) -> Problems:
    problems = _rows(block, at, MAX_ROWS)
    if "column_settings" in block:
        problems += check_list(block["column_settings"], MAX_COLUMNS, f"{at}/column_settings", lambda _entry, _at: [])
    return problems


@checks("data_table")
def _data_table(block: Mapping[str, object], at: str) -> Problems:
    problems = _rows(block, at, MAX_ROWS + 1, least=2)
    problems += check_string(block.get("caption"), MAX_CELL_CHARACTERS, f"{at}/caption", least=1)
    size = block.get("page_size", 5)
    if not isinstance(size, int) or not 1 <= size <= MAX_ROWS:
        problems.append(f"must be a number from 1 to {MAX_ROWS} [json-pointer:{at}/page_size]")
    rows = block.get("rows")
    if isinstance(rows, list) and rows:
        if len({len(row) for row in rows if isinstance(row, list)}) > 1:
            problems.append(f"all rows must have the same number of cells [json-pointer:{at}/rows]")
        problems += _row(rows[0], f"{at}/rows/0", HEADER_CELLS)
    return problems


def _rows(block: Mapping[str, object], at: str, most: int, *, least: int = 1) -> Problems:
    problems = check_list(block.get("rows"), most, f"{at}/rows", partial(_row, kinds=CELLS), least=least)
    if count_characters(block.get("rows")) > MAX_CELL_CHARACTERS:
        problems.append(f"no more than {MAX_CELL_CHARACTERS} characters allowed [json-pointer:{at}/rows]")
    return problems


def _row(row: object, at: str, kinds: tuple[str, ...]) -> Problems:
    def check(cell: object, place: str) -> Problems:
        if not isinstance(cell, Mapping) or cell.get("type") not in kinds:
            return [f"unsupported type of cell [json-pointer:{place}/type]"]
        if cell["type"] != "raw_text":
            return []
        return check_string(cell.get("text"), MAX_CELL_CHARACTERS, f"{place}/text", least=1)

    return check_list(row, MAX_COLUMNS, at, check)


@checks("data_visualization")
def _chart(block: Mapping[str, object], at: str) -> Problems:
    problems = check_string(block.get("title"), 50, f"{at}/title", least=1)
    chart = block.get("chart")
    kind = chart.get("type") if isinstance(chart, Mapping) else None
    if not isinstance(chart, Mapping) or kind not in {"pie", "bar", "area", "line"}:
        return [*problems, f"unsupported type: {kind} [json-pointer:{at}/chart/type]"]
    if kind == "pie":
        return problems + check_list(chart.get("segments"), MAX_SERIES, f"{at}/chart/segments", _point)
    problems += check_list(chart.get("series"), MAX_SERIES, f"{at}/chart/series", _series)
    axis = chart.get("axis_config")
    categories = axis.get("categories") if isinstance(axis, Mapping) else None
    place = f"{at}/chart/axis_config/categories"
    return problems + check_list(categories, MAX_POINTS, place, lambda entry, where: check_string(entry, 20, where))


def _series(series: object, at: str) -> Problems:
    if not isinstance(series, Mapping):
        return [f"must be an object [json-pointer:{at}]"]
    problems = check_string(series.get("name"), 20, f"{at}/name", least=1)
    return problems + check_list(series.get("data"), MAX_POINTS, f"{at}/data", _point)


def _point(point: object, at: str) -> Problems:
    if not isinstance(point, Mapping) or not isinstance(point.get("value"), int | float):
        return [f"must be a number [json-pointer:{at}/value]"]
    return check_string(point.get("label"), 20, f"{at}/label", least=1)


def count_problems(blocks: Sequence[Mapping[str, object]]) -> Problems:
    """Return the problems of the tables and charts of a message together."""
    charts = sum(block.get("type") == "data_visualization" for block in blocks)
    tables = [block.get("rows") for block in blocks if block.get("type") in {"table", "data_table"}]
    problems = []
    if charts > MAX_CHARTS:
        problems.append(f"no more than {MAX_CHARTS} data_visualization blocks allowed [json-pointer:/blocks]")
    if count_characters(tables) > MAX_CELL_CHARACTERS:
        problems.append(f"no more than {MAX_CELL_CHARACTERS} characters in tables allowed [json-pointer:/blocks]")
    return problems
