"""The Apprise notifier with the real library, talking to a small local server."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any

import pytest

from notifiers import AppriseConfig, Link, Message, NotifierError, Picture, Receipt
from notifiers.apprise.notifier import AppriseNotifier, entries

# An import of the library on Python 3.11 and 3.12.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SECRET = "never-to-be-seen"
MESSAGE = Message("Refresh failed: Sales", "why", (("Owner", "Ann"),), Link("https://example.org/7"), "bad")


@pytest.fixture
def address(vendor: Any) -> str:
    """The vendor as an address of Apprise's JSON webhook."""
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
    ],
)
def test_entries_are_tags_and_addresses(value: str, found: list[tuple[str | None, str]]) -> None:
    """Addresses stand apart by white space or commas; a comma inside an address is its own."""
    assert entries(value) == found


def test_entry_that_is_no_address_is_told_by_its_place() -> None:
    """The error says which part, and does not print it: it may be a secret."""
    with pytest.raises(NotifierError, match="Part 1 of APPRISE_URLS") as caught:
        entries("hunter2")
    assert caught.value.permanent
    assert "hunter2" not in str(caught.value)


def test_send_reaches_every_address(address: str, vendor: Any, says: Any) -> None:
    """Title, text and severity arrive; the title is not said twice."""
    vendor.on("/a", says())
    vendor.on("/b", says())
    notifier = AppriseNotifier(AppriseConfig(f"{address}/a ops={address}/b"))
    assert notifier.send(MESSAGE, None) == Receipt("all", "")
    assert sorted(vendor.paths()) == ["a", "b"]
    sent = vendor.asked[0].json
    assert sent["title"] == "Refresh failed: Sales"
    assert sent["message"] == "why\nOwner: Ann\nOpen: https://example.org/7"
    assert sent["type"] == "failure"


def test_send_to_a_tag_reaches_its_addresses_only(address: str, vendor: Any, says: Any) -> None:
    """`apprise:ops` means the addresses that have the tag."""
    vendor.on("/b", says())
    assert AppriseNotifier(AppriseConfig(f"{address}/a ops={address}/b")).send(Message("t"), "ops").channel == "ops"
    assert vendor.paths() == ["b"]


def test_unknown_tag_is_permanent_and_names_the_known(address: str) -> None:
    """The error says which tags there are."""
    with pytest.raises(NotifierError, match="has the tag dev; its tags: bi, ops") as caught:
        AppriseNotifier(AppriseConfig(f"ops={address}/a bi={address}/b")).send(MESSAGE, "dev")
    assert caught.value.permanent


def test_failure_of_all_may_be_tried_again(
    address: str, vendor: Any, says: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Apprise gives no reason, so the back-off decides; the address with its secret stands in no error and no log."""
    caplog.set_level(logging.DEBUG)
    vendor.on(SECRET, says(status=500))
    with pytest.raises(NotifierError, match="could not deliver to JSON") as caught:
        AppriseNotifier(AppriseConfig(f"{address}/{SECRET}")).send(MESSAGE, None)
    assert not caught.value.permanent
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + caplog.text


def test_failure_of_some_is_not_repeated(address: str, vendor: Any, says: Any) -> None:
    """Who was told once is not told again."""
    vendor.on("/a", says())
    vendor.on("/b", says(status=500))
    with pytest.raises(NotifierError, match="but to the others; it is not repeated") as caught:
        AppriseNotifier(AppriseConfig(f"{address}/a {address}/b")).send(MESSAGE, None)
    assert caught.value.permanent


def test_unreadable_address_is_permanent(address: str) -> None:
    """The scheme is named, the rest is not."""
    with pytest.raises(NotifierError, match="begins nosuch://") as caught:
        AppriseNotifier(AppriseConfig("nosuch://hunter2")).send(MESSAGE, None)
    assert caught.value.permanent
    assert "hunter2" not in str(caught.value)


def test_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apprise is optional; who asks for it is told how to get it."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(NotifierError, match="pip install apprise") as caught:
        AppriseNotifier(AppriseConfig("json://localhost")).send(MESSAGE, None)
    assert caught.value.permanent


def test_missing_addresses_name_the_variable() -> None:
    """Asked for and not set up."""
    with pytest.raises(NotifierError, match="APPRISE_URLS is not set") as caught:
        AppriseNotifier(AppriseConfig()).send(MESSAGE, None)
    assert caught.value.permanent


def test_check_names_the_services_and_attach_does_nothing(address: str, vendor: Any) -> None:
    """Nobody is asked; nothing is sent; the repr keeps the addresses to itself."""
    notifier = AppriseNotifier(AppriseConfig(f"{address}/a"))
    assert notifier.check() == "Apprise: JSON"
    notifier.attach(Picture(b"x", "x.png"), Receipt("all", ""))
    assert vendor.asked == []
    assert "json://" not in repr(AppriseConfig("json://x"))
