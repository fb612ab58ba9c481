"""Test the measurement of restarts under load in its shortest form; `python -m bench.restarts 100` is the long one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench import restarts


def test_a_reload_and_a_repair() -> None:
    """No event has four failed attempts during a reload, and a disabled webhook is enabled within a minute."""
    result = restarts.run(1, repairs=1, waits=(0.3, 0.3, 0.3))
    assert result.clean
    assert (result.restarts, len(result.repairs)) == (1, 1)


def test_failed_events_are_no_clean_result() -> None:
    """Each fault of a result counts."""
    clean = restarts.Result(restarts=1, events=5, retried=1, failed=0, lost=0, repairs=[1.0])
    assert clean.clean
    faults: tuple[dict[str, Any], ...] = ({"failed": 1}, {"lost": 1}, {"repairs": [61.0]}, {"events": 0})
    for fault in faults:
        assert not replace(clean, **fault).clean
