"""What commands that speak with Tableau have in common: the client, and how its errors end a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from tableau_rest import NoAnswer, TableauError
from tableau_rest.models import Webhook
from webhooks.address import public_url
from webhooks.cli import access
from webhooks.cli.exits import Failure, Unavailable

if TYPE_CHECKING:
    from tableau_rest import Tableau

TEMPORARY = (502, 503, 504)


@contextmanager
def asking() -> Iterator[Tableau]:
    """Tableau, signed in when first asked. Ends the command where something is missing or Tableau refuses."""
    access.inbox()
    try:
        yield access.services().tableau
    except (TableauError, ValueError) as error:
        away = isinstance(error, NoAnswer) or getattr(error, "status", None) in TEMPORARY
        raise (Unavailable if away else Failure)(access.hide(str(error))) from None
    except RuntimeError as error:
        if isinstance(error, click.exceptions.Exit | click.Abort):
            raise
        raise Unavailable(str(error)) from None


def our_url(given: str | None) -> str:
    """The hook's URL that Tableau is to be told: `--url`, or else WEBHOOK_URL. Ends the command where there is none."""
    settings = access.settings()
    url = given or settings.webhook_url
    if not url:
        raise click.UsageError("Which address? Give --url https://…, or set WEBHOOK_URL.")
    try:
        return public_url(url, next(iter(settings.webhook_tokens()), ""))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--url") from None


def warn_of(url: str) -> None:
    """Says what Tableau will not like about the URL."""
    if not url.startswith("https://"):
        click.secho("Tableau asks for https with a certificate that it trusts.", fg="yellow", err=True)


def find(tableau: Tableau, webhook: str) -> Webhook:
    """The webhook of that LUID or name; ends the command where there is not exactly one."""
    found = [one for one in tableau.webhooks() if webhook in {one.luid, one.name}]
    if not found:
        raise Failure(f"There is no webhook {webhook!r}. flask webhooks list shows those there are.")
    if len(found) > 1:
        raise Failure(
            f"{len(found)} webhooks are called {webhook!r}; give the LUID: {', '.join(one.luid for one in found)}"
        )
    return found[0]
