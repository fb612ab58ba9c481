"""Configure gunicorn for the bare endpoint: the server's own settings without its worker."""

from __future__ import annotations

import gc
import runpy
from pathlib import Path
from typing import Any

from webhooks.gunicorn.sharing_worker import SharingWorker

_ours = runpy.run_path(str(Path(__file__).parent.parent / "gunicorn.conf.py"))
# The settings disable it until the server is ready.
gc.enable()
for _name in (
    "bind",
    "child_exit",
    "workers",
    "worker_class",
    "preload_app",
    "threads",
    "timeout",
    "keepalive",
    "control_socket_disable",
    "limit_request_line",
    "limit_request_fields",
    "accesslog",
    "logconfig_dict",
):
    globals()[_name] = _ours[_name]


def post_worker_init(worker: Any) -> None:
    """Let our application respond as it does with the worker; the bare one is served by threads."""
    services = worker.wsgi.extensions.get("webhooks")
    if services is not None:
        _ours["defer_responses"](worker, services)


def pre_fork(server: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn counts the arguments
    """Give the new process a free place among the connection counts, as the server's own settings do."""
    worker.place = _ours["places"].pop() if _ours["places"] else 0
    SharingWorker.connections[worker.place] = 0
