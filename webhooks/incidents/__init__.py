"""Incidents: which content is failing, since when, and which messages about it are wanted. Pure.

`evidence` and `merge` make runs of events and jobs, `state` makes incidents of runs and acts, `wanted_notices` says
what the destinations should show, `deliveries` how to get there, and `group` which incidents share a message.
"""

from webhooks.incidents.deliveries import Delivery, deliveries
from webhooks.incidents.evidence import RunEvidence, evidence
from webhooks.incidents.grouping import Group, Grouping, Opening, describe_group, group, group_version
from webhooks.incidents.incident import Act, Cure, Finding, Incident, ResourceDetails
from webhooks.incidents.incident_filter import IncidentFilter
from webhooks.incidents.notices import WantedNotice, next_due, wanted_notices
from webhooks.incidents.policy import DestinationPolicy, Policy
from webhooks.incidents.reasons import ADVICE, classify
from webhooks.incidents.run import Run, merge, runs
from webhooks.incidents.silences import Facts, Holds, Silence, WeeklyPeriod
from webhooks.incidents.state import incidents, state

__all__ = [
    "ADVICE",
    "Act",
    "Cure",
    "Delivery",
    "DestinationPolicy",
    "Facts",
    "Finding",
    "Group",
    "Grouping",
    "Holds",
    "Incident",
    "IncidentFilter",
    "Opening",
    "Policy",
    "ResourceDetails",
    "Run",
    "RunEvidence",
    "Silence",
    "WantedNotice",
    "WeeklyPeriod",
    "classify",
    "deliveries",
    "describe_group",
    "evidence",
    "group",
    "group_version",
    "incidents",
    "merge",
    "next_due",
    "runs",
    "state",
    "wanted_notices",
]
