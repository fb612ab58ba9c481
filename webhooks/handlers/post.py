"""The post action: send JSON about an event to another system, for example to start an Airflow DAG."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from notifiers import NotifierError
from webhooks.context import Context, Lookup
from webhooks.context.changes import CHANGED, DryRun, PerDay, take_use
from webhooks.context.content_details import project_and_owner
from webhooks.errors import Permanent, Skip
from webhooks.job import MISSING
from webhooks.messages.event_message import Details, event_values
from webhooks.messages.request_template import (
    check_body,
    check_headers,
    check_url,
    fill_body,
    fill_headers,
    fill_url,
    needs_look_up,
)
from webhooks.registry import Params, action
from webhooks.text import cut

if TYPE_CHECKING:
    from notifiers.post import PostNotifier

Status = Annotated[int, Field(ge=100, le=599)]
# Characters of a body that a dry run shows.
SHOWN = 500
# Seconds until a request that may have been carried out is sent again: once, as it may start the same work twice.
UNCERTAIN_WAITS = (120.0,)


class PostParams(Params):
    """The request, and the statuses that mean success."""

    url: Annotated[str, AfterValidator(check_url)] = Field(description="address; may have placeholders after the host")
    body: Annotated[Any, AfterValidator(check_body)] = Field(
        None, description="table, or string with JSON; may have placeholders; without it, the event as Tableau sent it"
    )
    headers: Annotated[dict[str, str], AfterValidator(check_headers)] = Field(
        {}, description="headers; {{ secret.airflow }} is the token airflow of POST_TOKENS"
    )
    status: Annotated[
        tuple[Status, ...], BeforeValidator(lambda given: [given] if isinstance(given, int) else given)
    ] = Field((), description="statuses that mean success: one, or a list; without it, 200 to 299")
    timeout: int = Field(30, ge=1, le=120, description="seconds for the whole request")
    per_day: PerDay = 24
    dry_run: DryRun = False


@action("post", params=PostParams)
def post(context: Context, params: PostParams) -> str:
    """Send the request once, and return its status in words.

    Raises Permanent if it cannot be made, and NotifierError; Skip if the daily limit is reached. A request whose
    response was lost is sent again once, with the same Idempotency-Key; then the error is permanent.
    """
    recorded = context.inbox.checkpoints.get(context.job, CHANGED)
    if recorded is not MISSING:
        return str(recorded)
    url, body = _request(context, params)
    if params.dry_run:
        raise Skip(f"dry run: {cut(body, SHOWN)} would be posted to {url}")
    notifier: PostNotifier = context.notifiers["post"]  # type: ignore[assignment]
    headers = _headers(context, params, notifier)
    take_use(context, params.per_day, of_rule=True)
    host = urlsplit(url).hostname

    def send() -> str:
        try:
            status = notifier.call(url, body.encode(), headers, seconds=params.timeout, accepted=params.status)
        except NotifierError as error:
            error.prefix(f"POST to {host}: ")
            raise
        context.log.info("Posted: host=%s status=%d", host, status)
        return f"posted to {host}, status {status}"

    try:
        return str(context.checkpoint(CHANGED, send))
    except NotifierError as error:
        if error.permanent or not error.uncertain:
            raise
        reason = f"{error}. The outcome is unknown; the request is sent again"
        context.wait(f"{CHANGED} uncertain", UNCERTAIN_WAITS, reason, not_before=error.retry_at)
        advice = f"The outcome is unknown: look at {host} whether it was carried out. Replay the job to send it again"
        raise NotifierError(f"{error}. {advice}", permanent=True, uncertain=True) from error


def _headers(context: Context, params: PostParams, notifier: PostNotifier) -> dict[str, str]:
    """Return the headers with their tokens and the key of the request. Raises Permanent."""
    try:
        headers = fill_headers(params.headers, notifier.config.token_values())
    except KeyError as error:
        known = ", ".join(sorted(notifier.config.token_values())) or "none"
        raise Permanent(f"POST_TOKENS has no token {error.args[0]}. Names: {known}") from None
    except ValueError as error:
        raise Permanent(str(error)) from None
    # The same in each attempt; a job that a person replays is a new request.
    key = f"{context.job.id} {context.job.created_at} {context.event.id}"
    return headers | {"Idempotency-Key": hashlib.sha256(key.encode()).hexdigest()[:32]}


def _request(context: Context, params: PostParams) -> tuple[str, str]:
    """Return the address and the body as JSON. Raises Permanent."""
    event, project, owner = context.event, "", ""
    lookup = Lookup()
    if needs_look_up(params.url, params.body):
        if not event.type.content_gone and event.content_kind not in {None, "site"}:
            lookup = context.lookup
        project, owner = project_and_owner(context, lookup)
    values = event_values(event, Details(lookup.content, project, owner), context.settings.zone)
    try:
        filled = dict(event.payload) if params.body is None else fill_body(params.body, values)
        return fill_url(params.url, values), json.dumps(filled)
    except (ValueError, LookupError) as error:
        raise Permanent(f"Cannot make the request to {params.url}: {error}") from error
