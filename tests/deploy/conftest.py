"""Provide a simulated site and a server connected to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import Running, running
from tests.support.server import Server, serving


@pytest.fixture
def site() -> Iterator[Running]:
    with running() as site:
        yield site


@pytest.fixture
def server(site: Running, tmp_path: Path) -> Iterator[Server]:
    """Yield a server without a worker, as the upstream of a proxy."""
    with serving(tmp_path, site.environment, WORKER_THREADS="0", WEB_CONCURRENCY="1") as server:
        yield server
