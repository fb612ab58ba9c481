"""The variable of the Teams notifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from notifiers.config import variable
from notifiers.named import NamedConfig


@dataclass(frozen=True)
class TeamsConfig(NamedConfig):
    """The addresses of the workflows, one for each channel or chat. Their hosts vary and are not checked."""

    list_variable: ClassVar[str] = "TEAMS_URLS"
    example_value: ClassVar[str] = "https://…/workflows/…&sig=…"

    urls: str = variable(
        "TEAMS_URLS",
        "Workflows that post to Teams, one for each channel: `bi=https://…&sig=…`, separated by spaces or commas, for "
        "`teams:bi`; the first one is `teams`",
        secret=True,
        required=True,
    )
