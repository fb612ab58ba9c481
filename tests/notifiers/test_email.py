"""E-mail against a small real mail server: TLS, sign-in, recipients, the conversation, and every failure."""

from __future__ import annotations

import ssl
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.headerregistry import Address
from html.parser import HTMLParser
from pathlib import Path
from socket import socket
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from notifiers import IncidentRef, Link, Message, NotifierError, PartlyDelivered, Table
from notifiers.email import EmailConfig, EmailNotifier
from notifiers.email.render import render
from simulator import Running, running
from simulator.receivers.mail import PASSWORD, USER, mail_server
from tests.notifiers.raw_server import raw_server
from tests.notifiers.slack.test_render import MESSAGES
from tests.support.certificates import issue

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SENDER = Address("Tableau Webhooks", addr_spec="bi@example.org")
HOSTILE = "<script>alert(1)</script> <b>x</b> \r\nBcc: evil@example.org\r\n\r\n<a href=https://evil.example>click</a>"
WRONG = "password-not-to-be-seen"
INCIDENT = IncidentRef("5f3a", "open", "Failing: Sales")
MESSAGE = Message(
    f"Sales {HOSTILE}",
    f"Disk full\n{HOSTILE}",
    (("Owner", HOSTILE),),
    Link("https://tableau.example/#/workbooks/7", "Open in Tableau"),
    "bad",
    status="Failing",
    table=Table(("Name", "State"), ((HOSTILE, "Failing"),)),
    actions=(Link("https://hooks.example/act/7", "Acknowledge"),),
    incident=INCIDENT,
    id="notice 7",
)


def notifier(port: int, *, ca_bundle: Path | None = None, **changes: str) -> EmailNotifier:
    values = {"host": "127.0.0.1", "security": "none", "sender": "Tableau Webhooks <bi@example.org>"}
    config = EmailConfig(port=str(port), to="ann@example.org", **{**values, **changes})
    return EmailNotifier(config, clock=lambda: NOW, ca_bundle=str(ca_bundle or ""))


@pytest.fixture(scope="module")
def started() -> Iterator[Running]:
    with running() as simulator:
        yield simulator


@pytest.fixture
def world(started: Running) -> Any:
    started.world.reset()
    return started.world


@pytest.fixture
def port(world: Any) -> Iterator[int]:
    """Serve mail without TLS."""
    with mail_server(world) as port:
        yield port


def tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return a server's settings of TLS with a certificate for 127.0.0.1, and the file of its authority."""
    files = issue(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.chain, files.key)
    return context, files.root


