"""Deliver a job's message: once, within the limits per hour, confirmed if the service can, then its picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from notifiers import Message, Notifier, NotifierError, Operation, Picture, Receipt, Undelivered, map_texts
from webhooks.context.budget import observed, take_budget, urgency_of_job
from webhooks.context.unsent_message import message_from_json, message_to_json
from webhooks.errors import LeaseLost, Permanent, RetryLater, StoreUnavailable
from webhooks.job import BUILT_IN_HANDLERS, MISSING
from webhooks.observability.tracing import span

if TYPE_CHECKING:
    from webhooks.context.context import Context

# Seconds until a picture that failed is tried again.
PICTURE_WAITS = (10.0, 30.0)
# Seconds until a message that may have arrived is sent again: few and far apart, as each repeat may be a second copy.
UNCERTAIN_WAITS = (120.0, 1800.0)
# Seconds until the delivery of an accepted message is looked up.
DELIVERY_WAITS = (60.0,)
# What was done by an operation, for the log.
SENT = {"send": "sent", "post": "posted", "edit": "edited", "reply": "posted in the thread"}
# Characters that fit into the headline of a message.
MAX_TITLE = 150

MessageOperation = Literal["send", "post", "edit", "reply"]
PictureSource = Picture | Callable[[], Picture | None]


class Delivery:
    """The delivery of one message of a job, over all its attempts. `key` begins the names of its checkpoints."""

    def __init__(self, context: Context, notifier: Notifier, key: str) -> None:
        self._context, self._notifier, self._key = context, notifier, key

    def run(
        self, message: Callable[[], Message], to: str | None, picture: PictureSource | None, *, last: bool = False
    ) -> Receipt:
        """Send the message, confirm its delivery and attach its picture, as far as earlier attempts have not.

        `last`: the handler returns afterwards.
        """
        receipt = self._send(message, to, at_end=last and picture is None and not self._notifier.capabilities.receipt)
        self.confirm(receipt)
        if picture is not None:
            self.attach(picture, receipt, to)
        return receipt

    def _send(self, message: Callable[[], Message], to: str | None, *, at_end: bool) -> Receipt:
        """Send a message once. If it is uncertain whether it arrived, send it again at most twice, far apart.

        A message that could not be sent is stored: what it says does not change until it is sent.
        """
        context, unsent = self._context, f"{self._key} unsent"

        def send() -> dict[str, str]:
            job = context.job
            stored = context.inbox.checkpoints.get(job, unsent) if job.attempts > 1 else MISSING
            made = message_from_json(stored) if isinstance(stored, dict) else redact_message(message(), context.redact)
            # A replay of the job is another message.
            name = f"job {job.id} {job.created_at and job.created_at.timestamp()} {self._key}"
            try:
                take_budget(context, self._notifier, "post", to, urgency_of_job(context))
                with counted(context, self._notifier, made, to):
                    receipt = self._notifier.send(replace(made, id=name), to)
                log_sent(context, self._notifier, "send", to, receipt.id)
                return receipt.as_dict()
            except (NotifierError, RetryLater) as error:
                if stored is MISSING and not error.permanent and (value := message_to_json(made)):
                    context.inbox.checkpoints.set(job, unsent, value)
                raise

        try:
            return Receipt.from_dict(dict(self._context.checkpoint(self._key, send, at_end=at_end)))
        except NotifierError as error:
            if error.permanent or not error.uncertain:
                raise
            reason = f"{error}. The message may have arrived; it is sent again"
            self._context.wait(f"{self._key} uncertain", UNCERTAIN_WAITS, reason, not_before=error.retry_at)
            advice = "The message may have arrived, perhaps more than once. Replay the job to send it again"
            raise NotifierError(f"{error}. {advice}", permanent=True, uncertain=True) from error

    def confirm(self, receipt: Receipt) -> None:
        """Look up once, after a while, whether an accepted message was delivered; return at once if that is impossible.

        Raises Undelivered, permanent, if the service says that it was not. A message whose delivery is still open or
        cannot be looked up counts as sent.
        """
        if not self._notifier.capabilities.receipt:
            return
        context, label = self._context, self._notifier.label
        context.wait(f"{self._key} delivery", DELIVERY_WAITS, f"Accepted by {label}; its delivery is checked later")

        def look_up() -> bool | None:
            try:
                return self._notifier.is_delivered(receipt)
            except Undelivered as error:
                # The message was sent, so the job cannot send it again; a replay does.
                error.permanent = True
                raise
            except NotifierError as error:
                context.log.warning("Delivery not confirmed: %s", error)
                return None

        if context.checkpoint(f"{self._key} delivered", look_up) is False:
            context.log.info("Message accepted by %s and not delivered yet", label)

    def attach(self, picture: PictureSource, receipt: Receipt, to: str | None) -> None:
        """Attach a picture to a message that was sent; retry an error that may pass, and go on without it at last.

        Raises RetryLater while the limits of the service do not allow it.
        """
        context, key = self._context, f"{self._key} picture"

        def attach() -> str | None:
            made = picture() if callable(picture) else picture
            if made is None:
                return None
            if self._notifier.capabilities.picture:
                take_budget(context, self._notifier, "attach", to, "repeat")
            self._notifier.attach(made, receipt)
            return made.filename

        try:
            context.checkpoint(key, attach)
        except (LeaseLost, RetryLater, StoreUnavailable):
            raise
        except Exception as error:  # noqa: BLE001 - a picture must never fail a job whose message was sent
            if getattr(error, "permanent", True) is False:
                reason = f"The message was sent, its picture was not: {error}"
                context.wait(key, PICTURE_WAITS, reason, not_before=getattr(error, "retry_at", None))
            context.log.warning("Message sent without its picture: %s", error)
            context.inbox.checkpoints.set(context.job, key, {"problem": str(error)})


@contextmanager
def counted(
    context: Context, notifier: Notifier, message: Message, to: str | None, operation: MessageOperation = "send"
) -> Iterator[None]:
    """Count a message against the limits per hour; one that surely was not accepted is not counted.

    Raises Permanent if a limit is reached. The server's own reports are not limited: they are few, and one of them is
    about the messages that were not sent.
    """
    job, settings, quotas = context.job, context.settings, context.inbox.quotas
    limits = [("MESSAGES_PER_HOUR", settings.messages_per_hour, f"messages of {job.rule or job.handler}", 1)]
    if notifier.capabilities.paid:
        units = notifier.billed_units(message)
        limits.append(("SMS_PER_HOUR", settings.sms_per_hour, "segments of text messages", units))
    with ExitStack() as taken:
        for variable, limit, name, amount in limits if job.handler not in BUILT_IN_HANDLERS else ():
            if limit and not quotas.take(name, limit, amount):
                this = f"; this message has {amount}" if amount > 1 else ""
                raise Permanent(f"Not sent: {variable} allows {limit} {name} within an hour{this}")
            if limit:
                taken.callback(quotas.give_back, name, amount)
        try:
            with counted_outcome(context, notifier, operation, to):
                yield
        except NotifierError as error:
            if error.uncertain:
                taken.pop_all()
            raise
        taken.pop_all()


@contextmanager
def counted_outcome(
    context: Context, notifier: Notifier, operation: MessageOperation, to: str | None
) -> Iterator[None]:
    """Trace a call of the notifier, and count for the metrics whether it could do it; see also `observed`."""
    budget: Operation = "post" if operation == "send" else operation
    try:
        with observed(context, notifier, to, budget), span(f"{notifier.kind} {operation}", "CLIENT"):
            yield
    except NotifierError:
        context.inbox.counters.add("messages", notifier.kind, operation, "failed")
        raise
    context.inbox.counters.add("messages", notifier.kind, operation, "sent")


def log_sent(context: Context, notifier: Notifier, operation: str, to: str | None, message_id: str) -> None:
    """Log that the service has accepted a message, or a change of one."""
    destination = f"{notifier.kind}:{to}" if to else notifier.kind
    context.log.info("Message %s: to=%s id=%s", SENT[operation], destination, message_id)


def as_message(message: Message | str) -> Message:
    """Return a text as a message: the first line is the headline."""
    if isinstance(message, Message):
        return message
    title, _, text = message.strip().partition("\n")
    if len(title) <= MAX_TITLE:
        return Message(title, text.strip())
    return Message(title[: MAX_TITLE - 1].rstrip() + "…", message.strip())


def redact_message(message: Message, redact: Callable[[str], str]) -> Message:
    """Return the message without secrets, which may have come with an error's text or a name."""
    return map_texts(message, redact)
