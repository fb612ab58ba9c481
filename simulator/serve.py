"""Serve a simulator in this process, on a free port, for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from simulator.app import create_app
from simulator.config import Config
from simulator.world.world import World


class _QuietHandler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing about requests."""


@dataclass(frozen=True)
class Running:
    """A simulator that listens at `url`; `world` is its state, to inspect and to change."""

    url: str
    app: Flask
    world: World

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that a server needs to use it."""
        return self.world.config.environment(self.url)


@contextmanager
def running(config: Config | None = None, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[Running]:
    """Run a simulator for the length of a `with` block; it stops delivering and listening at the end.

    Without a configuration it has the defaults, except that refreshes end at once and retries hardly wait.
    """
    app = create_app(config or Config(refresh_seconds=0, retry_waits=(0.05, 0.1, 0.2)))
    world: World = app.extensions["simulator"]
    server = make_server(host, port, app, threaded=True, request_handler=_QuietHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Running(f"http://{host}:{server.server_port}", app, world)
    finally:
        world.close()
        server.shutdown()
        thread.join()
        server.server_close()
