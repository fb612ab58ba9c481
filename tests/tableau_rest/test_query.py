"""Filters, sorting, paging: what can be written, and what is refused before anything is sent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from tableau_rest import Filter, Tableau, where
from tableau_rest.protocol import query
from tests.tableau_rest.tiny import Reply, TinyTableau

AT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "operator", "value", "written"),
    [
        ("name", "eq", "Sales", "name:eq:Sales"),
        ("name", "eq", "Sales: EMEA", "name:eq:Sales: EMEA"),
        ("createdAt", "gt", AT, "createdAt:gt:2026-01-31T09:30:00Z"),
        ("createdAt", "lte", AT.astimezone(timezone(timedelta(hours=2))), "createdAt:lte:2026-01-31T09:30:00Z"),
        ("createdAt", "gte", date(2026, 1, 31), "createdAt:gte:2026-01-31T00:00:00Z"),
        ("isCertified", "eq", True, "isCertified:eq:true"),
        ("priority", "lt", 50, "priority:lt:50"),
        ("tags", "in", ["a", "b c"], "tags:in:[a,b c]"),
        ("tags", "in", "a", "tags:in:[a]"),
    ],
)
def test_a_filter_is_written(field: str, operator: str, value: Any, written: str) -> None:
    """Times in UTC, truth in lower case, several values in brackets; and read back it is the same."""
    assert str(where(field, operator, value)) == written
    assert query.parsed(written) == where(field, operator, value)


@pytest.mark.parametrize(
    ("field", "operator", "value"),
    [
        ("name", "eq", "a,b"),
        ("name", "eq", "R&D"),
        ("name", "eq", ""),
        ("name", "eq", "  "),
        ("name", "eq", "a\nb"),
        ("name", "eq", "a\x00"),
        ("name", "eq", ["a", "b"]),
        ("name", "like", "a"),
        ("na me", "eq", "a"),
        ("", "eq", "a"),
        ("tags", "in", []),
        ("tags", "in", ["a", "b,c"]),
        ("tags", "in", ["a]"]),
        ("createdAt", "gt", datetime(2026, 1, 31)),  # noqa: DTZ001  that is the point
    ],
)
def test_a_filter_that_cannot_be_expressed_is_refused(field: str, operator: str, value: Any) -> None:
    """A ValueError that says why."""
    with pytest.raises(ValueError, match=r".{10}"):
        where(field, operator, value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"filters": ["name"]},
        {"filters": ["name:eq"]},
        {"filters": ["name:eq:a,b"]},
        {"filters": [Filter("name", "eq", "a&b")]},
        {"sort": "name"},
        {"sort": "name:up"},
        {"sort": ["name:asc", "x y:desc"]},
        {"page_size": 0},
        {"page_size": 1001},
    ],
)
def test_a_list_that_cannot_be_asked_for_is_refused_at_once(
    tiny: TinyTableau, client: Tableau, wrong: dict[str, Any]
) -> None:
    """When the method is called, not when the first item is asked for; and nothing is sent."""
    filters = wrong.pop("filters", [])
    with pytest.raises(ValueError, match=r".{10}"):
        client.workbooks(*filters, **wrong)
    assert tiny.asked == []


def _page(number: int, total: int, size: int = 2) -> dict[str, Any]:
    first = (number - 1) * size
    books = [{"id": f"{index:08d}-0000-4000-8000-000000000000"} for index in range(first, min(first + size, total))]
    return {"pagination": {"totalAvailable": str(total)}, "workbooks": {"workbook": books} if books else {}}


def test_pages_are_fetched_as_they_are_needed(tiny: TinyTableau, client: Tableau) -> None:
    """Three items in pages of two: two requests, the second only for the third item."""
    tiny.answers["GET workbooks"] = lambda asked: Reply(_page(int(asked.query[-1]), 3))
    books = client.workbooks(page_size=2)
    next(books)
    next(books)
    assert len(tiny.calls("GET workbooks")) == 1
    assert len(list(books)) == 1
    assert len(tiny.calls("GET workbooks")) == 2


def test_an_item_pushed_onto_the_next_page_is_told_once(tiny: TinyTableau, client: Tableau) -> None:
    """Content that is published while we page shifts the rest; nothing is told twice."""
    first, second = _page(1, 4), _page(2, 4)
    second["workbooks"]["workbook"][0] = first["workbooks"]["workbook"][1]
    tiny.answers["GET workbooks"] = [Reply(first), Reply(second)]
    luids = [book.luid for book in client.workbooks(page_size=2)]
    assert len(luids) == len(set(luids)) == 3


def test_a_total_that_never_comes_true_ends(tiny: TinyTableau, client: Tableau) -> None:
    """An empty page is the end, whatever the server counts."""
    tiny.answers["GET workbooks"] = [Reply(_page(1, 2) | {"pagination": {"totalAvailable": "99"}}), Reply(_page(9, 2))]
    assert len(list(client.workbooks(page_size=2))) == 2


def test_a_list_without_paging_is_one_page(tiny: TinyTableau, client: Tableau) -> None:
    """Some lists come without a paging block."""
    tiny.answers["GET flows/runs"] = Reply({"flowRuns": {"flowRun": [{"id": "1"}, {"id": "2"}]}})
    assert [run.luid for run in client.flow_runs()] == ["1", "2"]
