"""`flask inbox`: keep it small, or move it to another database."""

from __future__ import annotations

import click

from webhooks.cli.support import application
from webhooks.cli.support.commands import Group
from webhooks.cli.support.exit_codes import Failure
from webhooks.config.settings import Settings
from webhooks.inbox import Inbox
from webhooks.inbox.transfer import transfer
from webhooks.views.formats import count
from webhooks.worker import cleanup


@click.group(cls=Group)
def inbox() -> None:
    """Keep the inbox small, or move it to another database. Needs no credentials of Tableau."""


@inbox.command()
@click.option("--days", type=click.FloatRange(0), help="Delete what is older. Default: RETENTION_DAYS; 0: nothing.")
def vacuum(days: float | None) -> None:
    """Delete old events and give the disk space back.

    It goes in small steps, beside a running server. Events that still have something to do stay, however old.
    """
    box = application.inbox()
    wanted = application.settings().retention_days if days is None else days
    before = box.store.size()
    gone = cleanup.clean(box, wanted)
    box.store.reclaim_space()
    after = box.store.size()
    older = f" older than {wanted:g} days" if wanted else ""
    click.echo(
        f"Deleted {count(gone, 'event')}{older}. The inbox takes {after / 1e6:.1f} MB, before {before / 1e6:.1f}."
    )


@inbox.command("move")
@click.option("--to", "target", required=True, metavar="URL", help="Where to: postgres://user:password@host/name")
def move_inbox(target: str) -> None:
    """Copy the whole inbox to another database.

    As from SQLite to PostgreSQL. Stop the server first, and set DATABASE_URL to the new address afterwards. The old
    inbox is only read. What was interrupted goes on where it stopped when it is run again.
    """
    source = application.inbox()
    try:
        url = Settings.read(database_url=target).database_url.get_secret_value()
    except RuntimeError as error:
        raise Failure(str(error)) from None
    if url == application.settings().database_url.get_secret_value():
        raise Failure("That is where the inbox is already.")
    try:
        box = Inbox.open(url)
    except (RuntimeError, OSError) as error:
        raise Failure(f"The new inbox cannot be opened: {application.redact(str(error))}") from error
    try:
        counts = transfer(source.store, box.store, _tell)
    except RuntimeError as error:
        raise Failure(str(error)) from error
    finally:
        box.close()
    moved = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
    click.echo(f"Moved: {moved or 'nothing, the inbox is empty'}. Now set DATABASE_URL to the new address.")


def _tell(name: str, there: int, whole: int) -> None:
    click.echo(f"{name}: {there} of {whole}", err=True)
