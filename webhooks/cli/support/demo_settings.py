"""The settings of a command: the server's own, or, with no site to be seen, those of a demo that runs beside it."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Mapping
from pathlib import Path

from notifiers import kinds
from webhooks.config.settings import ROOT, Settings

LENT = ROOT / "data" / "demo.json"
"""What the demo writes, and holds a lock on as long as it runs."""

REAL = frozenset(
    name
    for name in Settings.model_fields
    if name.startswith("tableau_")
    or name in {variable.name.lower() for variable in kinds.variables()}
    or name in {"sites_file", "webhook_url", "database_url"}
)
"""Whoever has set one of these means something else than the demo."""


def read(lent: Path = LENT) -> Settings:
    """The settings for a command. Raises RuntimeError as `Settings.read` does."""
    own = Settings.read()
    if own.model_fields_set & REAL or Path(".env").exists():
        return own
    given = {name.lower(): value for name, value in variables(lent).items()}
    return Settings.read(**{name: value for name, value in given.items() if name not in own.model_fields_set})


def apart(settings: Settings, lent: Path = LENT) -> Settings:
    """The settings without a demo's, for a command that brings its own site."""
    inbox = variables(lent).get("DATABASE_URL")
    return Settings.read() if inbox == settings.database_url.get_secret_value() else settings


def variables(lent: Path = LENT) -> Mapping[str, str]:
    """The variables of the demo that runs; none where none does, whatever a killed one has left."""
    try:
        with lent.open(encoding="utf-8") as file:
            if _is_locked(file.fileno()):
                return {str(name): str(value) for name, value in json.load(file).items()}
    except (OSError, ValueError):
        pass
    return {}


def _is_locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
