"""Where an event is sent to, and what of that may be shown."""

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
def test_hook_url_adds_the_hook_only_where_there_is_no_path(given: str, url: str) -> None:
    """A URL with a path stays as it stands."""
    assert webhook_url(given, "tok", explicit=False) == url


def test_hook_url_without_a_token_is_the_open_hook() -> None:
    """No token: /webhook."""
    assert webhook_url("http://127.0.0.1:8000", "", explicit=False) == "http://127.0.0.1:8000/webhook"


def test_hook_url_quotes_the_token() -> None:
    """A token with characters of its own meaning arrives as it is."""
    assert webhook_url("http://h", "a/b?c#d", explicit=False) == "http://h/webhook/a%2Fb%3Fc%23d"


def test_hook_url_puts_a_token_that_was_asked_for_into_the_query() -> None:
    """--token beside a URL with a path is meant."""
    assert webhook_url("http://h/webhook", "a b", explicit=True) == "http://h/webhook?token=a+b"
    assert webhook_url("http://h/webhook?x=1", "t", explicit=True) == "http://h/webhook?x=1&token=t"


@pytest.mark.parametrize("given", ["", "http://", "ftp://h/", "http://h:port", "http://h:99999", "/webhook"])
def test_hook_url_refuses_what_is_no_web_address(given: str) -> None:
    """A word on what is wrong, before anything is sent."""
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
def test_masked_shows_where_but_no_secret(url: str, shown: str) -> None:
    """The token may stand in the path, in the query, or before the host."""
    assert mask_url(url) == shown
