"""`flask webhooks sync` and `test` against a simulated site: what is there afterwards, and what is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simulator import Running
from simulator.world.site import Webhook
from tests.support.simulated_site import DESIRED, TOKEN, MakeFlask, RunFlask, inject_fault, registered_webhooks
from webhooks.config.settings import Settings

OURS = "https://hooks.example.org"


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def add(site: Running, name: str, event: str, url: str, *, on: bool = True) -> Webhook:
    """A webhook that was there before."""
    world = site.world
    owner, now = next(iter(world.home.users)), world.now()
    made = Webhook(world.luid(), name, event, url, owner, now, now, is_enabled=on)
    world.home.webhooks[made.luid] = made
    return made


def test_sync_makes_what_the_rules_need_and_nothing_the_second_time(flask: RunFlask, site: Running) -> None:
    """One enabled webhook an event type to /webhook/<token>; a second run leaves all as it is."""
    first = flask("webhooks", "sync", "--url", OURS)
    assert first.exit_code == 0, first.output
    assert {(one.name, one.event, one.url) for one in registered_webhooks(site)} == {
        (f"tableau-webhooks {event}", event, f"{OURS}/webhook/{TOKEN}") for event in DESIRED
    }
    before = {one.luid: (one.url, one.updated_at) for one in registered_webhooks(site)}
    second = flask("webhooks", "sync", "--url", OURS)
    assert (second.exit_code, "nothing was changed" in second.stdout) == (0, True)
    assert {one.luid: (one.url, one.updated_at) for one in registered_webhooks(site)} == before
    assert TOKEN not in first.output + second.output


def test_sync_dry_run_shows_the_plan_and_does_nothing(flask: RunFlask, site: Running) -> None:
    """All of it is in the plan."""
    shown = flask("webhooks", "sync", "--url", OURS, "--dry-run")
    assert shown.exit_code == 0
    assert all(f"create  {event}" in shown.stdout for event in DESIRED)
    assert registered_webhooks(site) == []
    planned = objects(flask("webhooks", "sync", "--url", OURS, "--dry-run", "--json").stdout)
    assert {(one["action"], one["event"], one["done"]) for one in planned} == {
        ("create", event, False) for event in DESIRED
    }


def test_sync_url_with_a_path_is_taken_as_it_stands(flask: RunFlask, site: Running) -> None:
    """Nothing is added to it."""
    flask("webhooks", "sync", "--url", f"{OURS}/t/{TOKEN}?x=1")
    assert {one.url for one in registered_webhooks(site)} == {f"{OURS}/t/{TOKEN}?x=1"}


def test_sync_leaves_other_peoples_webhooks_alone(flask: RunFlask, site: Running) -> None:
    """Whatever they are called, wherever they point, also when they are switched off."""
    others = [
        add(site, "finance", "WorkbookCreated", "https://finance.example.org/hook"),
        add(site, "tableau-webhooks", "WorkbookCreated", "https://old.example.org/webhook", on=False),
        add(site, "tableau-webhooks listen bob@laptop WorkbookCreated", "WorkbookCreated", f"{OURS}/webhook/{TOKEN}"),
    ]
    before = [(one.luid, one.name, one.url, one.is_enabled, one.updated_at) for one in others]
    assert flask("webhooks", "sync", "--url", OURS).exit_code == 0
    after = [site.world.home.webhooks[one.luid] for one in others]
    assert [(one.luid, one.name, one.url, one.is_enabled, one.updated_at) for one in after] == before
    assert len(registered_webhooks(site)) == len(others) + len(DESIRED)


def test_sync_repairs_what_is_wrong(flask: RunFlask, site: Running) -> None:
    """A moved one, one that was switched off, twins of a run that was killed, one that nothing needs any more."""
    target, name = f"{OURS}/webhook/{TOKEN}", "tableau-webhooks WorkbookRefreshFailed"
    off = add(site, name, "WorkbookRefreshFailed", target, on=False)
    add(site, "tableau-webhooks WorkbookCreated", "WorkbookCreated", "https://old.example.org/webhook/old")
    add(site, "tableau-webhooks WorkbookCreated", "WorkbookCreated", "https://old.example.org/webhook/old")
    add(site, "tableau-webhooks ViewDeleted", "ViewDeleted", target)
    said = flask("webhooks", "sync", "--url", OURS)
    assert said.exit_code == 0, said.output
    assert {one.event for one in registered_webhooks(site)} == DESIRED
    assert len(registered_webhooks(site)) == len(DESIRED)
    assert all(one.is_enabled and one.url == target for one in registered_webhooks(site))
    assert {off.luid} < {one.luid for one in registered_webhooks(site)}
    assert "points to https://old.example.org/webhook/***" in said.stdout


def test_sync_after_a_rotated_token_changes_the_urls_in_place(
    make_flask: MakeFlask, settings: Settings, site: Running
) -> None:
    """WEBHOOK_TOKEN=new,old: the webhooks keep their LUIDs and get the new token."""
    make_flask(settings)("webhooks", "sync", "--url", OURS)
    before = {one.luid for one in registered_webhooks(site)}
    rotated = settings.model_copy(update={"webhook_token": type(settings.webhook_token)(f"fresh-token,{TOKEN}")})
    said = make_flask(rotated)("webhooks", "sync", "--url", OURS)
    assert "has another token" in said.stdout
    assert {one.luid for one in registered_webhooks(site)} == before
    assert {one.url for one in registered_webhooks(site)} == {f"{OURS}/webhook/fresh-token"}
    assert "fresh-token" not in said.output


def test_sync_where_the_api_has_no_put_makes_the_new_one_before_the_old_one_goes(
    flask: RunFlask, site: Running
) -> None:
    """Servers before 2020.2: changed all the same, and without a gap."""
    inject_fault(site, kind="error", target="tableau", method="PUT", path="webhooks", code="405000")
    old = add(site, "tableau-webhooks WorkbookCreated", "WorkbookCreated", "https://old.example.org/webhook/old")
    said = flask("webhooks", "sync", "--url", OURS)
    assert said.exit_code == 0, said.output
    assert old.luid not in site.world.home.webhooks
    assert {one.url for one in registered_webhooks(site)} == {f"{OURS}/webhook/{TOKEN}"}
    assert len(registered_webhooks(site)) == len(DESIRED)
    calls = [(call.method, call.status) for call in site.world.calls.log if "webhooks" in call.path]
    assert calls.index(("POST", 201)) < calls.index(("DELETE", 204))


def test_sync_goes_on_after_a_refusal_and_ends_with_1(
    make_flask: MakeFlask, settings: Settings, site: Running, rules_file: Path
) -> None:
    """An event that Tableau does not have is told; the others are made."""
    rules_file.write_text(rules_file.read_text().replace('["WorkbookCreated"]', '["WorkbookCreated", "FlowDone"]'))
    said = make_flask(settings)("webhooks", "sync", "--url", OURS)
    assert said.exit_code == 1
    assert "FlowDone" in said.stderr
    assert {one.event for one in registered_webhooks(site)} == DESIRED


def test_sync_killed_half_way_leaves_no_twins(flask: RunFlask, site: Running) -> None:
    """Tableau made one, but its answer never came: the next run finds it."""
    inject_fault(site, kind="lost", target="tableau", method="POST", path="webhooks$", times=1)
    assert flask("webhooks", "sync", "--url", OURS).exit_code == 3
    assert len(registered_webhooks(site)) == 1
    assert flask("webhooks", "sync", "--url", OURS).exit_code == 0
    assert sorted(one.event for one in registered_webhooks(site)) == sorted(DESIRED)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "WEBHOOK_URL"),
        (("--url", "ftp://x"), 2, "not a web address"),
        (("--url", "https://h:port"), 2, "--url"),
    ],
)
def test_sync_needs_an_address(flask: RunFlask, words: tuple[str, ...], code: int, said: str) -> None:
    """From --url or WEBHOOK_URL, and one that can be."""
    result = flask("webhooks", "sync", *words)
    assert (result.exit_code, said in result.stderr) == (code, True)


def test_sync_takes_the_address_from_the_settings(make_flask: MakeFlask, settings: Settings, site: Running) -> None:
    """WEBHOOK_URL stands for --url; without a scheme it is https."""
    known = settings.model_copy(update={"webhook_url": "hooks.example.org"})
    assert make_flask(known)("webhooks", "sync").exit_code == 0
    assert {one.url for one in registered_webhooks(site)} == {f"{OURS}/webhook/{TOKEN}"}


def test_two_servers_on_one_site_keep_out_of_each_others_way(
    make_flask: MakeFlask, settings: Settings, site: Running
) -> None:
    """WEBHOOK_LABEL tells whose is whose."""
    make_flask(settings)("webhooks", "sync", "--url", OURS)
    other = make_flask(settings.model_copy(update={"webhook_label": "staging"}))
    assert other("webhooks", "sync", "--url", "https://staging.example.org").exit_code == 0
    assert len(registered_webhooks(site)) == 2 * len(DESIRED)


def test_sync_without_rights_or_answer_says_so(flask: RunFlask, site: Running) -> None:
    """A user who is no administrator ends it with 1, a Tableau that is away with 3."""
    inject_fault(site, kind="error", target="tableau", path="webhooks", code="403004", times=1)
    refused = flask("webhooks", "sync", "--url", OURS)
    assert (refused.exit_code, "403004" in refused.stderr) == (1, True)
    inject_fault(site, kind="html", target="tableau", path="webhooks", status=503)
    away = flask("webhooks", "sync", "--url", OURS)
    assert away.exit_code == 3


def test_test_tells_what_the_receiver_said(flask: RunFlask, server: str) -> None:
    """All of ours at once; both places are told."""
    flask("webhooks", "sync", "--url", server)
    results = objects(flask("webhooks", "test", "--json").stdout)
    assert {(one["call_status"], one["status"], one["ok"]) for one in results} == {(200, 200, True)}
    assert len(results) == len(DESIRED)
    said = flask("webhooks", "test", "tableau-webhooks WorkbookCreated")
    assert said.exit_code == 0
    assert 'the receiver answered 200 {"status": "test"}' in said.stdout


@pytest.mark.parametrize(
    ("url", "expected"),
    [("http://127.0.0.1:9/webhook", "408 Tableau's own word"), ("wrong-token", "401 WEBHOOK_TOKEN")],
)
def test_test_explains_what_the_receiver_did_not_do(
    flask: RunFlask, site: Running, server: str, url: str, expected: str
) -> None:
    """408 is Tableau's; 401 is ours."""
    status, _, advice = expected.partition(" ")
    target = url if url.startswith("http") else f"{server}/webhook/{url}"
    add(site, "tableau-webhooks WorkbookCreated", "WorkbookCreated", target)
    said = flask("webhooks", "test")
    assert (said.exit_code, status in said.stdout, advice in said.stderr) == (1, True, True)


