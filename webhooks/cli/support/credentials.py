"""Credentials for Tableau and Slack: from options, then the environment, then asked for on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click
from pydantic import SecretStr, ValidationError

from webhooks.cli.support.exit_codes import Unavailable
from webhooks.config.settings import Settings
from webhooks.validation import describe_values

PROMPTS = {
    "tableau_domain": "Tableau host (such as 10ax.online.tableau.com)",
    "tableau_sitename": "Site, as in its URL (empty for the default site)",
    "tableau_pat_name": "Personal access token name",
    "tableau_pat_secret": "Personal access token secret",
    "tableau_username": "User name",
    "tableau_password": "Password",
    "slack_token": "Slack bot token (empty to print messages here)",
    "slack_channel": "Slack channel (#name)",
}
# An empty answer to these is an answer.
OPTIONAL = {"slack_token", "tableau_sitename"}


def complete(settings: Settings, given: Mapping[str, Any]) -> Settings:
    """Return the settings, overridden by `given`, with every missing credential asked for.

    Raise Unavailable if credentials are missing and standard input is not a terminal.
    """
    merged = _override(settings, given)
    missing = [name.lower() for name in merged.missing()]
    if not sys.stdin.isatty():
        try:
            merged.require_tableau()
        except RuntimeError as error:
            raise Unavailable(f"{error}, or use the options (flask listen --help).") from None
        return merged
    if "tableau_domain" in missing and not merged.tableau_sitename:
        missing.insert(1, "tableau_sitename")
    if not merged.notifier_variables()["SLACK_TOKEN"]:
        missing.append("slack_token")
    merged = _override(merged, {name: answer for name in missing if (answer := _ask(name))})
    slack = merged.notifier_variables()
    if slack["SLACK_TOKEN"] and not slack["SLACK_CHANNEL"]:
        merged = _override(merged, {"slack_channel": _ask("slack_channel")})
    return merged


def _override(settings: Settings, given: Mapping[str, Any]) -> Settings:
    """Return new, validated settings. A given access token implies TABLEAU_AUTH=pat."""
    auth = {"tableau_auth": "pat"} if "tableau_pat_name" in given else {}
    known = {name: getattr(settings, name) for name in settings.model_fields_set}
    try:
        return Settings(_env_file=None, **{**known, **auth, **given})
    except ValidationError as error:
        problems = "; ".join(describe_values(error, lambda name: _source(name, given)))
        raise click.UsageError(f"Invalid settings: {problems}") from None


def _source(name: str, given: Mapping[str, Any]) -> str:
    """Return the option that gave a setting its value, or the name of its variable."""
    context = click.get_current_context(silent=True)
    options = {option.name: option.opts[0] for option in context.command.params} if context else {}
    return options.get(name, name.upper()) if name in given else name.upper()


def _ask(name: str) -> str:
    answer: str = click.prompt(
        PROMPTS.get(name, name.upper()),
        default="" if name in OPTIONAL else None,
        show_default=False,
        hide_input=isinstance(Settings.model_fields[name].default, SecretStr),
        err=True,
    )
    return answer.strip()
