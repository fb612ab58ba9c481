"""Filters, sort orders and parameters of lists, checked before anything is sent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from tableau_rest import Filter, Tableau, where
from tableau_rest.protocol import query
from tests.tableau_rest.tiny import TinyTableau

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
def test_a_filter_is_encoded(field: str, operator: str, value: Any, written: str) -> None:
    """Times in UTC, booleans in lower case, several values in brackets; parsing returns the same filter."""
    assert str(where(field, operator, value)) == written
    assert query.parse(written) == where(field, operator, value)


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
        ("createdAt", "gt", datetime(2026, 1, 31)),  # noqa: DTZ001 - a time without a zone is the case
    ],
)
def test_a_filter_that_cannot_be_expressed_is_refused(field: str, operator: str, value: Any) -> None:
    """It raises ValueError with the reason."""
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
def test_wrong_parameters_of_a_list_are_refused_at_once(
    tiny: TinyTableau, client: Tableau, wrong: dict[str, Any]
) -> None:
    """They are refused by the call of the method, not by the first item; and nothing is sent."""
    filters = wrong.pop("filters", [])
    with pytest.raises(ValueError, match=r".{10}"):
        client.workbooks(*filters, **wrong)
    assert tiny.asked == []


def test_content_in_place_of_a_filter_is_refused() -> None:
    """`tableau.views(workbook)` is not the list of a workbook's views; the error shows what a filter is."""
    with pytest.raises(ValueError, match=r'^dict is not a filter; write for example "name:eq:Sales" or where'):
        query.list_parameters([{}])  # type: ignore[list-item]
