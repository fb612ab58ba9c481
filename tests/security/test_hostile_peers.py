"""Hostile or broken servers in place of Tableau, Slack and Twilio: every call ends in time, with an error of ours.

Each case is the response to every request. The server is real; what HTTP libraries would not send is written as bytes.
"""

from __future__ import annotations

import gc
import gzip
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, repeat
from socket import socket
from typing import Any

import pytest

from notifiers import Message, NotifierError, SlackConfig, TwilioConfig, transport
from notifiers.message import Picture, Receipt
from notifiers.notifier import Notifier
from notifiers.slack.client import is_slacks
from notifiers.slack.notifier import SlackNotifier
from notifiers.twilio.notifier import TwilioNotifier
from tableau_rest import MemorySessions, PersonalAccessToken, Tableau
from tableau_rest.errors import TableauError
from tableau_rest.sessions import sign_in
from tests.notifiers.raw_server import raw_server, read_head

LUID = "e3411111-2222-4333-8444-555566667777"
NUMBER = "+15550100"
SECRET = "very-secret-value"
MEGABYTE = 1024 * 1024
# Seconds in which every call ends, on a machine that is busy with other tests.
LIMIT = 30

Body = bytes | Iterator[bytes]


def head(*headers: str, status: str = "200 OK", kind: str = "application/json") -> bytes:
    """Return the head of a response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def whole(body: bytes, *headers: str, status: str = "200 OK", kind: str = "application/json") -> bytes:
    """Return a response with its length."""
    return head(*headers, f"Content-Length: {len(body)}", status=status, kind=kind) + body


def as_json(value: object) -> bytes:
    return whole(json.dumps(value).encode())


def nested(depth: int) -> bytes:
    return b'{"ok": true, "sid": "SM1", "x": ' + b"[" * depth + b"]" * depth + b"}"


PAGE = b"<!doctype html><title>Sign in</title><p>Please sign in to the network."
OK = {"ok": True, "channel": "C1", "ts": "1.1", "sid": "SM1", "status": "queued"}
CHUNK = b"10000\r\n" + b" " * 0x10000 + b"\r\n"

RESPONSES: dict[str, Callable[[], Body]] = {
    "a header of 1 MiB": lambda: head("X-Long: " + "x" * MEGABYTE) + b"{}",
    "10,000 headers": lambda: head(*(f"X-{number}: x" for number in range(10_000))) + b"{}",
    "headers without an end": lambda: (b"HTTP/1.1 200 OK\r\n" if not n else b"X-%d: x\r\n" % n for n in count()),
    "cookies without an end": lambda: (
        b"HTTP/1.1 200 OK\r\n" if not n else b"Set-Cookie: a%d=b\r\n" % n for n in count()
    ),
    "a status line of 1 MiB": lambda: b"HTTP/1.1 200 " + b"O" * MEGABYTE + b"\r\n\r\n{}",
    "interim responses without an end": lambda: repeat(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "chunks without an end": lambda: (head("Transfer-Encoding: chunked") if not n else CHUNK for n in count()),
    "a chunk of a negative size": lambda: head("Transfer-Encoding: chunked") + b"-5\r\nhello\r\n0\r\n\r\n",
    "a chunk of an enormous size": lambda: head("Transfer-Encoding: chunked") + b"f" * 40 + b"\r\nhello",
    "a body without an end": lambda: (head() if not n else b" " * 0x10000 for n in count()),
    "gzip that unpacks to 1 GiB": lambda: whole(BOMB, "Content-Encoding: gzip"),
    "gzip that is none": lambda: whole(b"\x1f\x8b" + b"x" * 100, "Content-Encoding: gzip"),
    "gzip in gzip in gzip": lambda: whole(BOMB, "Content-Encoding: gzip, gzip, gzip, gzip, gzip, gzip, gzip"),
    "JSON of 100,000 levels": lambda: whole(nested(100_000)),
    "XML of 100,000 levels": lambda: whole(b"<a>" * 100_000, kind="application/xml"),
    "XML with entities": lambda: whole(ENTITIES, kind="application/xml"),
    "a number of 100,000 digits": lambda: whole(b'{"ok": ' + b"9" * 100_000 + b"}"),
    "a web page": lambda: whole(PAGE, kind="text/html"),
    "a web page called JSON": lambda: whole(PAGE),
    "invalid UTF-8": lambda: whole(b'{"ok": true, "sid": "\xff\xfe", "error": "\xc3\x28"}'),
    "UTF-16 cut in half": lambda: whole('{"ok": true}'.encode("utf-16")[:-1]),
    "lone surrogates": lambda: whole(b'{"error": "\\ud800", "message": "\\udfff", "code": 1, "sid": "\\ud800"}'),
    "a Content-Length that is too large": lambda: head("Content-Length: 1000000") + b"{}",
    "a Content-Length that is negative": lambda: head("Content-Length: -1") + b"[]",
    "a Content-Length that is no number": lambda: head("Content-Length: lots") + b"[]",
    "two Content-Lengths": lambda: head("Content-Length: 2", "Content-Length: 9") + b"[]",
    "a length of 5,000 digits": lambda: head("Content-Length: " + "9" * 5000) + b"{}",
    "an empty body": lambda: whole(b""),
    "a list": lambda: as_json([OK]),
    "null": lambda: as_json(None),
    "wrong types everywhere": lambda: as_json({name: [] for name in ("ok", "sid", "status", "error", "credentials")}),
    "an error with wrong types": lambda: whole(
        b'{"code": {}, "message": [], "error": {"code": [], "summary": {}}}', status="400 Bad Request"
    ),
    "an error of 900 KiB": lambda: whole(
        json.dumps({"code": 1, "message": "x" * 900_000, "error": "x" * 900_000}).encode(), status="400 Bad Request"
    ),
    "a date at the end of time": lambda: whole(
        b"{}", "Date: Fri, 31 Dec 9999 23:59:59 -2359", "Retry-After: Fri, 31 Dec 9999 23:59:59 -2359", status="503 X"
    ),
    "a Retry-After of 10,000 digits": lambda: whole(b"{}", "Retry-After: " + "9" * 10_000, status="429 X"),
    "another protocol": lambda: b"SSH-2.0-OpenSSH_9.6\r\n",
    "a redirect without an end": lambda: (
        head("Location: http://[::1", status="302 Found") if not n else b" " * 0x10000 for n in count()
    ),
    "nothing": lambda: b"",
}
BOMB = gzip.compress(b" " * (64 * MEGABYTE), 9) * 16
ENTITIES = (
    b'<!DOCTYPE a [<!ENTITY b "'
    + b"x" * 1000
    + b'"><!ENTITY c "'
    + b"&b;" * 1000
    + b'">]><a>'
    + b"&c;" * 1000
    + b"</a>"
)


def send_all(connection: socket, body: Body) -> None:
    """Send the response until the client closes the connection."""
    read_head(connection)
    connection.settimeout(20)
    for part in [body] if isinstance(body, bytes) else body:
        connection.sendall(part)


@contextmanager
def hostile(case: str) -> Iterator[str]:
    """Serve a case at the address."""
    with raw_server(lambda connection: send_all(connection, RESPONSES[case]())) as server:
        yield f"http://127.0.0.1:{server.port}"


def slack(url: str) -> Notifier:
    return SlackNotifier(SlackConfig(token=SECRET, channel="#a", api_url=f"{url}/api/"))


def twilio(url: str) -> Notifier:
    return TwilioNotifier(TwilioConfig(account_sid="AC1", auth_token=SECRET, sender="+15550199", api_url=url))


def tableau(url: str, **options: Any) -> Tableau:
    credential = PersonalAccessToken("bot", SECRET)
    return Tableau(url, "mk", credential, sessions=MemorySessions(), sleep=lambda _: None, **options)


def post_to_slack(url: str) -> object:
    return slack(url).send(Message("title"), "#a")


def send_by_twilio(url: str) -> object:
    return twilio(url).send(Message("title"), NUMBER)


def ask_tableau(url: str) -> object:
    with tableau(url) as client:
        return client.workbook(LUID)


CALLS: dict[str, Callable[[str], object]] = {"Slack": post_to_slack, "Twilio": send_by_twilio, "Tableau": ask_tableau}


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set limits short enough for a test."""
    monkeypatch.setattr("notifiers.transport.CALL_TIMEOUTS", transport.Timeouts(total=3))
    monkeypatch.setattr("tableau_rest.sessions.sign_in.SIGN_IN_TIMEOUTS", sign_in.SIGN_IN_TIMEOUTS._replace(total=3))


