"""Read the event that a command was given."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from webhooks.cli.support import application, options
from webhooks.cli.support.exit_codes import Failure
from webhooks.cli.trigger.sample import customize, encode, sample
from webhooks.clock import utc_now
from webhooks.event import MONITOR, Event, Malformed, Unprocessable, build, parse
from webhooks.event_types import RULE_EVENT_TYPES, WATCH_EVENT_TYPES, meant_types
from webhooks.watches.wording import EXAMPLES


def given_event(given: str, name: str | None) -> Event:
    """Return the event that the argument means. Raises a usage error or Failure if there is none."""
    source, path = given, Path(given)
    if given == "-":
        body, source = sys.stdin.buffer.read(), "stdin"
    elif path.is_file():
        body = path.read_bytes()
    elif given.isdecimal():
        return application.get_event(int(given)).event
    elif given in WATCH_EVENT_TYPES:
        about = customize(sample("WorkbookRefreshFailed"), at=utc_now(), name=name, without=["event_type", "text"])
        fields = {key: str(value) for key, value in about.items()} | {"resource": "WORKBOOK"}
        return build(given, origin=MONITOR, reason=EXAMPLES[given], **fields)
    elif given in RULE_EVENT_TYPES:
        body = encode(customize(sample(given), at=utc_now(), name=name))
    else:
        message, types = f"{given!r} is not a file, an ID or an event type.", [*RULE_EVENT_TYPES, *WATCH_EVENT_TYPES]
        meant = meant_types(given)
        advice = f"Did you mean {' or '.join(meant)}?" if len(meant) > 1 else options.suggestion(given, types)
        raise click.BadParameter(f"{message} {advice}", param_hint="EVENT")
    try:
        event = parse(body)
    except (Malformed, Unprocessable) as error:
        raise Failure(f"{source} is not an event: {error}") from None
    if event is None:
        raise Failure(f"{source} is a test request: the server responds, and stores no event.")
    return event
