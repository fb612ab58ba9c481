"""What a handler may use, for one running job: tableau, notify, log, once, and how a handler is called."""

from webhooks.context.content import Found
from webhooks.context.context import Context, NoCredentials, call

__all__ = ["Context", "Found", "NoCredentials", "call"]
