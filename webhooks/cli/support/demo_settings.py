"""Settings of commands: the server's own, or those of a demo that runs beside them if no site is configured."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Mapping
from pathlib import Path

from notifiers import kinds
from webhooks.config import environment
from webhooks.config.settings import ROOT, Settings

# The demo writes this file and holds a lock on it as long as it runs.
DEMO_FILE = ROOT / "data" / "demo.json"

# The demo is ignored if one of these variables is set.
SITE_VARIABLES = frozenset(
    name
    for name in Settings.model_fields
    if name.startswith("tableau_")
    or name in {variable.name.lower() for variable in kinds.variables()}
    or name in {"sites_file", "webhook_url", "database_url"}
)


def read(demo_file: Path = DEMO_FILE) -> Settings:
    """Return the settings for a command. Raise RuntimeError as `Settings.read` does."""
    settings = Settings.read()
    if settings.model_fields_set & SITE_VARIABLES or environment.ENV_FILE.exists():
        return settings
    demo = {name.lower(): value for name, value in demo_variables(demo_file).items()}
    return Settings.read(**{name: value for name, value in demo.items() if name not in settings.model_fields_set})


def without_demo(settings: Settings, demo_file: Path = DEMO_FILE) -> Settings:
    """Return the settings without those of the demo, for a command that uses its own site."""
    return Settings.read() if is_demo(settings, demo_file) else settings


def is_demo(settings: Settings, demo_file: Path = DEMO_FILE) -> bool:
    """Return whether these are the settings of the running demo."""
    return demo_variables(demo_file).get("DATABASE_URL") == settings.database_url.get_secret_value()


def demo_variables(demo_file: Path = DEMO_FILE) -> Mapping[str, str]:
    """Return the variables of the running demo; none if it is not running, even if a killed one left its file."""
    try:
        with demo_file.open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:  # the demo holds its lock
                return {str(name): str(value) for name, value in json.load(file).items()}
    except (OSError, ValueError):
        pass
    return {}
