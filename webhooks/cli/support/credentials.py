"""What signs in to Tableau and Slack: from options, then the environment, then asked for on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click
from pydantic import SecretStr

from webhooks.cli.support.exit_codes import Unavailable
from webhooks.config.settings import Settings

QUESTIONS = {
    "tableau_domain": "Tableau's host (10ax.online.tableau.com)",
    "tableau_sitename": "Site, as in its address (empty: the default site)",
    "tableau_pat_name": "Name of the personal access token",
    "tableau_pat_secret": "Its secret",
    "tableau_username": "User name",
    "tableau_password": "Password",
    "slack_token": "Slack's bot token (empty: messages come to this terminal)",
    "slack_channel": "Slack channel (#name)",
}


def complete(settings: Settings, given: Mapping[str, Any]) -> Settings:
    """The settings with what is `given` before them, and with what is then still missing asked for.

    Ends the command where nobody can be asked.
    """
    merged = _with(settings, given)
    missing = [name.lower() for name in merged.missing()]
    if not sys.stdin.isatty():
        if missing:
            raise Unavailable(_advice(merged, missing))
        return merged
    if "tableau_domain" in missing and not merged.tableau_sitename:
        missing.insert(1, "tableau_sitename")
    if not merged.notifier_variables()["SLACK_TOKEN"]:
        missing.append("slack_token")
    merged = _with(merged, {name: answer for name in missing if (answer := _ask(name))})
    slack = merged.notifier_variables()
    if slack["SLACK_TOKEN"] and not slack["SLACK_CHANNEL"]:
        merged = _with(merged, {"slack_channel": _ask("slack_channel")})
    return merged


def _with(settings: Settings, given: Mapping[str, Any]) -> Settings:
    """New settings, checked like any others. A token that is given is meant to be used."""
    by_token = {"tableau_auth": "pat"} if "tableau_pat_name" in given else {}
    known = {name: getattr(settings, name) for name in settings.model_fields_set}
    try:
        return Settings.read(_env_file=None, **{**known, **by_token, **given})
    except RuntimeError as error:
        raise click.UsageError(str(error)) from None


def _advice(settings: Settings, missing: list[str]) -> str:
    try:
        settings.require_tableau()
    except RuntimeError as error:
        return f"{error}, or give the options (flask listen --help)"
    return ", ".join(missing)


def _ask(name: str) -> str:
    secret = isinstance(Settings.model_fields[name].default, SecretStr)
    optional = name in {"slack_token", "tableau_sitename"}
    answer: str = click.prompt(
        QUESTIONS.get(name, name.upper()),
        default="" if optional else None,
        show_default=False,
        hide_input=secret,
        err=True,
    )
    return answer.strip()
