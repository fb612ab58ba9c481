"""The inbox and the rules of one `flask listen`, apart from those of a server that runs for good.

With a shared inbox, each of the two would plan the other's events by its own rules.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretStr

from webhooks.config.settings import ROOT, Settings


def run_key(settings: Settings, label: str) -> str:
    """Return a short text that is the same for every run with this label on these sites."""
    sites = "\n".join(f"{site.domain}\n{site.sitename}" for site in settings.sites())
    return hashlib.sha256(f"{sites}\n{label}".encode()).hexdigest()[:16]


def configure(settings: Settings, label: str) -> Settings:
    """Return the settings with a SQLite inbox of their own: beside the server's, or under data/ if that is PostgreSQL.

    The next run with the same label continues with the jobs that this one leaves.
    """
    scheme, _, rest = settings.database_url.get_secret_value().partition("://")
    is_file = scheme.startswith("sqlite")
    folder = Path(rest.removeprefix("/").partition("?")[0]).parent if is_file else ROOT / "data"
    url = f"sqlite:///{folder / f'listen-{run_key(settings, label)}.sqlite3'}"
    return settings.model_copy(update={"database_url": SecretStr(url)})


def rules_for(events: Sequence[str]) -> str:
    """Return a rules file that sends these events to the default destination."""
    return (
        f'[[rule]]\nname = "flask listen"\non = {json.dumps(list(events))}\n'
        'notify = { to = "default", picture = true }\n\n[dead_letters]\nnotify = "default"\n'
    )
