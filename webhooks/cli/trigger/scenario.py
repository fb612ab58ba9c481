"""Scenarios for `flask trigger`: series of many events that belong together."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from webhooks.event_types import refresh_event_type

SUBJECTS = (
    "Sales",
    "Margin",
    "Stock",
    "Returns",
    "Headcount",
    "Cash Flow",
    "Orders",
    "Web Traffic",
    "Energy",
    "Claims",
)
PLACES = ("Berlin", "Lyon", "Oslo", "Porto", "Quito", "Riga", "Seoul", "Turin", "Utrecht", "Wuhan")
KINDS = ("workbook", "datasource")

REFRESHES, FAILURES, RECOVERIES = 200, 17, 5


@dataclass(frozen=True, slots=True)
class Scene:
    """One event of a scenario: its type, the name of the content, and how long before the end it happened."""

    event_type: str
    name: str
    before: timedelta


def bad_monday() -> list[Scene]:
    """Return the events of 200 extract refreshes in three hours: 17 fail, and 5 of these succeed later."""
    rng = random.Random("bad Monday")  # noqa: S311 - the same scenario every time
    contents = [(kind, f"{subject} {place}") for kind in KINDS for subject in SUBJECTS for place in PLACES]
    failing = rng.sample(range(REFRESHES), FAILURES)
    recovering = set(failing[:RECOVERIES])
    scenes: list[Scene] = []
    for number, (kind, name) in enumerate(contents[:REFRESHES]):
        start = 10_800 - number * 45 - rng.randrange(30)
        scenes += _refresh(kind, name, start, rng.randrange(20, 900), failed=number in failing)
        if number in recovering:
            scenes += _refresh(kind, name, rng.randrange(300, 900), rng.randrange(30, 290), failed=False)
    return sorted(scenes, key=lambda scene: scene.before, reverse=True)


def _refresh(kind: str, name: str, start: int, length: int, *, failed: bool) -> list[Scene]:
    """Return the events of a refresh that starts `start` seconds before the end and takes `length` seconds."""
    end = refresh_event_type(kind, "failed" if failed else "succeeded")
    return [
        Scene(refresh_event_type(kind, "started").name, name, timedelta(seconds=start)),
        Scene(end.name, name, timedelta(seconds=max(start - length, 1))),
    ]


SCENARIOS: Mapping[str, Callable[[], list[Scene]]] = {"bad-monday": bad_monday}


@dataclass(frozen=True, slots=True)
class Situation:
    """Something that has no event: the request that lets the simulated site do it, and a sentence for people."""

    request: Mapping[str, float]
    text: str


SITUATIONS: Mapping[str, Situation] = {
    "missed": Situation({"late": 45}, "The scheduled refresh of {name} is late by 45 minutes, and does not start."),
    "long": Situation(
        {"running": 240},
        (
            "A refresh of {name} has been running for four hours, and does not end. It is too long for a [[watch]] "
            "with longer_than, or after eight shorter ones."
        ),
    ),
}
