"""`flask rules preview`: show the message of a rule as Slack, a text message and an e-mail would."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.headerregistry import Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from flask.cli import with_appcontext

from webhooks.cli.rules.given_event import given_event
from webhooks.cli.rules.read import valid_rules
from webhooks.cli.support import application, terminal
from webhooks.cli.support.commands import Command
from webhooks.cli.support.exit_codes import Failure
from webhooks.clock import utc_now
from webhooks.event_types import RULE_EVENT_TYPES, WATCH_EVENT_TYPES
from webhooks.rules.conditions import select_type
from webhooks.spelling import hint
from webhooks.text import count

if TYPE_CHECKING:
    from rich.console import RenderableType

    from notifiers import Message

WIDTH = 78
# Slack's form of a time, with the text for programs that do not know it.
SLACK_DATE = re.compile(r"<!date\^[^|>]*\|([^>]*)>")
ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}


@click.command(cls=Command)
@click.argument("rule")
@click.argument("event", required=False)
@click.option("--rules", "file", type=click.Path(path_type=Path, allow_dash=True), help="Preview this file instead.")
@click.option("--name", help="Name of the content, if EVENT is an event type.")
@with_appcontext
def preview(rule: str, event: str | None, file: Path | None, name: str | None) -> None:
    """Show a rule's messages as Slack, SMS and e-mail do.

    EVENT is a JSON file, - for stdin, the ID of a stored event, or an event type; without it, the first event type that
    the rule selects is used. What only Tableau knows, such as the project and the reason, has example values. Nothing
    is sent.
    """
    from webhooks.handlers.notify import NotifyParams  # noqa: PLC0415 - it imports the clients of other services
    from webhooks.views.rule_preview import destination_words, preview_message  # noqa: PLC0415 - as above

    by_name = {one.name: one for one in valid_rules(file).rules}
    found = by_name.get(rule)
    if found is None:
        raise Failure(f'No rule is called "{rule}"; {hint(rule, by_name)}')
    types = [*RULE_EVENT_TYPES, *filter(found.event_filter.names, WATCH_EVENT_TYPES)]
    selected = [one for one in types if select_type(found.event_filter.on, one).matched]
    shown = given_event(event or next(iter(selected), "WorkbookRefreshFailed"), name)
    match = found.match(shown, application.settings().zone)
    if not match.matched:
        terminal.warn(f'note: rule "{found.name}" does not match this event: {match.reason}')
    groups: dict[tuple[str | None, str | None], list[NotifyParams]] = {}
    for action in found.actions:
        if action.action == "notify":
            params = NotifyParams.model_validate(dict(action.params))
            groups.setdefault((params.title, params.text), []).append(params)
    if not groups:
        raise Failure(f'Rule "{found.name}" sends no messages: it has no notify.')
    for same in groups.values():
        message = preview_message(shown, same[0], found.name, utc_now(), application.settings().zone)
        destinations = terminal.printable(", ".join(map(destination_words, same)))
        terminal.show(terminal.styled(f"To {destinations}", "bold"), "", *as_slack(message), "", *as_sms(message), "")
        terminal.show(*as_mail(message), "")


def as_slack(message: Message) -> list[RenderableType]:
    """Return the lines of the message as Slack shows its blocks."""
    from notifiers.slack.render import blocks  # noqa: PLC0415 - as above

    lines: list[RenderableType] = [terminal.styled("── Slack " + "─" * (WIDTH - 9), "cyan")]
    for block in blocks(message):
        if block["type"] == "header":
            lines += [terminal.styled(line, "bold") for line in _wrapped(block["text"]["text"])]
        elif block["type"] == "actions":
            names = "  ".join(f"[ {one['text']['text']} ]" for one in block["elements"] if "text" in one)
            lines += [terminal.styled(line, "green") for line in _wrapped(names)]
        elif block["type"] == "context":
            lines += [terminal.styled(line, "dim") for one in block["elements"] for line in _wrapped(one["text"])]
        elif "fields" in block:
            lines += _pairs(block["fields"])
        else:
            lines += _wrapped(block.get("text", {}).get("text", ""))
    return lines


def as_sms(message: Message) -> list[RenderableType]:
    """Return the lines of the message as a text message has them, with the number of its segments."""
    from notifiers.twilio.render import count_segments, render  # noqa: PLC0415 - as above

    text = render(message)
    title = f"── SMS, {count(count_segments(text), 'segment')} "
    return [terminal.styled(title + "─" * (WIDTH - len(title)), "cyan"), *_wrapped(text)]


def as_mail(message: Message) -> list[RenderableType]:
    """Return the subject and the text of the message as an e-mail."""
    from notifiers.email.render import render  # noqa: PLC0415 - as above

    address = Address("Tableau Webhooks", addr_spec="webhooks@example.org")
    mail = render(message, address, [address], utc_now().astimezone(UTC))
    body = mail.get_body(("plain",))
    lines = _wrapped(str(body.get_content()).rstrip() if body else "")
    subject = terminal.styled(terminal.printable(f"Subject: {mail['Subject']}"), "bold")
    return [terminal.styled("── E-mail " + "─" * (WIDTH - 10), "cyan"), subject, "", *lines]


def _wrapped(text: str) -> list[str]:
    text = SLACK_DATE.sub(r"\1", text)
    for entity, character in ENTITIES.items():
        text = text.replace(entity, character)
    lines = [line for part in text.splitlines() for line in textwrap.wrap(part, WIDTH) or [""]]
    return [terminal.printable(line) if line else "" for line in lines]


def _pairs(fields: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return facts in two columns, as Slack lays them out: the name above the value."""
    cells = [_wrapped(field["text"]) for field in fields]
    lines = []
    for start in range(0, len(cells), 2):
        left, right = cells[start], cells[start + 1] if start + 1 < len(cells) else []
        column = WIDTH // 2
        if max(map(len, left), default=0) >= column:
            lines += [*left, *right]
            continue
        for number in range(max(len(left), len(right))):
            first = left[number] if number < len(left) else ""
            lines.append(f"{first:<{column}}{right[number] if number < len(right) else ''}".rstrip())
    return lines
