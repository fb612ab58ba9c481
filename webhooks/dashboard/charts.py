"""Charts as parts of SVG images. Sizes are in units of the image; the style sheet has the colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from webhooks.incidents import Run
from webhooks.views.night import Hour

# The class in the style sheet by the outcome of a run.
CLASSES = {"succeeded": "ok", "failed": "bad", "cancelled": "mid", "unknown": "mid", "running": "run"}
BAR_WIDTH, BAR_GAP, BAR_HEIGHT = 8, 2, 16
LEAST_HEIGHT = 4
# Letters of outcomes in a strip, and their classes.
LETTERS = {"s": "ok", "f": "bad", "c": "mid", "u": "mid", "r": "run"}
STRIP_WIDTH = 300
RUN_WIDTH, RUN_HEIGHT = 7, 90


def bars(hours: Sequence[Hour], most: int) -> Markup:
    """Return one bar for each hour, as high as its number of refreshes; `most` is the number of the highest bar."""
    paths: dict[str, list[str]] = {}
    for place, hour in enumerate(hours):
        # The square root, so that an hour with few refreshes is visible beside one with many.
        share = (hour.total / most) ** 0.5 if most else 0.0
        height = max(LEAST_HEIGHT, round(BAR_HEIGHT * share)) if hour.total else 2
        css = CLASSES.get(hour.worst, "none")
        x = place * (BAR_WIDTH + BAR_GAP)
        paths.setdefault(css, []).append(f"M{x} {BAR_HEIGHT}v-{height}h{BAR_WIDTH}v{height}z")
    return _paths(paths)


def line(values: Sequence[float], width: int, height: int) -> Markup:
    """Return the points of a line through the values, for a polyline."""
    most = max(values, default=0) or 1
    step = width / max(1, len(values) - 1)
    points = (
        f"{place * step:.0f},{height - 2 - (height - 4) * value / most:.0f}" for place, value in enumerate(values)
    )
    return Markup(" ".join(points))  # noqa: S704 - numbers


def _paths(paths: dict[str, list[str]]) -> Markup:
    parts: Iterable[str] = (f'<path class="{css}" d="{"".join(steps)}"/>' for css, steps in sorted(paths.items()))
    return Markup("".join(parts))  # noqa: S704 - numbers and our own classes


def strip(outcomes: str) -> Markup:
    """Return the outcomes of runs, newest first, as a strip with the newest at the right.

    The successes are one rectangle behind the others, so that a page with many strips stays small.
    """
    width = len(outcomes) * 3
    start = STRIP_WIDTH - width
    parts = [f'<path class="ok" d="M{start} 0h{width}v16h-{width}z"/>'] if outcomes else []
    paths: dict[str, list[str]] = {}
    for place, letter in enumerate(reversed(outcomes)):
        if letter != "s":
            paths.setdefault(LETTERS.get(letter, "mid"), []).append(f"M{start + place * 3} 0h3v16h-3z")
    parts.append(_paths(paths))
    return Markup("".join(parts))  # noqa: S704 - numbers and our own classes


def runs_chart(runs: Sequence[Run], usual: float | None, slow: float | None) -> Markup:
    """Return one bar for each run, oldest first, as high as the time it took; `slow` is the limit of a slow one."""
    known = sorted(seconds for seconds in map(_seconds, runs) if seconds)
    # One extreme run must not flatten all others.
    most = max(known[int(len(known) * 0.98)] if known else 1, 1.3 * (usual or 0), 1)
    paths: dict[str, list[str]] = {}
    for place, run in enumerate(runs):
        seconds = _seconds(run)
        css = CLASSES[run.outcome]
        if css == "ok" and slow and seconds > slow:
            css = "mid"
        height = max(14 if css == "bad" else 5, min(RUN_HEIGHT, round(RUN_HEIGHT * seconds / most)))
        x = place * RUN_WIDTH
        paths.setdefault(css, []).append(f"M{x} {RUN_HEIGHT}v-{height}h{RUN_WIDTH - 1}v{height}z")
    line = ""
    if usual:
        y = RUN_HEIGHT - min(RUN_HEIGHT, round(RUN_HEIGHT * usual / most))
        line = f'<path class="usual" d="M0 {y}h{len(runs) * RUN_WIDTH}"/>'
    return Markup(f"{_paths(paths)}{line}")  # noqa: S704 - numbers and our own classes


def _seconds(run: Run) -> float:
    return (run.ended_at - run.started_at).total_seconds() if run.ended_at and run.started_at else 0.0
