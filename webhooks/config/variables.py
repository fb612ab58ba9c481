"""How single variables are read and checked: files that hold secrets, the inbox's address, what others call theirs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

SCHEMES = ("sqlite", "sqlite+pysqlite", "postgresql+psycopg")
"""What DATABASE_URL may begin with, once the short forms of PostgreSQL's are written out."""


class FileSecrets(PydanticBaseSettingsSource):
    """Reads NAME from the file that NAME_FILE names, as container platforms hand secrets over.

    `variables` is where NAME_FILE may stand, its keys in lower case.
    """

    def __init__(self, settings_cls: type[BaseSettings], variables: Mapping[str, str | None]) -> None:
        super().__init__(settings_cls)
        self._variables = variables

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        names = field.validation_alias.choices if field.validation_alias else [field_name]
        for name in names:
            path = self._variables.get(f"{name}_file")
            if path:
                return _read(Path(path), name), field_name, False
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def with_files(
    settings_cls: type[BaseSettings], source: PydanticBaseSettingsSource
) -> tuple[PydanticBaseSettingsSource, ...]:
    """A source of variables, and behind it the files that its NAME_FILE name."""
    assert isinstance(source, EnvSettingsSource)
    return source, FileSecrets(settings_cls, source.env_vars)


def inbox_address(url: str) -> str:
    """DATABASE_URL with the driver's name in it, as SQLAlchemy takes it; empty stays empty. Raises ValueError."""
    for short in ("postgres://", "postgresql://"):
        if url.startswith(short):
            url = "postgresql+psycopg://" + url.removeprefix(short)
    if url:
        _require_supported(url)
    return url


def is_flask_command() -> bool:
    """Whether this process is a `flask …` command."""
    return os.environ.get("FLASK_RUN_FROM_CLI") == "true"


def web_concurrency() -> int:
    """How many server processes; WEB_CONCURRENCY is what Heroku and others call it. Raises RuntimeError."""
    given = os.environ.get("WEB_CONCURRENCY", "").strip() or "2"
    if not re.fullmatch("[1-9][0-9]{0,2}", given):
        raise RuntimeError(f"WEB_CONCURRENCY: {given!r} is no number of processes, such as 2")
    return int(given)


def _require_supported(url: str) -> None:
    """Raises ValueError for a database that the inbox cannot be in. The URL is not shown: it may hold a password."""
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES:
        raise ValueError("the inbox is in sqlite:///FILE or postgres://USER:PASSWORD@HOST/NAME")
    if scheme.startswith("sqlite") and rest.partition("?")[0] in {"", "/", "/:memory:"}:
        raise ValueError("an inbox in memory keeps nothing; name a file, e.g. sqlite:///data/inbox.sqlite3")


def _read(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise RuntimeError(f"{name.upper()}_FILE: cannot read {path}: {why}") from None
