"""The downstream action: notify the owners of the workbooks that use the data source that an event is about."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from notifiers import Message, NotifierError
from notifiers.message import EMAIL
from notifiers.table import Table
from tableau_rest.models import Dependent
from webhooks.context import Context
from webhooks.context.changes import DryRun, PerDay, take_use
from webhooks.errors import Permanent, Skip
from webhooks.messages.event_message import as_text
from webhooks.registry import Params, action
from webhooks.text import count

INCOMPLETE = "Tableau's Metadata API did not return all workbooks, so owners may be missing"


class DownstreamParams(Params):
    """The service by which the owners are notified, and the limits."""

    by: Literal["slack", "email"] = Field("slack", description="service that finds the owners by e-mail address")
    text: str = Field("", max_length=2000, description="your own sentence below the headline")
    people: int = Field(50, ge=1, le=500, description="maximum number of owners, those with most workbooks first")
    per_day: PerDay = 1
    dry_run: DryRun = False


@action("downstream", params=DownstreamParams)
def downstream(context: Context, params: DownstreamParams) -> str:
    """Send one message to each owner, with the workbooks that use the data source, and return how many.

    An owner who cannot be notified does not keep the others from it: raises Permanent if none can, and the error that
    may pass if one may be notified later. Raises Skip for other content and if no workbook uses the data source.
    """
    if context.event.content_kind != "datasource" or context.luid is None or context.event.type.content_gone:
        raise Skip("only existing data sources have workbooks that use them")
    found = context.tableau.downstream_workbooks(context.luid)
    owners = workbooks_by_owner(found.workbooks)
    if not owners:
        reason = "no workbook uses it" if not found.workbooks else "its workbooks have no owner with an e-mail address"
        raise Skip(reason if found.complete else f"{reason}; {INCOMPLETE}")
    chosen = sorted(owners, key=lambda one: (-len(owners[one]), one))[: params.people]
    workbooks = count(len(found.workbooks), "workbook")
    if params.dry_run:
        words = f"dry run: {count(len(owners), 'owner')} of {workbooks} would be notified"
        raise Skip(words if found.complete else f"{words}; {INCOMPLETE}")
    take_use(context, params.per_day, of_rule=True)
    problems: list[str] = []
    later: NotifierError | None = None
    for owner in chosen:
        try:
            context.notify(f"{params.by}:{owner}", _message(context, params, owners[owner]), key=f"downstream {owner}")
        except NotifierError as error:
            problems.append(f"{owner}: {error}")
            later = later if error.permanent else error
    if later is not None:
        raise later
    if len(problems) == len(chosen):
        raise Permanent(f"No owner could be notified. {problems[0]}")
    result = f"{count(len(chosen) - len(problems), 'owner')} of {workbooks} notified"
    left_out = (
        f"{len(owners) - len(chosen)} more not notified (people = {params.people})" if owners.keys() - chosen else ""
    )
    return "; ".join(filter(None, [result, left_out, "" if found.complete else INCOMPLETE, *problems]))


def workbooks_by_owner(workbooks: tuple[Dependent, ...]) -> dict[str, list[Dependent]]:
    """Return the workbooks of each owner by e-mail address, which on Tableau Cloud is the user name."""
    found: dict[str, list[Dependent]] = {}
    for workbook in workbooks:
        address = next((one for one in (workbook.owner_email, workbook.owner_name) if EMAIL.fullmatch(one)), None)
        if address:
            found.setdefault(address.lower(), []).append(workbook)
    return found


def _message(context: Context, params: DownstreamParams, workbooks: list[Dependent]) -> Message:
    """Return the message to one owner."""
    event = context.event
    rows = tuple((one.name, one.project_name) for one in sorted(workbooks, key=lambda one: one.name))
    numbers = (
        f"{count(len(workbooks), 'workbook')} of yours {'uses' if len(workbooks) == 1 else 'use'} this data source."
    )
    return Message(
        f"{event.type.headline}: {as_text(event.resource_name)}",
        "\n".join(filter(None, [params.text, numbers])),
        severity=event.type.severity,
        table=Table(("Workbook", "Project"), rows),
        footer=f"Rule: {context.job.rule}",
    )
