"""Filters, sorting and paging as Tableau writes them into a URL, checked before anything is sent.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_concepts_filtering_and_sorting.htm
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import NamedTuple
from urllib.parse import quote

OPERATORS = ("eq", "gt", "gte", "lt", "lte", "in", "has", "cieq")
LARGEST_PAGE = 1000
PAGE = 500  # few requests, and each still answers within the door's patience
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_.]*")

Value = str | int | float | bool | datetime | date


class Filter(NamedTuple):
    """One condition, as in `name:eq:Sales`. Made by `where`, which checks it."""

    field: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{self.field}:{self.operator}:{self.value}"


def where(field: str, operator: str, value: Value | Iterable[Value]) -> Filter:
    """A condition on Tableau's own field names: `where("createdAt", "gt", time)`, `where("tags", "in", ["a", "b"])`.

    Raises ValueError for an operator Tableau does not have and for a value that cannot be written: Tableau takes a
    comma or an ampersand in it for its own, however encoded. Leave such a condition out and look at the results.
    """
    if not _FIELD.fullmatch(field):
        raise ValueError(f"not the name of a field: {field!r}")
    if operator not in OPERATORS:
        raise ValueError(f"not an operator: {operator!r} (there are {', '.join(OPERATORS)})")
    if operator != "in":
        if isinstance(value, Iterable) and not isinstance(value, str):
            raise ValueError(f"{operator} takes one value, not several; for several there is in")
        return Filter(field, operator, _written(value, ",&"))
    values = [value] if isinstance(value, Value) else list(value)
    if not values:
        raise ValueError("in needs at least one value")
    return Filter(field, "in", f"[{','.join(_written(item, ',&[]') for item in values)}]")


def is_expressible(value: str) -> bool:
    """Can a filter hold this text?"""
    try:
        return bool(_written(value, ",&"))
    except ValueError:
        return False


def _written(value: Value, forbidden: str) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value!r}")
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00Z"
    if isinstance(value, bool):
        return str(value).lower()
    written = str(value)
    found = next((char for char in written if char in forbidden or not char.isprintable()), None)
    if found is not None or not written.strip():
        said = f"cannot hold {found!r}" if found else "cannot be empty"
        raise ValueError(f"a filter value {said}: {written!r}; leave the filter out and compare the results yourself")
    return written


def parsed(text: str) -> Filter:
    """The filter that is written as `field:operator:value`. Raises ValueError."""
    field, _, rest = text.partition(":")
    operator, colon, value = rest.partition(":")
    if not colon:
        raise ValueError(f"not a filter: {text!r} (expected is field:operator:value)")
    if operator == "in":
        return where(field, operator, value.removeprefix("[").removesuffix("]").split(","))
    return where(field, operator, value)


def sorting(sort: str | Iterable[str]) -> str:
    """`"createdAt:desc"`, or several of the kind, the most important first. Raises ValueError."""
    parts = sort.split(",") if isinstance(sort, str) else list(sort)
    for part in parts:
        field, _, direction = part.partition(":")
        if not _FIELD.fullmatch(field) or direction not in {"asc", "desc"}:
            raise ValueError(f"not a sort order: {part!r} (expected is createdAt:desc)")
    return ",".join(parts)


def listing(
    filters: Iterable[Filter | str], *, sort: str | Iterable[str] = "", page_size: int = PAGE, fields: str = ""
) -> dict[str, str]:
    """The parameters of a list. Raises ValueError for what Tableau would not understand."""
    if not 1 <= page_size <= LARGEST_PAGE:
        raise ValueError(f"page_size must be 1 to {LARGEST_PAGE}, not {page_size}")
    conditions = [str(parsed(item) if isinstance(item, str) else where(*_again(item))) for item in filters]
    found = {
        "pageSize": str(page_size),
        "filter": ",".join(conditions),
        "sort": sorting(sort) if sort else "",
        "fields": fields,
    }
    return {name: value for name, value in found.items() if value}


def _again(item: Filter) -> tuple[str, str, str | list[str]]:
    """A filter may have been made without `where`; its parts are checked all the same."""
    if item.operator == "in":
        return item.field, "in", item.value.removeprefix("[").removesuffix("]").split(",")
    return item


def encode(params: Mapping[str, object]) -> str:
    """Parameters as a URL holds them; Tableau's own punctuation stays readable, a blank is %20."""
    return "&".join(f"{quote(name, safe='')}={quote(_plain(value), safe=':,[]')}" for name, value in params.items())


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
