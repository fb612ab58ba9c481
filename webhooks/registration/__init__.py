"""Our webhooks in Tableau: which are desired, how they differ from those present, and the changes to apply."""

from webhooks.registration.apply import Outcome, carry_out
from webhooks.registration.desired import desired_event_types
from webhooks.registration.diff import Step, Verb, compare, is_ours

__all__ = ["Outcome", "Step", "Verb", "carry_out", "compare", "desired_event_types", "is_ours"]