def test_test_gives_the_same_advice_once(flask: RunFlask, site: Running) -> None:
    """A result for each webhook, and what to do about all of them in one place."""
    for event_type in ("WorkbookCreated", "WorkbookUpdated", "UserDeleted"):
        add(site, f"tableau-webhooks {event_type}", event_type, "http://127.0.0.1:9/webhook")
    tried = flask("webhooks", "test")
    assert (tried.stdout.count("the receiver answered 408"), tried.stderr.count("Tableau's own word")) == (3, 1)


def test_test_tells_a_refusal_by_tableau_from_one_by_the_receiver(flask: RunFlask, site: Running, server: str) -> None:
    """The HTTP status of the call is the other place."""
    flask("webhooks", "sync", "--url", server)
    inject_fault(site, kind="error", target="tableau", path="/test$", code="400113")
    said = flask("webhooks", "test", "tableau-webhooks WorkbookCreated")
    assert (said.exit_code, "Tableau did not make the test (400)" in said.stdout) == (1, True)
    (result,) = objects(flask("webhooks", "test", "tableau-webhooks WorkbookCreated", "--json").stdout)
    assert (result["call_status"], result["status"], result["ok"]) == (400, None, False)


def test_test_explains_a_tunnel_that_does_not_run(make_flask: MakeFlask, settings: Settings) -> None:
    """`agent not found` is the tunnel's answer, whatever its status."""
    from webhooks.cli.webhooks.commands import NO_AGENT, _advice

    assert _advice(404, "404 page: Agent not found") == NO_AGENT
    assert "no hook at that path" in _advice(404, "nothing")


def test_list_marks_ours_and_hides_tokens(flask: RunFlask, site: Running) -> None:
    """Also in the URLs of other people."""
    add(site, "finance", "SiteUpdated", "https://finance.example.org/hook/their-secret?sig=their-signature", on=False)
    flask("webhooks", "sync", "--url", OURS)
    listed = flask("webhooks", "list")
    assert all(secret not in listed.output for secret in (TOKEN, "their-secret", "their-signature"))
    ours = {one["name"]: one["ours"] for one in objects(flask("webhooks", "list", "--json").stdout)}
    assert ours == {"finance": False, **{f"tableau-webhooks {event}": True for event in DESIRED}}