class Text(HTMLParser):
    """Collects the tags and the texts of a document."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_mail_arrives_with_both_parts(port: int, world: Any) -> None:
    """Text and HTML say the same; the headers tell programs that it is automatic; links lead to Tableau and to act."""
    receipt = notifier(port).send(MESSAGE, None)
    (mail,) = world.taking.of("email")
    headers = mail.data["headers"]
    assert (mail.place, headers["From"]) == ("ann@example.org", "Tableau Webhooks <bi@example.org>")
    assert (headers["Subject"], headers["To"]) == ("Failing: Sales", "ann@example.org")
    assert (headers["Auto-Submitted"], headers["X-Auto-Response-Suppress"]) == ("auto-generated", "All")
    assert "List-Unsubscribe" not in headers
    assert (headers["Message-ID"], receipt.channel) == (receipt.id, "ann@example.org")
    assert "Acknowledge: https://hooks.example/act/7" in mail.text
    page = Text(mail.data["html"])
    assert [attributes["href"] for tag, attributes in page.tags if tag == "a"] == [
        "https://hooks.example/act/7",
        "https://tableau.example/#/workbooks/7",
    ]


def test_nothing_from_outside_is_markup_or_a_header(port: int, world: Any) -> None:
    """A name can add neither a header, a recipient, a tag nor a link."""
    notifier(port).send(replace(MESSAGE, incident=None), "ann@example.org")
    notifier(port).send(replace(MESSAGE, incident=replace(INCIDENT, title=HOSTILE)), "ann@example.org")
    for mail in world.taking.of("email"):
        assert "Bcc" not in mail.data["headers"]
        assert mail.place == "ann@example.org"
        page = Text(mail.data["html"])
        assert not {"script", "b"} & {tag for tag, _ in page.tags}
        assert "<script>alert(1)</script>" in "".join(page.texts)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MESSAGES)
def test_every_message_makes_a_valid_mail(message: Message) -> None:
    """The mail of any message can be read again, in lines that every server accepts."""
    content = render(message, SENDER, [SENDER], NOW).as_bytes()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert content.isascii()
    mail = message_from_bytes(content, policy=policy.default)
    assert [part.get_content_type() for part in mail.walk()][1:] == ["text/plain", "text/html"]
    assert mail["To"] == "Tableau Webhooks <bi@example.org>"


def test_name_that_looks_like_an_encoded_word_is_shown_as_it_is() -> None:
    """Decoded, its line breaks would be headers of its own, and readers would see another name."""
    for name in ("Sales =?utf-8?q?=0d=0aBcc:_evil=40example.org?=", "=?utf-8?b?RGlzayBmdWxs?="):
        content = render(Message(name), SENDER, [SENDER], NOW).as_bytes()
        mail = message_from_bytes(content, policy=policy.default)
        assert mail["Bcc"] is None
        assert mail["Subject"].replace("\u2060", "") == name


def test_mails_about_an_incident_are_one_conversation(port: int, world: Any) -> None:
    """All refer to the same id and have the same subject; a repeated one has the same id, a later one another."""
    closed = replace(MESSAGE, id="notice 7 close", status="Recovered", incident=replace(INCIDENT, state="closed"))
    other = replace(MESSAGE, id="notice 8", incident=replace(INCIDENT, key="6a"))
    for message in (MESSAGE, MESSAGE, closed, other):
        notifier(port).send(message, None)
    first, again, end, elsewhere = (mail.data["headers"] for mail in world.taking.of("email"))
    assert first["Message-ID"] == again["Message-ID"] != end["Message-ID"]
    assert first["References"] == first["In-Reply-To"] == end["References"] != elsewhere["References"]
    assert (first["Subject"], end["Subject"]) == ("Failing: Sales", "Re: Failing: Sales")


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_tls_is_verified_and_signed_in(security: str, world: Any, tmp_path: Path) -> None:
    """With either kind of TLS: an untrusted certificate or name and a wrong password are refused; CA_BUNDLE works."""
    context, root = tls(tmp_path)
    with mail_server(world, **{security: context}) as port:
        right = {"security": security, "username": USER, "password": PASSWORD}
        assert f"({security}), signed in as {USER}" in notifier(port, ca_bundle=root, **right).check()
        notifier(port, ca_bundle=root, **right).send(MESSAGE, None)
        with pytest.raises(NotifierError, match=r"CERTIFICATE_VERIFY_FAILED.*CA_BUNDLE") as caught:
            notifier(port, **right).send(MESSAGE, None)
        assert (caught.value.permanent, caught.value.sent) == (False, False)
        with pytest.raises(NotifierError, match="CERTIFICATE_VERIFY_FAILED"):
            notifier(port, ca_bundle=root, **right, host="127.1").send(MESSAGE, None)
        with pytest.raises(NotifierError, match=r"535 .*SMTP_USERNAME or SMTP_PASSWORD is wrong") as caught:
            notifier(port, ca_bundle=root, **{**right, "password": WRONG}).send(MESSAGE, None)
        assert caught.value.permanent
        assert WRONG not in "".join(traceback.format_exception(caught.value))
        if security == "starttls":
            with pytest.raises(NotifierError, match=r"530 .*set SMTP_USERNAME") as caught:
                notifier(port, ca_bundle=root, security=security).send(MESSAGE, None)
            assert caught.value.permanent
    assert len(world.taking.of("email")) == 1


def test_offer_of_tls_that_is_missing_is_an_error(port: int, world: Any) -> None:
    """Nothing is sent in clear text because someone on the way has removed the offer of STARTTLS."""
    with pytest.raises(NotifierError, match="does not offer STARTTLS: set SMTP_SECURITY") as caught:
        notifier(port, security="starttls", username=USER, password=PASSWORD).send(MESSAGE, None)
    assert (caught.value.permanent, caught.value.sent) == (True, False)
    assert world.taking.of("email") == []


def test_recipients_may_be_refused_one_by_one(port: int, world: Any) -> None:
    """Those that the server accepts have the mail, and the error names the others; if it accepts none, it decides."""
    email = notifier(port)
    email.send(MESSAGE, "ann@example.org, ben@example.org")
    with pytest.raises(PartlyDelivered, match=r"refused refused@example\.org: 550.*full@example\.org: 452") as caught:
        email.send(MESSAGE, "ann@example.org,refused@example.org,full@example.org")
    assert (caught.value.permanent, caught.value.receipt.id.startswith("<")) == (True, True)
    assert "The other recipients have the message, so it is not repeated" in str(caught.value)
    assert [mail.place for mail in world.taking.of("email")] == ["ann@example.org, ben@example.org", "ann@example.org"]
    for to, permanent in (("refused@example.org", True), ("later@example.org", False)):
        with pytest.raises(NotifierError, match=rf"email:{to}\. The mail server refused the recipient {to}") as refused:
            email.send(MESSAGE, to)
        assert (refused.value.permanent, refused.value.uncertain) == (permanent, False)
    with pytest.raises(NotifierError, match="all recipients") as refused:
        email.send(MESSAGE, "refused@example.org,later@example.org")
    assert not refused.value.permanent


@pytest.mark.parametrize(("code", "permanent"), [("451", False), ("452", False), ("552", True), ("554", True)])
def test_message_that_the_server_refuses(code: str, permanent: bool, port: int, world: Any) -> None:
    """Codes of 400 may pass, those of 500 do not; then the next mail is taken."""
    world.faults.add({"kind": "error", "target": "email", "code": code, "times": 1})
    with pytest.raises(NotifierError, match=f"refused the message: {code} Simulated fault") as caught:
        notifier(port).send(MESSAGE, None)
    assert (caught.value.permanent, caught.value.uncertain) == (permanent, False)
    notifier(port).send(MESSAGE, None)
    assert len(world.taking.of("email")) == 1


def talk(connection: socket, *replies: bytes) -> None:
    """Send the greeting and a reply after each line; the text of a message is one line of its own."""
    file = connection.makefile("rwb")
    for reply in replies:
        file.write(reply + b"\r\n")
        file.flush()
        if reply.startswith(b"354"):
            while file.readline() not in (b".\r\n", b""):
                pass
        else:
            file.readline()


GREETED = (b"220 hello", b"250 hello", b"250 sender", b"250 recipient", b"354 go")


def test_lost_confirmation_is_uncertain() -> None:
    """If the server takes the whole message and its reply is lost, the message may have arrived."""
    with (
        raw_server(lambda connection: talk(connection, *GREETED)) as server,
        pytest.raises(NotifierError, match="did not confirm the message") as caught,
    ):
        notifier(server.port).send(MESSAGE, None)
    assert (caught.value.permanent, caught.value.uncertain) == (False, True)


@pytest.mark.parametrize(
    ("replies", "words", "permanent"),
    [
        ((b"554 go away",), "refused the connection: 554 go away", True),
        ((b"421 busy",), "refused the connection: 421 busy", False),
        ((b"220 hello", b"250 hello", b"550 no relay"), r"refused the sender bi@example.org: 550 no relay", True),
        ((b"220 hello", b"250 hello"), "cannot be reached", False),
        ((b"SSH-2.0-OpenSSH_9.6",), "refused the connection: -1|cannot be reached", False),
        ((b"x" * 20_000,), "cannot be reached", False),
    ],
)
def test_other_servers_and_early_ends(replies: tuple[bytes, ...], words: str, permanent: bool) -> None:
    """Nothing was sent to a server that refuses, hangs up, or does not speak SMTP."""
    with (
        raw_server(lambda connection: talk(connection, *replies)) as server,
        pytest.raises(NotifierError, match=words) as caught,
    ):
        notifier(server.port).send(MESSAGE, None)
    assert (caught.value.permanent, caught.value.uncertain) == (permanent, False)


def test_server_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchange as a whole has a time limit, however often a byte arrives."""
    monkeypatch.setattr("notifiers.email.smtp.TOTAL", 0.5)

    def drip(connection: socket) -> None:
        while not connection.send(b"2") or not server.stopped.wait(0.05):
            pass

    with raw_server(drip) as server:
        with pytest.raises(
            NotifierError, match=r"cannot be reached: (the call as a whole took too long|.*timed out)"
        ) as caught:
            notifier(server.port).send(MESSAGE, None)
        server.stopped.set()
    assert (caught.value.sent, caught.value.permanent) == (False, False)


