"""Run the server beside a command: gunicorn as usual, with the command's settings, until the command ends."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from pydantic import SecretStr

from webhooks.cli.support.exit_codes import Unavailable
from webhooks.config.environment import require_free_address
from webhooks.config.settings import ROOT, Settings

START_SECONDS = 30.0
STOP_SECONDS = 12.0
# Variables of the command's environment that must not reach the server.
NOT_INHERITED = {"WEBHOOK_URL", "FLASK_RUN_FROM_CLI", "FLASK_APP", "PORT", "HOST"}


@contextmanager
def run_server(
    settings: Settings,
    listener: socket.socket,
    variables: Mapping[str, str],
    stop: threading.Event,
    *,
    tls_options: Sequence[str] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server on the bound socket, which it takes over; yield its process once it is ready.

    The server is stopped on exit, within STOP_SECONDS. `tls_options` are gunicorn's --certfile and --keyfile. Raise
    Unavailable if the server does not become ready.
    """
    read, write = os.pipe()
    address = local_address(listener)
    try:
        command = [sys.executable, "-m", "webhooks.cli.listen.gunicorn_child", str(read)]
        command += ["--config", str(ROOT / "gunicorn.conf.py"), "--pythonpath", str(ROOT)]
        command += ["--bind", f"fd://{listener.fileno()}", *tls_options, "index:app"]
        # A session of its own: Ctrl-C ends this command first, which then stops the server.
        process = subprocess.Popen(  # noqa: S603 - the interpreter that runs this command
            command, env=_environment(settings, variables), pass_fds=(read, listener.fileno()), start_new_session=True
        )
        os.close(read)
        listener.close()
        try:
            _wait_until_ready(process, address, stop, tls=bool(tls_options))
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                # Unfinished jobs are in the inbox; the next server runs them.
                process.kill()
                process.wait()
    finally:
        os.close(write)


def _environment(settings: Settings, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the settings as variables, so that options of the command override `.env`."""
    given = {}
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        given[name.upper()] = text.lower() if isinstance(value, bool) else text
    given["DATABASE_URL"] = settings.database_url.get_secret_value()
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    # The command creates and removes the webhooks, so the server has none to monitor.
    return {**inherited, **given, "PYTHONPATH": path, "WATCH_MINUTES": "0", "WEBHOOK_URL": "", **variables}


def local_address(listener: socket.socket) -> tuple[str, int]:
    """Return the address at which this machine reaches the socket."""
    host, port = listener.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104 - compared, not bound


def _wait_until_ready(
    process: subprocess.Popen[bytes], address: tuple[str, int], stop: threading.Event, *, tls: bool
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not stop.is_set():
        if process.poll() is not None:
            raise Unavailable("The server could not start; its log above says why.")
        if time.monotonic() > deadline:
            raise Unavailable(f"The server was not ready within {START_SECONDS:.0f} s.")
        if _is_ready(address, tls=tls):
            return
        time.sleep(0.1)


def _is_ready(address: tuple[str, int], *, tls: bool) -> bool:
    if tls:
        # This machine's own server under another name than its certificate's, so there is nothing to verify.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(*address, timeout=2, context=context)
    else:
        connection = http.client.HTTPConnection(*address, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def bind_listener(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raise Unavailable if the address is in use or not this machine's."""
    try:
        require_free_address(host, port)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=128)
    except RuntimeError as error:
        raise Unavailable(str(error)) from None
    except OSError as error:
        raise Unavailable(f"Cannot listen on port {port} of {host}: {error.strerror}") from None
