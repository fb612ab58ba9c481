"""Test that the simulated year is the same for a seed, and that the watches find its problems without false alarms."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.year.play import play
from bench.year.world import DAY, START, World


def happened(seed: int) -> tuple[object, ...]:
    """Return everything that happens in two months."""
    world = World(seed, 40, 60)
    for day in range(61):
        world.advance(START + day * DAY)
    return tuple(world.reported), tuple(world.problems), tuple(world.site.jobs), tuple(world.server_down)


def test_year_is_determined_by_its_seed() -> None:
    """The same seed gives the same runs, problems and outages; another one gives others."""
    assert happened(1) == happened(1)
    assert happened(1) != happened(2)


@pytest.mark.second_stage
@pytest.mark.timeout(600)
def test_seven_weeks_are_watched(tmp_path: Path) -> None:
    """Every problem of seven weeks of twenty resources is found, and there is at most one false alarm."""
    report = play(f"sqlite:///{tmp_path / 'year.sqlite3'}", seed=5, resources=20, days=50)
    assert report.missing == []
    assert len(report.false) <= 1, report.false
    assert sum(report.expected.values()) >= 1
    assert report.queries_per_day <= 40
    assert report.announced == 1.0
