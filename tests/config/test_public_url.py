"""The public address of the server's pages."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from webhooks.config.public_url import pages_url
from webhooks.config.settings import Settings


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("hooks.example.org", "https://hooks.example.org"),
        ("https://hooks.example.org/", "https://hooks.example.org"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("https://example.org/tableau/", "https://example.org/tableau"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_address_of_the_pages(address: str, url: str) -> None:
    """It is https unless a scheme is given, may have a path, and ends without a slash."""
    assert pages_url(address) == url


@pytest.mark.parametrize(
    "address",
    [
        "ftp://example.org",
        "https://",
        "/incidents",
        "https://example.org?a=1",
        "https://example.org#a",
        "https://ann:s3cret@example.org",
        "https://example.org:port",
        "https://exa mple.org",
        "https://example.org/<b>",
        "https://b\u00fccher.example",
        "https://example.org/a|b",
        "https://[::1",
    ],
)
def test_invalid_address_of_the_pages(address: str) -> None:
    """The message shows a valid one and no password: links in messages would lead nowhere, or run over their end."""
    with pytest.raises(ValueError, match=r"is not an address such as https://webhooks\.example\.org") as caught:
        pages_url(address)
    assert "s3cret" not in str(caught.value)
    assert ("xn--" in str(caught.value)) is not address.isascii()


def test_setting_is_validated_at_start() -> None:
    """The error names the variable; a valid address has no slash at its end."""
    assert Settings.read(public_url="hooks.example.org/").public_url == "https://hooks.example.org"
    with pytest.raises(RuntimeError, match=r"PUBLIC_URL.*is not an address"):
        Settings.read(public_url="mailto:ann@example.org")


def test_messages_link_to_pages_that_can_be_opened(settings: Settings) -> None:
    """Without a way to sign in, others than this machine cannot open the pages: links lead to Tableau instead."""

    def links(public_url: str, **changes: object) -> str:
        return settings.model_copy(update={"public_url": public_url, **changes}).links_url

    public = "https://hooks.example.org"
    assert links(public) == ""
    assert links(public, admin_password=SecretStr("a-password-of-the-test")) == public
    assert links(public, oidc_issuer="https://login.example.org") == public
    assert links("http://127.0.0.1:8000") == "http://127.0.0.1:8000"
    assert links("") == ""
