"""Our webhooks in Tableau: which are desired, how they differ from those present, and the changes to apply."""

from webhooks.registration.apply import Outcome, apply_changes
from webhooks.registration.desired import desired_event_types, desired_job_list_types
from webhooks.registration.diff import Change, ChangeKind, compare, is_ours
from webhooks.registration.registered import missing_webhooks, registered_event_types, remember_registered

__all__ = [
    "Change",
    "ChangeKind",
    "Outcome",
    "apply_changes",
    "compare",
    "desired_event_types",
    "desired_job_list_types",
    "is_ours",
    "missing_webhooks",
    "registered_event_types",
    "remember_registered",
]
