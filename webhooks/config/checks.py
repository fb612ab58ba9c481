"""Check values of settings. All functions return the value, and raise ValueError with what is expected instead."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from webhooks.spelling import closest


def issuer(address: str) -> str:
    """Check the address of an identity provider; it may be empty."""
    parts = urlsplit(address)
    is_local = parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if (address and not (is_local or (parts.scheme == "https" and parts.hostname))) or parts.query or parts.fragment:
        raise ValueError(f"{address!r} is not the address of a provider, such as https://login.example.org")
    return address


def certificates(path: Path) -> Path:
    """Check a file of certificate authorities."""
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        raise ValueError(f"{path} contains no certificates in PEM format") from None
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    return path


def time_zone(name: str) -> str:
    """Check the name of a time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder, such as Europe
        meant = closest(name, available_timezones())
        advice = f"did you mean {meant}?" if meant else "write a name such as Europe/Berlin"
        raise ValueError(f"{name!r} is not a time zone; {advice}") from None
    return name


def folder(path: Path) -> Path:
    """Check the path of a folder."""
    if not path.is_dir():
        raise ValueError(f"{path} is not a folder")
    return path
