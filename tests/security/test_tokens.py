"""A weak webhook token is pointed out when the server starts."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from webhooks.app import check_startup
from webhooks.config.probable_mistakes import NEW_TOKEN, SHORT_TOKEN
from webhooks.config.settings import SHORTEST_TOKEN, Settings
from webhooks.observability.redaction import Redactor
from webhooks.services import Services

# Tokens that people choose to try the server.
WEAK = "short test token secret password webhook webhooks tableau change changeme admin hook letmein demo 1234 12345678"
WEAK = [*WEAK.split(), "not-a-secret", "abcd", "default", "weak", "example", "server", "slack", "qwerty"]


@pytest.mark.parametrize(
    ("token", "warning"),
    [
        ("", "WEBHOOK_TOKEN is empty"),
        ("x", "WEBHOOK_TOKEN has fewer than 16 characters"),
        ("x" * (SHORTEST_TOKEN - 1), "WEBHOOK_TOKEN has fewer than 16 characters"),
        (f"{'x' * 32},old", "WEBHOOK_TOKEN has fewer than 16 characters"),
        ("x" * SHORTEST_TOKEN, ""),
    ],
)
def test_weak_token_is_a_warning_at_start(
    settings: Settings, caplog: pytest.LogCaptureFixture, token: str, warning: str
) -> None:
    """One that could be guessed, or none, is in the log of every start; the token itself is not."""
    check_startup(Services(settings.model_copy(update={"webhook_token": SecretStr(token)})))
    lines = [line for line in caplog.messages if "WEBHOOK_TOKEN" in line]
    assert [line.startswith(warning) for line in lines] == ([True] if warning else [])
    assert not any("xxxx" in line for line in caplog.messages)


@pytest.mark.parametrize("token", WEAK)
def test_masking_leaves_the_warning_about_a_weak_token_readable(token: str) -> None:
    """A token that is a common word is masked everywhere, and the sentence about it does not contain the word."""
    masked = Redactor([token])
    for text in (SHORT_TOKEN, NEW_TOKEN):
        assert masked(text) == text
