"""A weak webhook token is pointed out when the server starts."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from webhooks.app import check_startup
from webhooks.config.settings import SHORTEST_TOKEN, Settings
from webhooks.services import Services


@pytest.mark.parametrize(
    ("token", "warning"),
    [
        ("", "WEBHOOK_TOKEN is empty"),
        ("x", "WEBHOOK_TOKEN is short"),
        ("x" * (SHORTEST_TOKEN - 1), "WEBHOOK_TOKEN is short"),
        (f"{'x' * 32},old", "WEBHOOK_TOKEN is short"),
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
