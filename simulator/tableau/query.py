"""Filter, sort, page and choose fields of lists by the query string. Pure.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_concepts_filtering_and_sorting.htm
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase

from simulator.tableau.wire import ApiError, Document

MAX_PAGE_SIZE = 1000
OPERATORS = ("eq", "in", "gt", "gte", "lt", "lte", "has", "cieq")
# Commas, but not those inside a list in brackets.
SEPARATOR = re.compile(r",(?![^\[]*\])")


def page(items: Sequence[Document], query: Mapping[str, str]) -> tuple[Document, list[Document]]:
    """Return the pagination block and the items of the requested page. Raises ApiError if it is invalid."""
    size = _positive(query.get("pageSize", "100"), "400007", "page size")
    number = _positive(query.get("pageNumber", "1"), "400006", "page number")
    if size > MAX_PAGE_SIZE:
        detail = f"The page size {size} is greater than the maximum of {MAX_PAGE_SIZE}."
        raise ApiError("400007", detail, "Invalid page size")
    if number > 1 and (number - 1) * size >= len(items):
        raise ApiError("400006", f"The page number {number} is beyond the last page.", "Invalid page number")
    block: Document = {"pageNumber": str(number), "pageSize": str(size), "totalAvailable": str(len(items))}
    return block, list(items[(number - 1) * size : number * size])


def _positive(value: str, code: str, noun: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise ApiError(code, f"{value!r} is not a valid {noun}.", f"Invalid {noun}")
    return int(value)


def select(items: Sequence[Document], query: Mapping[str, str], fields: Sequence[str]) -> list[Document]:
    """Return the items that pass `filter`, in the order of `sort`. Raises ApiError for an unknown field."""
    selected = list(items)
    for expression in filter(None, SEPARATOR.split(query.get("filter", ""))):
        passes = _predicate(expression, fields)
        selected = [item for item in selected if passes(item)]
    for order in reversed([order for order in query.get("sort", "").split(",") if order]):
        field, _, direction = order.partition(":")
        _check_field(field, fields)
        if direction not in {"asc", "desc", ""}:
            raise ApiError("400000", f"{direction!r} is not a sort direction.")
        selected.sort(key=lambda item: _sort_key(value_of(item, field)), reverse=direction == "desc")
    return selected


def _predicate(expression: str, fields: Sequence[str]) -> Callable[[Document], bool]:
    field, _, rest = expression.partition(":")
    operator, colon, wanted = rest.partition(":")
    _check_field(field, fields)
    if operator not in OPERATORS or not colon:
        raise ApiError("400000", f"The filter expression {expression!r} is invalid.")
    if operator == "in":
        options = wanted.removeprefix("[").removesuffix("]").split(",")
        return lambda item: any(_compare("eq", value_of(item, field), option) for option in options)
    return lambda item: _compare(operator, value_of(item, field), wanted)


def _check_field(field: str, fields: Sequence[str]) -> None:
    if field not in fields:
        raise ApiError("400000", f"{field!r} is not a field to filter or sort by. Choose one of: {', '.join(fields)}.")


def value_of(item: Document, field: str) -> object:
    """Return an item's value of a field; `ownerName` and the like are read from the object inside."""
    if field == "tags":
        tags = item.get("tags")
        return [tag["label"] for tag in tags["tag"]] if isinstance(tags, dict) else []
    if field in item:
        return item[field]
    inner, name = re.sub(r"(Name|Email)$", "", field), re.search(r"(Name|Email)$", field)
    owner = item.get(inner)
    return owner.get(name[1].lower()) if name and isinstance(owner, dict) else None


def _compare(operator: str, value: object, wanted: str) -> bool:
    if isinstance(value, list):
        return any(_compare(operator, entry, wanted) for entry in value)
    if value is None:
        return False
    actual = str(value).lower() if isinstance(value, bool) else str(value)
    match operator:
        case "eq":
            return fnmatchcase(actual, re.sub(r"([\[?])", r"[\1]", wanted)) if "*" in wanted else actual == wanted
        case "cieq":
            return actual.lower() == wanted.lower()
        case "has":
            return wanted.lower() in actual.lower()
    left, right = _sort_key(actual), _sort_key(wanted)
    return {"gt": left > right, "gte": left >= right, "lt": left < right, "lte": left <= right}[operator]


def _sort_key(value: object) -> tuple[int, float, str]:
    text = str(value) if value is not None else ""
    try:
        return 0, float(text), ""
    except ValueError:
        return 1, 0.0, text.lower()


def project(item: Document, query: Mapping[str, str], hidden: Sequence[str]) -> Document:
    """Return the requested fields of an item: all but the hidden ones, unless the query has `fields`."""
    wanted = [name.split(".")[0] for name in query.get("fields", "_default_").split(",")]
    if "_all_" in wanted:
        return item
    default = "_default_" in wanted
    return {name: value for name, value in item.items() if name in wanted or (default and name not in hidden)}
