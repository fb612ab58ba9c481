"""Write docs/acts.md from the table of acts: `python -m deploy.acts_page`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from webhooks.access.permissions import PERMISSIONS, WAYS, Permission
from webhooks.api.agents.tools import TOOLS
from webhooks.api.operations import OPERATIONS
from webhooks.dashboard.routes import ROUTES

PAGE = Path(__file__).parents[1] / "docs" / "acts.md"
HEAD = """\
<!-- Written by `python -m deploy.acts_page` from webhooks/access/permissions.py. -->
# Acts

Everything that people and programs can change, and where. An act has the same name, needs the same role, and leaves the
same row in the [audit log](cli.md#audit) in every way it can be done; messages follow within about a second.
"""
ROLES = """
Pages, API and agents require the role. [Roles](pages.md#roles-and-limits) can be limited to sites and projects; acts
marked "without limits only" require a role that is not limited. Otherwise nothing is done, no row is left, and the
response names the role. A sync leaves a row for each webhook that it changes. A refresh that is not started, because
one is running or Tableau accepts no more, leaves its row with the reason (`not started: …`); if it was requested on a
page or by a program, the reason is a note of `server` about the incident.
"""
WAYS_HEAD = """
## Where

API paths begin with `/api/v1`, commands with `flask`; `agents` has the names of their [tools](api.md#agents).
"""
WHO_HEAD = """
## Permissions and rows

Slack, links, SMS and PagerDuty have no roles: people who have the message may act. Only Refresh again requires an
operator.
"""
WHO_FOOT = """
Without `ADMIN_PASSWORD`, programs on the server's own machine act as its browsers do: as `local` from `page ADDRESS`.
With `--by NAME`, the origin of a command also names the user of the operating system: `command line on laptop7 as
root`. Signing in and out leaves rows as well (`sign in`, `sign-in refused`, `sign out`).
"""


def page() -> str:
    """Return the text of the page."""
    acts = PERMISSIONS.values()
    return "".join(
        (
            HEAD,
            table(("act", "role", "row on", "meaning"), (permission_cells(act) for act in acts)),
            ROLES,
            WAYS_HEAD,
            table(("act", "pages", "API", "agents", "commands", "buttons in Slack", "other"), map(way_cells, acts)),
            WHO_HEAD,
            table(("way", "who may", "author", "origin"), ((w.name, w.who, w.by, f"`{w.origin}`") for w in WAYS)),
            WHO_FOOT,
        )
    )


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table below an empty line."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["|" + "".join(f" {cell} |" if cell else " |" for cell in row) for row in rows]
    return "\n" + "\n".join(lines) + "\n"


def permission_cells(act: Permission) -> tuple[str, ...]:
    """Return the act, its role, its row of the audit log, and its meaning."""
    role = act.role if places(act) else ""
    rows = f": {', '.join(f'`{row}`' for row in act.audit)}" if act.audit else ""
    limits = "; without limits only" if act.everything and role else ""
    on = " or ".join(f"`{one.strip()}`" for one in act.on.split("|"))
    return act.name, role, f"{on}{rows}", f"{act.does}{limits}"


def way_cells(act: Permission) -> tuple[str, ...]:
    """Return the act and where it can be done."""
    paths = [one.path for one in OPERATIONS if one.act == act.name]
    tools = [one.name for one in TOOLS if one.act == act.name]
    shown = [path.replace("<int:number>", "<number>").replace("<kind>", act.name) for path in places(act)]
    cells = (shown, paths, tools, act.commands)
    words = (", ".join(act.buttons), ", ".join(act.messengers))
    return act.name, *(", ".join(f"`{name}`" for name in names) for names in cells), *words


def places(act: Permission) -> list[str]:
    """Return the paths of the pages' forms that do it."""
    return [route.path for route in ROUTES if act.name in route.acts]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
