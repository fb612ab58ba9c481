"""The pause and resume actions: suspend a schedule of Tableau Server with all its tasks, or activate it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from tableau_rest.errors import Forbidden, NotFound
from webhooks.context import Context
from webhooks.context.changes import Change, DryRun, PerDay, change_once
from webhooks.errors import Permanent, Skip
from webhooks.registry import Params, action

if TYPE_CHECKING:
    from tableau_rest.models import Schedule

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
ACTIVE, SUSPENDED = "Active", "Suspended"
CLOUD = ".online.tableau.com"
NEEDS = "pause and resume need the schedules of Tableau Server"


class ScheduleParams(Params):
    """The schedule, and the limits."""

    schedule: Name = Field(description="name of the schedule, or its LUID")
    per_day: PerDay = 3
    dry_run: DryRun = False


@action("pause", params=ScheduleParams)
def pause(context: Context, params: ScheduleParams) -> str:
    """Suspend the schedule. Raises Skip if it is suspended, Permanent on Tableau Cloud."""
    return _set(context, params, SUSPENDED, "paused")


@action("resume", params=ScheduleParams)
def resume(context: Context, params: ScheduleParams) -> str:
    """Activate the schedule. Raises Skip if it is active, Permanent on Tableau Cloud."""
    return _set(context, params, ACTIVE, "resumed")


def _set(context: Context, params: ScheduleParams, state: str, done: str) -> str:
    def find() -> Change:
        schedule = find_schedule(context, params.schedule)
        if schedule.state == state:
            raise Skip(f"the schedule {schedule.name} is {'paused' if state == SUSPENDED else 'active'} already")

        def make() -> None:
            try:
                context.tableau.update_schedule(schedule, state=state)
            except NotFound:
                raise Skip(f"the schedule {schedule.name} no longer exists") from None

        return Change(f"schedule {schedule.name}", done, make)

    return change_once(context, params, find)


def require_server(url: str) -> None:
    """Raise Permanent for the address of Tableau Cloud."""
    if url.endswith(CLOUD):
        raise Permanent(f"{NEEDS}; on Tableau Cloud each refresh has a schedule of its own")


def find_schedule(context: Context, name: str) -> Schedule:
    """Return the schedule of this name or LUID. Raises Permanent if there is none, or more than one."""
    require_server(context.tableau.session().server)
    try:
        schedules = list(context.tableau.schedules())
    except (NotFound, Forbidden) as error:
        raise Permanent(f"{NEEDS}, which Tableau does not list: {error}") from error
    found = [one for one in schedules if name.lower() == one.luid.lower()]
    found = found or [one for one in schedules if one.name.casefold() == name.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        luids = " or ".join(one.luid for one in found)
        raise Permanent(f"{len(found)} schedules are called {name}; write the LUID: {luids}")
    known = ", ".join(sorted(one.name for one in schedules)[:20]) or "none"
    raise Permanent(f"The server has no schedule {name}; it has: {known}")
