"""A small real Tableau for every test, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tableau_rest import MemorySessions, PersonalAccessToken, Tableau
from tests.tableau_rest.tiny import TinyTableau, running


@pytest.fixture
def tiny() -> Iterator[TinyTableau]:
    """Run a TinyTableau on a free port."""
    yield from running()


@pytest.fixture
def another() -> Iterator[TinyTableau]:
    """Run a second one, for redirects."""
    yield from running()


@pytest.fixture
def client(tiny: TinyTableau) -> Iterator[Tableau]:
    """Return a client of `tiny` that does not really sleep."""
    with Tableau(
        tiny.url, "mk", PersonalAccessToken("bot", "s3cr3t-value"), sessions=MemorySessions(), sleep=lambda _: None
    ) as client:
        yield client
