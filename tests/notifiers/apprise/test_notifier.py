"""The Apprise notifier with the real library, against small local servers."""

from __future__ import annotations

import email
import email.policy
import logging
import socket
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from notifiers import AppriseConfig, Link, Message, NotifierError, Picture, Receipt
from notifiers.apprise import AppriseNotifier
from notifiers.apprise.errors import Failure, error_of, failure
from notifiers.apprise.notifier import combined_bundle
from tests.notifiers.raw_server import raw_server
from tests.support import certificates

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECRET = "never-to-be-seen"
MESSAGE = Message("Refresh failed: Sales", "why", (("Owner", "Ann"),), Link("https://example.org/7"), "bad")
HOSTILE = Message(
    "<b>Sales</b> [now](https://evil.example) @here",
    "<img src=x> **bold** @channel <!channel> <at>ann@example.org</at>",
    (("Owner", "@ann _x_"),),
    Link("https://example.org/a_b"),
)


def notifier(urls: str) -> AppriseNotifier:
    return AppriseNotifier(AppriseConfig(urls), clock=lambda: NOW)


@pytest.fixture
def address(vendor: Any) -> str:
    """Return the vendor as an address of Apprise's JSON webhook."""
    pytest.importorskip("apprise")
    return vendor.url.replace("http://", "json://")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("json://a", [(None, "json://a")]),
        ("json://a, ops=json://b", [(None, "json://a"), ("ops", "json://b")]),
        ("json://a\n  ops=json://b,\n", [(None, "json://a"), ("ops", "json://b")]),
        (
            "mailto://u:p@h?to=a@x.org,b@x.org json://b",
            [(None, "mailto://u:p@h?to=a@x.org,b@x.org"), (None, "json://b")],
        ),
        ("json://a/?next=json://b", [(None, "json://a/?next=json://b")]),
        (
            "ops=https://x.api.powerplatform.com:443/powerautomate/w?sp=%2Ftriggers%2Frun&sig=a,b%3D json://b",
            [
                ("ops", "https://x.api.powerplatform.com:443/powerautomate/w?sp=%2Ftriggers%2Frun&sig=a,b%3D"),
                (None, "json://b"),
            ],
        ),
    ],
)
def test_entries_are_tags_and_addresses(value: str, found: list[tuple[str | None, str]]) -> None:
    """Addresses are separated by white space or commas; a comma or a %3D inside an address belongs to it."""
    assert [(entry.tag, entry.url) for entry in AppriseConfig(value).entries()] == found


def test_entry_that_is_no_address_is_named_by_its_position() -> None:
    """The error says which part, and does not show it: it may be a secret."""
    with pytest.raises(NotifierError, match="Part 1 of APPRISE_URLS") as caught:
        notifier("hunter2").send(MESSAGE, None)
    assert caught.value.permanent
    assert "hunter2" not in str(caught.value)


def test_each_address_is_a_secret_and_so_are_its_tokens() -> None:
    """A log line that shows one address, or one token of it, is masked as well as one that shows them all."""
    first = "workflows://x.logic.azure.com:443/643e69f83c8944/KODuebWbDGYFr0z0eu"
    second = "mailto://bot:a%20long%20password%21@example.org"
    secrets = AppriseConfig(f"{first}, ops={second}").secrets()
    assert {first, second, "643e69f83c8944", "KODuebWbDGYFr0z0eu", "a long password!"} <= set(secrets)
    assert "example.org" not in secrets


def test_send_reaches_every_address(address: str, vendor: Any, reply: Any) -> None:
    """Title, text and severity arrive; the title is not repeated in the body."""
    vendor.on("/a", reply())
    vendor.on("/b", reply())
    assert notifier(f"{address}/a ops={address}/b").send(MESSAGE, None) == Receipt("all", "")
    assert sorted(vendor.paths()) == ["a", "b"]
    sent = vendor.requests[0].json
    assert sent["title"] == "Refresh failed: Sales"
    assert sent["message"] == "why\nOwner: Ann\nOpen: https://example.org/7"
    assert sent["type"] == "failure"


def test_send_to_a_tag_reaches_its_addresses_only(address: str, vendor: Any, reply: Any) -> None:
    """`apprise:ops` means the addresses that have the tag."""
    vendor.on("/b", reply())
    assert notifier(f"{address}/a ops={address}/b").send(Message("t"), "ops").channel == "ops"
    assert vendor.paths() == ["b"]


def test_unknown_tag_is_permanent_and_names_the_known(address: str) -> None:
    """The error says which tags there are."""
    with pytest.raises(NotifierError, match=r"apprise:dev\. No address .* has the tag dev\. Tags: bi, ops") as caught:
        notifier(f"ops={address}/a bi={address}/b").send(MESSAGE, "dev")
    assert caught.value.permanent


