"""Find settings that are valid, but probably not what their author meant. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from webhooks.config.settings import SHORTEST_TOKEN
from webhooks.config.site import Site

# The secret of a personal access token, as Tableau shows it. Its name is chosen by a person.
TOKEN_SECRET = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}:[A-Za-z0-9]{16,}")
# A secret that is a common word is masked in every text, so these contain none that people choose.
SHORT_TOKEN = f"WEBHOOK_TOKEN has fewer than {SHORTEST_TOKEN} characters and could be guessed"
NEW_TOKEN = "Generate one: openssl rand -hex 32"  # noqa: S105 - a sentence
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


def probable_mistakes(sites: Iterable[Site], *, slack_token: str = "") -> list[str]:
    """Return a sentence for each probable mistake in an address or a credential, without any secret."""
    found = []
    # https://docs.slack.dev/authentication/using-token-rotation
    if slack_token.startswith("xoxe"):
        found.append(
            "SLACK_TOKEN (xoxe…) expires after 12 hours, because its Slack app rotates tokens, and this server cannot "
            "renew it; create an app without token rotation"
        )
    for site in sites:
        domain, name = ("domain", "pat_name") if site.name else ("TABLEAU_DOMAIN", "TABLEAU_PAT_NAME")
        of_site = f" of the site {site.name}" if site.name else ""
        parts = urlsplit(site.domain)
        if parts.scheme == "http" and parts.hostname not in LOCAL_HOSTS:
            found.append(f"{domain}{of_site} begins with http://, so credentials are sent unencrypted; write https://")
        if TOKEN_SECRET.fullmatch(site.pat_name):
            found.append(f"{name}{of_site} looks like the secret of a token; are the name and the secret swapped?")
    return found
