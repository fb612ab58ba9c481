"""The unlabel action: remove labels, such as data quality warnings, from the content that an event is about."""

from __future__ import annotations

from functools import partial

from pydantic import Field

from webhooks.context import Context
from webhooks.context.changes import Change, DryRun, PerDay, change_once, content_now, remove_all
from webhooks.errors import Skip
from webhooks.handlers.label import (
    KINDS,
    LabelValue,
    has_labels,
    labels_of_value,
    warning_type_of,
    warnings_of_type,
)
from webhooks.registry import Params, action

# Why nothing is left to do.
REMOVED = "it is removed already"


class UnlabelParams(Params):
    """The label to remove."""

    value: LabelValue = Field(description="name of the label, as in Tableau: stale, deprecated, warning, …")
    per_day: PerDay = 10
    dry_run: DryRun = False


@action("unlabel", params=UnlabelParams)
def unlabel(context: Context, params: UnlabelParams) -> str:
    """Remove the label, also one that a person has set. Raises Skip if there is none, or the content has no labels."""

    def find() -> Change:
        content = content_now(context, KINDS, "has no labels")
        found = labels_of_value(context, content, params.value)
        if not found:
            raise Skip("it does not have this label")

        def remove() -> None:
            remove_all((partial(context.tableau.delete_label, one.luid) for one in found), REMOVED)

        return Change(f"label {params.value}", "removed", remove)

    def find_warning() -> Change:
        content = content_now(context, KINDS, "has no labels")
        warning_type = warning_type_of(context, params.value)
        found = warnings_of_type(context, content, warning_type)
        if not found:
            raise Skip("it does not have this data quality warning")

        def remove() -> None:
            remove_all((partial(context.tableau.delete_quality_warning, one.luid) for one in found), REMOVED)

        return Change(f"data quality warning {warning_type}", "removed", remove)

    return change_once(context, params, find if has_labels(context) else find_warning)
