"""The planning_failed action: report an event for which no jobs could be planned."""

from __future__ import annotations

from pydantic import Field

from webhooks.errors import Permanent
from webhooks.registry import Params, action


class PlanningFailedParams(Params):
    """The error that stopped the planning."""

    error: str = Field("unknown error", description="the error of the rule or handler that looked at the event")


@action("planning_failed", params=PlanningFailedParams, in_rules=False)
def planning_failed(params: PlanningFailedParams) -> None:
    """Fail permanently with the error, so that it is announced; a replay plans the event again. Raises Permanent."""
    raise Permanent(f"Could not plan the event: {params.error}")
