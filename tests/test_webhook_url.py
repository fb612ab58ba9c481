"""Test how a webhook URL is built, and how it is masked."""

from __future__ import annotations

import pytest

from webhooks.webhook_url import mask_url, webhook_url


@pytest.mark.parametrize(
    ("given", "url"),
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
def test_the_path_is_added_only_where_there_is_none(given: str, url: str) -> None:
    """A URL with a path is not changed."""
    assert webhook_url(given, "tok", explicit=False) == url


def test_without_a_token_the_path_is_webhook() -> None:
    """Without a token, the path is /webhook."""
    assert webhook_url("http://127.0.0.1:8000", "", explicit=False) == "http://127.0.0.1:8000/webhook"


def test_the_token_is_quoted() -> None:
    """Characters with a meaning in URLs are quoted in the token."""
    assert webhook_url("http://h", "a/b?c#d", explicit=False) == "http://h/webhook/a%2Fb%3Fc%23d"


def test_an_explicit_token_is_added_to_a_url_with_a_path() -> None:
    """A token given with a URL that has a path is added to the query."""
    assert webhook_url("http://h/webhook", "a b", explicit=True) == "http://h/webhook?token=a+b"
    assert webhook_url("http://h/webhook?x=1", "t", explicit=True) == "http://h/webhook?x=1&token=t"


@pytest.mark.parametrize("given", ["", "http://", "ftp://h/", "http://h:port", "http://h:99999", "/webhook"])
def test_an_invalid_address_is_refused(given: str) -> None:
    """An address that is not a web address raises an error with a reason."""
    with pytest.raises(ValueError, match=r".+"):
        webhook_url(given, "", explicit=False)


@pytest.mark.parametrize(
    ("url", "shown"),
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
def test_a_masked_url_has_no_secret(url: str, shown: str) -> None:
    """The token is masked in the path, in the query, and before the host."""
    assert mask_url(url) == shown
