"""Filters, sort orders and paging as Tableau writes them in a URL, checked before anything is sent.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_concepts_filtering_and_sorting.htm
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import NamedTuple
from urllib.parse import quote

OPERATORS = ("eq", "gt", "gte", "lt", "lte", "in", "has", "cieq")
# https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_concepts_paging.htm
MAX_PAGE_SIZE = 1000
# Few requests, to each of which the server still responds within the read timeout.
PAGE_SIZE = 500
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
    """Return a condition on one of Tableau's fields.

    For example `where("createdAt", "gt", time)` or `where("tags", "in", ["a", "b"])`. Raises ValueError for an unknown
    operator and for a value that no filter can hold: Tableau interprets a comma or an ampersand in it, however encoded.
    Leave such a condition out and compare the results.
    """
    if not _FIELD.fullmatch(field):
        raise ValueError(f"not the name of a field: {field!r}")
    if operator not in OPERATORS:
        raise ValueError(f"unknown operator {operator!r}; choose one of: {', '.join(OPERATORS)}")
    if operator != "in":
        if isinstance(value, Iterable) and not isinstance(value, str):
            raise ValueError(f"{operator} takes one value; for several use in")
        return Filter(field, operator, _encode_value(value, ",&"))
    values = [value] if isinstance(value, Value) else list(value)
    if not values:
        raise ValueError("in needs at least one value")
    return Filter(field, "in", f"[{','.join(_encode_value(item, ',&[]') for item in values)}]")


def is_expressible(value: str) -> bool:
    """Return whether a filter can hold this text."""
    try:
        return bool(_encode_value(value, ",&"))
    except ValueError:
        return False


def _encode_value(value: Value, forbidden: str) -> str:
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
        reason = f"cannot contain {found!r}" if found else "cannot be empty"
        raise ValueError(f"a filter value {reason}: {written!r}; leave the filter out and compare the results")
    return written


def parse(text: str) -> Filter:
    """Return the filter written as `field:operator:value`. Raises ValueError."""
    field, _, rest = text.partition(":")
    operator, colon, value = rest.partition(":")
    if not colon:
        raise ValueError(f"not a filter: {text!r} (expected field:operator:value)")
    if operator == "in":
        return where(field, operator, value.removeprefix("[").removesuffix("]").split(","))
    return where(field, operator, value)


def sort_order(sort: str | Iterable[str]) -> str:
    """Return `"createdAt:desc"`, or several such orders, the most important first. Raises ValueError."""
    parts = sort.split(",") if isinstance(sort, str) else list(sort)
    for part in parts:
        field, _, direction = part.partition(":")
        if not _FIELD.fullmatch(field) or direction not in {"asc", "desc"}:
            raise ValueError(f"not a sort order: {part!r} (expected the form createdAt:desc)")
    return ",".join(parts)


def list_parameters(
    filters: Iterable[Filter | str], *, sort: str | Iterable[str] = "", page_size: int = PAGE_SIZE, fields: str = ""
) -> dict[str, str]:
    """Return the parameters of a list. Raises ValueError for those Tableau would not understand."""
    if not 1 <= page_size <= MAX_PAGE_SIZE:
        raise ValueError(f"page_size must be 1 to {MAX_PAGE_SIZE}, not {page_size}")
    filters = list(filters)
    for item in filters:
        if not isinstance(item, Filter | str):
            raise ValueError(f'{type(item).__name__} is not a filter; write for example "name:eq:Sales" or where(…)')  # noqa: TRY004 - as for a wrong text
    # A Filter may have been made without `where`, so it is checked like text.
    conditions = [str(parse(str(item))) for item in filters]
    found = {
        "pageSize": str(page_size),
        "filter": ",".join(conditions),
        "sort": sort_order(sort) if sort else "",
        "fields": fields,
    }
    return {name: value for name, value in found.items() if value}


def encode(params: Mapping[str, object]) -> str:
    """Return parameters as part of a URL; Tableau's punctuation is not encoded, a blank is %20."""
    written = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in params.items()}
    return "&".join(f"{quote(name, safe='')}={quote(value, safe=':,[]')}" for name, value in written.items())
