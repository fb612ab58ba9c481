"""A simulated site, and a server against it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import Running, running
from tests.acceptance.server import Server, serving


@pytest.fixture
def site() -> Iterator[Running]:
    with running() as site:
        yield site


@pytest.fixture
def server(site: Running, tmp_path: Path) -> Iterator[Server]:
    """A server without a worker: what a proxy needs to have something behind it."""
    with serving(tmp_path, site.environment, WORKER_THREADS="0", WEB_CONCURRENCY="1") as server:
        yield server
