"""What `flask trigger` says: where an event goes, what was answered, how it all ended. No token is in it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence

import click

from webhooks.cli.support import application, terminal
from webhooks.cli.support.exit_codes import FAILED
from webhooks.cli.support.progress import progress
from webhooks.cli.trigger.post import SHOWN, Response
from webhooks.cli.trigger.sample import Payload
from webhooks.views import formats

MANY = 20
"""Answers that are told one by one; of more than that only the bad ones are, and the sum."""

HINTS = {
    400: "The body is not what the server takes for JSON.",
    401: "The token differs from the server's WEBHOOK_TOKEN; see --token.",
    404: "There is a server, but no hook at this path.",
    405: "There is something at this path, but it takes no events.",
    422: "The server misses an event_type that is a text.",
    503: "The server cannot keep events now; Tableau would try again.",
}

Exchange = tuple[Payload, Response]


def tell(exchanges: Iterable[Exchange], total: int) -> list[Response]:
    """Says for people what each event was answered; gives the answers."""
    answers = []
    with progress(total, "Sending") as step:
        for _, answer in exchanges:
            step(1)
            answers.append(answer)
            if total <= MANY or answer.status != 200:
                _say(answer)
    return answers


def announce(bodies: Sequence[Payload], target: str) -> None:
    """What is sent, and where to."""
    if len(bodies) > MANY:
        head = formats.count(len(bodies), "event")
    else:
        head = (
            f"{terminal.printable(bodies[-1].get('event_type'))}  {terminal.printable(bodies[-1].get('resource_name'))}"
        )
    click.echo(application.redact(f"{head}  to {application.redact_url(target)}"))


def write(exchanges: Iterable[Exchange], target: str) -> list[Response]:
    """The same for programs: one object an event."""
    answers = []
    for body, answer in exchanges:
        said = json.loads(application.redact(json.dumps(dict(answer.content)))) or application.redact(
            answer.body[:SHOWN]
        )
        terminal.print_json(
            {"status": answer.status, "answer": said, "url": application.redact_url(target), "sent": body}
        )
        answers.append(answer)
    return answers


def conclude(answers: Sequence[Response], *, quiet: bool) -> None:
    """The sum of many, a hint where something was refused, and then the end with 1."""
    refused = [answer for answer in answers if answer.status != 200]
    if not quiet and len(answers) > 1:
        counts = Counter(map(_word, answers))
        click.echo(f"{len(answers)} sent: {', '.join(f'{number} {word}' for word, number in counts.items())}")
    if refused:
        if hint := HINTS.get(refused[-1].status):
            click.echo(hint, err=True)
        raise click.exceptions.Exit(FAILED)
    if not quiet and terminal.is_terminal() and (event := answers[-1].content.get("event")):
        click.secho(f"What becomes of it: flask events explain {event}", dim=True)


def _say(answer: Response) -> None:
    click.secho(f"{answer.status} {_said(answer)}", fg="green" if answer.status == 200 else "red", nl=False)
    click.echo(f"  ({formats.duration(answer.seconds)})")


def _said(answer: Response) -> str:
    content = answer.content
    if answer.status == 200 and "status" in content:
        event = f", event {content['event']}" if "event" in content else ", a test is not kept"
        return terminal.one_line(f"{content['status']}{event}")
    return application.redact(terminal.one_line(str(content.get("detail") or answer.body[:SHOWN])))


def _word(answer: Response) -> str:
    return str(answer.content.get("status", "answered 200")) if answer.status == 200 else f"answered {answer.status}"
