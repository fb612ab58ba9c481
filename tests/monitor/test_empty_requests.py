"""Requests without a body, behind which may be a proxy that removes the bodies of events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from webhooks import health
from webhooks.app import create_app
from webhooks.cli.doctor.local_checks import LocalChecks
from webhooks.config.settings import Settings
from webhooks.monitor.empty_requests import EmptyRequests
from webhooks.services import Services
from webhooks.views.server_health import server_checks


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


def test_requests_without_a_body_and_without_events_are_reported(
    settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    """Three occasions are suspicious, many requests at once or with `{}` are not; an event or a quiet day ends it."""
    app = create_app(settings.model_copy(update={"worker_threads": 0}))
    client, clock = app.test_client(), Clock()
    hook = f"/webhook/{settings.webhook_tokens()[0]}"
    services: Services = app.extensions["webhooks"]
    found = EmptyRequests(lambda: services.inbox, clock=clock)
    vars(services)["empty_requests"] = found

    def post(body: bytes, minutes: int) -> None:
        clock.now += timedelta(minutes=minutes)
        for _ in range(5):
            assert client.post(hook, data=body).json == {"status": "test"}
        found.stop()

    for body, minutes in ((b"", 0), (b"{}", 15), (b"", 15), (b"", 2), (b"{}", 15)):
        post(body, minutes)
    assert found.problem() == ""
    assert "may be lost" not in capfd.readouterr().err
    post(b"", 15)
    problem = found.problem()
    assert problem.endswith("had no body, and no event was received")
    assert f"Events may be lost: {problem}. A proxy" in capfd.readouterr().err
    with app.app_context():
        assert health.body_problems() == [f"Events may be lost: {problem}. Run flask doctor."]
    assert problem in [check.text for check in server_checks(services, clock.now)]
    assert [result.text for result in LocalChecks(services).bodies()] == [problem]
    clock.now += timedelta(days=1, minutes=1)
    assert found.problem() == ""
    clock.now -= timedelta(days=1)
    assert found.problem()
    assert client.post(hook, json={"event_type": "WorkbookCreated"}).status_code == 200
    assert found.problem() == ""
    services.stop()
