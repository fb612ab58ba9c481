"""The tools of a handler for one running job: Tableau, notifications, checkpoints, log."""

from webhooks.context.conditions import CONDITIONS
from webhooks.context.context import Context, NoCredentials, call
from webhooks.context.lookup import Lookup, kind_noun

__all__ = ["CONDITIONS", "Context", "Lookup", "NoCredentials", "call", "kind_noun"]
