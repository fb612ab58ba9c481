"""The context of one running job."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from notifiers import Destination, Message, Notifier, NotifierError, Notifiers, Picture, Receipt, parse_destination
from tableau_rest.errors import TableauError
from webhooks.clock import utc_now
from webhooks.config.settings import Settings
from webhooks.context.content import Lookup, check, check_site, look_up, luid
from webhooks.context.projects import path_of
from webhooks.destinations import resolve_default
from webhooks.errors import LeaseLost, Permanent, RetryLater, StoreUnavailable
from webhooks.event import Event
from webhooks.inbox import MISSING, Inbox, Namespace
from webhooks.inbox.checkpoints import MESSAGE_PREFIX
from webhooks.job import Job
from webhooks.registry import Handler
from webhooks.retry import costs_no_attempt
from webhooks.rules.conditions import SITE
from webhooks.validation import describe_values

if TYPE_CHECKING:
    from tableau_rest import Tableau
    from tableau_rest.models import Reference

PICTURE_WAITS = (10.0, 30.0)
"""Seconds until a picture that failed is tried again."""
UNCERTAIN_WAITS = (120.0, 1800.0)
"""Seconds until a message that may have arrived is sent again: each repeat may be a second copy."""
TITLE = 150
"""Characters that fit into the headline of a message."""

CONDITIONS = "conditions"
"""The step that holds why the conditions that only Tableau knows were met."""

MessageSource = Message | str | Callable[[], Message]
PictureSource = Picture | Callable[[], Picture | None]


class NoCredentials(Permanent):
    """The server has nothing to sign in to Tableau with."""


class Context:
    """What the handler of one job may use. Made for one attempt, used by one thread.

    `tableau` gives the client of the event's site, made when first asked for; `still_mine` says whether the job's lease
    still holds. `label` gives the name of an event's site; empty where there is one site only.
    """

    def __init__(
        self,
        job: Job,
        *,
        inbox: Inbox,
        tableau: Callable[[], Tableau],
        notifiers: Notifiers,
        settings: Settings,
        label: Callable[[Event], str] = lambda _: "",
        clock: Callable[[], datetime] = utc_now,
        still_mine: Callable[[], bool] = lambda: True,
    ) -> None:
        self.job = job
        self.inbox = inbox
        self.notifiers = notifiers
        self.settings = settings
        self.label = label
        self.now = clock
        self.still_mine = still_mine
        self._make_tableau = tableau
        self._told: Counter[str] = Counter()

    @property
    def event(self) -> Event:
        return self.job.event

    @property
    def luid(self) -> str | None:
        """The LUID of what the event is about, if it gives a real one."""
        return luid(self.event)

    @property
    def last_attempt(self) -> bool:
        """Whether the job is dead if this attempt fails."""
        return self.job.attempts >= self.job.max_attempts

    @cached_property
    def tableau(self) -> Tableau:
        """The client of Tableau's REST API. Raises NoCredentials naming the variables that are not set."""
        try:
            self.settings.require_tableau()
        except RuntimeError as error:
            raise NoCredentials(str(error)) from None
        return self._make_tableau()

    @cached_property
    def lookup(self) -> Lookup:
        """What the event is about, looked up once. Raises what may pass, unless this is the last attempt."""
        return look_up(self.event, lambda: self.tableau, patient=not self.last_attempt)

    @property
    def found(self) -> Lookup:
        """Return `lookup`; handlers written before the rename use this name."""
        return self.lookup

    def project_path(self, project: Reference) -> str:
        """`Finance/Reports`; only the project's own name where Tableau does not let us look. Raises what may pass."""
        try:
            return path_of(project, self.tableau, self.now()) if project.luid else project.name
        except TableauError as error:
            if not error.permanent and not self.last_attempt:
                raise
            return project.name

    @cached_property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose lines name the event and the job."""
        logger = logging.getLogger(f"webhooks.handlers.{self.job.handler}")
        return JobLog(logger, {"event_id": self.event.id, "job_id": self.job.id})

    def once(self, key: str, function: Callable[[], Any]) -> Any:
        """The JSON value that `function` gives; it runs once per job, and later attempts get what it gave.

        It runs again only if the process dies, or the inbox cannot write, between its end and the record of it.
        Raises Permanent for a result that is not JSON, LeaseLost where another worker has the job by now.
        """
        return self.checkpoint(key, function, Namespace.HANDLER)

    def checkpoint(self, key: str, function: Callable[[], Any], namespace: Namespace = Namespace.FRAMEWORK) -> Any:
        """Do what `once` does with a key of the framework, which no handler's key can collide with."""
        known = self.inbox.checkpoints.get(self.job, key, namespace=namespace)
        if known is not MISSING:
            return known
        if not self.still_mine():
            raise LeaseLost(f"job {self.job.id} belongs to another worker now")
        value = function()
        try:
            json.dumps(value)
        except (TypeError, ValueError) as error:
            self.inbox.checkpoints.set(self.job, key, None, namespace=namespace)
            raise Permanent(f"once({key!r}) has to give a JSON value: {error}") from error
        self.inbox.checkpoints.set(self.job, key, value, namespace=namespace)
        return value

    def notify(
        self,
        to: str,
        message: MessageSource,
        *,
        picture: PictureSource | None = None,
        key: str | None = None,
        site: bool = True,
    ) -> Receipt:
        """Tells the destination `to` (`slack:#bi`, `twilio`, `default`, …), once per job whatever is retried.

        `message` may be a text or a function that makes the message; so may `picture`, which is added once the message
        is out. A picture that fails is tried again a few times, then left out. The first call for a destination is its
        first message on every attempt; give messages a `key` each where a later attempt may take another way.

        Where the server knows several sites, the message says which one the event is from, unless `site` is False.

        A message that may have arrived (the error is `uncertain`) is sent again at most twice, far apart.

        Raises NotifierError as the medium has it, Permanent for a destination that is none.
        """
        key = f"{MESSAGE_PREFIX}{key or self._ordinal(to)}"
        destination = self._destination(to)
        notifier = self.notifiers[destination.kind]
        label = self.label(self.event) if site else ""
        receipt = Receipt.from_dict(
            self._send(key, lambda: notifier.send(_made(message, label), destination.to).as_dict())
        )
        if picture is not None:
            self._show(f"{key} picture", lambda: _attach(notifier, picture, receipt))
        return receipt

    def _send(self, key: str, send: Callable[[], dict[str, str]]) -> dict[str, str]:
        try:
            return dict(self.checkpoint(key, send))
        except NotifierError as error:
            if error.permanent or not error.uncertain:
                raise
            why = f"{error}; the message may have arrived, and is sent again"
            self.wait(f"{key} uncertain", UNCERTAIN_WAITS, why, not_before=error.retry_at)
            over = "The message may have arrived, perhaps more than once; it is not repeated. Replay to send it again"
            raise NotifierError(f"{error}. {over}", permanent=True, uncertain=True) from error

    def _ordinal(self, to: str) -> str:
        self._told[to] += 1
        return f"{to} {self._told[to]}"

    def _destination(self, to: str) -> Destination:
        try:
            return parse_destination(resolve_default(to, self.notifiers.with_default_address))
        except ValueError as error:
            raise Permanent(str(error)) from None

    def _show(self, key: str, attach: Callable[[], str | None]) -> None:
        try:
            self.checkpoint(key, attach)
        except (LeaseLost, StoreUnavailable):
            raise
        except Exception as error:  # noqa: BLE001 — whatever is wrong with a picture, the message is out
            self._without_picture(key, error)

    def _without_picture(self, key: str, error: Exception) -> None:
        """Raise RetryLater while a transient error has attempts left; otherwise record that the picture is missing."""
        if getattr(error, "permanent", True) is False:
            why = f"the message is out, its picture is not: {error}"
            self.wait(key, PICTURE_WAITS, why, not_before=getattr(error, "retry_at", None))
        self.log.warning("No picture: %s", error)
        self.inbox.checkpoints.set(self.job, key, {"problem": str(error)})

    def wait(self, key: str, waits: Sequence[float], why: str, not_before: datetime | None = None) -> None:
        """Raise RetryLater for each of `waits` (seconds) in turn, over all attempts; return once they are used up.

        So a handler has patience without holding a thread. A wait costs no attempt, so the last one waits as well;
        it returns at once only where it would cost one, which is so for a job older than a day.
        """
        if self.last_attempt and not self._waits_for_nothing:
            return
        for number, seconds in enumerate(waits, 1):
            if self.inbox.checkpoints.get(self.job, f"{key} wait {number}") is MISSING:
                self.inbox.checkpoints.set(self.job, f"{key} wait {number}", why)
                due_at = self.now() + timedelta(seconds=seconds)
                raise RetryLater(why, max(due_at, not_before) if not_before else due_at)

    @property
    def _waits_for_nothing(self) -> bool:
        now = self.now()
        return costs_no_attempt(RetryLater("", now), created_at=self.job.created_at or now, now=now)