# urllib3 leaves a response with two lengths to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize("case", RESPONSES)
@pytest.mark.parametrize("peer", CALLS)
def test_hostile_response_ends_in_an_error(peer: str, case: str) -> None:
    """The call ends in time and in an error of ours that is short, printable and without the secret."""
    started = time.monotonic()
    with hostile(case) as url, pytest.raises((NotifierError, TableauError)) as caught:
        CALLS[peer](url)
    assert time.monotonic() - started < LIMIT
    text = str(caught.value)
    assert len(text) < 2000
    assert SECRET not in text
    # A database and a log take it.
    assert text.encode("utf-8")
    assert "\x00" not in text
    caught = None  # type: ignore[assignment]
    gc.collect()


def interim(connection: socket) -> None:
    """Send an interim response now and then, without an end."""
    read_head(connection)
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\nX-Wait: more\r\n\r\n")
        time.sleep(0.02)


@pytest.mark.parametrize("proxy", ["", "http_proxy", "https_proxy"])
@pytest.mark.parametrize("peer", CALLS)
def test_interim_responses_hold_no_thread_until_the_deadline(
    peer: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer, or a proxy before it, may send a few; after that the call ends long before its time."""
    started = time.monotonic()
    with raw_server(interim) as server:
        url = f"http://127.0.0.1:{server.port}"
        if proxy:
            monkeypatch.setenv(proxy, url)
            monkeypatch.setenv("no_proxy", "")
            url = f"{proxy.partition('_')[0]}://peer.example"
        with pytest.raises((NotifierError, TableauError)):
            CALLS[peer](url)
    # The shortest deadline of a call is 15 s.
    assert time.monotonic() - started < 8
    gc.collect()


@pytest.mark.parametrize("peer", ["Slack", "Twilio"])
def test_some_interim_responses_are_skipped(peer: str) -> None:
    """The response after them is the one that counts."""
    body = b"HTTP/1.1 100 Continue\r\n\r\n" * 10 + as_json(OK)
    with raw_server(lambda connection: send_all(connection, body)) as server:
        CALLS[peer](f"http://127.0.0.1:{server.port}")


@contextmanager
def recording(respond: Callable[[bytes, int], bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """Serve what `respond` returns for the head of a request and the port, and record all heads."""
    heads: list[bytes] = []

    def behaviour(connection: socket) -> None:
        heads.append(read_head(connection))
        connection.sendall(respond(heads[-1], connection.getsockname()[1]))

    with raw_server(behaviour) as server:
        yield f"http://127.0.0.1:{server.port}", heads


# {port} is the peer's own port, {other} that of another server on the same machine.
REDIRECTS = {
    "another port": "http://127.0.0.1:{other}{path}",
    "another host": "http://127.0.0.2:{other}{path}",
    "another scheme": "https://127.0.0.1:{other}{path}",
    "no scheme": "//127.0.0.2:{other}{path}",
    "credentials": "http://127.0.0.1:{port}@127.0.0.2:{other}{path}",
    "a longer name": "http://127.0.0.1.nip.invalid:{other}{path}",
    "a file": "file:///etc/passwd",
    "nonsense": "http://[::1",
    "itself": "http://127.0.0.1:{port}{path}",
    "1 MiB": "http://127.0.0.1:{port}/" + "x" * MEGABYTE,
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 399])
@pytest.mark.parametrize("target", REDIRECTS)
@pytest.mark.parametrize("peer", CALLS)
def test_credentials_are_sent_to_no_other_origin(peer: str, target: str, status: int) -> None:
    """A redirect does not make a client send its token, its password or its session to another host or port."""
    with recording(lambda *_: whole(b"{}")) as (other, seen):

        def redirect(request: bytes, port: int) -> bytes:
            path = request.split()[1].decode()
            location = REDIRECTS[target].format(port=port, other=other.rpartition(":")[2], path=path)
            return whole(b"", f"Location: {location}", status=f"{status} X")

        with recording(redirect) as (url, heads), pytest.raises((NotifierError, TableauError)):
            CALLS[peer](url)
    secret = [one for one in seen if b"authorization" in one.lower() or SECRET.encode() in one or b"signin" in one]
    # On the loopback address Tableau's ports may change: a demo runs there.
    allowed = peer == "Tableau" and target == "another port"
    assert allowed or not secret
    assert len(heads) < 12


UPLOADS = (
    "http://127.0.0.2:{other}/latest/meta-data",
    "http://127.0.0.1.nip.invalid:{other}/",
    "http://user:password@127.0.0.1:{other}/",
    "https://evil.example/",
    "https://evilslack.com/",
    "https://files.slack.com:22/",
    "http://files.slack.com/",
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "http://[::1",
    "",
    "//127.0.0.2:{other}/",
)


@pytest.mark.parametrize("address", UPLOADS)
def test_slack_cannot_choose_where_pictures_go(address: str) -> None:
    """An upload address outside of Slack is not called, so that a response cannot reach into the network."""
    with recording(lambda *_: whole(b"OK")) as (other, seen):
        place = {"ok": True, "upload_url": address.format(other=other.rpartition(":")[2]), "file_id": "F1"}
        with recording(lambda *_: as_json(place)) as (url, heads):
            notifier = slack(url)
            with pytest.raises(NotifierError, match="not its own"):
                notifier.attach(Picture(b"png", "a.png"), Receipt("C1", "1.1"))
    assert (len(heads), seen) == (1, [])


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://files.slack.com/upload/v1/x", "https://slack.com/api/"),
        ("https://slack.com/upload", "https://slack.com/api/"),
        ("https://files.slack-gov.com/upload/v1/x", "https://slack-gov.com/api/"),
        ("https://files.slack.com/upload/v1/x", "https://gateway.example/slack/api/"),
        ("https://gateway.example/upload", "https://gateway.example/slack/api/"),
        ("https://gateway.example:8443/upload", "https://gateway.example:8443/api/"),
    ],
)
def test_uploads_to_slack_are_allowed(url: str, api: str) -> None:
    """Slack's own hosts are accepted, and those of a gateway."""
    assert is_slacks(url, api)


IDS = (
    "../../../auth/signout",
    "..",
    "a/b",
    "%2e%2e",
    "a?b=c",
    "a#b",
    "a\r\nX: y",
    "",
    " ",
    "a" * 5000,
    "\u0000",
    "é",
    7,
    None,
    [],
)


@pytest.mark.parametrize("value", IDS, ids=lambda value: repr(value)[:30])
def test_ids_from_a_peer_cannot_change_an_address(value: object) -> None:
    """An id of a message, a channel or a site is checked before it is stored or becomes part of a URL."""
    sign_in_response = {"credentials": {"token": "a|b|c", "site": {"id": value}, "user": {"id": value}}}
    response = {"ok": True, "channel": value, "ts": value, "sid": value, "status": "queued", "user": {"id": value}}
    info = {"serverInfo": {"restApiVersion": "3.24", "productVersion": {"value": "2025.3"}}}
    document = as_json(response | sign_in_response | info)
    with recording(lambda *_: document) as (url, heads):
        posted = slack(url).send(Message("title"), "#a")
        assert posted is not None
        assert (posted.channel, posted.id) == ("#a", "")
        with pytest.raises(NotifierError, match="names no user"):
            slack(url).send(Message("title"), "ada@example.org")
        with pytest.raises(NotifierError, match="names no message"):
            send_by_twilio(url)
        with pytest.raises(TableauError, match="LUID"):
            ask_tableau(url)
    paths = {one.split()[1].partition(b"?")[0].decode() for one in heads}
    assert paths <= {
        "/api/chat.postMessage",
        "/api/users.lookupByEmail",
        "/2010-04-01/Accounts/AC1/Messages.json",
        "/api/2.4/serverinfo",
        "/api/3.24/auth/signin",
    }
