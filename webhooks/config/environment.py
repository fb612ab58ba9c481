"""The process's environment: complete it from the env file, the same way for gunicorn, `flask` commands and tools."""

from __future__ import annotations

import errno
import logging
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values, find_dotenv

from webhooks.config.env_file import read_env_file

# read_env_file names the invalid lines; another project's file is none of our concern.
logging.getLogger("dotenv").setLevel(logging.ERROR)

ROOT = Path(__file__).resolve().parents[2]
ENV_FILE = ROOT / ".env"

# Set by gunicorn.conf.py, which is executed again at a reload: that it was found, that the application is loaded to
# serve it, and the settings, the number of processes and the trusted proxies that the server uses.
gunicorn_is_configured = False
gunicorn_serves = False
served_settings: Any = None
# The variables that come from the env file.
_added: dict[str, str] = {}


def trusted_proxies() -> str:
    """Return the addresses of the proxies in front of this server, if they were given: FORWARDED_ALLOW_IPS."""
    return os.environ.get("FORWARDED_ALLOW_IPS", "")


def unusable_proxies() -> list[str]:
    """Return a warning for each variable with a proxy that cannot be used; without it, every call fails for itself.

    The address is not in the warning, because it may contain a password.
    """
    warnings = []
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        # Libraries prefer the name in lower case, https://docs.python.org/3/library/urllib.request.html#urllib.request.getproxies
        address = os.environ.get(name.lower()) or os.environ.get(name, "")
        if address and not _is_http_proxy(address):
            warnings.append(f"{name} is not the address of an HTTP proxy, such as http://proxy.example.org:3128")
    return warnings


def _is_http_proxy(address: str) -> bool:
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        _ = parts.port  # raises ValueError for an invalid port
    except ValueError:
        return False
    # http//HOST has the scheme in place of the host.
    host = parts.hostname or ""
    return parts.scheme == "http" and host not in {"", "http", "https"} and not re.search(r"""["'\s]""", address)


def from_root(path: Path) -> Path:
    """Return the path, resolved from the project's root if it is relative, and with `~` expanded."""
    return ROOT / path.expanduser()


def is_flask_command() -> bool:
    """Return whether this process is a `flask …` command."""
    return os.environ.get("FLASK_RUN_FROM_CLI") == "true"


def complete_environment(is_setting: Callable[[str], bool]) -> None:
    """Add the env file's variables to the environment, unless they are set there; call it first in every entry point.

    They are for other programs and libraries, such as HTTPS_PROXY, TZ and WEB_CONCURRENCY. Those for which `is_setting`
    is true are left out: Settings reads them from the file itself. Raises EnvFileError.
    """
    variables = read_env_file(ENV_FILE)
    if is_flask_command():
        # Flask has taken variables from the .env of the current folder or a parent. It interpolates values, ignores
        # invalid lines, and the file may belong to another project, so all of this is undone.
        # https://flask.palletsprojects.com/en/stable/cli/#environment-variables-from-dotenv
        found = find_dotenv(usecwd=True)
        with suppress(UnicodeDecodeError):  # Flask took nothing from such a file
            for name, taken in (dotenv_values(found, encoding="utf-8") if found else {}).items():
                if taken is not None and os.environ.get(name) == taken:
                    del os.environ[name]
    # At a reload, the file may have other variables than before.
    for name, value in _added.items():
        if os.environ.get(name) == value:
            del os.environ[name]
    _added.clear()
    for name, value in variables.items():
        if value and not os.environ.get(name) and not is_setting(name):
            os.environ[name] = _added[name] = value
    if "TZ" in variables:
        time.tzset()


@contextmanager
def unchanged_on_error() -> Iterator[None]:
    """Restore the environment if the block raises RuntimeError, so that a refused reload changes nothing."""
    before, added = dict(os.environ), dict(_added)
    try:
        yield
    except RuntimeError:
        os.environ.clear()
        os.environ.update(before)
        _added.clear()
        _added.update(added)
        time.tzset()
        raise


def require_gunicorn_configuration() -> None:
    """Raise RuntimeError if gunicorn was started in another folder, so that it did not find gunicorn.conf.py."""
    if "gunicorn.arbiter" in sys.modules and not gunicorn_is_configured:
        advice = f"Start it in {ROOT}, or add --config {ROOT / 'gunicorn.conf.py'}"
        raise RuntimeError(f"gunicorn runs without its configuration. {advice}")


def web_concurrency() -> int:
    """Return the number of server processes, which hosting platforms give as WEB_CONCURRENCY. Raises RuntimeError."""
    text = os.environ.get("WEB_CONCURRENCY", "").strip() or "2"
    if not re.fullmatch("[1-9][0-9]{0,2}", text):
        raise RuntimeError(f"WEB_CONCURRENCY: {text!r} is not a number of processes, such as 2")
    return int(text)


def require_free_address(host: str, port: int) -> None:
    """Raise RuntimeError, in one sentence, if the server cannot listen on the address."""
    origin = "Shells and conda may set HOST themselves; set HOST=127.0.0.1, or unset it."
    if host.casefold() == socket.gethostname().casefold():
        raise RuntimeError(f"HOST: {host!r} is the name of this machine, not an address. {origin}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise RuntimeError(f"HOST: {host!r} is not an address. {origin}") from None
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise RuntimeError(f"HOST: {host!r} is not an address of this machine. {origin}") from None
            if error.errno == errno.EADDRINUSE:
                advice = "Stop the program that uses it, or set PORT to another port."
                raise RuntimeError(f"PORT: port {port} of {host} is in use. {advice}") from None
            raise RuntimeError(f"PORT: cannot listen on port {port} of {host}: {error.strerror}") from None
