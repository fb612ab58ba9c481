"""Apply changes to the webhooks in Tableau, one by one; a change that fails does not stop the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tableau_rest.errors import ConnectionFailed, NotFound, SignInFailed, TableauError, UnknownUri
from tableau_rest.models import Webhook
from webhooks.registration.diff import Change, ChangeKind

if TYPE_CHECKING:
    from tableau_rest import Tableau

METHOD_NOT_ALLOWED = "405000"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a change; `error` is None if it was applied."""

    change: Change
    error: TableauError | ValueError | None = None


def apply_changes(changes: Iterable[Change], tableau: Tableau) -> Iterator[Outcome]:
    """Apply each change and yield its outcome; changes of kind KEEP are skipped.

    Raises ConnectionFailed and SignInFailed, because the remaining changes would fail in the same way.
    """
    for change in changes:
        if change.kind is ChangeKind.KEEP:
            continue
        try:
            if change.webhook is None:
                tableau.create_webhook(change.name, change.event_type, change.url)
            elif change.kind is ChangeKind.DELETE:
                _delete(change.webhook, tableau)
            else:
                _update(change, change.webhook, tableau)
        except (ConnectionFailed, SignInFailed):
            raise
        except (TableauError, ValueError) as error:
            yield Outcome(change, error)
        else:
            yield Outcome(change)


def _delete(webhook: Webhook, tableau: Tableau) -> None:
    """Delete the webhook; it may already be gone."""
    try:
        tableau.delete_webhook(webhook)
    except UnknownUri:
        raise
    except NotFound:
        pass


def _update(change: Change, webhook: Webhook, tableau: Tableau) -> None:
    """Update and enable the webhook, or replace it on servers older than 2020.2, which cannot update one.

    The replacement is created before the old webhook is deleted: the overlap causes duplicates, which are harmless,
    while a gap would lose events.
    """
    try:
        tableau.update_webhook(webhook, name=change.name, url=change.url, is_enabled=True)
    except TableauError as error:
        if not isinstance(error, UnknownUri) and error.code != METHOD_NOT_ALLOWED:
            raise
        tableau.create_webhook(change.name, change.event_type, change.url)
        _delete(webhook, tableau)
