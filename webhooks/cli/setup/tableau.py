"""The first step of `flask setup`: the site and a personal access token."""

from __future__ import annotations

from collections.abc import Mapping

import click

from tableau_rest import PersonalAccessToken, Tableau, TableauError
from webhooks.cli.setup.questions import STOPPED, ask, attempts, done, heading, refused
from webhooks.cli.support.application import settings
from webhooks.cli.support.exit_codes import Failure
from webhooks.config.site import parse_page_address

ADVICE = (
    "  Create a personal access token in Tableau: your name, My Account Settings. Use it for\n"
    "  this server only: any other sign-in with this token invalidates the server's session.\n"
    "  Managing webhooks requires a site administrator."
)


def ask_credentials(known: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a sign-in that works. If Tableau refuses it, each answer can be corrected."""
    heading("1. Tableau")
    given = dict(known)
    for attempt in attempts():
        if attempt:
            click.echo("  Correct what is wrong; Enter accepts the value in brackets.")
        given |= _ask_site(given)
        if not attempt:
            click.echo(ADVICE)
        given["TABLEAU_PAT_NAME"] = ask("Name of the token", _require, default=given.get("TABLEAU_PAT_NAME", ""))
        secret = ask("Secret of the token", _require, default=known.get("TABLEAU_PAT_SECRET", ""), secret=True)
        token = PersonalAccessToken(given["TABLEAU_PAT_NAME"], secret)
        try:
            _try_sign_in(given["TABLEAU_DOMAIN"], given["TABLEAU_SITENAME"], token)
        except ValueError as error:
            refused(str(error))
            continue
        site = {name: given[name] for name in ("TABLEAU_DOMAIN", "TABLEAU_SITENAME")}
        return site | {"TABLEAU_AUTH": "pat", "TABLEAU_PAT_NAME": token.name, "TABLEAU_PAT_SECRET": secret}
    raise Failure(STOPPED)


def _ask_site(given: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a site on a server that responds."""
    click.echo("  Copy the address of any page of your site from the browser.")
    domain, site = given.get("TABLEAU_DOMAIN", ""), given.get("TABLEAU_SITENAME", "")
    default = f"{domain}/#/site/{site}" if domain and site else domain

    def check(answer: str) -> tuple[str, str]:
        server, content_url = parse_page_address(answer)
        try:
            # This call needs no session, and so no token.
            with Tableau(server, content_url, PersonalAccessToken("-", "-"), ca_bundle=settings().ca_bundle) as client:
                client.server_info()
        except TableauError as error:
            raise ValueError(f"No Tableau responds at {server}: {error}") from None
        return server, content_url

    server, content_url = ask("Address", check, default=default)
    done(f"{server}, {f'site {content_url}' if content_url else 'the default site'}")
    return {"TABLEAU_DOMAIN": server, "TABLEAU_SITENAME": content_url}


def _require(answer: str) -> str:
    if not answer:
        raise ValueError("A value is required.")
    return answer


def _try_sign_in(server: str, content_url: str, credential: PersonalAccessToken) -> None:
    """Print the site role of the token's owner. Raises ValueError if Tableau refuses the token."""
    try:
        with Tableau(server, content_url, credential, ca_bundle=settings().ca_bundle) as client:
            role = client.user(client.session().user_luid).site_role
            version = client.version
    except TableauError as error:
        raise ValueError(str(error)) from None
    if "Administrator" not in (role or ""):
        click.secho(f"  Signed in, but the site role is {role}: webhooks need a site administrator.", fg="yellow")
    done(f"Signed in: REST API {version}, site role {role}")
