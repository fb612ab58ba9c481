"""Incidents: which content is failing, since when, and which messages about it are wanted. Pure."""

from webhooks.incidents.incident import Act, Cure, Incident
from webhooks.incidents.policy import DestinationPolicy, Policy, WantedNotice
from webhooks.incidents.run import Run, RunEvidence, evidence, merge, runs

__all__ = [
    "Act",
    "Cure",
    "DestinationPolicy",
    "Incident",
    "Policy",
    "Run",
    "RunEvidence",
    "WantedNotice",
    "evidence",
    "merge",
    "runs",
]