class Root(logging.Handler):
    """Collects the lines that reach the root logger, as in production; caplog reads every logger directly."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def root() -> Iterator[Root]:
    """Set the log to its most verbose level."""
    handler, logger = Root(), logging.getLogger()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.setLevel(level)
    logger.removeHandler(handler)


def test_failure_of_all_may_be_retried(address: str, vendor: Any, reply: Any, root: Root) -> None:
    """A server error leaves it to the back-off; the address with its secret is in no error and no log line."""
    vendor.on(SECRET, reply(status=500))
    with pytest.raises(NotifierError, match=r"apprise\. JSON \(address 1 of APPRISE_URLS\): status 500") as caught:
        notifier(f"{address}/{SECRET}").send(MESSAGE, None)
    assert (caught.value.permanent, caught.value.uncertain) == (False, False)
    assert SECRET not in "".join([*traceback.format_exception(caught.value), *root.lines])


def test_failure_of_some_is_not_repeated(address: str, vendor: Any, reply: Any) -> None:
    """A service that has the message does not get it again."""
    vendor.on("/a", reply())
    vendor.on("/b", reply(status=500))
    with pytest.raises(NotifierError, match="The other services have the message, so it is not repeated") as caught:
        notifier(f"{address}/a {address}/b").send(MESSAGE, None)
    assert caught.value.permanent


@pytest.mark.parametrize(("status", "permanent"), [(400, True), (404, True), (408, False), (503, False)])
def test_status_of_a_refusal_decides(address: str, vendor: Any, reply: Any, status: int, permanent: bool) -> None:
    """A request that the service understood and refused is not repeated; a passing failure is."""
    vendor.on("/a", reply(status=status))
    with pytest.raises(NotifierError, match=f"status {status}") as caught:
        notifier(f"{address}/a").send(MESSAGE, None)
    assert (caught.value.permanent, caught.value.uncertain) == (permanent, False)


def test_rate_limit_names_a_time(address: str, vendor: Any, reply: Any) -> None:
    """Apprise does not pass Retry-After on, so a rate limit is taken to end in a minute and costs no attempt."""
    vendor.on("/a", reply(status=429))
    with pytest.raises(NotifierError, match="status 429") as caught:
        notifier(f"{address}/a").send(MESSAGE, None)
    assert caught.value.retry_at == NOW + timedelta(minutes=1)


def test_late_response_is_uncertain(address: str, vendor: Any, reply: Any) -> None:
    """A service that takes the message and responds too late may have it."""
    vendor.on("/a", reply(hang=True))
    with pytest.raises(NotifierError, match="no response") as caught:
        notifier(f"{address}/a?rto=0.3").send(MESSAGE, None)
    assert (caught.value.permanent, caught.value.sent, caught.value.uncertain) == (False, True, True)


def test_refused_connection_was_not_sent(refusing_url: str) -> None:
    """Nothing left, so it is retried for as long as the outage lasts."""
    with pytest.raises(NotifierError, match="cannot be reached") as caught:
        notifier(refusing_url.replace("http://", "json://")).send(MESSAGE, None)
    assert (caught.value.permanent, caught.value.sent, caught.value.uncertain) == (False, False, False)


def test_unknown_host_was_not_sent() -> None:
    """A name that does not resolve is like a refused connection."""
    with pytest.raises(NotifierError, match="cannot be reached") as caught:
        notifier("json://no-such-host.invalid/x").send(MESSAGE, None)
    assert (caught.value.sent, caught.value.uncertain) == (False, False)


def test_peer_that_hangs_up_in_the_handshake_was_not_sent() -> None:
    """Before TLS is established nothing of the message has left."""
    with (
        raw_server(lambda connection: connection.recv(1024) and None) as server,
        pytest.raises(NotifierError, match="cannot be reached") as caught,
    ):
        notifier(f"jsons://127.0.0.1:{server.port}/x").send(MESSAGE, None)
    assert (caught.value.sent, caught.value.uncertain) == (False, False)


def test_errors_of_several_services_are_combined() -> None:
    """Unsent only if none was sent, permanent only if all are, uncertain if one is."""
    unsent, refused, lost = Failure("A", 1, sent=False), Failure("B", 2, 400), Failure("C", 3)
    error = error_of([unsent, refused], delivered=False, now=NOW)
    assert (error.sent, error.permanent, error.uncertain) == (True, False, False)
    assert error_of([unsent], delivered=False, now=NOW).sent is False
    assert error_of([unsent, lost], delivered=False, now=NOW).uncertain
    assert error_of([unsent, lost], delivered=True, now=NOW).permanent


def test_reason_is_not_read_from_the_message_itself() -> None:
    """A workbook's name in the logged payload cannot pass for a reason."""
    lines = ["JSON Payload: {'title': 'NewConnectionError error=404'}", "Socket Exception: Read timed out."]
    assert failure("JSON", 1, lines) == Failure("JSON", 1, None, sent=True)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nosuch://hunter2", r"address 1 of APPRISE_URLS \(nosuch://…\): unknown service"),
        ("workflows://x.logic.azure.com:443/hunter2!/abc", r"\(workflows://…\): An invalid Workflows ID was specified"),
    ],
)
def test_unusable_address_is_permanent(address: str, url: str, words: str) -> None:
    """The scheme and the reason are named, the rest is not shown."""
    with pytest.raises(NotifierError, match=words) as caught:
        notifier(url).send(MESSAGE, None)
    assert caught.value.permanent
    assert "hunter2" not in str(caught.value)


