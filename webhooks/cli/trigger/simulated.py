"""Scenarios without events: what Tableau does, or does not do, on the simulated site of the demo."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import click

from webhooks.cli.support.exit_codes import Unavailable
from webhooks.cli.trigger.consent import LOOPBACK
from webhooks.cli.trigger.post import NoResponse, Sender
from webhooks.cli.trigger.scenario import SITUATIONS

CONTENT = "Sales"
NEXT = (
    "The server reads the schedules every ten minutes. To end it, cause the success of {name} on {url}, "
    "or by POST /simulator/events."
)


def play(scenario: str, domain: str) -> Mapping[str, Any]:
    """Let it happen on the simulated site at `domain`, and return the response. Raises a usage error or Unavailable."""
    if urlsplit(domain).hostname not in LOOPBACK:
        raise click.UsageError(
            f"The scenario {scenario!r} has no events, so it needs the simulated site: start the demo with make run."
        )
    sender = Sender(f"{domain}/simulator/schedules")
    try:
        response = sender.post(json.dumps({"name": CONTENT, **SITUATIONS[scenario].request}).encode())
    except NoResponse as error:
        raise Unavailable(str(error)) from None
    finally:
        sender.close()
    if response.status != 200:
        reason = response.content.get("error", "it is not the simulated site")
        raise Unavailable(f"{domain} responded {response.status}: {reason}")
    return response.content


def describe(scenario: str, domain: str) -> str:
    """Return what happened, and what to do next."""
    return f"{SITUATIONS[scenario].text} {NEXT}".format(name=CONTENT, url=domain)
