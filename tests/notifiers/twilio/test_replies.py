"""Replies to text messages, as Twilio reports them: the signature and the form."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from notifiers.twilio.replies import InvalidReply, is_signed, parse_fields, parse_reply

TOKEN, URL = "a" * 32, "https://hooks.example.org/twilio/messages"
FIELDS = [("MessageSid", "SM" + "0" * 32), ("From", "+15550100"), ("To", "+15550199"), ("Body", "1")]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=100, deadline=None)
@given(fields=st.dictionaries(TEXT, TEXT, max_size=8), url=st.sampled_from([URL, f"{URL}?a=1&b=%20"]))
def test_signature_is_that_of_twilios_own_client(fields: dict[str, str], url: str) -> None:
    """Any form that Twilio's client signs is accepted, and Twilio's client accepts what it accepts."""
    parsed = parse_fields(urlencode(fields).encode())
    assert parsed is not None
    validator = RequestValidator(TOKEN)
    signature = validator.compute_signature(url, fields)
    assert is_signed(TOKEN, url, parsed, signature)
    for other in (signature[:-2] + "A=", "", "\u00e9", signature.lower() if signature != signature.lower() else "x"):
        assert is_signed(TOKEN, url, parsed, other) == validator.validate(url, fields, other)


@pytest.mark.parametrize(
    "signed", [URL, URL.replace(".org", ".org:443"), "http://hooks.example.org:80/twilio/messages"]
)
@pytest.mark.parametrize("given", [URL, URL.replace(".org", ".org:443"), "http://hooks.example.org/twilio/messages"])
def test_port_is_of_no_importance(signed: str, given: str) -> None:
    """Twilio signs the address with or without the usual port; its own client accepts exactly the same."""
    signature = RequestValidator(TOKEN).compute_signature(signed, dict(FIELDS))
    expected = RequestValidator(TOKEN).validate(given, dict(FIELDS), signature)
    assert is_signed(TOKEN, given, FIELDS, signature) == expected


def test_other_token_address_and_form_are_not_signed() -> None:
    """A reply signed by another account, or with another address or fields, is refused; so is every empty token."""
    signature = RequestValidator(TOKEN).compute_signature(URL, dict(FIELDS))
    assert is_signed(TOKEN, URL, FIELDS, signature)
    assert not is_signed("b" * 32, URL, FIELDS, signature)
    assert not is_signed("", URL, FIELDS, RequestValidator("x").compute_signature(URL, dict(FIELDS)))
    assert not is_signed(TOKEN, URL.replace("hooks", "other"), FIELDS, signature)
    assert not is_signed(TOKEN, f"{URL}?a=1", FIELDS, signature)
    assert not is_signed(TOKEN, URL, [*FIELDS, ("a", "b")], signature)
    assert not is_signed(TOKEN, URL, FIELDS[:-1], signature)


def test_reply_is_one_short_line() -> None:
    """The text cannot add lines to the log, nor be endless; a number of another channel keeps its name."""
    reply = parse_reply([*FIELDS[:1], ("From", "whatsapp:+15550100"), ("Body", "1\nERROR forged" + "x" * 5000)])
    assert (reply.sender, len(reply.text), reply.text[:14]) == ("whatsapp:+15550100", 160, "1 ERROR forged")


@pytest.mark.parametrize(
    "fields",
    [
        [],
        FIELDS[1:],
        [("MessageSid", "SMx"), *FIELDS[1:]],
        [FIELDS[0]],
        [FIELDS[0], ("From", "Acme")],
        [FIELDS[0], ("From", "+0")],
    ],
)
def test_form_without_a_message_and_a_number(fields: list[tuple[str, str]]) -> None:
    """Without Twilio's id a reply could be carried out twice, without a number no one could be answered."""
    with pytest.raises(InvalidReply):
        parse_reply(fields)


@pytest.mark.parametrize("body", [b"\xff", b"a=b&" * 500, "é=1".encode()])
def test_body_that_is_no_form(body: bytes) -> None:
    """It has no fields that could be signed."""
    assert parse_fields(body) is None