def test_address_of_power_automate_is_known(address: str) -> None:
    """Teams is reached by the trigger address of a workflow, as Power Automate shows it."""
    url = (
        "https://default0123.5a.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/"
        "0123456789abcdef/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=aB-c_9"
    )
    assert notifier(url).check() == "Apprise: Power Automate / Workflows (for MSTeams)"


def test_missing_library_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apprise is optional; the error says how to install it."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(NotifierError, match="pip install apprise") as caught:
        notifier("json://localhost").send(MESSAGE, None)
    assert caught.value.permanent


def test_missing_addresses_name_the_variable() -> None:
    """A use without configuration is a permanent error that names it."""
    with pytest.raises(NotifierError, match="APPRISE_URLS is not set") as caught:
        AppriseNotifier(AppriseConfig()).send(MESSAGE, None)
    assert caught.value.permanent


def test_check_names_the_services_and_attach_does_nothing(address: str, vendor: Any) -> None:
    """No service is called; the repr of the config does not show the addresses."""
    one = notifier(f"{address}/a")
    assert one.check() == "Apprise: JSON"
    one.attach(Picture(b"x", "x.png"), Receipt("all", ""))
    assert vendor.requests == []
    assert "json://" not in repr(AppriseConfig("json://x"))


def test_ca_bundle_is_added_to_the_usual_authorities(tmp_path: Path) -> None:
    """The library gets one file with both; an unreadable one is a permanent error."""
    root = certificates.issue(tmp_path).root
    text = Path(combined_bundle(root)).read_text(encoding="ascii")
    assert root.read_text(encoding="ascii") in text
    assert text.count("BEGIN CERTIFICATE") > 100
    with pytest.raises(NotifierError, match="is not readable"):
        combined_bundle(tmp_path / "no-such.pem")


class Mailbox:
    """The server side of one SMTP dialogue: the messages it took."""

    def __init__(self, *, hang_after_data: bool = False) -> None:
        self.messages: list[str] = []
        self._hang = hang_after_data

    def serve(self, connection: socket.socket) -> None:
        file = connection.makefile("rwb")

        def say(line: str) -> None:
            file.write(f"{line}\r\n".encode())
            file.flush()

        say("220 test")
        while command := file.readline().decode().strip().upper():
            if command != "DATA":
                say("221 bye" if command == "QUIT" else "250 ok")
                continue
            say("354 go on")
            lines = []
            while (line := file.readline()) not in (b".\r\n", b""):
                lines.append(line.decode())
            self.messages.append("".join(lines))
            if self._hang:
                connection.recv(1)
                return
            say("250 taken")


def test_mail_is_escaped_as_html(address: str) -> None:
    """Markup from outside is shown in the mail, not rendered."""
    box = Mailbox()
    with raw_server(box.serve) as server:
        notifier(f"mailto://127.0.0.1:{server.port}?from=a@example.org&to=b@example.org&mode=insecure").send(
            HOSTILE, None
        )
    mail = email.message_from_string(box.messages[0], policy=email.policy.default)
    assert mail["Subject"] == HOSTILE.title
    for part in mail.walk():
        if part.get_content_type() == "text/html":
            assert "<img" not in part.get_content()
            assert "&lt;img" in part.get_content()


def test_slow_mail_server_is_uncertain(address: str) -> None:
    """A mail server that is silent after the message may have taken it."""
    box = Mailbox(hang_after_data=True)
    url = "mailto://127.0.0.1:{}?from=a@example.org&to=b@example.org&mode=insecure&rto=0.3&cto=0.3"
    with raw_server(box.serve) as server, pytest.raises(NotifierError, match="no response") as caught:
        notifier(url.format(server.port)).send(MESSAGE, None)
    assert (caught.value.sent, caught.value.uncertain) == (True, True)


def test_mattermost_shows_markdown_and_mentions_as_text(vendor: Any, reply: Any, address: str) -> None:
    """Nothing from outside is formatted, linked or alerts a channel or a person."""
    vendor.on("/hooks/" + "a" * 26, reply(b"ok"))
    notifier(vendor.url.replace("http://", "mmost://") + "/" + "a" * 26).send(HOSTILE, None)
    text = vendor.requests[0].json["text"]
    assert "\\[now\\]\u2060(https://evil.example)" in text
    assert r"\*\*bold\*\*" in text
    assert r"\_x\_" in text
    for mention in ("@here", "@channel", "@ann", "<!channel>"):
        assert mention not in text
    assert "ann@example.org" in text
    assert "Open: https://example.org/a_b" in text


def test_data_is_passed_on_unchanged(address: str, vendor: Any, reply: Any) -> None:
    """A JSON webhook is for programs, which get the text unchanged."""
    vendor.on("/a", reply())
    notifier(f"{address}/a").send(HOSTILE, None)
    assert vendor.requests[0].json["title"] == HOSTILE.title
    assert vendor.requests[0].json["message"].split("\n")[0] == HOSTILE.text
