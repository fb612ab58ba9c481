"""Output of `flask trigger`: target, responses, summary. No token is printed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import closing

import click

from webhooks.cli.support import application, terminal
from webhooks.cli.support.exit_codes import FAILED, Unavailable
from webhooks.cli.support.progress import progress
from webhooks.cli.trigger.post import MAX_SHOWN, NoResponse, Response, Sender
from webhooks.cli.trigger.sample import Payload, encode
from webhooks.text import count
from webhooks.views import formats

# Up to this number, every response is printed; of more, only those that are not 200, and the summary.
MANY = 20

HINTS = {
    400: "The server does not accept the body as JSON.",
    401: "The token differs from the server's WEBHOOK_TOKEN; see --token.",
    404: "The server has no webhook at this path.",
    405: "The server does not accept POST at this path.",
    422: "The server needs an event_type that is a string.",
    503: "The server cannot store events now; Tableau would retry.",
}


def send_and_report(payloads: Sequence[Payload], target: str, *, as_json: bool) -> None:
    """Send the events and print the responses. Ends the command with 1 unless every response is 200."""
    if not as_json:
        print_target(payloads, target)
    responses = []
    ca_bundle = application.settings().ca_bundle
    with (
        closing(Sender(target, ca_bundle=ca_bundle)) as sender,
        progress(0 if as_json else len(payloads), "Sending") as advance,
    ):
        for payload in payloads:
            try:
                response = sender.post(encode(payload))
            except NoResponse as error:
                raise Unavailable(application.redact(str(error))) from None
            advance(1)
            responses.append(response)
            if as_json:
                print_exchange(payload, response, target)
            elif len(payloads) <= MANY or response.status != 200:
                print_response(response)
    if not as_json and len(responses) > 1:
        counts = Counter(
            str(response.content.get("status", "200")) if response.status == 200 else str(response.status)
            for response in responses
        )
        click.echo(f"{len(responses)} sent: {', '.join(f'{number} {word}' for word, number in counts.items())}")
    refused = [response.status for response in responses if response.status != 200]
    if refused:
        if refused[-1] in HINTS:
            click.echo(HINTS[refused[-1]], err=True)
        raise click.exceptions.Exit(FAILED)
    event_id = responses[-1].content.get("event")
    if event_id and not as_json and terminal.is_terminal():
        click.secho(f"See what happened: flask events explain {event_id}", dim=True)


def print_target(payloads: Sequence[Payload], target: str) -> None:
    """Print the events that are sent, and the URL without its token."""
    if len(payloads) > MANY:
        events = count(len(payloads), "event")
    else:
        last = payloads[-1]
        events = f"{terminal.printable(last.get('event_type'))}  {terminal.printable(last.get('resource_name'))}"
    click.echo(application.redact(f"{events}  to {application.redact_url(target)}"))


def print_response(response: Response) -> None:
    """Print the status, what the server did with the event, and the time it took."""
    content = response.content
    if response.status == 200 and "status" in content:
        event = f", event {content['event']}" if "event" in content else ", test requests are not stored"
        text = terminal.one_line(f"{content['status']}{event}")
    else:
        text = application.redact(terminal.one_line(str(content.get("detail") or response.body[:MAX_SHOWN])))
    click.secho(f"{response.status} {text}", fg="green" if response.status == 200 else "red", nl=False)
    click.echo(f"  ({formats.duration(response.seconds)})")


def print_exchange(payload: Payload, response: Response, target: str) -> None:
    """Print the payload and the response as one JSON object."""
    content = json.loads(application.redact(json.dumps(dict(response.content))))
    answer = content or application.redact(response.body[:MAX_SHOWN])
    url = application.redact_url(target)
    terminal.print_json({"status": response.status, "answer": answer, "url": url, "sent": payload})
