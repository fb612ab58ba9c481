"""`python -m deploy.settings_page` writes docs/settings.md from the descriptions in webhooks/config/settings.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from notifiers import KINDS
from webhooks.config.settings import REQUIRED, ROOT, Settings

PAGE = ROOT / "docs" / "settings.md"
SECTIONS = {
    "Tableau": ("TABLEAU_", "SITES_"),
    **{
        notifier.label: tuple(variable.name for variable in notifier.config_class.variables())
        for notifier in KINDS.values()
        if notifier.config_class.variables()
    },
}
REST = "The server"

HEAD = """\
<!-- Written by `python -m deploy.settings_page` from webhooks/config/settings.py. -->
# Variables

Everything that can be set, with its default. They are read once, when the server starts: what is in the environment
goes before `.env` in the project's root, and in each of the two `NAME` goes before the file that `NAME_FILE` names.
Empty counts as unset. To begin, copy [example-env](../example-env) to `.env`.

Secrets are marked \N{KEY}. They are masked in logs, in what commands print and on pages. Each may come from a file:
`SLACK_TOKEN_FILE=/run/secrets/slack_token` reads `SLACK_TOKEN` from there. What is wrong or missing is named in one
message, and the server does not start.

## What signing in needs

`TABLEAU_AUTH` says how the server signs in to Tableau, and that decides what has to be there:

| `TABLEAU_AUTH` | needs |
|---|---|
"""

TAIL = """
## Variables of others

These are read by the programs around the server.

| variable | | default |
|---|---|---|
| `WEB_CONCURRENCY` | How many server processes gunicorn starts; Heroku sets it to fit the dyno | `2` |
| `FORWARDED_ALLOW_IPS` | Addresses of proxies whose `X-Forwarded-Proto` gunicorn believes: [behind a proxy](deploy/index.md#behind-a-proxy) | `127.0.0.1,::1` |
| `NO_COLOR` | Set to anything: commands print without colours | |
"""  # noqa: E501 — a line of a table cannot be broken


def page() -> str:
    """The page's text."""
    needs = "".join(f"| `{way}` | {', '.join(f'`{n.upper()}`' for n in names)} |\n" for way, names in REQUIRED.items())
    return HEAD + needs + "".join(map(section, [*SECTIONS, REST])) + TAIL


def section(title: str) -> str:
    rows = "".join(row(name.upper(), field) for name, field in Settings.model_fields.items() if belongs(name) == title)
    return f"\n## {title}\n\n| variable | | default |\n|---|---|---|\n{rows}"


def belongs(name: str) -> str:
    """The title of the section that a variable stands in."""
    return next((title for title, starts in SECTIONS.items() if name.upper().startswith(starts)), REST)


def row(name: str, field: FieldInfo) -> str:
    mark = " \N{KEY}" if field.annotation is SecretStr else ""
    told = " ".join(filter(None, ((field.description or "").replace("|", "\\|"), bounds(field))))
    return f"| `{name}`{mark} | {told} | {default(field)} |\n"


def bounds(field: FieldInfo) -> str:
    """What values there are, where not all are good."""
    if get_origin(field.annotation) is Literal:
        return f"({', '.join(f'`{value}`' for value in get_args(field.annotation))})"
    limits = {key: getattr(rule, key) for rule in field.metadata for key in ("ge", "le") if hasattr(rule, key)}
    return f"({limits['ge']} to {limits['le']})" if len(limits) == 2 else ""


def default(field: FieldInfo) -> str:
    value: Any = field.default
    if isinstance(value, SecretStr) or value in ("", None):
        return ""
    if isinstance(value, Path):
        value = value.relative_to(ROOT)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
