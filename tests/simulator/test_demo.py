"""The output of the demo in a terminal, and the ports it needs."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from pathlib import Path

import pytest
import slack_sdk
import twilio.rest

from simulator import Running
from simulator.demo.console import WIDTH, MessageFeed, format_block
from simulator.demo.play import (
    BEFORE_RECOVERY,
    RECOVERY_PAUSE,
    SCENARIO_ENDED,
    WELCOME,
    CannotStart,
    check_port,
    register_webhooks,
    show_warnings,
)
from webhooks.cli.doctor.local_checks import LocalChecks
from webhooks.config.settings import Settings
from webhooks.services import Services


def test_each_message_is_returned_once(simulator: Running, slack: slack_sdk.WebClient, sms: twilio.rest.Client) -> None:
    """Messages before the start are left out, later ones are returned once, as people read them."""
    slack.chat_postMessage(channel="#bi", text="old")
    feed = MessageFeed(simulator.url)
    sent = slack.chat_postMessage(channel="#bi", text="Refresh failed: R&amp;D\n\nDisk full")
    slack.files_upload_v2(channel=sent["channel"], thread_ts=sent["ts"], content=b"abc", filename="a.png")
    sms.messages.create(to="+15550100", from_="+15005550006", body="Hi")
    assert list(feed.new_messages()) == [
        "Slack     #bi\n          Refresh failed: R&D\n          Disk full",
        "Slack     #bi (thread): a.png",
        "SMS       to +15550100\n          Hi",
    ]
    assert list(feed.new_messages()) == []


def test_output_fits_80_columns() -> None:
    """Long texts are wrapped, addresses are not broken, and texts of the demo fit with the longest ports."""
    address = "http://127.0.0.1:8100/#/site/acme/" + "x" * 80
    lines = format_block("Slack", f"{'word ' * 60}\n{address}").splitlines()
    assert [line for line in lines if len(line) > WIDTH] == [f"          {address}"]
    assert all(line.startswith(" " * 10) for line in lines[1:])
    welcome = WELCOME.format(port=65535, simulator_port=65535, log="data/demo.log")
    for text in (welcome, BEFORE_RECOVERY.format(seconds=RECOVERY_PAUSE), SCENARIO_ENDED):
        assert max(map(len, text.splitlines())) <= WIDTH


def test_port_in_use_is_named() -> None:
    """The error names the port and the command with another one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=f"Port {port} is in use. Choose another: PORT={port + 10} make run"):
            check_port(port, "PORT")


def test_warnings_of_the_server_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """An invalid rules file is reported in the demo's terminal, with the command that lists its errors."""
    warning = "The rules file is invalid; version 1 of the rules is in force."

    class Ready(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(
                json.dumps({"status": "ready"} | ({"warnings": [warning]} if "1" in self.path else {})).encode()
            )

    with http.server.HTTPServer(("127.0.0.1", 0), Ready) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        show_warnings(f"{url}/0")
        assert capsys.readouterr().out == ""
        show_warnings(f"{url}/1")
        server.shutdown()
    shown = capsys.readouterr().out
    assert warning in shown
    assert "flask rules check" in shown
    assert max(map(len, shown.splitlines())) <= WIDTH


def test_demo_registers_the_webhooks_that_rules_and_handlers_need(simulator: Running, tmp_path: Path) -> None:
    """A newcomer's `flask doctor` finds neither a missing webhook nor one that is not needed."""
    settings = {**simulator.environment, "DATABASE_URL": f"sqlite:///{tmp_path}/demo.sqlite3", "PORT": "8000"}
    register_webhooks(settings)
    values = {name.lower(): value for name, value in settings.items()}
    services = Services(Settings.read(_env_file=None, **values))
    registered = simulator.world.home.webhooks.values()
    assert sorted(webhook.event for webhook in registered) == sorted(services.desired_event_types())
    assert {webhook.url for webhook in registered} == {"http://127.0.0.1:8000/webhook"}


def test_demo_reports_webhooks_that_were_not_created(
    simulator: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An invalid rules file does not end the demo, whose server uses the last valid one."""
    rules = tmp_path / "rules.toml"
    rules.write_text("[[rule]]\nname = 'x'\n", encoding="utf-8")
    settings = {**simulator.environment, "DATABASE_URL": f"sqlite:///{tmp_path}/demo.sqlite3", "PORT": "8000"}
    register_webhooks({**settings, "RULES_FILE": str(rules)})
    assert not simulator.world.home.webhooks
    assert "The webhooks were not created." in capsys.readouterr().out


def test_missing_token_is_no_warning_in_the_demo() -> None:
    """The demo listens on the loopback interface only, and an untouched demo has nothing to correct."""
    services = Services(Settings.read(_env_file=None, webhook_token=""))
    in_demo, elsewhere = (
        {result.check: result.state for result in LocalChecks(services, demo=demo).settings()} for demo in (True, False)
    )
    assert (in_demo["token"], elsewhere["token"]) == ("ok", "warning")
