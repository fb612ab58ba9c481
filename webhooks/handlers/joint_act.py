"""The joint_act action: show a person's acts on several incidents, by a link or in PagerDuty. Planned by the server."""

from __future__ import annotations

from webhooks.context import Context
from webhooks.job import JOINT_ACT
from webhooks.observability.logs import add_log_ids
from webhooks.registry import Params, action


class JointActParams(Params):
    """The incidents whose acts are stored, where they were done, and the message that they share if it was there."""

    incidents: list[int]
    origin: str
    group: int | None = None


@action(JOINT_ACT, params=JointActParams, in_rules=False)
def joint_act(context: Context, params: JointActParams) -> None:
    """Compute the incidents with their new acts, so that all messages show them."""
    incident = params.incidents[0] if len(params.incidents) == 1 else None
    add_log_ids(group=params.group, incident=incident)
    context.inbox.incidents.acted(params.incidents, cause=f"joint act {context.job.id}")
