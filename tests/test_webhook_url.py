"""The URL that receives webhooks, and its form without secrets."""

from __future__ import annotations

import pytest

from webhooks.webhook_url import mask_url, public_url, webhook_url


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/webhook/tok"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/webhook/tok"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000/webhook/tok"),
        ("https://hooks.example.org", "https://hooks.example.org/webhook/tok"),
        ("https://hooks.example.org?a=1", "https://hooks.example.org/webhook/tok?a=1"),
        ("https://hooks.example.org/webhook", "https://hooks.example.org/webhook"),
        ("https://hooks.example.org/t/s3cret", "https://hooks.example.org/t/s3cret"),
        ("https://hooks.example.org/webhook?token=x", "https://hooks.example.org/webhook?token=x"),
        ("http://[::1]:8000", "http://[::1]:8000/webhook/tok"),
    ],
)
def test_path_is_appended_only_to_an_address_without_one(address: str, url: str) -> None:
    """An address with a path is used unchanged."""
    assert webhook_url(address, "tok", explicit=False) == url


def test_path_without_a_token() -> None:
    """Without a token the path is /webhook."""
    assert webhook_url("http://127.0.0.1:8000", "", explicit=False) == "http://127.0.0.1:8000/webhook"


def test_token_is_percent_encoded() -> None:
    """A token with reserved characters reaches the server unchanged."""
    assert webhook_url("http://h", "a/b?c#d", explicit=False) == "http://h/webhook/a%2Fb%3Fc%23d"


def test_explicit_token_is_added_to_the_query() -> None:
    """A token that is given with --token is used also if the address has a path."""
    assert webhook_url("http://h/webhook", "a b", explicit=True) == "http://h/webhook?token=a+b"
    assert webhook_url("http://h/webhook?x=1", "t", explicit=True) == "http://h/webhook?x=1&token=t"


def test_public_address_is_https() -> None:
    """Tableau requires https; a scheme that is given is kept."""
    assert public_url("hooks.example.org", "tok") == "https://hooks.example.org/webhook/tok"
    assert public_url("http://hooks.example.org", "tok") == "http://hooks.example.org/webhook/tok"


@pytest.mark.parametrize("address", ["", "http://", "ftp://h/", "http://h:port", "http://h:99999", "/webhook"])
def test_invalid_address_is_refused(address: str) -> None:
    """The error says what is wrong before anything is sent."""
    with pytest.raises(ValueError, match=r".+"):
        webhook_url(address, "", explicit=False)


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("http://h:1/webhook/tok", "http://h:1/webhook/***"),
        ("http://h:1/webhook", "http://h:1/webhook"),
        ("http://h/webhook?token=tok", "http://h/webhook?***"),
        ("https://user:tok@h/services/a/tok", "https://h/***"),
        ("http://h/tok/x", "http://h/***"),
        ("http://h/webhook/tok/x", "http://h/webhook/***"),
        ("https://h/tok", "https://h/***"),
    ],
)
def test_masked_url_shows_the_host_but_no_secret(url: str, masked: str) -> None:
    """The token can be in the path, in the query, or before the host."""
    assert mask_url(url) == masked
