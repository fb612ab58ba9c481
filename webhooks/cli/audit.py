"""`flask audit list|verify`: who did what, when, from where, on what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from webhooks.cli.support import application, terminal
from webhooks.cli.support.commands import Group
from webhooks.cli.support.exit_codes import Failure
from webhooks.cli.support.options import MOST, as_json
from webhooks.cli.support.presentation import Presentation
from webhooks.text import count
from webhooks.views.formats import iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType
    from rich.text import Text

    from webhooks.inbox import AuditEntry


@click.group(cls=Group)
def audit() -> None:
    """List and verify the audit log: who did what, and when.

    Every act on the pages, on the command line and in Slack leaves a row. Rows are never changed or deleted, and each
    contains a digest of itself and of the row before.
    """


@audit.command("list")
@click.option("--subject", metavar="TEXT", default="", help='Only acts on this, such as "incident 14".')
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True, help="Maximum number of rows.")
@as_json
def list_audit(subject: str, limit: int, as_json: bool) -> None:
    """List what was done, newest first. Times are in TIMEZONE."""
    show = Presentation()
    found = application.inbox().audit.list(subject=subject, limit=limit)
    if as_json:
        for entry in found:
            print_object(entry)
        return
    if not found:
        click.echo("The audit log is empty.", err=True)
        return
    terminal.show(*audit_lines(found, show))


def audit_lines(entries: Sequence[AuditEntry], show: Presentation) -> Iterator[RenderableType]:
    """Yield a line for each row; on a terminal the details are below it, wrapped, as they would be cut beside it."""
    from rich.padding import Padding  # noqa: PLC0415 - --json starts without it

    headings = ["TIME", "BY", "ACT", "ON", "FROM", "DETAILS"]
    rows: list[list[Text | str]] = [
        [show.when(entry.at), *map(show.line, (entry.by, entry.act, entry.subject, entry.origin, entry.details))]
        for entry in entries
    ]
    if not terminal.is_terminal():
        yield terminal.table(headings, rows)
        return
    first, *lines = terminal.table(headings[:-1], [row[:-1] for row in rows], flexible=["BY", "FROM"]).split("\n")
    yield first
    for entry, line in zip(entries, lines, strict=True):
        yield line
        if entry.details:
            yield Padding(terminal.styled(show.line(entry.details), "dim"), (0, 0, 0, 4))


@audit.command()
@click.option("--digest", metavar="DIGEST", default="", help="A digest that an earlier run printed; it must be there.")
def verify(digest: str) -> None:
    """Check that no row was changed, added or removed.

    Prints the last digest. Keep it outside of this database: with --digest, a later run finds out as well whether the
    rows up to it are still there.
    """
    result = application.inbox().audit.verify(digest)
    if result.broken is not None:
        raise Failure(
            f"Row {result.broken} of the audit log does not follow the {count(result.rows, 'row')} before it."
        )
    if result.found is False:
        raise Failure(f"No row of the audit log has the digest {digest}: rows were removed, or the log was replaced.")
    click.echo(f"{count(result.rows, 'row')} verified. The last digest is {result.digest or 'empty'}.")


def print_object(entry: AuditEntry) -> None:
    """Print a row as JSON."""
    terminal.print_json(
        {
            "id": entry.id,
            "at": iso(entry.at),
            "by": entry.by,
            "act": entry.act,
            "subject": entry.subject,
            "origin": entry.origin,
            "details": entry.details,
            "digest": entry.digest,
        }
    )
