"""Show a progress bar on stderr to people, and nothing to pipes and programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

# Fewer steps than this are done before anyone could read a bar.
MIN_STEPS = 20

Advance = Callable[[int], object]


@contextmanager
def progress(total: int, label: str) -> Iterator[Advance]:
    """Yield the function to call with the number of steps just done."""
    if total <= MIN_STEPS or not sys.stderr.isatty():
        yield lambda _steps: None
        return
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        yield bar.update
