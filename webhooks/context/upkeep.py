"""Bring the message about an incident up to date at its destination: post it, edit it, reply in its thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from notifiers import (
    CannotEdit,
    CannotReply,
    Message,
    NotifierError,
    Operation,
    Posted,
    Receipt,
    Unknown,
    parse_destination,
)
from webhooks.clock import parse_time
from webhooks.context.delivery import Delivery, PictureSource, counted, redact_message
from webhooks.destinations import resolve_default
from webhooks.errors import LeaseLost, Permanent, RetryLater
from webhooks.inbox import MISSING, NoticeRecord
from webhooks.incidents.policy import WantedNotice, deliveries

if TYPE_CHECKING:
    from webhooks.context.context import Context

# Counts change a message this often at most, after its first edit; each edit shows the newest.
COUNT_SECONDS = 10.0
# Seconds until a post whose outcome is unknown is looked up, because the service may still carry it out.
LOOKUP_SECONDS = 60.0
# Seconds until it is repeated if it cannot be looked up.
REPEAT_SECONDS = 120.0
# Seconds in which one job may work on a notice before another may take over.
LOCK_SECONDS = 120.0
LOCK_WAIT_SECONDS = 1.0
# The checkpoint with the receipt of what a job has posted.
RECEIPT = "notice receipt"

# Writes the message of an incident, or the short one about a change, for a wanted notice.
Compose = Callable[[WantedNotice], Message]


class Upkeep:
    """The message about one incident at one destination.

    What is sent is recorded in the notice, which all jobs about it share. Before a post, its own id is recorded: after
    an unknown outcome the service is asked for it, so that no second message appears where it can be asked.
    """

    def __init__(self, context: Context, notice: NoticeRecord) -> None:
        try:
            destination = parse_destination(resolve_default(notice.destination, context.notifiers.with_default_address))
        except ValueError as error:
            raise Permanent(str(error)) from None
        self._context, self._notice = context, notice
        self._notifier, self._to = context.notifiers[destination.kind], destination.to
        self._shown = dict(notice.shown)
        stored: dict[str, Any] = dict(notice.posted or {})
        self._posted = Posted.from_dict(stored["message"]) if "message" in stored else None
        self._pending: dict[str, str] | None = stored.get("pending")
        self._edited_at = parse_time(stored.get("edited_at"))

    @property
    def can_edit(self) -> bool:
        """Return whether a message that was posted can be completed later."""
        return self._notifier.capabilities.edit

    def run(
        self,
        wanted: Sequence[WantedNotice],
        whole: Compose,
        change: Compose,
        picture: PictureSource | None = None,
    ) -> None:
        """Send what is wanted and not shown yet, the most urgent first.

        `whole` writes the message of the incident, `change` a short one about a change; `picture` is attached to a
        message that this job posts. Raises RetryLater if a part has to wait, and NotifierError.
        """
        wait_until: list[datetime] = []
        shown = {(one.destination, key): version for one in wanted[:1] for key, version in self._shown.items()}
        for step in deliveries(wanted, shown):
            one = replace(step.notice, urgency=step.urgency)
            if one.urgency == "count" and self._edited_at:
                again = self._edited_at + timedelta(seconds=COUNT_SECONDS)
                if again > self._context.now():
                    wait_until.append(again)
                    continue
            if one.form == "message":
                self._show_message(one, whole, change)
            else:
                self._show_change(one, change)
            self._shown.update({one.key: one.version, **dict.fromkeys(step.covers, 1)})
            self._save()
        self._finish(picture)
        if wait_until:
            raise RetryLater("counts are shown together", min(wait_until))

    def _show_message(self, one: WantedNotice, whole: Compose, change: Compose) -> None:
        upkeep = self._notifier.capabilities.upkeep
        if self._posted is None and self._post(one, whole(one)):
            return
        if upkeep == "edit":
            self._edit(one, whole, change)
        elif one.urgency == "close":
            self._post(one, whole(one))

    def _edit(self, one: WantedNotice, whole: Compose, change: Compose) -> None:
        """Edit the message; if that is refused, reply to it, and if it is gone, post another."""
        assert self._posted is not None
        message = redact_message(whole(one), self._context.redact)
        try:
            with self._budgeted("edit", one):
                self._posted = self._notifier.edit(self._posted, message)
            self._edited_at = self._context.now()
        except CannotEdit as error:
            self._context.log.warning("Message not edited, sending another: %s", error)
            if not error.gone and self._notifier.capabilities.thread:
                try:
                    self._post(one, change(one), reply=True)
                except CannotReply as refused:
                    self._context.log.warning("No reply possible, posting another message: %s", refused)
                else:
                    return
            self._post(one, whole(one))

    def _show_change(self, one: WantedNotice, change: Compose) -> None:
        """Reply in the thread, or where there are no threads send what people must not miss as a message."""
        capabilities = self._notifier.capabilities
        if capabilities.thread and self._posted is not None:
            try:
                self._post(one, change(one), reply=True)
            except CannotReply as error:
                self._context.log.warning("No reply possible: %s", error)
        elif capabilities.upkeep == "message" and one.urgency in {"escalation", "repeat"}:
            self._post(one, change(one), keep=False)

    def _post(self, one: WantedNotice, message: Message, *, reply: bool = False, keep: bool = True) -> bool:
        """Post a message or a reply, unless an earlier attempt did. `keep`: it is the message to edit from now on.

        Return whether this version is shown: an earlier attempt may have posted what has changed since.
        """
        if not self._context.still_mine():
            raise LeaseLost(f"Job {self._context.job.id} belongs to another worker now")
        thread = self._posted if reply else None
        # Without the version, so that a message is found although the incident has changed since. Of replies that
        # replace an edit, each version is one.
        client_id = f"notice {self._notice.id} {one.key}{f' {one.version}' if reply else ''}"
        posted = self._find(client_id, thread)
        version = str(one.version)
        is_current = posted is None or (self._pending or {}).get("version", version) == version
        if posted is None:
            self._pending = {"id": client_id, "since": self._context.now().isoformat(), "version": version}
            self._save()
            made = redact_message(message, self._context.redact)
            try:
                with self._budgeted("reply" if reply else "post", one), counted(self._context, self._notifier, made):
                    if thread is not None:
                        posted = self._notifier.reply(thread, made, client_id=client_id)
                    else:
                        posted = self._notifier.post(made, self._to, client_id=client_id)
            except (NotifierError, RetryLater, Permanent) as error:
                if not getattr(error, "uncertain", False):
                    self._pending = None
                    self._save()
                raise
        self._pending = None
        if keep and not reply:
            self._posted = posted
        self._save()
        if keep and not reply:
            self._context.inbox.checkpoints.set(self._context.job, RECEIPT, posted.receipt.as_dict())
        return is_current

    def _find(self, client_id: str, thread: Posted | None) -> Posted | None:
        """Return the message of an earlier attempt whose outcome is unknown, None if it has to be posted.

        Raises RetryLater while that cannot be known yet.
        """
        if self._pending is None or self._pending["id"] != client_id:
            return None
        now = self._context.now()
        since = parse_time(self._pending["since"]) or now
        if now < since + timedelta(seconds=LOOKUP_SECONDS):
            raise RetryLater("The message may have been posted", since + timedelta(seconds=LOOKUP_SECONDS))
        found = self._notifier.find(self._to, client_id, since, thread=thread)
        if not isinstance(found, Unknown):
            return found
        if now < since + timedelta(seconds=REPEAT_SECONDS):
            reason = f"The message may have been posted, it is sent again: {found.reason}"
            raise RetryLater(reason, since + timedelta(seconds=REPEAT_SECONDS))
        return None

    @contextmanager
    def _budgeted(self, operation: Operation, one: WantedNotice) -> Iterator[None]:
        """Stay within the service's limits. Raises RetryLater; counts wait until nothing else uses the limits."""
        limits = self._notifier.limits(operation, self._to)
        again = self._context.inbox.budgets.take(limits, spare=one.urgency == "count")
        if again is not None:
            raise RetryLater(f"{self._notifier.label} limits the rate of messages", again)
        yield

    def _finish(self, picture: PictureSource | None) -> None:
        """Look up, where possible, whether the message of this job was delivered, and attach its picture."""
        receipt = self._context.inbox.checkpoints.get(self._context.job, RECEIPT)
        if receipt is MISSING:
            return
        delivery = Delivery(self._context, self._notifier, RECEIPT)
        delivery.confirm(Receipt.from_dict(receipt))
        if picture is not None:
            delivery.attach(picture, Receipt.from_dict(receipt))

    def _save(self) -> None:
        stored: dict[str, Any] = {}
        if self._posted is not None:
            stored["message"] = self._posted.as_dict()
        if self._pending is not None:
            stored["pending"] = self._pending
        if self._edited_at is not None:
            stored["edited_at"] = self._edited_at.isoformat()
        self._context.inbox.notices.save(self._notice, posted=stored, shown=self._shown)


@contextmanager
def locked(context: Context, notice: NoticeRecord) -> Iterator[None]:
    """Let one job at a time work on a notice. Raises RetryLater while another does."""
    task, owner = f"notice {notice.id}", f"job {context.job.id} {context.job.attempts}"
    if not context.inbox.locks.acquire(task, owner, LOCK_SECONDS):
        now = context.now()
        raise RetryLater("Another job updates this message", now + timedelta(seconds=LOCK_WAIT_SECONDS))
    try:
        yield
    finally:
        context.inbox.locks.release(task, owner)
