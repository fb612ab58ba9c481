"""Share the databases of the other tests, and a small real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.databases import clock, event, inbox, opened, postgres_server, sqlite_url, url
from tests.support.server import CREDENTIAL, Server, serving

__all__ = ["clock", "event", "inbox", "opened", "postgres_server", "sqlite_url", "url"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start a server in one process without a worker; it trusts its peer as it trusts a proxy on the same machine."""
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, CREDENTIAL, WORKER_THREADS="0", WEB_CONCURRENCY="1") as running:
        yield running
