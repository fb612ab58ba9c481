"""The label action: set a label, such as a data quality warning, on the content that an event is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, StringConstraints

from tableau_rest.errors import Conflict
from tableau_rest.protocol.version import is_older
from webhooks.context import Context, kind_noun
from webhooks.context.changes import Change, DryRun, PerDay, change_once, content_now
from webhooks.errors import Permanent, Skip
from webhooks.registry import Params, action

if TYPE_CHECKING:
    from tableau_rest.models import Label, QualityWarning

KINDS = ("workbook", "datasource", "flow")
# The REST API that has labels; older servers have data quality warnings, on data sources and flows.
LABELS_SINCE = "3.21"
WITH_WARNINGS = ("datasource", "flow")
# Tableau's own labels, by which older servers know their warnings.
# https://help.tableau.com/current/server/en-us/dm_dqw.htm
WARNINGS = {
    "warning": "WARNING",
    "deprecated": "DEPRECATED",
    "stale": "STALE",
    "stale data": "STALE",
    "maintenance": "MAINTENANCE",
    "under maintenance": "MAINTENANCE",
    "sensitive data": "SENSITIVE_DATA",
}
LabelValue = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128, pattern=r"^[^\n]+$")]


class LabelParams(Params):
    """The label to set."""

    value: LabelValue = Field(description="name of the label, as in Tableau: stale, deprecated, warning, …")
    message: str = Field("", max_length=4000, description="text that is shown with the label")
    elevated: bool = Field(default=False, description="high visibility: shown when the content is opened")
    per_day: PerDay = 10
    dry_run: DryRun = False


@action("label", params=LabelParams)
def label(context: Context, params: LabelParams) -> str:
    """Set the label, or change its message. Raises Skip if it is as wanted, or the content cannot have labels.

    The event of a label that was set may run this again: the skip ends that loop.
    """
    find = find_label if has_labels(context) else find_warning
    return change_once(context, params, lambda: find(context, params))


def find_label(context: Context, params: LabelParams) -> Change:
    """Return the label to set. Raises Skip."""
    content = content_now(context, KINDS, "has no labels")
    same = labels_of_value(context, content, params.value)
    wanted = (params.message, True, params.elevated)
    if any((one.message, one.active, one.elevated) == wanted for one in same):
        raise Skip("it has this label already")
    # An existing one is changed, however its name is written.
    value, kind = same[0].value if same else params.value, str(context.event.content_kind)

    def put() -> None:
        context.tableau.put_label(kind, content, value, message=params.message, elevated=params.elevated)

    return Change(f"label {value}", "set", put)


def find_warning(context: Context, params: LabelParams) -> Change:
    """Return the data quality warning to add, for servers without labels. Raises Skip, and Permanent."""
    warning_type, kind = warning_type_of(context, params.value), str(context.event.content_kind)
    content = content_now(context, KINDS, "has no labels")
    if warnings_of_type(context, content, warning_type):
        raise Skip("it has this data quality warning already")

    def add() -> None:
        try:
            tableau, severe = context.tableau, params.elevated
            tableau.add_quality_warning(kind, content, params.message, type=warning_type, is_severe=severe)
        except Conflict:
            raise Skip("it has this data quality warning already") from None

    return Change(f"data quality warning {warning_type}", "set", add)


def has_labels(context: Context) -> bool:
    """Return whether the server's REST API has labels. Raises Skip where the event is about nothing with labels."""
    kind = context.event.content_kind
    if kind not in KINDS:
        raise Skip(f"a {kind_noun(kind)} has no labels")
    return not is_older(context.tableau.version, LABELS_SINCE)


def labels_of_value(context: Context, content: Any, value: str) -> list[Label]:
    """Return the labels of this value on the content."""
    found = context.tableau.labels(str(context.event.content_kind), content)
    return [one for one in found if one.value.casefold() == value.casefold()]


def warnings_of_type(context: Context, content: Any, warning_type: str) -> list[QualityWarning]:
    """Return the data quality warnings of this type on the content."""
    found = context.tableau.quality_warnings(str(context.event.content_kind), content)
    return [one for one in found if one.type == warning_type]


def warning_type_of(context: Context, value: str) -> str:
    """Return the type of the data quality warning for a label. Raises Permanent if the older server has none."""
    kind, version = context.event.content_kind, context.tableau.version
    if kind not in WITH_WARNINGS:
        words = f"Labels on a {kind_noun(kind)} need REST API {LABELS_SINCE}"
        raise Permanent(f"{words}; this server is used with {version}, which has warnings on data sources and flows")
    if value.casefold() not in WARNINGS:
        words = f"The label {value} needs REST API {LABELS_SINCE}; this server is used with {version}"
        raise Permanent(f"{words}, which has only: {', '.join(WARNINGS)}")
    return WARNINGS[value.casefold()]
