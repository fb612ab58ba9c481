"""Stories to send: many events that belong together, each with its place in the past. Pure."""

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
    """One event of a story: its type, what it is about, and how long before the end it happened."""

    event_type: str
    name: str
    before: timedelta


def bad_monday() -> list[Scene]:
    """200 extract refreshes in three hours: 17 fail, 5 of those are well again before nine o'clock."""
    chance = random.Random("bad Monday")  # noqa: S311 — the same story every time
    contents = [(kind, f"{subject} {place}") for kind in KINDS for subject in SUBJECTS for place in PLACES]
    failing = chance.sample(range(REFRESHES), FAILURES)
    recovering = set(failing[:RECOVERIES])
    scenes: list[Scene] = []
    for number, (kind, name) in enumerate(contents[:REFRESHES]):
        start = 10_800 - number * 45 - chance.randrange(30)
        scenes += _refresh(kind, name, start, chance.randrange(20, 900), failed=number in failing)
        if number in recovering:
            scenes += _refresh(kind, name, chance.randrange(300, 900), chance.randrange(30, 290), failed=False)
    return sorted(scenes, key=lambda scene: scene.before, reverse=True)


def _refresh(kind: str, name: str, start: int, length: int, *, failed: bool) -> list[Scene]:
    """A refresh that starts `start` seconds before the story's end and takes `length` seconds."""
    end = refresh_event_type(kind, "failed" if failed else "succeeded")
    return [
        Scene(refresh_event_type(kind, "started").name, name, timedelta(seconds=start)),
        Scene(end.name, name, timedelta(seconds=max(start - length, 1))),
    ]


SCENARIOS: Mapping[str, Callable[[], list[Scene]]] = {"bad-monday": bad_monday}
