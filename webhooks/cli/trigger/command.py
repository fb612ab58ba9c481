"""`flask trigger`: send realistic events to a running server."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NoReturn

import click
from flask.cli import with_appcontext

from webhooks.cli.support import application
from webhooks.cli.support.commands import Command
from webhooks.cli.support.options import EventType, as_json
from webhooks.cli.trigger.consent import require_consent_to_effects
from webhooks.cli.trigger.sample import Payload, customize, sample
from webhooks.cli.trigger.scenario import SCENARIOS, SITUATIONS
from webhooks.clock import utc_now
from webhooks.event import TEST_FIELD
from webhooks.event_types import RULE_EVENT_TYPES, meant_types
from webhooks.webhook_url import webhook_url

TEST_REQUEST = "Test"


class Field(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click only
    """A field of the payload: `key=text`, or `key:=JSON` for everything that is not text."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        key, sign, text = str(value).partition("=")
        if not sign or not key.removesuffix(":"):
            self.fail(f"{value!r} is neither key=text nor key:=JSON", param, ctx)
        if not key.endswith(":"):
            return key, text

        def refuse(constant: str) -> NoReturn:
            raise ValueError(f"{constant} is not a JSON value")

        try:
            return key[:-1], json.loads(text, parse_constant=refuse)
        except ValueError as error:
            self.fail(f"{text!r} is not JSON: {error}", param, ctx)


@click.command(cls=Command)
@click.argument("event_type", required=False, type=EventType())
@click.option("--name", help="Name of the content; a name always has the same LUID.")
@click.option("--set", "changes", type=Field(), multiple=True, help="Set a field: key=text, or key:=JSON.")
@click.option("--unset", "without", multiple=True, metavar="KEY", help="Leave a field out.")
@click.option("--from", "source", type=int, metavar="ID", help="Use the payload of this event instead of a sample.")
@click.option("--url", help="URL to send to; /webhook/<token> is added if it has no path. Default: the local server.")
@click.option("--token", help="Token in the webhook's URL. Default: WEBHOOK_TOKEN.")
@click.option("--count", type=click.IntRange(1, 10_000), default=1, help="Number of events, spread over the last hour.")
@click.option("--scenario", type=click.Choice([*SCENARIOS, *SITUATIONS]), help="Send a series of events.")
@click.option("--force", is_flag=True, help="Send an event type that is probably misspelt.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before real messages are sent.")
@as_json
@with_appcontext
def trigger(*, url: str | None, token: str | None, yes: bool, as_json: bool, **content: Any) -> None:
    """Send a realistic event to a running server.

    The event looks as if Tableau had sent it now. Its messages are marked as a test; --unset test sends it without the
    mark. If real messages would be sent, the command asks first. An event without a webhook, such as FlowRunFailed, is
    sent in the form in which the server stores what it finds in Tableau's job list; Tableau's list does not change.

    \b
    flask trigger WorkbookRefreshFailed --name Sales
    flask trigger DatasourceCreated --set site_luid=6b7a... --set owner:=null
    flask trigger --from 41                  the same event, with the current time
    flask trigger WorkbookRefreshSucceeded --from 41
    flask trigger --scenario bad-monday      200 refreshes: 17 fail, 5 recover
    flask trigger --scenario missed          the demo: a refresh does not start
    flask trigger --scenario long            the demo: a refresh does not end

    The exit code is 0 if every response was 200. An event with the same six core fields as an earlier one is counted as
    a duplicate, and no action runs.
    """
    if content["scenario"] in SITUATIONS:
        others = [value for key, value in content.items() if key not in {"scenario", "count"}]
        if any([url, token, content["count"] > 1, *others]):
            raise click.UsageError(f"--scenario {content['scenario']} is combined with --json only.")
        from webhooks.cli.trigger import simulated  # noqa: PLC0415 - it imports requests

        domain = application.settings().tableau_domain
        found = simulated.play(content["scenario"], domain)
        click.echo(json.dumps(found) if as_json else simulated.describe(content["scenario"], domain))
        return
    payloads = _payloads(**content)
    target = _target(url, token)
    if not yes:
        require_consent_to_effects(payloads, target)
    from webhooks.cli.trigger import report  # noqa: PLC0415 - it imports requests

    report.send_and_report(payloads, target, as_json=as_json)


def _payloads(
    *,
    event_type: str | None,
    name: str | None,
    changes: Sequence[tuple[str, Any]],
    without: Sequence[str],
    source: int | None,
    count: int,
    scenario: str | None,
    force: bool,
) -> list[Payload]:
    """Return the events to send, the latest with the current time. Raises a usage error."""
    if scenario and (event_type or source is not None or name or count > 1):
        raise click.UsageError("--scenario decides which events are sent; combine it with --set and --unset only.")
    if event_type and not force:
        _check_event_type(event_type)
    now = utc_now()
    # The template, time and content of each event.
    occurrences: list[tuple[Payload, datetime, str | None]]
    if scenario:
        occurrences = [(sample(scene.event_type), now - scene.before, scene.name) for scene in SCENARIOS[scenario]()]
    else:
        template = _template(event_type, source)
        # Tableau's times have whole seconds, and the same content in the same second is a duplicate. Random times
        # hardly ever repeat those of earlier events.
        ages = [*sorted(random.sample(range(1, max(3600, 10 * count)), count - 1), reverse=True), 0]
        occurrences = [(template, now - timedelta(seconds=age), name) for age in ages]
    mark = {} if event_type == TEST_REQUEST else {TEST_FIELD: True}
    return [
        customize(template, at=at, name=content, changes={**mark, **dict(changes)}, without=without)
        for template, at, content in occurrences
    ]


def _check_event_type(event_type: str) -> None:
    """Raise a usage error for a misspelt event type, and warn of an unknown one: Tableau's list grows."""
    if event_type in RULE_EVENT_TYPES or event_type == TEST_REQUEST:
        return
    if meant := meant_types(event_type):
        message = f"Unknown event type {event_type!r}. Did you mean {' or '.join(meant)}?"
        raise click.BadParameter(f"{message} --force sends it anyway.", param_hint="EVENT_TYPE")
    click.secho(f"warning: unknown event type {event_type!r}, sending it anyway", fg="yellow", err=True)


def _target(url: str | None, token: str | None) -> str:
    """Return the URL to send to. Raises a usage error if it is invalid or unknown."""
    settings = application.settings()
    if url is None and not settings.port:
        raise click.UsageError("PORT is 0, so the port of the local server is unknown; give --url.")
    own_token = next(iter(settings.webhook_tokens()), "")
    try:
        return webhook_url(
            url or f"http://127.0.0.1:{settings.port}",
            own_token if token is None else token,
            explicit=token is not None,
        )
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--url") from None


def _template(event_type: str | None, source: int | None) -> Payload:
    """Return the sample of the event type, or the payload of the event `source`, changed to the event type if given."""
    if source is None:
        if event_type is None:
            types = ", ".join(RULE_EVENT_TYPES)
            raise click.UsageError(f"Which event? Give an EVENT_TYPE or --from ID. The event types are {types}.")
        return sample(event_type)
    payload = dict(application.get_event(source).event.payload)
    if event_type is not None:
        payload |= {"event_type": event_type, "resource": sample(event_type)["resource"]}
    return payload
