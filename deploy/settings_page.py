"""Write docs/settings.md from webhooks/config/settings_fields.py: `python -m deploy.settings_page`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from notifiers import KINDS, Notifier
from webhooks.config.settings import REQUIRED, ROOT, Settings

PAGE = ROOT / "docs" / "settings.md"
# The sections, with the prefixes of their variables; all other variables are in SERVER.
SECTIONS = {
    "Tableau": ("TABLEAU_", "SITES_"),
    **{
        notifier.label: tuple(variable.name for variable in notifier.config_class.variables())
        for notifier in KINDS.values()
        if notifier.config_class.variables()
    },
}
SERVER = "The server"

HEAD = """\
<!-- Written by `python -m deploy.settings_page` from webhooks/config/settings_fields.py. -->
# Settings

Settings are read once, at start, from the environment and from the file `.env` in the project's root. To begin, copy
[example-env](../example-env) to `.env`.

- Environment variables override `.env`. Empty values are treated as unset.
- This applies to every entry point alike: gunicorn, `flask` commands, `python index.py` and the release command,
  started in any folder. Other variables in `.env`, such as `HTTPS_PROXY` or one that a handler needs, are added to the
  environment.
- Relative paths start at the project's root.
- Secrets are marked \N{KEY} and masked in logs, messages and command output. Each can also be read from a file:
  `SLACK_TOKEN_FILE=/run/secrets/slack_token`. In the environment and in `.env`, `NAME` overrides `NAME_FILE`.
- If settings are invalid or missing, the server does not start; one message names all of them.

## The format of .env

| line | value |
|---|---|
| `NAME=value` | `value`. Blanks around it are removed |
| `NAME=value # comment` | `value`. A comment begins with `#` after a space |
| `NAME='a # b ${c} \\d'` | the text between the quotation marks, unchanged; only `\\'` and `\\\\` are escapes |
| `NAME="a \\"b\\""` | `a "b"`. Escapes are `\\" \\' \\\\ \\$ \\n \\r \\t`; any other backslash is an error |

Values are literal: `$` has no special meaning. With any other line, such as `NAME: value` or one with an unclosed
quotation mark, the server does not start, and names the line. `docker run --env-file` does not remove quotation marks
and comments; the server rejects such values.

The file is in UTF-8. If it is not, for example because PowerShell's `>` wrote UTF-16, the server and
`python -m webhooks` say so, and `flask`, which reads the file before this application does, ends with a
`UnicodeDecodeError`.

## Sign-in

The variables that each kind of sign-in needs:

| `TABLEAU_AUTH` | required |
|---|---|
"""

TAIL = """
## Variables of other programs

The programs and libraries around the server read these, from the environment or `.env`:

| variable | meaning | default |
|---|---|---|
| `WEB_CONCURRENCY` | Number of server processes that gunicorn starts; Heroku sets it | `2` |
| `FORWARDED_ALLOW_IPS` | Proxies whose `X-Forwarded-Proto` gunicorn trusts: [behind a proxy](deploy/index.md#behind-a-proxy) | `127.0.0.1,::1` |
| `HTTPS_PROXY`, `NO_PROXY` | Proxy for requests to Tableau, Slack and others, and hosts that are reached directly | |
| `TZ` | Time zone of other programs and of handlers; the log and commands use UTC, messages `TIMEZONE` | that of the machine |
| `NO_COLOR` | Any value: commands print without colors | |
"""  # noqa: E501 - a row of a table cannot be broken


def page() -> str:
    """Return the text of the page."""
    required = "".join(
        f"| `{auth}` | {', '.join(f'`{name.upper()}`' for name in names)} |\n" for auth, names in REQUIRED.items()
    )
    return HEAD + required + "".join(section(title) for title in (*SECTIONS, SERVER)) + TAIL


def section(title: str) -> str:
    """Return a section with a row for each of its variables."""
    rows = []
    for name, field in Settings.model_fields.items():
        variable = name.upper()
        belongs_to = next((other for other, prefixes in SECTIONS.items() if variable.startswith(prefixes)), SERVER)
        if belongs_to == title:
            rows.append(row(variable, field))
    page = f"\n## {title}\n\n| variable | meaning | default |\n|---|---|---|\n{''.join(rows)}"
    return page + "".join(permissions(notifier) for notifier in KINDS.values() if notifier.label == title)


def permissions(notifier: type[Notifier]) -> str:
    """Return the table of the permissions that a notifier needs or can use; empty if it declares none."""
    rows = "".join(f"| `{one.name}` | {'yes' if one.required else ''} | {one.use} |\n" for one in notifier.permissions)
    head = f"\n{notifier.permissions_intro}\n\n| scope | required | gives |\n|---|---|---|\n" if rows else ""
    return head + rows


def row(variable: str, field: FieldInfo) -> str:
    """Return the variable's row: its meaning with its permitted values, and its default."""
    mark = " \N{KEY}" if field.annotation is SecretStr else ""
    meaning = (field.description or "").replace("|", "\\|")
    if get_origin(field.annotation) is Literal:
        meaning += f" ({', '.join(f'`{value}`' for value in get_args(field.annotation))})"
    limits = {key: getattr(rule, key) for rule in field.metadata for key in ("ge", "le") if hasattr(rule, key)}
    if len(limits) == 2:
        meaning += f" ({limits['ge']} to {limits['le']})"
    return f"| `{variable}`{mark} | {meaning} | {default(field)} |\n"


def default(field: FieldInfo) -> str:
    """Return the default as it would be written in `.env`; empty if there is none."""
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
