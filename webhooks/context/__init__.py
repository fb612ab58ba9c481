"""What a handler may use, for one running job: tableau, notify, log, once, and how a handler is called."""

from webhooks.context.content import Lookup
from webhooks.context.context import CONDITIONS, Context, NoCredentials, call

__all__ = ["CONDITIONS", "Context", "Lookup", "NoCredentials", "call"]
