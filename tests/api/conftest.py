"""The API in this process, with the fixtures of the pages."""

from __future__ import annotations

from tests.dashboard.conftest import app, client, inbox, make_app, protected

__all__ = ["app", "client", "inbox", "make_app", "protected"]
