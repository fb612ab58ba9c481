"""Charts as parts of SVG images. Sizes are in units of the image; the style sheet has the colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from webhooks.views.night import Hour

# The class in the style sheet by the outcome of a run.
CLASSES = {"succeeded": "ok", "failed": "bad", "cancelled": "mid", "unknown": "mid", "running": "run"}
BAR_WIDTH, BAR_GAP, BAR_HEIGHT = 8, 2, 16
LEAST_HEIGHT = 4


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