class JobLog(logging.LoggerAdapter[logging.Logger]):
    """Puts the event and the job in front of each line."""

    def process(self, msg: object, kwargs: MutableMapping[str, Any]) -> tuple[str, MutableMapping[str, Any]]:
        ids = self.extra or {}
        kwargs["extra"] = {**ids, **(kwargs.get("extra") or {})}
        return f"event {ids.get('event_id')}, job {ids.get('job_id')}: {msg}", kwargs


def call(handler: Handler, context: Context) -> None:
    """Runs the handler for the context's job, with the arguments it names.

    Raises Skip where one of the job's conditions does not hold, and whatever the handler raises.
    """
    if context.job.where:
        context.checkpoint(CONDITIONS, lambda: _conditions(context))
    given = {name: getattr(context, name) for name in handler.arguments if name not in {"params", "context"}}
    if "params" in handler.arguments:
        given["params"] = _params(handler, context)
    if "context" in handler.arguments:
        given["context"] = context
    handler.function(**given)


def _conditions(context: Context) -> str:
    where = dict(context.job.where)
    site = where.pop(SITE, None)
    reasons = [check_site(site, context.event)] if site is not None else []
    if where:
        reasons.append(check(where, context.lookup, context.project_path))
    return "; ".join(reasons)


def _params(handler: Handler, context: Context) -> BaseModel:
    try:
        return handler.params.model_validate(dict(context.job.params))
    except ValidationError as error:
        faults = "; ".join(describe_values(error))
        raise Permanent(f"the job's params no longer fit {handler.name}: {faults}") from None


def _attach(notifier: Notifier, picture: PictureSource, receipt: Receipt) -> str | None:
    made = picture() if callable(picture) else picture
    if made is None:
        return None
    notifier.attach(made, receipt)
    return made.filename


def _made(message: MessageSource, site: str) -> Message:
    made = message() if callable(message) else as_message(message)
    return replace(made, facts=(("Site", site), *made.facts)) if site else made


def as_message(message: Message | str) -> Message:
    """A text as a message: its first line is the title."""
    if isinstance(message, Message):
        return message
    title, _, text = message.strip().partition("\n")
    if len(title) <= TITLE:
        return Message(title, text.strip())
    return Message(title[: TITLE - 1].rstrip() + "…", message.strip())
