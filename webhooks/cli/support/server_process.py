"""Runs the server beside a command: gunicorn as always, with this command's settings, for as long as the command."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import requests
from pydantic import SecretStr

from webhooks.cli.support.exit_codes import Unavailable
from webhooks.config.settings import ROOT, Settings

START_SECONDS = 30.0
STOP_SECONDS = 12.0
OWN_MATTERS = {"WEBHOOK_URL", "FLASK_RUN_FROM_CLI", "FLASK_APP", "PORT", "HOST"}
"""What the server must not take from the command's environment."""


@contextmanager
def serving(
    settings: Settings, listener: socket.socket, more: Mapping[str, str], stopping: Callable[[], bool]
) -> Iterator[subprocess.Popen[bytes]]:
    """The server with `settings` and the variables in `more`, on a bound socket that becomes its own; ready when this
    is entered, stopped within seconds when it is left. Raises Unavailable where it does not become ready."""
    read, write = os.pipe()
    url = _url(listener)
    try:
        command = [
            sys.executable,
            "-m",
            "webhooks.cli.support.gunicorn_child",
            str(read),
            "--config",
            str(ROOT / "gunicorn.conf.py"),
        ]
        command += ["--pythonpath", str(ROOT), "--bind", f"fd://{listener.fileno()}", "index:app"]
        # A session of its own, so that Ctrl-C reaches it through us and in order.
        process = subprocess.Popen(  # noqa: S603 — our own interpreter
            command,
            env=_environment(settings, more),
            pass_fds=(read, listener.fileno()),
            start_new_session=True,
        )
        os.close(read)
        listener.close()
        try:
            _wait(process, url, stopping)
            yield process
        finally:
            _stop(process)
    finally:
        os.close(write)


def _environment(settings: Settings, more: Mapping[str, str]) -> dict[str, str]:
    """The settings as variables: what was given as an option goes before what `.env` says."""
    given = {name.upper(): _text(getattr(settings, name)) for name in settings.model_fields_set}
    given["DATABASE_URL"] = settings.database_url.get_secret_value()
    inherited = {name: value for name, value in os.environ.items() if name not in OWN_MATTERS}
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    # Its webhooks are made and removed by the command, so there is nothing for it to watch.
    return {**inherited, **given, "PYTHONPATH": path, "WATCH_MINUTES": "0", "WEBHOOK_URL": "", **more}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _url(listener: socket.socket) -> str:
    """Where this machine reaches the socket."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 — compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _wait(process: subprocess.Popen[bytes], url: str, stopping: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    with requests.Session() as session:
        session.trust_env = False
        while not stopping():
            if process.poll() is not None:
                raise Unavailable("The server ended at once; what it said is above.")
            if time.monotonic() > deadline:
                raise Unavailable(f"The server was not ready within {START_SECONDS:.0f} s.")
            with suppress(requests.RequestException):
                if session.get(f"{url}/readyz", timeout=2).status_code == 200:
                    return
            time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """In its own time, but not for ever: what it was doing is in the inbox, and done by the next server."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def bound(host: str, port: int) -> socket.socket:
    """A listening socket. Raises Unavailable for an address that is taken or is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise Unavailable(f"{host}:{port} cannot be listened on: {error.strerror}. Choose another --port.") from None
    return listener
