"""`flask doctor`: what it finds, what it says to do about it, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from webhooks.cli.support.server_process import bound

from simulator import Running
from tests.support import certificates
from tests.support.simulated_site import TOKEN, MakeFlask, RunFlask, inject_fault, registered_webhooks
from webhooks.cli.listen.tls import Front, context
from webhooks.config.settings import Settings
from webhooks.monitor import certificate


def found(result: Result) -> dict[str, dict[str, Any]]:
    """The findings by what was looked at; the worst where there are several."""
    worst: dict[str, dict[str, Any]] = {}
    order = ["skipped", "ok", "warning", "failed"]
    for one in map(json.loads, result.stdout.splitlines()):
        before = worst.get(one["check"])
        if before is None or order.index(one["state"]) > order.index(before["state"]):
            worst[one["check"]] = one
    return worst


def states(result: Result) -> dict[str, str]:
    return {check: one["state"] for check, one in found(result).items()}


def test_all_is_well(flask: RunFlask, server: str) -> None:
    """A server that is set up, with its webhooks in place: ends with 0; only what cannot be in a test is a warning."""
    flask("webhooks", "sync", "--url", server)
    result = flask("doctor", "--url", server, "--json")
    assert result.exit_code == 0, result.output
    assert states(result) == {
        "settings": "ok",
        "token": "warning",
        "database": "ok",
        "disk": "ok",
        "rules": "ok",
        "worker": "ok",
        "dead letters": "ok",
        "tableau": "ok",
        "clock": "ok",
        "sign-in": "ok",
        "webhooks": "ok",
        "slack": "ok",
        "twilio": "ok",
        "console": "ok",
        "address": "ok",
        "certificate": "warning",
    }


def test_lines_for_people(flask: RunFlask, server: str) -> None:
    """A line each, the advice below, a sum at the end, and no secret."""
    result = flask("doctor", "--url", server)
    assert result.exit_code == 1
    assert "failed   webhooks     WorkbookCreated: is missing" in result.stdout
    assert "flask webhooks sync makes it right" in result.stdout
    assert "3 failed" in result.stdout
    assert TOKEN not in result.output


def test_without_credentials_what_can_be_is_checked(make_flask: MakeFlask, tmp_path: Path, rules_file: Path) -> None:
    """Nothing but an inbox: it says what is missing, and skips what needs it."""
    bare = Settings(_env_file=None, database_url=f"sqlite:///{tmp_path / 'i'}", rules_file=rules_file, worker_threads=0)
    result = make_flask(bare)("doctor", "--json")
    assert result.exit_code == 1
    said = found(result)
    assert "TABLEAU_DOMAIN, TABLEAU_PAT_NAME, TABLEAU_PAT_SECRET" in said["settings"]["text"]
    assert said["token"]["state"] == "warning"
    assert "slack, which is not configured" in said["rules"]["text"]
    assert {said[name]["state"] for name in ("tableau", "sign-in", "webhooks", "address")} == {"skipped"}
    assert said["database"]["state"] == "ok"


def test_database_that_cannot_be_written(make_flask: MakeFlask, settings: Settings) -> None:
    """Said in words, and the rest is looked at all the same."""
    broken = settings.model_copy(update={"database_url": type(settings.database_url)("sqlite:////proc/nothing/i")})
    result = make_flask(broken)("doctor", "--json")
    assert result.exit_code == 1
    assert states(result)["database"] == "failed"
    assert states(result)["tableau"] == "ok"


def test_rules_that_are_broken(make_flask: MakeFlask, settings: Settings, rules_file: Path) -> None:
    """The fault itself is in the line."""
    rules_file.write_text("[[rule]]\nname = 'x'\n")
    said = found(make_flask(settings)("doctor", "--json"))
    assert said["rules"]["state"] == "failed"
    assert "on is missing" in said["rules"]["text"]


def test_slack_without_a_channel(make_flask: MakeFlask, settings: Settings, rules_file: Path) -> None:
    """A token alone sends nothing to `slack`, and `default` to the console; both are said."""
    rules_file.write_text("[[rule]]\nname = 'x'\non = '*'\nnotify = ['slack', 'default']\n")
    result = make_flask(settings.model_copy(update={"slack_channel": ""}))("doctor", "--json")
    said = [one["text"] for one in map(json.loads, result.stdout.splitlines()) if one["check"] == "rules"]
    assert "rules send messages to slack without an address, but SLACK_CHANNEL is not set" in said
    assert "default stands for console: SLACK_TOKEN is set, but SLACK_CHANNEL is not" in said
    assert result.exit_code == 1


def test_tableau_that_is_away_or_refuses(
    flask: RunFlask, make_flask: MakeFlask, settings: Settings, site: Running
) -> None:
    """No answer, a wrong token, and a user who is no administrator are three different things."""
    wrong = settings.model_copy(update={"tableau_pat_secret": type(settings.tableau_pat_secret)("wrong")})
    assert "expired" in found(make_flask(wrong)("doctor", "--json"))["sign-in"]["advice"]
    with site.world.lock:
        for user in site.world.home.users.values():
            if user.name == site.world.config.username:
                user.site_role = "Creator"
    said = found(flask("doctor", "--json"))
    assert "role is Creator" in said["sign-in"]["text"]
    assert said["webhooks"]["state"] == "failed"
    inject_fault(site, kind="refuse", target="tableau")
    assert found(flask("doctor", "--json"))["tableau"]["text"].endswith("no answer")


def test_clock_that_is_wrong(flask: RunFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the Date header of Tableau's answer."""
    from webhooks.cli.doctor.remote_checks import Outside

    outside = Outside(None, "")  # type: ignore[arg-type]  # needs nothing for this
    then = (datetime.now(UTC) - timedelta(minutes=9)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    (late,) = outside._clock(then)
    assert (late.state.value, "9 min" in late.text) == ("failed", True)
    (unknown,) = outside._clock("")
    assert unknown.state.value == "skipped"


def test_disabled_webhook_and_bad_notifier_are_found(flask: RunFlask, site: Running, server: str) -> None:
    """With Tableau's reason, and Slack's."""
    flask("webhooks", "sync", "--url", server)
    with site.world.lock:
        hook = registered_webhooks(site)[0]
        hook.is_enabled, hook.status_change_reason = False, "too many failures"
    inject_fault(site, kind="unauthorized", target="slack")
    said = found(flask("doctor", "--url", server, "--json"))
    assert "too many failures" in said["webhooks"]["text"]
    assert said["slack"]["state"] == "failed"


@pytest.mark.parametrize(("path", "text"), [("/webhook/wrong", "refuses the token"), ("/nothing", "answers 404")])
def test_address_that_is_not_ours(flask: RunFlask, server: str, path: str, text: str) -> None:
    """Somebody else's server, or another token."""
    assert text in found(flask("doctor", "--url", f"{server}{path}", "--json"))["address"]["text"]


def test_address_where_nobody_answers(flask: RunFlask) -> None:
    """Nothing listens there."""
    said = found(flask("doctor", "--url", "https://127.0.0.1:9", "--json"))
    assert (said["address"]["state"], said["certificate"]["state"]) == ("failed", "failed")


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Callable[[timedelta], tuple[str, certificates.Files]]]:
    """Serves certificates that end in so much time; gives the address and the files."""
    fronts: list[Front] = []

    def serve(valid: timedelta) -> tuple[str, certificates.Files]:
        files = certificates.issue(tmp_path, valid_for=valid, age=timedelta(days=100))
        listener = bound("127.0.0.1", 0)
        front = Front(listener, context(str(files.chain), str(files.key)), 9)
        url = f"https://localhost:{listener.getsockname()[1]}"
        front.start()
        fronts.append(front)
        return url, files

    yield serve
    for front in fronts:
        front.stop()


