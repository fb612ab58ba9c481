"""The event types that have a webhook in Tableau, as far as the inbox knows: where they are stored and reported."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from simulator import Running
from tests.support.simulated_site import DESIRED, MakeFlask, RunFlask
from webhooks.config.settings import Settings
from webhooks.inbox import Inbox
from webhooks.monitor.assembly import Lookups, build_checks
from webhooks.registration import missing_webhooks
from webhooks.registration.registered import KEY
from webhooks.services import Services

URL = "https://hooks.example.org"


def add_rule(rules_file: Path) -> None:
    with rules_file.open("a", encoding="utf-8") as file:
        file.write('\n[[rule]]\nname = "New"\non = "UserDeleted"\nnotify = "slack:#bi"\n')


def test_rules_check_names_the_event_types_without_a_webhook(
    flask: RunFlask, make_flask: MakeFlask, settings: Settings, rules_file: Path
) -> None:
    """A rule for a new event type needs `flask webhooks sync`; the note does not fail the check."""
    flask("webhooks", "sync", "--url", URL)
    assert "webhook" not in flask("rules", "check", "--strict").stderr
    add_rule(rules_file)
    checked = make_flask(settings)("rules", "check", "--strict")
    assert "note: Tableau has no webhook for UserDeleted. Run flask webhooks sync." in checked.stderr
    assert checked.exit_code == 0
    make_flask(settings)("webhooks", "sync", "--url", URL)
    assert "UserDeleted" not in make_flask(settings)("rules", "check").stderr


def test_misspelt_event_type_needs_a_correction_and_no_webhook(
    flask: RunFlask, make_flask: MakeFlask, settings: Settings, rules_file: Path
) -> None:
    """A probable typing error is a warning only; `flask webhooks sync` is not the remedy."""
    flask("webhooks", "sync", "--url", URL)
    with rules_file.open("a", encoding="utf-8") as file:
        file.write('\n[[rule]]\nname = "New"\non = "WorkbookUpdatd"\nnotify = "slack:#bi"\n')
    checked = make_flask(settings)("rules", "check")
    assert "WorkbookUpdatd is not a known event type; did you mean WorkbookUpdated?" in checked.stderr
    assert "no webhook" not in checked.stderr


def test_rules_check_judges_the_given_file(flask: RunFlask, tmp_path: Path) -> None:
    """A file that is checked before it is used is compared, not RULES_FILE."""
    flask("webhooks", "sync", "--url", URL)
    other = tmp_path / "other.toml"
    other.write_text('[[rule]]\nname = "x"\non = "ViewDeleted"\nnotify = "console"\n', encoding="utf-8")
    assert "no webhook for ViewDeleted." in flask("rules", "check", other).stderr


def test_unknown_is_not_missing(flask: RunFlask, tmp_path: Path, settings: Settings) -> None:
    """Before the webhooks were listed, nothing is reported, and checking rules creates no inbox."""
    assert "webhook" not in flask("rules", "check").stderr
    assert not Path(settings.database_url.get_secret_value().removeprefix("sqlite:///")).exists()


def test_server_logs_missing_webhooks_when_it_starts(
    flask: RunFlask, services: Services, rules_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The line names the event types and the command."""
    flask("webhooks", "sync", "--url", URL)
    add_rule(rules_file)
    with caplog.at_level(logging.WARNING):
        services.worker(1)
    assert "Tableau has no webhook for UserDeleted. Run flask webhooks sync." in caplog.text


def test_doctor_and_monitor_store_what_they_see(
    flask: RunFlask, services: Services, inbox: Inbox, settings: Settings, site: Running
) -> None:
    """Webhooks that were deleted in Tableau are known to be missing after the next look."""
    flask("webhooks", "sync", "--url", URL)
    assert inbox.state.get(KEY) == sorted(DESIRED)
    site.world.home.webhooks.clear()
    flask("doctor")
    assert inbox.state.get(KEY) == []
    (sentence,) = missing_webhooks(inbox, services.sites.all, services.desired_event_types)
    assert "WorkbookCreated" in sentence
    flask("webhooks", "create", "WorkbookCreated", "--url", URL)
    assert inbox.state.get(KEY) == ["WorkbookCreated"]
    site.world.home.webhooks.clear()
    monitored = settings.model_copy(update={"webhook_url": URL})
    lookups = Lookups(services.client, services.desired_event_types)
    checks = build_checks(monitored, inbox, services.sites.all, lookups)
    now = site.world.now()
    for check in checks:
        if type(check).__name__ == "WebhookCheck":
            check.run(now)
    assert inbox.state.get(KEY) == []
