"""Test the persistent key-value store."""

from __future__ import annotations

from collections.abc import Callable

from webhooks.inbox import Inbox


def test_latest_value_survives_a_restart(url: str, opened: Callable[..., Inbox]) -> None:
    """A key holds one JSON value, the last one that was set; a key without a value is None."""
    first = opened(url)
    assert first.state.get("k") is None
    first.state.set("k", {"a": [1, None]})
    first.state.set("k", {"b": "ü"})
    first.close()
    assert opened(url).state.get("k") == {"b": "ü"}
