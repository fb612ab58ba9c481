"""`flask sessions list|end`: people who are signed in to the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from webhooks.cli.support import application, terminal
from webhooks.cli.support.commands import Group
from webhooks.cli.support.exit_codes import Failure
from webhooks.cli.support.options import as_json
from webhooks.cli.support.presentation import Presentation
from webhooks.text import count
from webhooks.views import limits
from webhooks.views.formats import iso

if TYPE_CHECKING:
    from rich.text import Text


@click.group(cls=Group)
def sessions() -> None:
    """List and end sessions of people on the pages."""


@sessions.command("list")
@as_json
def list_sessions(as_json: bool) -> None:
    """List who is signed in, last used first. Times are in TIMEZONE.

    Sessions that were started with another ADMIN_PASSWORD or identity provider have ended, and are not listed.
    """
    show = Presentation()
    found = application.inbox().sign_ins.sessions(_secret())
    if as_json:
        for session in found:
            terminal.print_json(
                {
                    "id": session.id,
                    "name": session.name,
                    "role": session.role,
                    "limits": limits.describe(session.scope),
                    "browser": session.browser,
                    "address": session.address,
                    "created_at": iso(session.created_at),
                    "seen_at": iso(session.seen_at),
                    "expires_at": iso(session.expires_at),
                }
            )
        return
    if not found:
        click.echo("There are no sessions.", err=True)
        return
    rows: list[list[Text | str]] = [
        [
            session.id,
            show.line(session.name),
            session.role,
            session.browser or "unknown",
            session.address,
            show.when(session.created_at),
            show.when(session.seen_at),
        ]
        for session in found
    ]
    columns = ["ID", "NAME", "ROLE", "BROWSER", "ADDRESS", "SINCE", "LAST USED"]
    terminal.show(terminal.table(columns, rows, flexible=["NAME", "BROWSER"]))


@sessions.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "ends_all", is_flag=True, help="End all sessions.")
def end(ids: tuple[str, ...], ends_all: bool) -> None:
    """End sessions: their browsers have to sign in again."""
    if bool(ids) == ends_all:
        raise click.UsageError("Give the ids of sessions, or --all.")
    sign_ins, secret = application.inbox().sign_ins, _secret()
    if ends_all:
        ended = count(sign_ins.end_all(secret), "session")
        application.record("sign out all", "pages", ended)
        click.echo(f"Ended {ended}")
        return
    found = {session.id: session for session in sign_ins.sessions(secret)}
    unknown = []
    for session_id in dict.fromkeys(ids):
        if session_id in found and sign_ins.end_session(session_id):
            session = found[session_id]
            details = ", ".join(filter(None, (session.browser, session.address)))
            application.record("end session", f"session of {session.name}", details)
            click.echo(f"Session {session_id} ({application.redact(session.name)}): ended")
        else:
            unknown.append(session_id)
    if unknown:
        raise Failure(f"Unknown session: {', '.join(unknown)}")


def _secret() -> str | None:
    """Return the secret of sessions; None where the environment of the command has neither password nor provider."""
    return application.settings().session_secret or None
