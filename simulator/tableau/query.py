"""Filter, sort, page and choose fields: what a list's query string asks for. Pure.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_concepts_filtering_and_sorting.htm
"""

import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase

from simulator.tableau.wire import Answer, ApiError

MOST = 1000
OPERATORS = ("eq", "in", "gt", "gte", "lt", "lte", "has", "cieq")
CLAUSES = re.compile(r",(?![^\[]*\])")  # commas, but not those inside a bracketed list


def page(items: Sequence[Answer], query: Mapping[str, str]) -> tuple[Answer, list[Answer]]:
    """The pagination block and the items of the page asked for. Raises ApiError for one that cannot be."""
    size = _whole(query.get("pageSize", "100"), "400007", "page size")
    number = _whole(query.get("pageNumber", "1"), "400006", "page number")
    if size > MOST:
        raise ApiError("400007", f"The page size {size} is greater than the maximum of {MOST}.", "Invalid page size")
    if number > 1 and (number - 1) * size >= len(items):
        raise ApiError("400006", f"The page number {number} is beyond the last page.", "Invalid page number")
    block: Answer = {"pageNumber": str(number), "pageSize": str(size), "totalAvailable": str(len(items))}
    return block, list(items[(number - 1) * size : number * size])


def _whole(value: str, code: str, what: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise ApiError(code, f"{value!r} is not a valid {what}.", f"Invalid {what}")
    return int(value)


def select(items: Sequence[Answer], query: Mapping[str, str], fields: Sequence[str]) -> list[Answer]:
    """The items that pass `filter`, in the order of `sort`. Raises ApiError for fields not known here."""
    chosen = list(items)
    for clause in filter(None, CLAUSES.split(query.get("filter", ""))):
        passes = _clause(clause, fields)
        chosen = [item for item in chosen if passes(item)]
    for order in reversed([order for order in query.get("sort", "").split(",") if order]):
        field, _, direction = order.partition(":")
        _known(field, fields)
        if direction not in {"asc", "desc", ""}:
            raise ApiError("400000", f"{direction!r} is not a sort direction.")
        chosen.sort(key=lambda item: _sortable(value_of(item, field)), reverse=direction == "desc")
    return chosen


def _clause(clause: str, fields: Sequence[str]) -> Callable[[Answer], bool]:
    field, _, rest = clause.partition(":")
    operator, colon, wanted = rest.partition(":")
    _known(field, fields)
    if operator not in OPERATORS or not colon:
        raise ApiError("400000", f"The filter expression {clause!r} is invalid.")
    if operator == "in":
        options = wanted.removeprefix("[").removesuffix("]").split(",")
        return lambda item: any(_compare("eq", value_of(item, field), option) for option in options)
    return lambda item: _compare(operator, value_of(item, field), wanted)


def _known(field: str, fields: Sequence[str]) -> None:
    if field not in fields:
        raise ApiError("400000", f"{field!r} is not a field to filter or sort by here; there are {', '.join(fields)}.")


def value_of(item: Answer, field: str) -> object:
    """What an item has for a field; `ownerName` and the like look into the part of that name."""
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
    have = str(value).lower() if isinstance(value, bool) else str(value)
    match operator:
        case "eq":
            return fnmatchcase(have, re.sub(r"([\[?])", r"[\1]", wanted)) if "*" in wanted else have == wanted
        case "cieq":
            return have.lower() == wanted.lower()
        case "has":
            return wanted.lower() in have.lower()
    left, right = _sortable(have), _sortable(wanted)
    return {"gt": left > right, "gte": left >= right, "lt": left < right, "lte": left <= right}[operator]


def _sortable(value: object) -> tuple[int, float, str]:
    text = str(value) if value is not None else ""
    try:
        return 0, float(text), ""
    except ValueError:
        return 1, 0.0, text.lower()


def project(item: Answer, query: Mapping[str, str], hidden: Sequence[str]) -> Answer:
    """The fields of an item that are shown: all but the hidden ones, unless `fields` says otherwise."""
    wanted = [name.split(".")[0] for name in query.get("fields", "_default_").split(",")]
    if "_all_" in wanted:
        return item
    default = "_default_" in wanted
    return {name: value for name, value in item.items() if name in wanted or (default and name not in hidden)}
