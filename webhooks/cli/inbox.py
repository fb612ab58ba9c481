"""`flask inbox`: delete expired events, or copy the inbox to another database."""

from __future__ import annotations

import click

from webhooks.cli.support import application
from webhooks.cli.support.commands import Group
from webhooks.cli.support.exit_codes import Failure
from webhooks.config.database_url import database_url
from webhooks.config.environment import ROOT
from webhooks.text import count


@click.group(cls=Group)
def inbox() -> None:
    """Delete expired events or move to another database."""


@inbox.command()
@click.option(
    "--days", type=click.FloatRange(0), help="Delete events older than this. Default: RETENTION_DAYS; 0 keeps all."
)
def vacuum(days: float | None) -> None:
    """Delete expired events and return their disk space.

    Events are deleted in small batches, so a running server is not disturbed. Events with unfinished jobs are kept.
    Runs of refreshes and closed incidents are deleted after RUN_RETENTION_DAYS.
    """
    from webhooks.worker import cleanup  # noqa: PLC0415 - the help page needs no database

    box = application.inbox()
    retention = application.settings().retention_days if days is None else days
    runs = application.settings().run_retention_days
    ages = [f"{noun} older than {kept:g} days" for noun, kept in (("events", retention), ("runs", runs)) if kept]
    application.record("delete expired", "events", ", ".join(ages))
    before = box.store.size()
    deleted = cleanup.delete_expired(box, retention)
    cleanup.delete_expired_runs(box, runs)
    box.store.reclaim_space()
    after = box.store.size()
    older = f" older than {retention:g} days" if retention else ""
    size = f"The inbox uses {after / 1e6:.1f} MB (before: {before / 1e6:.1f} MB)."
    click.echo(f"Deleted {count(deleted, 'event')}{older}. {size}")


@inbox.command("move")
@click.option("--to", "target", required=True, metavar="URL", help="Target, as postgres://user:password@host/name.")
def move_inbox(target: str) -> None:
    """Copy the whole inbox to another database.

    For example from SQLite to PostgreSQL. Stop the server first, and set DATABASE_URL to the new URL afterwards. The
    old inbox is not changed. If the command is interrupted, run it again to continue.
    """
    from webhooks.inbox import Inbox  # noqa: PLC0415 - the help page needs no database
    from webhooks.inbox.transfer import transfer  # noqa: PLC0415 - as above

    source = application.inbox()
    try:
        url = database_url(target, ROOT)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from None
    if url == application.settings().database_url.get_secret_value():
        raise Failure("The inbox is already in that database.")
    try:
        box = Inbox.open(url)
    except (RuntimeError, OSError) as error:
        raise Failure(f"Cannot open the new inbox: {application.redact(str(error))}") from error

    def show_progress(table: str, copied: int, total: int) -> None:
        click.echo(f"{table}: {copied} of {total}", err=True)

    try:
        counts = transfer(source.store, box.store, show_progress)
    except RuntimeError as error:
        raise Failure(str(error)) from error
    finally:
        box.close()
    copied = ", ".join(f"{number} {table}" for table, number in counts.items() if number)
    click.echo(f"Copied: {copied or 'nothing, the inbox is empty'}. Set DATABASE_URL to the new URL now.")
