"""`flask tokens list|create|revoke`: tokens of programs, which may be limited to sites and projects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from webhooks.cli.support import application, future, terminal
from webhooks.cli.support.commands import Group
from webhooks.cli.support.exit_codes import Failure
from webhooks.cli.support.options import as_json
from webhooks.cli.support.presentation import Presentation
from webhooks.views import limits
from webhooks.views.formats import iso

if TYPE_CHECKING:
    from rich.text import Text

DAY_SECONDS = 86_400.0
MAX_DAYS = 400
MAX_NAME = 80


@click.group(cls=Group)
def tokens() -> None:
    """List, create and revoke tokens of programs.

    A program sends its token as "Authorization: Bearer twh_…" to the pages, to /api/v1 and to /mcp. Tokens are of use
    with ADMIN_PASSWORD only.
    """


@tokens.command("list")
@as_json
def list_tokens(as_json: bool) -> None:
    """List tokens without their values. Times are in TIMEZONE."""
    show = Presentation()
    found = application.inbox().sign_ins.tokens()
    if as_json:
        for token in found:
            terminal.print_json(
                {
                    "id": token.id,
                    "name": token.name,
                    "role": token.role,
                    "limits": limits.describe(token.scope),
                    "by": token.by,
                    "created_at": iso(token.created_at),
                    "expires_at": iso(token.expires_at),
                }
            )
        return
    if not found:
        click.echo("There are no tokens.", err=True)
        return
    rows: list[list[Text | str]] = [
        [
            str(token.id),
            show.line(token.name),
            token.role,
            show.line(limits.describe(token.scope)),
            show.when(token.expires_at) + (" (expired)" if token.expires_at <= show.now else ""),
            show.line(token.by),
        ]
        for token in found
    ]
    terminal.show(terminal.table(["ID", "NAME", "ROLE", "SEES", "EXPIRES", "BY"], rows, flexible=["SEES", "NAME"]))


@tokens.command()
@click.option("--name", required=True, metavar="TEXT", help="Name of the program, for the audit log.")
@click.option(
    "--role", type=click.Choice(["viewer", "operator", "admin"]), default="viewer", show_default=True, help="Role."
)
@click.option("--site", "sites", multiple=True, metavar="PATTERN", help="Only this site, with * and ?; repeatable.")
@click.option(
    "--project",
    "projects",
    multiple=True,
    metavar="PATTERN",
    help="Only this project by its path, and those below it, with * and ?; repeatable.",
)
@future.by_option
@click.option("--days", type=click.IntRange(1, MAX_DAYS), default=90, show_default=True, help="Days until it expires.")
def create(
    *, name: str, role: str, sites: tuple[str, ...], projects: tuple[str, ...], by: str | None, days: int
) -> None:
    """Create a token and print its value, once.

    \b
    flask tokens create --name "finance report" --project Finance --role operator
    """
    name = name.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise click.UsageError(f"--name: write a name on one line of at most {MAX_NAME} characters.")
    try:
        chosen = limits.Limits.of(sites=sites, projects=projects)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    author = future.author(by)
    application.record("create token", f"token {name}", f"{role}, {days} days, {chosen.describe()}", by=author)
    value = application.inbox().sign_ins.create_token(
        name=name, role=role, by=author, seconds=days * DAY_SECONDS, scope=chosen.as_text()
    )
    click.echo(value)


@tokens.command()
@click.argument("ids", nargs=-1, required=True, type=int, metavar="ID...")
def revoke(ids: tuple[int, ...]) -> None:
    """Revoke tokens: programs that use them are refused at once."""
    sign_ins = application.inbox().sign_ins
    names = {token.id: token.name for token in sign_ins.tokens()}
    unknown = []
    for token_id in dict.fromkeys(ids):
        if token_id in names and sign_ins.revoke_token(token_id):
            application.record("revoke token", f"token {names[token_id]}")
            click.echo(f"Token {token_id} ({names[token_id]}): revoked")
        else:
            unknown.append(token_id)
    if unknown:
        raise Failure(f"Unknown token: {', '.join(map(str, unknown))}")
