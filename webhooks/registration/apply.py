"""Carries out a plan step by step at Tableau's side; a step that fails does not stop the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tableau_rest.errors import ConnectionFailed, NotFound, SignInFailed, TableauError, UnknownUri
from tableau_rest.models import Webhook
from webhooks.registration.diff import Change, ChangeKind

if TYPE_CHECKING:
    from tableau_rest import Tableau

NO_SUCH_METHOD = "405000"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a step; `error` is None where it is done."""

    change: Change
    error: TableauError | ValueError | None = None


def apply_changes(steps: Iterable[Change], tableau: Tableau) -> Iterator[Outcome]:
    """Does the steps that change something, and tells of each. Raises what makes the rest hopeless: Tableau does not
    answer, or does not let us in."""
    for step in steps:
        if step.kind is ChangeKind.KEEP:
            continue
        try:
            _do(step, tableau)
        except (ConnectionFailed, SignInFailed):
            raise
        except (TableauError, ValueError) as error:
            yield Outcome(step, error)
        else:
            yield Outcome(step)


def _do(step: Change, tableau: Tableau) -> None:
    if step.webhook is None:
        tableau.create_webhook(step.name, step.event_type, step.url)
    elif step.kind is ChangeKind.DELETE:
        _delete(step.webhook, tableau)
    else:
        _change(step, step.webhook, tableau)


def _delete(webhook: Webhook, tableau: Tableau) -> None:
    try:
        tableau.delete_webhook(webhook)
    except UnknownUri:
        raise
    except NotFound:
        return  # somebody was faster


def _change(step: Change, webhook: Webhook, tableau: Tableau) -> None:
    """By PUT; a server before 2020.2 has none, so there the new one comes before the old one goes: for a moment there
    are two, which costs duplicates; the other way round would cost events."""
    try:
        tableau.update_webhook(webhook, name=step.name, url=step.url, is_enabled=True)
    except TableauError as error:
        if not isinstance(error, UnknownUri) and error.code != NO_SUCH_METHOD:
            raise
        tableau.create_webhook(step.name, step.event_type, step.url)
        _delete(webhook, tableau)
