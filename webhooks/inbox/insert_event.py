"""The statements that keep an event, by hand: to compile one would cost as much as to run it."""

from __future__ import annotations

from functools import cache

COLUMNS = ("fingerprint", "body", "event_type", "resource_luid", "resource_name", "site_luid", "received_at")


@cache
def upsert(mark: str, now: str) -> str:
    """Keeps one event or counts its duplicate, and tells which: also when both come at once. `mark` stands for a value
    in the driver's language, `now` for the time."""
    values = [now if column == "received_at" else mark for column in COLUMNS]
    return (
        f"INSERT INTO events ({', '.join(COLUMNS)}, state) VALUES ({', '.join(values)}, 0) "  # noqa: S608
        "ON CONFLICT (fingerprint) DO UPDATE SET duplicates = events.duplicates + 1 RETURNING id, duplicates"
    )


@cache
def all_new(count: int) -> str:
    """Keeps so many events that nobody has sent before, on SQLite; fails whole if one of them was."""
    row = f"({', '.join('?' for _ in COLUMNS)}, 0)"
    return f"INSERT INTO events ({', '.join(COLUMNS)}, state) VALUES {', '.join([row] * count)}"  # noqa: S608
