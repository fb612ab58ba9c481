"""The current time and the reading of times, always aware and in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


def from_timestamp(seconds: float) -> datetime:
    """Return the time at `seconds` since 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def parse_time(text: object) -> datetime | None:
    """Return the time that an ISO 8601 text gives, in UTC if it names no zone; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
