"""Ask before triggered events lead to real messages, or to changes in a real Tableau site."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import click

from webhooks.cli.support import application
from webhooks.cli.support.consent import require_consent
from webhooks.cli.trigger.sample import Payload, encode
from webhooks.destinations import destinations_of, kind_of
from webhooks.event import TEST_FIELD, Malformed, Unprocessable, parse
from webhooks.registry import RegistrationError
from webhooks.rules import RulesError
from webhooks.services import Services
from webhooks.text import count
from webhooks.views.wording import job_title

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# Most actions that the question names.
NAMED = 5


def require_consent_to_effects(payloads: Sequence[Payload], target: str) -> None:
    """Return if the events have no effect outside of this machine, or if the user agrees to it.

    The server on this machine is expected to use the same settings and rules as this command. What another machine does
    is unknown, so that sending there always needs consent. Raises a usage error if there is no terminal to ask at.
    """
    payloads = [payload for payload in payloads if payload.get("event_type") != "Test"]
    host = urlsplit(target).hostname or ""
    if not payloads:
        return
    if host in LOOPBACK:
        actions = _real_actions(application.services(), payloads)
        more = f" and {len(actions) - NAMED} more" if len(actions) > NAMED else ""
        effects = f"This runs real actions: {', '.join(actions[:NAMED])}{more}." if actions else ""
    else:
        effects = f"The server {host} may send real messages."
    if effects:
        marked = " marked as a test" if all(payload.get(TEST_FIELD) is True for payload in payloads) else ""
        require_consent(f"{effects} Send {count(len(payloads), 'event')}{marked}?")


def _real_actions(services: Services, payloads: Sequence[Payload]) -> list[str]:
    """Return the titles of the jobs that reach a service on another machine."""
    settings, notifiers = services.settings, services.notifiers
    urls = {kind: notifiers.configs[kind].service_urls() for kind in notifiers.configured}
    if not settings.missing():
        urls["Tableau"] = [site.domain for site in settings.sites()]
    # The services of a demo are on this machine.
    real = {name for name, found in urls.items() if any(urlsplit(url).hostname not in LOOPBACK for url in found)}
    if not real:
        return []
    titles: dict[str, None] = {}
    try:
        for payload in payloads:
            event = None
            with suppress(Malformed, Unprocessable):
                event = parse(encode(payload))
            for job in services.planner.jobs(event) if event else ():
                addressed = notifiers.with_default_address
                if job.handler != "notify" or any(kind_of(to, addressed) in real for to in destinations_of(job.params)):
                    titles[job_title(job)] = None
    except (RulesError, RegistrationError) as error:
        click.secho(f"warning: cannot read the rules: {error}", fg="yellow", err=True)
        return sorted(real)
    return list(titles)
