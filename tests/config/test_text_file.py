"""Text files as editors and shells leave them."""

from __future__ import annotations

from pathlib import Path

import pytest

from webhooks.config.text_file import read_secret, read_text


@pytest.mark.parametrize(
    "content",
    [
        b"s3cret",
        b"s3cret\n",
        b"s3cret\r\n",
        b"s3cret\r",
        b"\n  s3cret \t\r\n\n",
        b"\xef\xbb\xbfs3cret\n",
        "s3cret\r\n".encode("utf-16"),
        b"\xfe\xff" + "s3cret\n".encode("utf-16-be"),
        "s3cret".encode("utf-32"),
        "\u00a0s3cret\u00a0\n".encode(),
    ],
)
def test_secret_is_read_from_any_unicode_file(content: bytes, tmp_path: Path) -> None:
    """Byte-order marks, UTF-16 of PowerShell, and spaces and line ends around the secret do not count."""
    (tmp_path / "secret").write_bytes(content)
    assert read_secret(tmp_path / "secret") == "s3cret"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b" \r\n\n", "is empty"),
        (b"\xef\xbb\xbf\n", "is empty"),
        (b"s3cret\nanother", "contains 2 lines; a secret is on one line"),
        (b"s3cr\xe9t", "is not UTF-8 (line 1, byte 4); save it as UTF-8"),
        ("s3cret".encode("utf-16-le"), "contains NUL characters; save it as UTF-8"),
        ("s3\u200bcret".encode(), "contains an invisible character at position 3: U+200B, zero width space"),
        ("s3\ufeffcret".encode(), "contains an invisible character at position 3: U+FEFF"),
        (b'"s3cret"\n', "contains quotation marks around the secret; remove them"),
        (b"WEBHOOK_TOKEN=s3cret\n", "contains NAME=value; write only the value"),
        (b"s3\x1b[0mcret", "contains an invisible character at position 3: U+001B"),
    ],
)
def test_unusable_secret_file_is_described_without_the_secret(content: bytes, problem: str, tmp_path: Path) -> None:
    """The message says what is wrong, and contains nothing of the file."""
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ValueError, match=r".") as raised:
        read_secret(tmp_path / "secret")
    assert problem in str(raised.value)
    assert "s3" not in str(raised.value)


def test_text_keeps_its_lines(tmp_path: Path) -> None:
    """Only the byte-order mark is removed from other files."""
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbf# a\r\nb = 1\n")
    assert read_text(tmp_path / "file") == "# a\r\nb = 1\n"
