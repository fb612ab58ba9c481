"""`flask webhooks sync` against a simulated site: the webhooks afterwards, and the output."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from simulator import Running
from simulator.world.site import Webhook
from tests.cli.conftest import objects
from tests.support.pseudo_terminal import terminal_session
from tests.support.simulated_site import DESIRED, TOKEN, MakeFlask, RunFlask, inject_fault, registered_webhooks
from webhooks.config.settings import Settings

SERVER = "https://hooks.example.org"
TARGET = f"{SERVER}/webhook/{TOKEN}"


def add(site: Running, name: str, event: str, url: str, *, enabled: bool = True) -> Webhook:
    """Add a webhook to the site."""
    world = site.world
    owner, now = next(iter(world.home.users)), world.now()
    webhook = Webhook(world.luid(), name, event, url, owner, now, now, is_enabled=enabled)
    world.home.webhooks[webhook.luid] = webhook
    return webhook


def test_sync_creates_what_the_rules_need_and_nothing_the_second_time(flask: RunFlask, site: Running) -> None:
    """There is one enabled webhook per event type to /webhook/<token>; a second run changes nothing."""
    first = flask("webhooks", "sync", "--url", SERVER)
    assert first.exit_code == 0, first.output
    assert {(webhook.name, webhook.event, webhook.url) for webhook in registered_webhooks(site)} == {
        (f"tableau-webhooks {event}", event, TARGET) for event in DESIRED
    }
    before = {webhook.luid: (webhook.url, webhook.updated_at) for webhook in registered_webhooks(site)}
    second = flask("webhooks", "sync", "--url", SERVER)
    assert (second.exit_code, "Webhooks are up to date." in second.stdout) == (0, True)
    assert {webhook.luid: (webhook.url, webhook.updated_at) for webhook in registered_webhooks(site)} == before
    assert TOKEN not in first.output + second.output


def test_sync_dry_run_shows_the_changes_and_applies_none(flask: RunFlask, site: Running) -> None:
    """Every change is shown, as a table and as JSON."""
    shown = flask("webhooks", "sync", "--url", SERVER, "--dry-run")
    assert shown.exit_code == 0
    assert all(f"create  {event}" in shown.stdout for event in DESIRED)
    assert registered_webhooks(site) == []
    planned = objects(flask("webhooks", "sync", "--url", SERVER, "--dry-run", "--json").stdout)
    assert {(change["action"], change["event"], change["done"]) for change in planned} == {
        ("create", event, False) for event in DESIRED
    }


def test_sync_url_with_a_path_is_used_unchanged(flask: RunFlask, site: Running) -> None:
    """Nothing is added to it."""
    flask("webhooks", "sync", "--url", f"{SERVER}/t/{TOKEN}?x=1")
    assert {webhook.url for webhook in registered_webhooks(site)} == {f"{SERVER}/t/{TOKEN}?x=1"}


def test_sync_leaves_other_webhooks_alone(flask: RunFlask, site: Running) -> None:
    """Webhooks of other programs are not changed, whatever their names, URLs and states."""
    others = [
        add(site, "finance", "WorkbookCreated", "https://finance.example.org/hook"),
        add(site, "tableau-webhooks", "WorkbookCreated", "https://old.example.org/webhook", enabled=False),
        add(site, "tableau-webhooks listen bob@laptop WorkbookCreated", "WorkbookCreated", TARGET),
    ]
    before = [(other.luid, other.name, other.url, other.is_enabled, other.updated_at) for other in others]
    assert flask("webhooks", "sync", "--url", SERVER).exit_code == 0
    after = [site.world.home.webhooks[other.luid] for other in others]
    assert [(other.luid, other.name, other.url, other.is_enabled, other.updated_at) for other in after] == before
    assert len(registered_webhooks(site)) == len(others) + len(DESIRED)


def add_wrong_webhooks(site: Running) -> Webhook:
    """Add a disabled webhook (returned), two that point elsewhere, and one that nothing needs."""
    disabled = add(site, "tableau-webhooks WorkbookRefreshFailed", "WorkbookRefreshFailed", TARGET, enabled=False)
    add(site, "tableau-webhooks WorkbookCreated", "WorkbookCreated", "https://old.example.org/webhook/old")
    add(site, "tableau-webhooks WorkbookCreated", "WorkbookCreated", "https://old.example.org/webhook/old")
    add(site, "tableau-webhooks ViewDeleted", "ViewDeleted", TARGET)
    return disabled


def test_sync_repairs_webhooks(flask: RunFlask, site: Running) -> None:
    """With --yes it moves, enables and deletes webhooks: a disabled one, twins, one that nothing needs."""
    disabled = add_wrong_webhooks(site)
    result = flask("webhooks", "sync", "--url", SERVER, "--yes")
    assert result.exit_code == 0, result.output
    assert {webhook.event for webhook in registered_webhooks(site)} == DESIRED
    assert len(registered_webhooks(site)) == len(DESIRED)
    assert all(webhook.is_enabled and webhook.url == TARGET for webhook in registered_webhooks(site))
    assert disabled.luid in {webhook.luid for webhook in registered_webhooks(site)}
    assert "points to https://old.example.org/webhook/***" in result.stdout


def test_sync_without_a_terminal_deletes_and_moves_nothing_without_yes(flask: RunFlask, site: Running) -> None:
    """`flask webhooks sync </dev/null` ends with 2, names what it would do, and changes nothing."""
    add_wrong_webhooks(site)
    before = {webhook.luid: (webhook.url, webhook.is_enabled) for webhook in registered_webhooks(site)}
    for output in ((), ("--json",)):
        refused = flask("webhooks", "sync", "--url", SERVER, *output)
        assert refused.exit_code == 2
        assert "Delete 2 webhooks and move 1 webhook to another URL?" in refused.stderr
        assert "--yes" in refused.stderr
    assert {webhook.luid: (webhook.url, webhook.is_enabled) for webhook in registered_webhooks(site)} == before


@pytest.mark.parametrize(("answer", "ends"), [("n", ("/webhook/", 1)), ("y", ("/other/", 0))])
def test_sync_on_a_terminal_asks_before_it_moves_webhooks_to_another_path(
    flask: RunFlask, settings: Settings, site: Running, answer: str, ends: tuple[str, int]
) -> None:
    """Another path of the same host is another place: events would no longer arrive at the old one."""
    flask("webhooks", "sync", "--url", SERVER)
    given = {**os.environ, **site.environment, "RULES_FILE": str(settings.rules_file), "WEBHOOK_TOKEN": TOKEN}
    given["DATABASE_URL"] = settings.database_url.get_secret_value()
    with terminal_session("webhooks", "sync", "--url", f"{SERVER}/other/{TOKEN}", environment=given) as session:
        session.wait_for("Move 3 webhooks to another URL?")
        session.answer(answer)
        path, code = ends
        assert session.wait() == code, session.shown
    assert {webhook.url for webhook in registered_webhooks(site)} == {f"{SERVER}{path}{TOKEN}"}


def test_sync_after_a_rotated_token_changes_the_urls_in_place(
    make_flask: MakeFlask, settings: Settings, site: Running
) -> None:
    """With WEBHOOK_TOKEN=new,old the webhooks keep their LUIDs and get the new token, without confirmation."""
    make_flask(settings)("webhooks", "sync", "--url", SERVER)
    before = {webhook.luid for webhook in registered_webhooks(site)}
    rotated = settings.model_copy(update={"webhook_token": type(settings.webhook_token)(f"fresh-token,{TOKEN}")})
    result = make_flask(rotated)("webhooks", "sync", "--url", SERVER)
    assert "has another token" in result.stdout
    assert {webhook.luid for webhook in registered_webhooks(site)} == before
    assert {webhook.url for webhook in registered_webhooks(site)} == {f"{SERVER}/webhook/fresh-token"}
    assert "fresh-token" not in result.output


def test_sync_without_put_creates_the_new_webhook_before_it_deletes_the_old_one(flask: RunFlask, site: Running) -> None:
    """Tableau Server before 2020.2 has no PUT; webhooks are replaced without a gap."""
    inject_fault(site, kind="error", target="tableau", method="PUT", path="webhooks", code="405000")
    old = add(site, "tableau-webhooks WorkbookCreated", "WorkbookCreated", "https://old.example.org/webhook/old")
    result = flask("webhooks", "sync", "--url", SERVER, "--yes")
    assert result.exit_code == 0, result.output
    assert old.luid not in site.world.home.webhooks
    assert {webhook.url for webhook in registered_webhooks(site)} == {TARGET}
    assert len(registered_webhooks(site)) == len(DESIRED)
    calls = [(call.method, call.status) for call in site.world.calls.log if "webhooks" in call.path]
    assert calls.index(("POST", 201)) < calls.index(("DELETE", 204))


def test_sync_continues_after_a_refusal_and_ends_with_1(
    make_flask: MakeFlask, settings: Settings, site: Running
) -> None:
    """An event type that Tableau does not know is reported; the other webhooks are created."""
    rules = settings.rules_file
    rules.write_text(rules.read_text().replace('["WorkbookCreated"]', '["WorkbookCreated", "FlowDone"]'))
    result = make_flask(settings)("webhooks", "sync", "--url", SERVER)
    assert result.exit_code == 1
    assert "FlowDone" in result.stderr
    assert {webhook.event for webhook in registered_webhooks(site)} == DESIRED


def test_sync_after_a_lost_response_creates_no_twins(flask: RunFlask, site: Running) -> None:
    """A webhook that Tableau created without its response arriving is found by the next run."""
    inject_fault(site, kind="lost", target="tableau", method="POST", path="webhooks$", times=1)
    assert flask("webhooks", "sync", "--url", SERVER).exit_code == 3
    assert len(registered_webhooks(site)) == 1
    assert flask("webhooks", "sync", "--url", SERVER).exit_code == 0
    assert sorted(webhook.event for webhook in registered_webhooks(site)) == sorted(DESIRED)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ((), 2, "WEBHOOK_URL"),
        (("--url", "ftp://x"), 2, "--url"),
        (("--url", "https://h:port"), 2, "--url"),
    ],
)
def test_sync_needs_a_valid_url(flask: RunFlask, words: tuple[str, ...], code: int, text: str) -> None:
    """The URL comes from --url or WEBHOOK_URL, and must be a web address."""
    result = flask("webhooks", "sync", *words)
    assert (result.exit_code, text in result.stderr) == (code, True)


def test_invalid_url_of_the_settings_is_not_blamed_on_the_option(make_flask: MakeFlask, settings: Settings) -> None:
    """The message names WEBHOOK_URL, and the exit code is that of a setting."""
    result = make_flask(settings.model_copy(update={"webhook_url": "ftp://x"}))("webhooks", "sync")
    assert (result.exit_code, "--url" in result.stderr) == (3, False)
    assert "WEBHOOK_URL: 'ftp://x' is not a web address" in result.stderr


def test_sync_uses_the_url_of_the_settings(make_flask: MakeFlask, settings: Settings, site: Running) -> None:
    """WEBHOOK_URL replaces --url; without a scheme it is https."""
    configured = settings.model_copy(update={"webhook_url": "hooks.example.org"})
    assert make_flask(configured)("webhooks", "sync").exit_code == 0
    assert {webhook.url for webhook in registered_webhooks(site)} == {TARGET}


def test_two_servers_on_one_site_do_not_change_each_others_webhooks(
    make_flask: MakeFlask, settings: Settings, site: Running
) -> None:
    """Each knows its own by WEBHOOK_LABEL."""
    make_flask(settings)("webhooks", "sync", "--url", SERVER)
    staging = make_flask(settings.model_copy(update={"webhook_label": "staging"}))
    assert staging("webhooks", "sync", "--url", "https://staging.example.org").exit_code == 0
    assert len(registered_webhooks(site)) == 2 * len(DESIRED)


def test_sync_reports_a_refusal_and_an_outage(flask: RunFlask, site: Running) -> None:
    """A user without administrator rights ends it with 1, a Tableau that is unavailable with 3."""
    inject_fault(site, kind="error", target="tableau", path="webhooks", code="403004", times=1)
    refused = flask("webhooks", "sync", "--url", SERVER)
    assert (refused.exit_code, "403004" in refused.stderr) == (1, True)
    inject_fault(site, kind="html", target="tableau", path="webhooks", status=503)
    assert flask("webhooks", "sync", "--url", SERVER).exit_code == 3


def test_sync_names_the_rules_whose_incidents_need_a_webhook(flask: RunFlask, rules_file: Path) -> None:
    """A webhook that no rule selects, but whose events say that a refresh has recovered, is explained."""
    rules_file.write_text(
        '[[rule]]\nname = "Night"\non = "WorkbookRefreshFailed"\nnotify = "slack:#bi"\n'
        '[[rule]]\nname = "Starts"\non = "WorkbookRefreshStarted"\nnotify = "slack:#bi"\n',
        encoding="utf-8",
    )
    why = {one["event"]: one["why"] for one in objects(flask("webhooks", "sync", "--url", SERVER, "--json").stdout)}
    assert why == {
        "WorkbookRefreshFailed": "is missing",
        "WorkbookRefreshStarted": "is missing",
        "WorkbookRefreshSucceeded": "is missing; needed by incidents of 'Night'",
    }
    again = flask("webhooks", "sync", "--url", SERVER)
    assert "needed by incidents of 'Night'" in again.stdout