def test_certificate_is_looked_at_as_tableau_does(
    secured: Callable[[timedelta], tuple[str, certificates.Files]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trusted with its days; refused where the authority is unknown, the name differs, or it has ended."""
    url, files = secured(timedelta(days=40, hours=1))
    with pytest.raises(certificate.CertificateError, match=r"not trusted: .*; "):
        certificate.fetch(url)
    monkeypatch.setenv("SSL_CERT_FILE", str(files.root))
    assert certificate.fetch(url).days_left(datetime.now(UTC)) == 40
    with pytest.raises(certificate.CertificateError, match=r"127\.0\.0\.2"):
        certificate.fetch(url.replace("localhost", "127.0.0.2"))
    url, _ = secured(timedelta(days=-1))
    with pytest.raises(certificate.CertificateError, match="expired; renew it"):
        certificate.fetch(url)


def test_address_that_speaks_no_tls(server: str) -> None:
    """Plain HTTP behind an https address."""
    with pytest.raises(certificate.CertificateError, match="does not speak TLS"):
        certificate.fetch(server.replace("http://", "https://"))


def test_certificate_that_ends_soon_is_a_warning(
    secured: Callable[[timedelta], tuple[str, certificates.Files]], flask: RunFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three weeks before its end."""
    url, files = secured(timedelta(days=9, hours=1))
    monkeypatch.setenv("SSL_CERT_FILE", str(files.root))
    said = found(flask("doctor", "--url", url, "--json"))
    assert (said["certificate"]["state"], "9 days" in said["certificate"]["text"]) == ("warning", True)


def test_dead_letters_are_told_of(flask: RunFlask, services: Any) -> None:
    """With how to see them and how to try again."""
    from webhooks.event import parse
    from webhooks.job import NewJob

    event = parse(b'{"event_type": "ViewDeleted", "resource": "VIEW", "resource_luid": "1"}')
    assert event
    services.inbox.events.receive(event)
    services.inbox.events.plan(lambda _: [NewJob("k", "notify")])
    (job,) = services.inbox.jobs.claim("me", 1, 60)
    services.inbox.dead_letters.dead_letter(job, "it was in vain")
    said = found(flask("doctor", "--json"))
    assert (said["dead letters"]["state"], "1 job" in said["dead letters"]["text"]) == ("warning", True)
