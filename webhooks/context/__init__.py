"""The tools of a handler for one running job: Tableau, notifications, checkpoints, log."""

from webhooks.context.calls import call
from webhooks.context.conditions import CONDITIONS
from webhooks.context.context import Context, NoCredentials
from webhooks.context.lookup import Lookup, kind_noun
from webhooks.context.notice_lock import locked
from webhooks.context.upkeep import Upkeep

__all__ = ["CONDITIONS", "Context", "Lookup", "NoCredentials", "Upkeep", "call", "kind_noun", "locked"]