def test_refused_connection_was_not_sent(refusing_url: str) -> None:
    """Nothing left: it is safe to retry for as long as the outage lasts."""
    with pytest.raises(NotifierError, match="cannot be reached") as caught:
        notifier(int(refusing_url.rpartition(":")[2])).send(MESSAGE, None)
    assert (caught.value.sent, caught.value.uncertain, caught.value.permanent) == (False, False, False)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"port": "smtp"}, "SMTP_PORT is 'smtp'"),
        ({"security": "ssl"}, "SMTP_SECURITY is 'ssl'. Choose one of: starttls, tls, none"),
        ({"sender": "Tableau"}, "SMTP_FROM is 'Tableau'"),
        ({"host": "", "sender": ""}, "SMTP_HOST, SMTP_FROM are not set"),
        ({"to": ""}, "email has no address: set SMTP_TO, or write a destination such as email:ann@example.org"),
        ({"to": "ann"}, "'ann' is not an e-mail address"),
    ],
)
def test_mistakes_in_the_settings_are_permanent(changes: dict[str, str], words: str) -> None:
    """Each is explained before a connection is made."""
    config = EmailConfig(**{"host": "127.0.0.1", "port": "1", "sender": "bi@example.org", "to": "a@b.org", **changes})
    with pytest.raises(NotifierError) as caught:
        EmailNotifier(config).send(MESSAGE, None)
    assert words in str(caught.value)
    assert (caught.value.permanent, caught.value.sent) == (True, False)


@pytest.mark.parametrize(
    "text", ["", "ann", "ann@", "a b@example.org", "ann@example.org,", "ann@bücher.example", 'x"@e.org']
)
def test_address_that_is_none(text: str) -> None:
    """A rule cannot name it."""
    with pytest.raises(ValueError, match="is not an e-mail address"):
        EmailNotifier.parse_address(text)
