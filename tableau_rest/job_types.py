"""The types of background jobs by what they do. They can be imported without the client."""

from __future__ import annotations

REFRESHES = ("refresh_extracts", "increment_extracts")
# Refreshes by Tableau Bridge, which not every server accepts in a filter.
# https://github.com/tableau/server-client-python/issues/1576
BRIDGE_REFRESHES = ("refresh_extracts_via_bridge", "increment_extracts_via_bridge")
# Every job type that is a refresh of an extract.
REFRESH_JOB_TYPES = (*REFRESHES, *BRIDGE_REFRESHES)
RUN_FLOW_JOB_TYPES = ("run_flow",)
# One e-mail, and the preparation of all e-mails of a schedule.
SUBSCRIPTION_JOB_TYPES = ("single_subscription_notify", "subscription_notify")
