"""Read the rules file that a command was given."""

from __future__ import annotations

import sys
from pathlib import Path

from webhooks import rules as rules_file
from webhooks.cli.support import application
from webhooks.cli.support.exit_codes import Failure
from webhooks.rules import Rules, RulesError


def read_rules(file: Path | None) -> Rules:
    """Return the rules in `file`, on stdin for `-`, or in RULES_FILE for None. Raises RulesError."""
    settings, actions = application.settings(), application.registry().actions
    if file is not None and str(file) == "-":
        return rules_file.parse(sys.stdin.read(), actions, source="stdin", max_attempts=settings.max_attempts)
    return rules_file.load(file or settings.rules_file, actions, settings.max_attempts)


def valid_rules(file: Path | None) -> Rules:
    """Return the rules as `read_rules` does. Raises Failure with every error of the file."""
    try:
        return read_rules(file)
    except RulesError as error:
        raise Failure(str(error)) from None
