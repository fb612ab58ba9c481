"""Tolerant reading of Tableau's JSON: numbers and booleans as strings, `{}` for nothing, an object for a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

Data = Mapping[str, Any]
# The key of a document's content if that was a list without an object around it.
BARE = ""
# Longest text taken over from a response; Tableau's notes on a failed job have a few thousand characters.
_MAX_TEXT = 64 * 1024
# Levels to descend in search of an object; Tableau's lists are wrapped three times at most.
_MAX_DEPTH = 12


def text(data: Data, name: str) -> str:
    """Return a string, empty if there is none. Numbers become strings; null never becomes "None"."""
    value = data.get(name)
    if value is None or isinstance(value, Mapping | list):
        return ""
    return (value if isinstance(value, str) else str(value))[:_MAX_TEXT]


def integer(data: Data, name: str) -> int | None:
    """Return a whole number, also from `"12"` and `12.0`; None if there is none or it is not a number."""
    value = data.get(name)
    try:
        return int(float(value)) if isinstance(value, str | int | float) and value != "" else None
    except (ValueError, OverflowError):
        return None


def boolean(data: Data, name: str) -> bool | None:
    """Return True or False, also from `"true"` and `"FALSE"`; None if there is neither."""
    value = data.get(name)
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def timestamp(data: Data, name: str) -> datetime | None:
    """Return an aware UTC time from ISO 8601 such as `2026-01-31T09:30:00Z`; None if there is none."""
    value = text(data, name)
    try:
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def child(data: Data, *names: str) -> Data:
    """Return the object at the end of a path of names, an empty one if there is none."""
    for name in names:
        value = data.get(name)
        data = value if isinstance(value, Mapping) else {}
    return data


def items(data: Any, *names: str) -> list[Any]:
    """Return the list at the end of a path such as `"workbooks", "workbook"`, whichever way the server wrapped it.

    Servers send a list, one object instead of a list, `{}` or nothing for an empty one, and a list without a wrapper.
    """
    for name in names:
        if isinstance(data, Mapping):
            data = data[BARE] if BARE in data else data.get(name)
    if isinstance(data, list):
        return data
    return [] if data in (None, {}, "") else [data]


def objects(data: Any, *names: str) -> Iterator[Data]:
    """Yield the objects among `items`."""
    return (item for item in items(data, *names) if isinstance(item, Mapping))


def tags(data: Data) -> tuple[str, ...]:
    """Return the labels under `tags`."""
    return tuple(label for tag in objects(data, "tags", "tag") if (label := text(tag, "label")))


def find_objects(data: Any, name: str, *, depth: int = _MAX_DEPTH) -> Iterator[Data]:
    """Yield the objects under a name at any level, for lists whose wrapping differs from server to server."""
    if not depth:
        return
    if isinstance(data, list):
        for item in data:
            yield from find_objects(item, name, depth=depth - 1)
    elif isinstance(data, Mapping):
        for key, value in data.items():
            found = list(objects(value)) if key == name else []
            yield from (item for item in found if item)
            if not any(found):
                yield from find_objects(value, name, depth=depth - 1)
