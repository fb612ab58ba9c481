"""The first step of `flask setup`: the site and a personal access token."""

from __future__ import annotations

from collections.abc import Mapping

import click

from tableau_rest import PersonalAccessToken, Tableau, TableauError
from webhooks.cli.setup.questions import ask, done, heading
from webhooks.cli.support.application import settings
from webhooks.config.site import parse_page_address


def ask_credentials(known: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a sign-in that works."""
    heading("1. Tableau")
    click.echo("  Copy the address of any page of your site from the browser.")
    domain = known.get("TABLEAU_DOMAIN", "")
    site = known.get("TABLEAU_SITENAME", "")
    default = f"{domain}/#/site/{site}" if domain and site else domain
    server, content_url = ask("Address", parse_page_address, default=default)
    done(f"{server}, {f'site {content_url}' if content_url else 'the default site'}")
    click.echo(
        "  Create a personal access token in Tableau: your name, My Account Settings. Use it for\n"
        "  this server only: any other sign-in with this token invalidates the server's session.\n"
        "  Managing webhooks requires a site administrator."
    )

    def require(answer: str) -> str:
        if not answer:
            raise ValueError("This is needed.")
        return answer

    name = ask("Name of the token", require, default=known.get("TABLEAU_PAT_NAME", ""))

    def sign_in(secret: str) -> str:
        _try_sign_in(server, content_url, PersonalAccessToken(name, require(secret)))
        return secret

    secret = ask("Secret of the token", sign_in, default=known.get("TABLEAU_PAT_SECRET", ""), secret=True)
    return {
        "TABLEAU_DOMAIN": server,
        "TABLEAU_SITENAME": content_url,
        "TABLEAU_AUTH": "pat",
        "TABLEAU_PAT_NAME": name,
        "TABLEAU_PAT_SECRET": secret,
    }


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
