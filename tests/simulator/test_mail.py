"""The mail server of the demo: it takes what programs send, and refuses what a real one refuses."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator

import pytest

from notifiers import NotifierError, Notifiers
from notifiers.message import Message
from simulator import Running
from simulator.receivers.smtp import MAX_LINE, serving_mail


@pytest.fixture
def port(simulator: Running) -> Iterator[int]:
    with serving_mail(simulator.world) as port:
        yield port


def test_mail_of_the_notifier_is_shown(simulator: Running, port: int) -> None:
    """Both parts, non-ASCII names, lines that begin with a dot, and several recipients."""
    notifiers = Notifiers.from_variables(simulator.world.config.mail_variables(port))
    notifiers["email"].send(Message("Umsätze", ".hidden\n..\n.\nlast"), "ann@acme.example,ben@acme.example")
    notifiers["email"].send(Message("Default", ""), None)
    first, second = simulator.world.taking.of("email")
    assert (first.place, first.title) == ("ann@acme.example, ben@acme.example", "Umsätze")
    assert ".hidden\n..\n.\nlast" in first.text
    assert "Umsätze" in first.data["html"]
    assert second.place == "bi@acme.example"
    with pytest.raises(NotifierError, match="550"):
        notifiers["email"].send(Message("x", ""), "refused@acme.example")
    simulator.world.faults.add({"kind": "error", "target": "email", "code": "451"})
    with pytest.raises(NotifierError, match="451"):
        notifiers["email"].send(Message("x", ""), "ann@acme.example")
    assert len(simulator.world.taking.of("email")) == 2


def test_wrong_commands_are_refused(simulator: Running, port: int) -> None:
    """Commands out of order, unknown ones, long lines, and a client that goes away: nothing is shown."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.ehlo()
        for command, code in (
            ("RCPT TO:<ann@acme.example>", 503),
            ("DATA", 503),
            ("MAIL FROM:ann", 501),
            ("MAIL", 501),
            ("VRFY ann", 502),
            ("NOOP", 250),
            ("MAIL FROM:<ann@acme.example> SIZE=100", 250),
            ("RCPT TO:<later@acme.example>", 451),
            ("RSET", 250),
            ("HELO x", 250),
        ):
            assert client.docmd(command)[0] == code, command
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client, client.makefile("rb") as replies:
        replies.readline()
        client.sendall(b"NOOP " + b"x" * MAX_LINE + b"\r\n")
        assert replies.readline().startswith(b"500")
        assert replies.readline() == b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client, client.makefile("rb") as replies:
        client.sendall(b"MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nSubject: half")
        assert [replies.readline()[:3] for _ in range(4)] == [b"220", b"250", b"250", b"354"]
    assert simulator.world.taking.of("email") == []
