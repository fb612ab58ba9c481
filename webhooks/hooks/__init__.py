"""Our webhooks at Tableau's side: which are wanted, how they differ from those that are there, and what to do."""

from webhooks.hooks.carry import Outcome, carry_out
from webhooks.hooks.plan import Step, Verb, is_ours, plan
from webhooks.hooks.wanted import wanted

__all__ = ["Outcome", "Step", "Verb", "carry_out", "is_ours", "plan", "wanted"]
