"""`flask doctor` where the inbox is none: a fault that is known is told as one."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run, objects
from webhooks.config.settings import Settings


@pytest.mark.parametrize("url", ["nonsense", "mysql://h/x", "postgresql+psycopg://h:port/x", "sqlite:////proc/no/i"])
def test_database_that_cannot_be_opened_is_one_fault(
    monkeypatch: pytest.MonkeyPatch, flask: Run, settings: Settings, url: str
) -> None:
    """It is said once, with advice; what needs the inbox is skipped, and no check breaks."""
    known = {
        "database_url": type(settings.database_url)(url),
        "tableau_domain": "http://127.0.0.1:9",
        "tableau_pat_name": "x",
    }
    for name, value in known.items():
        monkeypatch.setitem(settings.__dict__, name, value)
    result = flask("doctor", "--json")
    found = {one["check"]: one for one in objects(result.stdout)}
    assert result.exit_code == 1
    assert found["database"]["state"] == "failed"
    assert "Is DATABASE_URL right" in found["database"]["advice"]
    assert {found[name]["state"] for name in ("worker", "sign-in", "webhooks")} <= {"skipped", "failed"}
    assert found["worker"]["state"] == "skipped"
    assert "broke" not in result.stdout
