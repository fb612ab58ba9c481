"""Test what links about several incidents and PagerDuty let the server do after the response."""

from __future__ import annotations

import pytest

from tests.handlers.test_incident_notices import FAILED
from tests.support.simulated_actions import Simulation
from webhooks.handlers.joint_act import JointActParams, joint_act
from webhooks.observability.logs import LOG_IDS, log_ids


@pytest.mark.parametrize(
    ("incidents", "group", "expected"), [([1], None, {"incident": 1}), ([1, 2], None, {}), ([1, 2], 4, {"group": 4})]
)
def test_lines_of_the_log_have_the_ids(
    simulation: Simulation, incidents: list[int], group: int | None, expected: dict[str, int]
) -> None:
    """They name the message that several incidents share, and the incident if there is only one."""
    context = simulation.context(simulation.job(simulation.happen(FAILED)))
    with log_ids(job=7):
        joint_act(context, JointActParams(incidents=incidents, origin="PagerDuty", group=group))
        assert dict(LOG_IDS.get()) == {"job": 7, **expected}
