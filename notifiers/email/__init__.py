"""E-mail through an SMTP server."""

from __future__ import annotations

from notifiers.email.config import EmailConfig
from notifiers.email.notifier import EmailNotifier

__all__ = ["EmailConfig", "EmailNotifier"]
