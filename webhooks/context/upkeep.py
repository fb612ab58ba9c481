"""Bring the message about an incident up to date at its destination: post it, edit it, reply in its thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from notifiers import (
    CannotEdit,
    CannotReply,
    Message,
    NotifierError,
    PartlyDelivered,
    Posted,
    Receipt,
)
from webhooks.clock import parse_time
from webhooks.context.budget import observed, take_budget
from webhooks.context.delivery import Delivery, PictureSource, counted, counted_outcome, log_sent, redact_message
from webhooks.context.notice_lock import name_of
from webhooks.context.pending_posts import Pending, find_pending
from webhooks.context.target import Target
from webhooks.errors import LeaseLost, Permanent, RetryLater
from webhooks.incidents.deliveries import deliveries
from webhooks.incidents.notices import WantedNotice
from webhooks.job import MISSING

if TYPE_CHECKING:
    # The database takes half of the start of a command that only checks rules.
    from webhooks.context.context import Context
    from webhooks.inbox import GroupRecord, NoticeRecord

# Counts change a message this often at most, after its first edit; each edit shows the newest.
COUNT_SECONDS = 10.0
# The checkpoint with the receipt of what a job has posted.
RECEIPT = "notice receipt"

# What a reply or a message says that takes the place of an edit which the service refuses.
NOT_EDITED = "{label} allows no more changes of the message above, so it shows an earlier state."
DELETED = "The message before this one was deleted."
REPLACED = "The message before this one cannot be changed any more, and shows an earlier state."

# Writes the message of an incident, or the short one about a change, for a wanted notice.
Compose = Callable[[WantedNotice], Message]


class NeverPosted(Exception):
    """The message about an incident that has closed by now was not posted by an earlier attempt."""


class Upkeep:
    """The message about one incident, or about the incidents of a group, at one destination.

    What is sent is recorded in the notice or the group, which all jobs about it share. Before a post, its own id is
    recorded: after an unknown outcome the service is asked for it, so that no second message appears where it can be
    asked. `host` is the message of a group, in whose thread the replies of a notice without a message of its own go.
    """

    def __init__(self, context: Context, notice: NoticeRecord | GroupRecord, host: Posted | None = None) -> None:
        self._context, self._notice = context, notice
        self.target = Target.of(context, notice.destination)
        self._notifier, self._to = self.target.notifier, self.target.to
        self._shown = dict(notice.shown)
        stored: dict[str, Any] = dict(notice.posted or {})
        self._host = host
        self._posted = Posted.from_dict(stored["message"]) if "message" in stored else host
        # By key, the posts whose outcome is unknown.
        self._pending: Pending = dict(stored.get("pending") or {})
        self._edited_at = parse_time(stored.get("edited_at"))
        # The service has refused an edit, and a reply says so.
        self._is_fixed = bool(stored.get("fixed"))
        # What was sent, but not to all recipients.
        self._partly: PartlyDelivered | None = None

    def run(
        self, wanted: Sequence[WantedNotice], whole: Compose, change: Compose, picture: PictureSource | None = None
    ) -> None:
        """Send what is wanted and not shown yet, the most urgent first.

        `whole` writes the message of the incident, `change` a short one about a change; `picture` is attached to a
        message that this job posts. Raises RetryLater if a part has to wait, and NotifierError.
        """
        shown = {(one.destination, key): version for one in wanted for key, version in self._shown.items()}
        waits: list[RetryLater] = []
        for step in deliveries(wanted, shown):
            one = replace(step.notice, urgency=step.urgency)
            if step.action == "edit" and not self._may_edit(one, waits):
                continue
            # The message of another incident that was taken over has alerted people, so that replies are sent as well.
            covers = step.covers if self._posted is None else ()
            try:
                version = self._show_message(one, whole, change) if step.action != "reply" else self._reply(one, change)
            except NeverPosted:
                continue
            except RetryLater as error:
                if self._posted is None:
                    raise
                # A reply that has to wait keeps nothing else from being shown.
                waits.append(error)
                continue
            if step.covers and not covers:
                waits.append(RetryLater("Replies follow the message", self._context.now(), spread=0.0))
            self._shown.update(dict.fromkeys(covers, 1) | {one.key: version})
            self._save()
        self._finish(picture)
        if waits:
            raise min(waits, key=lambda error: error.retry_at or self._context.now())
        if self._partly:
            raise self._partly

    def reply(self, wanted: Sequence[WantedNotice], change: Compose) -> None:
        """Send these changes as replies, and record what is shown. Raises RetryLater and NotifierError."""
        for one in wanted:
            self._shown[one.key] = self._reply(one, change)
            self._save()
        self._save()
        if self._partly:
            raise self._partly

    def _may_edit(self, one: WantedNotice, waits: list[RetryLater]) -> bool:
        """Return whether the message may be changed now; add how long it has to wait to `waits`."""
        again = self._edited_at + timedelta(seconds=COUNT_SECONDS) if self._edited_at else None
        if one.urgency == "count" and again and again > self._context.now():
            waits.append(RetryLater("Counts are shown together", again, spread=1.0))
            return False
        # If it opens and closes again and again, a further message has to wait until that is over.
        return one.settled or self.target.can_edit

    def _show_message(self, one: WantedNotice, whole: Compose, change: Compose) -> int:
        """Show the message, and return the version that the destination shows now."""
        if self._posted is None and (version := self._post(one, whole(one))) == one.version:
            return version
        if self._notifier.capabilities.upkeep == "edit":
            return self._edit(one, whole, change)
        return self._post(one, whole(one)) if one.urgency == "close" else one.version

    def _edit(self, one: WantedNotice, whole: Compose, change: Compose) -> int:
        """Edit the message; if that is refused, reply to it, and if it is gone, post another."""
        assert self._posted is not None
        message = self._prepared(whole(one), f"edit {one.version}")
        try:
            take_budget(self._context, self._notifier, "edit", self._to, one.urgency)
            with counted_outcome(self._context, self._notifier, "edit", self._to):
                self._posted = self._notifier.edit(self._posted, message)
            log_sent(self._context, self._notifier, "edit", self._to, self._posted.id)
        except CannotEdit as error:
            self._context.log.warning("Message not edited, replying or posting another: %s", error)
            if not error.gone and self._notifier.capabilities.thread:
                if self._is_fixed and not name_of(self._notice).startswith("group"):
                    # Acts and the end have replies of their own, and a count is not worth one.
                    return one.version
                note = NOT_EDITED.format(label=self._notifier.label)
                news = change(one) if self._is_fixed else _with_note(whole(one), note)
                try:
                    version = self._post(one, news, reply=True)
                except CannotReply as refused:
                    self._context.log.warning("No reply possible, posting another message: %s", refused)
                else:
                    self._edited_at, self._is_fixed = self._context.now(), True
                    return version
            return self._post(one, _with_note(whole(one), DELETED if error.gone else REPLACED))
        self._edited_at = self._context.now()
        return one.version

    def _reply(self, one: WantedNotice, change: Compose) -> int:
        """Reply in the thread, or where there are no threads send what people must not miss as a message.

        Returns the version that is shown now.
        """
        capabilities = self._notifier.capabilities
        if capabilities.thread and self._posted is not None:
            try:
                return self._post(one, change(one), reply=True)
            except CannotReply as error:
                self._context.log.warning("No reply possible: %s", error)
        elif (capabilities.upkeep == "message" and one.urgency in {"escalation", "repeat"}) or (
            # It failed again soon after the message that it had recovered.
            one.urgency == "open" and one.visible
        ):
            return self._post(one, change(one), keep=False)
        return one.version

    def _post(self, one: WantedNotice, message: Message, *, reply: bool = False, keep: bool = True) -> int:
        """Post a message or a reply, unless an earlier attempt did; return the version that was posted.

        `keep`: it is the message to edit from now on. Raises NeverPosted if an earlier attempt has failed, and there is
        nothing to notify of any more.
        """
        if not self._context.still_mine():
            raise LeaseLost(f"Job {self._context.job.id} belongs to another worker now")
        thread = self._posted if reply else None
        version = one.version
        may_be_posted = one.key in self._pending
        with observed(self._context, self._notifier, self._to):
            posted = find_pending(self._notifier, self._to, self._pending, one.key, thread, now=self._context.now())
        if may_be_posted and one.key not in self._pending and one.form == "message" and one.over:
            self._save()
            raise NeverPosted
        if posted is not None:
            # The earlier attempt may have posted an older version, which is edited next.
            version = self._pending[one.key]["version"]
        else:
            posted = self._send(one, message, thread)
        self._pending.pop(one.key, None)
        if keep and not reply:
            self._posted, self._is_fixed = posted, False
        self._save()
        if keep and not reply:
            self._context.inbox.checkpoints.set(self._context.job, RECEIPT, posted.receipt.as_dict())
        return version

    def _send(self, one: WantedNotice, message: Message, thread: Posted | None) -> Posted:
        """Post a message, or a reply in the thread, after its own id was recorded."""
        client_id = f"{name_of(self._notice)} {one.key} {one.version}"
        self._pending[one.key] = {"id": client_id, "since": self._context.now().isoformat(), "version": one.version}
        self._save()
        made = self._prepared(message, f"{one.key} {one.version}")
        operation: Literal["post", "reply"] = "post" if thread is None else "reply"
        try:
            take_budget(self._context, self._notifier, operation, self._to, one.urgency)
            with counted(self._context, self._notifier, made, self._to, operation):
                if thread is None:
                    posted = self._notifier.post(made, self._to, client_id=client_id)
                else:
                    posted = self._notifier.reply(thread, made, client_id=client_id)
        except PartlyDelivered as error:
            # Reported once all else is sent and recorded.
            self._partly = error
            return Posted(self._notifier.kind, error.receipt.channel, error.receipt.id)
        except (NotifierError, RetryLater, Permanent) as error:
            if not getattr(error, "uncertain", False):
                del self._pending[one.key]
                self._save()
            raise
        log_sent(self._context, self._notifier, operation, self._to, posted.id)
        return posted

    def _prepared(self, message: Message, change: str) -> Message:
        """Return the message without secrets, and with an id that no other change of any notice has."""
        name = f"{name_of(self._notice)} {self._notice.created_at.timestamp()} {change}"
        return replace(redact_message(message, self._context.redact), id=name)

    def _finish(self, picture: PictureSource | None) -> None:
        """Look up, where possible, whether the message of this job was delivered, and attach its picture."""
        receipt = self._context.inbox.checkpoints.get(self._context.job, RECEIPT)
        if receipt is MISSING:
            return
        delivery = Delivery(self._context, self._notifier, RECEIPT)
        delivery.confirm(Receipt.from_dict(receipt))
        if picture is not None:
            delivery.attach(picture, Receipt.from_dict(receipt), self._to)

    def _save(self) -> None:
        stored: dict[str, Any] = {}
        if self._posted is not None and self._posted is not self._host:
            stored["message"] = self._posted.as_dict()
        if self._pending:
            stored["pending"] = self._pending
        if self._edited_at is not None:
            stored["edited_at"] = self._edited_at.isoformat()
        if self._is_fixed:
            stored["fixed"] = True
        from webhooks.inbox import GroupRecord  # noqa: PLC0415 - as for the types

        if isinstance(self._notice, GroupRecord):
            self._context.inbox.notice_groups.save(self._notice, posted=stored, shown=self._shown)
        else:
            self._context.inbox.notices.save(self._notice, posted=stored, shown=self._shown)


def _with_note(message: Message, note: str) -> Message:
    return replace(message, text="\n".join(filter(None, [message.text, note])))
