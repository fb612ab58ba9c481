"""`flask trigger`: sends a realistic event to a running server."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any, NoReturn

import click
from flask.cli import with_appcontext

from webhooks.cli.support import application
from webhooks.cli.support.commands import Command
from webhooks.cli.support.exit_codes import Unavailable
from webhooks.cli.support.options import EventType, as_json
from webhooks.cli.trigger import report
from webhooks.cli.trigger.post import NoResponse, Response, Sender
from webhooks.cli.trigger.sample import Payload, customize, encode, sample
from webhooks.cli.trigger.scenario import SCENARIOS
from webhooks.clock import utc_now
from webhooks.event_types import EVENT_TYPES
from webhooks.spelling import closest
from webhooks.webhook_url import webhook_url

Happened = tuple[Payload, datetime, str | None]
"""A template, when it happened, and to what."""


class Change(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click only
    """`key=text`, or `key:=JSON` for everything that is not text."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        key, sign, text = str(value).partition("=")
        if not sign or not key.removesuffix(":"):
            self.fail(f"{value!r} should be key=text, or key:=JSON", param, ctx)
        if not key.endswith(":"):
            return key, text
        try:
            return key[:-1], json.loads(text, parse_constant=_refuse)
        except ValueError as error:
            self.fail(f"{text!r} is not JSON: {error}", param, ctx)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


@click.command(cls=Command)
@click.argument("event_type", required=False, type=EventType())
@click.option("--name", help="The name of the content; each name has a LUID of its own, always the same.")
@click.option("--set", "changes", type=Change(), multiple=True, help="Another value: key=text, or key:=JSON.")
@click.option("--unset", "without", multiple=True, metavar="KEY", help="Leave a field out.")
@click.option("--from", "source", type=int, metavar="ID", help="Start from a kept event instead of a sample.")
@click.option("--url", help="Where to; with a path it is taken as it stands. Default: the server on this machine.")
@click.option("--token", help="The webhook's token. Default: WEBHOOK_TOKEN.")
@click.option(
    "--count", type=click.IntRange(1, 10_000), default=1, help="So many, within the last hour; the last one now."
)
@click.option("--scenario", type=click.Choice(list(SCENARIOS)), help="A story of many events instead of one.")
@as_json
@with_appcontext
def trigger(
    *,
    event_type: str | None,
    name: str | None,
    changes: Sequence[tuple[str, Any]],
    without: Sequence[str],
    source: int | None,
    url: str | None,
    token: str | None,
    count: int,
    scenario: str | None,
    as_json: bool,
) -> None:
    """Send a realistic event to a running server.

    It looks as if Tableau had sent it now; EVENT_TYPE is one such as WorkbookRefreshFailed.

    \b
    flask trigger WorkbookRefreshFailed --name Sales
    flask trigger DatasourceCreated --set site_luid=6b7a... --set resource_name:=null
    flask trigger --from 41                      a kept event, happening again now
    flask trigger WorkbookRefreshSucceeded --from 41
    flask trigger --scenario bad-monday          200 refreshes: 17 fail, 5 recover

    Ends with 0 if every answer was 200. Nothing is done about an event that came before (same six fields): the
    server counts it as a duplicate.
    """
    target = _target(url, token)
    happened = _happened(event_type, source, name=name, count=count, scenario=scenario)
    bodies = [customize(one, at=at, name=its, changes=dict(changes), without=without) for one, at, its in happened]
    _deliver(bodies, target, as_json=as_json)


def _deliver(bodies: Sequence[Payload], target: str, *, as_json: bool) -> None:
    if as_json:
        told = report.write(_send(bodies, target), target)
    else:
        report.announce(bodies, target)
        told = report.tell(_send(bodies, target), len(bodies))
    report.conclude(told, quiet=as_json)


def _happened(
    event_type: str | None, source: int | None, *, name: str | None, count: int, scenario: str | None
) -> list[Happened]:
    if not scenario:
        template = _template(event_type, source)
        return [(template, at, name) for at in _moments(count)]
    if event_type or source is not None or name or count > 1:
        raise click.UsageError("--scenario says itself what is sent; it goes with --set and --unset.")
    return _story(scenario)


def _story(scenario: str) -> list[Happened]:
    now = utc_now()
    return [(sample(scene.event_type), now - scene.before, scene.name) for scene in SCENARIOS[scenario]()]


def _template(event_type: str | None, source: int | None) -> Payload:
    if event_type is None and source is None:
        raise click.UsageError(f"Which event? Give an EVENT_TYPE or --from ID. There are {', '.join(EVENT_TYPES)}.")
    if event_type is not None:
        _warn(event_type)
    if source is None:
        return sample(event_type or "")
    kept = application.get_event(source)
    changed = {"event_type": event_type, "resource": sample(event_type)["resource"]} if event_type else {}
    return {**kept.event.payload, **changed}


def _warn(event_type: str) -> None:
    if event_type in EVENT_TYPES or event_type == "Test":
        return
    meant = closest(event_type, EVENT_TYPES)
    hint = f"; did you mean {meant}?" if meant else "."
    click.secho(f"{event_type} is no event type known so far{hint} It is sent all the same.", fg="yellow", err=True)


def _target(url: str | None, token: str | None) -> str:
    settings = application.settings()
    known = next(iter(settings.webhook_tokens()), "")
    if url is None and not settings.port:
        raise click.UsageError("PORT is 0, so the server's port is not known; give --url.")
    try:
        return webhook_url(
            url or f"http://127.0.0.1:{settings.port}", known if token is None else token, explicit=token is not None
        )
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--url") from None


def _moments(count: int) -> list[datetime]:
    """Tableau writes whole seconds, and the same content in the same second is a duplicate: so all differ.

    They are spread by chance, so that sending some more hardly meets those that were sent before.
    """
    now = utc_now()
    earlier = random.sample(range(1, max(3600, 10 * count)), count - 1)
    return [now - timedelta(seconds=seconds) for seconds in sorted(earlier, reverse=True)] + [now]


def _send(bodies: Sequence[Payload], target: str) -> Iterator[tuple[Payload, Response]]:
    with closing(Sender(target)) as sender:
        for body in bodies:
            try:
                yield body, sender.post(encode(body))
            except NoResponse as error:
                raise Unavailable(application.redact(str(error))) from None
