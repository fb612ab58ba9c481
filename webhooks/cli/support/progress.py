"""A bar on stderr while a person waits; nothing for pipes and programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

SHORT = 20
"""So few are done before anybody has read a bar."""

Step = Callable[[int], object]


@contextmanager
def progress(total: int, label: str) -> Iterator[Step]:
    """Gives the function to call with the number of things just done."""
    if total <= SHORT or not sys.stderr.isatty():
        yield lambda _number: None
        return
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        yield bar.update
