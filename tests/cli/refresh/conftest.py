"""Commands against a simulated Tableau site."""

from __future__ import annotations

from tests.support.simulated_site import flask, inbox, make_flask, rules_file, services, settings, site

__all__ = ["flask", "inbox", "make_flask", "rules_file", "services", "settings", "site"]
