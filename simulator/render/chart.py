"""Draw the picture of a workbook or view: a small chart, always the same for the same content."""

from __future__ import annotations

import itertools
import math
import random
from functools import lru_cache

from simulator.render.canvas import Canvas, Colour, blend

PALETTES: tuple[tuple[Colour, ...], ...] = (
    ((78, 121, 167), (242, 142, 43), (225, 87, 89), (118, 183, 178)),
    ((44, 105, 176), (107, 163, 214), (240, 39, 32), (172, 97, 60)),
    ((89, 161, 79), (140, 209, 125), (182, 153, 45), (241, 206, 99)),
    ((123, 78, 144), (212, 114, 150), (255, 157, 167), (186, 176, 172)),
)
# Wider images, in pixels, are drawn at half the size and enlarged.
LARGE = 1000
INK, GREY, RULE, WHITE = (43, 43, 51), (120, 124, 136), (232, 234, 238), (255, 255, 255)


@lru_cache(maxsize=128)
def chart(title: str, subtitle: str, seed: str, width: int = 480, height: int = 300) -> bytes:
    """Return a PNG of a dashboard called `title`; `seed` determines its kind, colours and numbers."""
    source = random.Random(f"{title}|{seed}")
    enlarge = 2 if width > LARGE and width % 2 == height % 2 == 0 else 1
    width, height = width // enlarge, height // enlarge
    canvas, colours = Canvas(width, height), source.choice(PALETTES)
    canvas.box(0, 0, width, 4, colours[0])
    scale = 2 if len(title) * 12 < width - 32 else 1
    canvas.text(16, 18, title, INK, scale=scale)
    canvas.text(16, 40, subtitle, GREY)
    for index in range(5):
        y = 64 + (height - 100) * index / 4
        canvas.box(16, y, width - 16, y + 1, RULE)
    source.choice((_bars, _bars, _area, _lines))(canvas, source, colours)
    return canvas.png(enlarge)


def _frame(canvas: Canvas) -> tuple[float, float, float, float]:
    return 24, 68, canvas.width - 24, canvas.height - 36


def _bars(canvas: Canvas, source: random.Random, colours: tuple[Colour, ...]) -> None:
    left, top, right, bottom = _frame(canvas)
    count = source.randint(6, 11)
    step = (right - left) / count
    best = source.randrange(count)
    for index in range(count):
        share = 1.0 if index == best else source.uniform(0.25, 0.85)
        colour = colours[1] if index == best else colours[0]
        x, y = left + index * step, bottom - (bottom - top) * share
        canvas.box(x + step * 0.15, y, x + step * 0.85, bottom, blend(colour, WHITE, 0.15), fade=colour)
        canvas.text(round(x + step / 2 - 3), round(bottom) + 8, "JFMAMJJASOND"[index], GREY)


def _curve(canvas: Canvas, source: random.Random, base: float) -> list[tuple[float, float]]:
    left, top, right, bottom = _frame(canvas)
    phase, wave, slope = source.uniform(0, 6), source.uniform(1.5, 3.5), source.uniform(-0.2, 0.3)
    points = []
    for step in range(61):
        share = step / 60
        value = base + slope * (share - 0.5) + 0.16 * math.sin(phase + share * wave * 3) + source.uniform(-0.012, 0.012)
        points.append((left + (right - left) * share, bottom - (bottom - top) * min(0.97, max(0.05, value))))
    return points


def _draw(canvas: Canvas, points: list[tuple[float, float]], colour: Colour) -> None:
    for start, end in itertools.pairwise(points):
        canvas.line(start, end, colour, width=2.6)
    canvas.disc(*points[-1], 4.5, WHITE)
    canvas.disc(*points[-1], 3.5, colour)


def _area(canvas: Canvas, source: random.Random, colours: tuple[Colour, ...]) -> None:
    bottom = _frame(canvas)[3]
    for base, colour in ((0.65, colours[3]), (0.38, colours[0])):
        points = _curve(canvas, source, base)
        levels = [
            round(y + (then - y) * (column - x) / (after - x))
            for (x, y), (after, then) in itertools.pairwise(points)
            for column in range(round(x), round(after))
        ]
        canvas.area(round(points[0][0]), levels, round(bottom), blend(colour, WHITE, 0.3), blend(colour, WHITE, 0.85))
        _draw(canvas, points, colour)
    _months(canvas)


def _lines(canvas: Canvas, source: random.Random, colours: tuple[Colour, ...]) -> None:
    for base, colour in zip((0.7, 0.48, 0.25), colours, strict=False):
        _draw(canvas, _curve(canvas, source, base), colour)
    _months(canvas)


def _months(canvas: Canvas) -> None:
    left, _, right, bottom = _frame(canvas)
    for index in range(12):
        canvas.text(round(left + (right - left) * (index + 0.4) / 12), round(bottom) + 8, "JFMAMJJASOND"[index], GREY)
