"""The door to the network: what was surely not sent, what may have been, and no secrets in words."""

from __future__ import annotations

import socket
import ssl
import traceback
from typing import Any

import pytest
import requests
import urllib3.exceptions
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.exceptions import MaxRetryError, NameResolutionError

from notifiers import NotifierError
from notifiers.transport import LARGEST, call, not_sent

AUTH = ("user", "very-secret")


def test_call_gives_answer_and_says_who_asks(vendor: Any, says: Any) -> None:
    """Any status is an answer; the request has our name and the credentials."""
    vendor.on("/x", says({"a": 1}, status=418, headers={"X-Y": "z"}))
    answer = call("POST", f"{vendor.url}/x", service="S", auth=AUTH, form={"b": "ü"}, query={"q": "1"})
    assert (answer.status, answer.json(), answer.headers["x-y"]) == (418, {"a": 1}, "z")
    asked = vendor.asked[0]
    assert (asked.form, asked.query) == ({"b": "ü"}, {"q": "1"})
    assert asked.headers["User-Agent"] == "tableau-webhooks"
    assert asked.headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"\xff"])
def test_answer_without_an_object_is_an_empty_one(vendor: Any, says: Any, body: bytes) -> None:
    """What is no JSON object reads as an empty object."""
    vendor.on("/x", says(body))
    assert call("GET", f"{vendor.url}/x", service="S", auth=AUTH).json() == {}


def test_call_follows_no_redirect(vendor: Any, says: Any) -> None:
    """Credentials go nowhere else."""
    vendor.on("/x", says(status=307, headers={"Location": f"{vendor.url}/y"}))
    assert call("POST", f"{vendor.url}/x", service="S", auth=AUTH).status == 307
    assert vendor.paths() == ["x"]


def test_refused_connection_was_not_sent(nobody: str) -> None:
    """Nothing left: it may be tried again."""
    with pytest.raises(NotifierError, match="S cannot be reached") as caught:
        call("POST", nobody, service="S", auth=AUTH)
    assert (caught.value.permanent, caught.value.uncertain) == (False, False)


def test_unknown_host_was_not_sent() -> None:
    """A name that does not resolve is like a refused connection."""
    reason = NameResolutionError("no-such-host", HTTPConnection("no-such-host"), socket.gaierror())
    assert not_sent(requests.ConnectionError(MaxRetryError(HTTPConnectionPool("no-such-host"), "/", reason)))


@pytest.mark.parametrize(
    ("inner", "unsent"), [(ssl.SSLCertVerificationError("expired"), True), (ssl.SSLEOFError(), False)]
)
def test_tls_trouble_is_unsent_only_in_the_handshake(inner: ssl.SSLError, unsent: bool) -> None:
    """A bad certificate stops before the request; a stream that breaks may break after it."""
    error = MaxRetryError(HTTPConnectionPool("h"), "/", urllib3.exceptions.SSLError(inner))
    assert not_sent(requests.exceptions.SSLError(error)) is unsent


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("trouble", [{"hang": True}, {"drop": True}])
def test_silence_after_sending_is_uncertain(vendor: Any, says: Any, trouble: dict[str, bool]) -> None:
    """No answer in time, or a connection that breaks: it may have been received."""
    vendor.on("/x", says(**trouble))
    with pytest.raises(NotifierError, match="S did not answer") as caught:
        call("POST", f"{vendor.url}/x", service="S", auth=AUTH)
    assert (caught.value.permanent, caught.value.uncertain) == (False, True)
    assert len(vendor.asked) == 1


@pytest.mark.parametrize("url", ["no-scheme/x", "ftp://example.org/x", "http://", "http://a b/", "http://[::1/x"])
def test_impossible_address_is_permanent(url: str) -> None:
    """A wrong setting does not get better by itself."""
    with pytest.raises(NotifierError, match="S cannot be called") as caught:
        call("GET", url, service="S", auth=AUTH)
    assert caught.value.permanent


def test_secret_stands_in_no_error(nobody: str) -> None:
    """Words and chained errors are printed without the secret, even if somebody put it into the address."""
    with pytest.raises(NotifierError) as caught:
        call("GET", f"{nobody}/{AUTH[1]}", service="S", auth=AUTH)
    assert AUTH[1] not in "".join(traceback.format_exception(caught.value))


def test_secret_stands_in_no_answer(vendor: Any, says: Any) -> None:
    """A server that quotes the request does not make us log it."""
    vendor.on("/x", says({"message": "no user with very-secret"}, status=401))
    assert call("GET", f"{vendor.url}/x", service="S", auth=AUTH).json()["message"] == "no user with ***"


def test_every_error_of_requests_is_told_apart() -> None:
    """Of all that requests may raise without a reason inside, two are surely unsent; the rest is uncertain."""
    unsent = {"ConnectTimeout", "ProxyError"}
    errors = {name: value for name, value in vars(requests.exceptions).items() if name.endswith(("Error", "Timeout"))}
    del errors["JSONDecodeError"], errors["CompatJSONDecodeError"]
    assert unsent < set(errors)
    assert {name for name, error in errors.items() if not_sent(error())} == unsent


def test_flood_of_an_answer_is_cut_off(vendor: Any, says: Any) -> None:
    """An answer without end is not read to its end."""
    vendor.on("/x", says(b" " * (4 * LARGEST)))
    with pytest.raises(NotifierError, match="larger than 1 MiB"):
        call("GET", f"{vendor.url}/x", service="S", auth=AUTH)
