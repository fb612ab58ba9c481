"""`flask rules history`: the versions of the rules, and what has changed."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from webhooks.cli.support import application, options, terminal
from webhooks.cli.support.commands import Command
from webhooks.cli.support.exit_codes import Failure
from webhooks.clock import utc_now
from webhooks.views import formats

if TYPE_CHECKING:
    from rich.text import Text

    from webhooks.inbox import RuleVersion

# Versions in the list.
LIMIT = 50
STYLES = {"+": "green", "-": "red", "@": "cyan"}


@click.command(cls=Command)
@click.argument("version_id", required=False, type=int, metavar="[VERSION]")
@options.as_json
@with_appcontext
def history(version_id: int | None, as_json: bool) -> None:
    """List the versions of the rules, newest first.

    The one in force is marked. With VERSION, show the lines that differ from the version before it.
    """
    from webhooks.views.rule_versions import describe_change  # noqa: PLC0415 - it imports the database

    stored = application.inbox().rule_versions
    if version_id is not None:
        version = stored.get(version_id)
        if version is None:
            raise Failure(f"There is no version {version_id} of the rules. flask rules history lists them.")
        show_version(version, stored.before(version_id), as_json=as_json)
        return
    versions, current = stored.list(LIMIT + 1), stored.current_id()
    changes = [describe_change(old, new) for new, old in pairwise([*versions, None]) if new][:LIMIT]
    if as_json:
        for version, change in zip(versions, changes, strict=False):
            terminal.print_json({**version_object(version, change), "in_force": version.id == current})
        return
    if not versions:
        click.echo("No rules have been in force yet; a server activates its rules file when it starts.", err=True)
        return
    rows: list[list[Text | str]] = [
        [
            str(version.id),
            terminal.short_time(version.activated_at, utc_now()),
            terminal.styled("in force" if version.id == current else "", "green"),
            terminal.printable(change),
            terminal.printable(version.source),
        ]
        for version, change in zip(versions, changes, strict=False)
    ]
    headings = ["ID", "ACTIVATED UTC", "STATE", "CHANGE", "SOURCE"]
    terminal.show(terminal.table(headings, rows, flexible=["CHANGE", "SOURCE"]))


def show_version(version: RuleVersion, before: RuleVersion | None, *, as_json: bool) -> None:
    """Print the difference between a version and the one before it."""
    from webhooks.views.rule_versions import describe_change, diff_lines  # noqa: PLC0415 - as above

    lines, change = diff_lines(before, version), describe_change(before, version)
    if as_json:
        terminal.print_json({**version_object(version, change), "diff": list(lines)})
        return
    at = terminal.short_time(version.activated_at, utc_now())
    click.echo(f"Version {version.id}, activated {at} UTC by {terminal.printable(version.source)}: {change}")
    terminal.show(*(terminal.styled(terminal.printable(line), STYLES.get(line[:1], "")) for line in lines))


def version_object(version: RuleVersion, change: str) -> dict[str, object]:
    """Return the version as a JSON object."""
    return {
        "id": version.id,
        "activated_at": formats.iso(version.activated_at),
        "source": version.source,
        "change": change,
        "digest": version.digest,
        "text": version.text,
        "included": dict(version.included),
    }
