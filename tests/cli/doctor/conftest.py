"""The simulated site, and commands against it."""

from __future__ import annotations

import json
from typing import Any

from click.testing import Result

from tests.support.simulated_site import flask, make_flask, rules_file, server, services, settings, site

__all__ = ["flask", "make_flask", "rules_file", "server", "services", "settings", "site"]


def results(output: Result) -> dict[str, dict[str, Any]]:
    """Return the results of `flask doctor --json` by check; the worst where there are several."""
    worst: dict[str, dict[str, Any]] = {}
    order = ["skipped", "ok", "warning", "failed"]
    for result in map(json.loads, output.stdout.splitlines()):
        known = worst.get(result["check"])
        if known is None or order.index(result["state"]) > order.index(known["state"]):
            worst[result["check"]] = result
    return worst


def states(output: Result) -> dict[str, str]:
    return {check: result["state"] for check, result in results(output).items()}
