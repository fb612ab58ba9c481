"""Our webhooks in Tableau: which are desired, how they differ from those present, and the changes to apply."""

from webhooks.registration.apply import Outcome, apply_changes
from webhooks.registration.desired import desired_event_types
from webhooks.registration.diff import Change, ChangeKind, compare, is_ours

__all__ = ["Change", "ChangeKind", "Outcome", "apply_changes", "compare", "desired_event_types", "is_ours"]
