"""Env files: every line is understood, or the start is refused with its number."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from webhooks.config.env_file import EnvFileError, parse_env, read_env_file

SPACED = "the name of a variable contains no spaces; write an underscore after"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("N=value", "value"),
        ("N=", ""),
        ("N = value ", "value"),
        ("export N=value", "value"),
        ("  N=value\t", "value"),
        ("N=a=b==", "a=b=="),
        # Comments begin after a space.
        ("N=abc== # comment", "abc=="),
        ("N=#bi   # team channel", "#bi"),
        ("N= #bi", "#bi"),
        ("N= # comment", ""),
        ("N=a#b", "a#b"),
        ("N='#bi' # comment", "#bi"),
        ('N="#bi"# comment', "#bi"),
        # Nothing is interpolated.
        ("N=a${x}b", "a${x}b"),
        ("N=a${x:-y}b$c", "a${x:-y}b$c"),
        ("N='pa${ss}wd'", "pa${ss}wd"),
        ('N="pa${ss}wd"', "pa${ss}wd"),
        # Backslashes.
        (r"N=CORP\svc_tableau", r"CORP\svc_tableau"),
        (r"N='CORP\svc_tableau'", r"CORP\svc_tableau"),
        (r"N='it\'s'", "it's"),
        (r"N='a\\b'", r"a\b"),
        (r'N="a\\b\"c\$d"', r'a\b"c$d'),
        (r'N="line\nline"', "line\nline"),
        # A quotation mark within a value is part of it.
        ("N=it's", "it's"),
        ('N=5"', '5"'),
        ("N=Ünïcode ✓", "Ünïcode ✓"),
    ],
)
def test_value_is_literal(line: str, value: str) -> None:
    """Quotation marks and comments are removed; `$`, and backslashes outside of double quotes, stay."""
    assert parse_env(line) == {"N": value}


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("WEBHOOK_TOKEN='s3cret", "line 2: WEBHOOK_TOKEN: the quotation mark ' is not closed on this line"),
        ('WEBHOOK_TOKEN="s3cret', 'line 2: WEBHOOK_TOKEN: the quotation mark " is not closed on this line'),
        ("WEBHOOK_TOKEN s3cret", "line 2: write WEBHOOK_TOKEN=value"),
        ("WEBHOOK_TOKEN: s3cret", "line 2: write WEBHOOK_TOKEN=value"),
        ("export WEBHOOK_TOKEN", "line 2: write WEBHOOK_TOKEN=value"),
        ("WEBHOOK TOKEN=s3cret", f"line 2: {SPACED} WEBHOOK if the name continues, = if the value follows"),
        ("export TABLEAU_PAT S3CRET = abc", f"line 2: {SPACED} TABLEAU_PAT if the name"),
        ("WEBHOOK_TOKEN s3cret==", f"line 2: {SPACED} WEBHOOK_TOKEN if the name"),
        ("WEBHOOK-TOKEN=s3cret", "line 2: the name of a variable contains neither - nor a dot; write underscores"),
        ("webhook.s3cret=abc", "line 2: the name of a variable contains neither - nor a dot; write underscores"),
        ("1TOKEN=s3cret", "line 2: does not begin with the name of a variable and ="),
        ("=s3cret", "line 2: does not begin with the name of a variable and ="),
        ("s3cret/s3cret+==", "line 2: does not begin with the name of a variable and ="),
        ("'WEBHOOK_TOKEN'=s3cret", "line 2: does not begin with the name of a variable and ="),
        ("WEBHOOK_TOKEN='it''s3cret'", "line 2: WEBHOOK_TOKEN: there is text after the closing quotation mark"),
        ('WEBHOOK_TOKEN="s3cret" and', "line 2: WEBHOOK_TOKEN: there is text after the closing quotation mark"),
        ("WEBHOOK_TOKEN=s3cret SLACK_CHANNEL=#bi", "line 2: WEBHOOK_TOKEN: another variable follows on this line"),
        ("set WEBHOOK_TOKEN=s3cret", "line 2: write WEBHOOK_TOKEN=value"),
        ('$env:WEBHOOK_TOKEN="s3cret"', "line 2: write WEBHOOK_TOKEN=value"),
        (r'WEBHOOK_TOKEN="s3cr\bet"', r"line 2: WEBHOOK_TOKEN: \b is not an escape; write a value with backslashes in"),
        (
            "WEBHOOK_TOKEN=\u201cs3cret\u201d",
            "line 2: WEBHOOK_TOKEN: the value is in typographic quotation marks; write",
        ),
        (
            "WEBHOOK_TOKEN=\u201es3cret\u201c",
            "line 2: WEBHOOK_TOKEN: the value is in typographic quotation marks; write",
        ),
        ("WEBHOOK_TOKEN=s3\u200bcret", "line 2: WEBHOOK_TOKEN: contains an invisible character at position 3: U+200B"),
        ("WEBHOOK_TOKEN='s3\x1bcret'", "line 2: WEBHOOK_TOKEN: contains an invisible character at position 4: U+001B"),
        ("WEBHOOK_TOKEN=s3cret\\", "line 2: WEBHOOK_TOKEN: the value ends with a backslash"),
    ],
)
def test_line_without_a_meaning_is_an_error(line: str, error: str) -> None:
    """A line that other parsers drop would start the server without its token; the secret is not in the message."""
    with pytest.raises(EnvFileError) as raised:
        parse_env(f"PORT=8000\n{line}\n", "/srv/.env")
    assert str(raised.value).startswith(f"/srv/.env is invalid:\n  {error}")
    assert "s3cr" not in str(raised.value)


def test_all_errors_are_reported_at_once() -> None:
    """Each error has the number of its line."""
    with pytest.raises(EnvFileError) as raised:
        parse_env("# a comment\r\nA: 1\r\n\r\nB=2\rC 3\n")
    assert str(raised.value).splitlines() == [
        ".env is invalid:",
        "  line 2: write A=value, with = directly after the name of the variable",
        "  line 5: write C=value, with = directly after the name of the variable",
    ]


def test_last_value_counts() -> None:
    """As in a shell, a later line replaces an earlier one, unless it is empty, as in a template."""
    assert parse_env("N=1\nN=2\nN=") == {"N": "2"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_other_encodings_are_refused(encoding: str, tmp_path: Path) -> None:
    """Flask's own reader of the file ends in a traceback with them, so that no command could run."""
    marks = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
    (tmp_path / ".env").write_bytes(marks.get(encoding, b"") + "SLACK_CHANNEL=#ä\r\n".encode(encoding))
    with pytest.raises(EnvFileError, match=r"\.env: the file is not UTF-8.*; save it as UTF-8"):
        read_env_file(tmp_path / ".env")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_file_may_have_a_byte_order_mark(encoding: str, tmp_path: Path) -> None:
    """Notepad writes one, and CR LF."""
    (tmp_path / ".env").write_bytes("A=ä\r\nB=2\r\n".encode(encoding))
    assert read_env_file(tmp_path / ".env") == {"A": "ä", "B": "2"}


def test_missing_file_is_empty_and_an_unreadable_one_is_an_error(tmp_path: Path) -> None:
    """Without a file, all settings come from the environment."""
    assert read_env_file(tmp_path / ".env") == {}
    (tmp_path / ".env").write_bytes(b"A=1\nSLACK_CHANNEL=\xff")
    with pytest.raises(EnvFileError, match=r"Cannot read .*\.env: the file is not UTF-8 \(line 2, byte 18\); save it"):
        read_env_file(tmp_path / ".env")
    with pytest.raises(EnvFileError, match="Is a directory"):
        read_env_file(tmp_path)
