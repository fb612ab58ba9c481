"""Reading Tableau's JSON loosely: numbers and truth as strings, `{}` for nothing, an object where a list should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

Data = Mapping[str, Any]
BARE = ""  # the name a document has for its content when that came as a list with no object around it


def text(data: Data, name: str) -> str:
    """A string; empty where there is none. Numbers become strings, never the word "None"."""
    value = data.get(name)
    if value is None or isinstance(value, Mapping | list):
        return ""
    return value if isinstance(value, str) else str(value)


def number(data: Data, name: str) -> int | None:
    """A whole number, also from `"12"` and `12.0`; None where there is none or it is no number."""
    value = data.get(name)
    try:
        return int(float(value)) if isinstance(value, str | int | float) and value != "" else None
    except (ValueError, OverflowError):
        return None


def boolean(data: Data, name: str) -> bool | None:
    """True or False, also from `"true"` and `"FALSE"`; None where nothing was said."""
    value = data.get(name)
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def timestamp(data: Data, name: str) -> datetime | None:
    """An aware UTC time, from `2026-01-31T09:30:00Z` and its relatives; None where there is none."""
    value = text(data, name)
    try:
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def child(data: Data, name: str) -> Data:
    """The object under that name; an empty one where there is none."""
    value = data.get(name)
    return value if isinstance(value, Mapping) else {}


def items(data: Any, *names: str) -> list[Any]:
    """The list at the end of a path such as `"workbooks", "workbook"`, however the server shaped it.

    A list, one object instead of a list, `{}` or nothing for an empty one, and a bare list steps too early have all
    been seen.
    """
    for name in names:
        if isinstance(data, Mapping):
            data = data[BARE] if BARE in data else data.get(name)
    if isinstance(data, list):
        return data
    return [] if data in (None, {}, "") else [data]


def objects(data: Any, *names: str) -> Iterator[Data]:
    """Like `items`, objects only."""
    return (item for item in items(data, *names) if isinstance(item, Mapping))


def tags(data: Data) -> tuple[str, ...]:
    """The labels under `tags`."""
    return tuple(label for tag in objects(data, "tags", "tag") if (label := text(tag, "label")))


def find_objects(data: Any, name: str) -> Iterator[Data]:
    """The objects under that name, however deep: for lists whose wrapping differs from server to server."""
    if isinstance(data, list):
        for item in data:
            yield from find_objects(item, name)
    elif isinstance(data, Mapping):
        for key, value in data.items():
            found = list(objects(value)) if key == name else []
            yield from (item for item in found if item)
            if not any(found):
                yield from find_objects(value, name)
