"""The planning_failed action: stands for an event that could not be planned, so that somebody is told why."""

from __future__ import annotations

from pydantic import Field

from webhooks.errors import Permanent
from webhooks.registry import Params, action


class PlanningFailedParams(Params):
    """What went wrong."""

    error: str = Field("nobody knows why", description="the error of the rule or handler that looked at the event")


@action("planning_failed", params=PlanningFailedParams, in_rules=False)
def planning_failed(params: PlanningFailedParams) -> None:
    """Dies with the reason; a replay of the event plans it anew. Raises Permanent."""
    raise Permanent(f"no job could be made: {params.error}")
