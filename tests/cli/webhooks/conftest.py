"""Commands against a simulated site."""

from __future__ import annotations

from tests.support.simulated_site import flask, make_flask, rules_file, server, services, settings, site

__all__ = ["flask", "make_flask", "rules_file", "server", "services", "settings", "site"]
