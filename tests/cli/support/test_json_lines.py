"""Test that one JSON object is one line, whatever it contains."""

from __future__ import annotations

import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from webhooks.cli.support.terminal import json_line

VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), VALUES), st.booleans())
def test_a_json_line_is_one_line_and_complete(value: dict[str, Any], ascii_only: bool) -> None:
    """A program that splits the output into lines, by any rule, gets complete objects with the same values."""
    text = json_line(value, ascii_only=ascii_only)
    assert json.loads(text) == value
    assert text.splitlines() == [text]
    assert "\x1b" not in text


def test_a_json_line_keeps_letters_readable() -> None:
    """If the output is Unicode, names are printed unescaped, so that they can be searched for."""
    assert json_line({"a": "Umsätze 売上"}) == '{"a": "Umsätze 売上"}'
    assert json_line({"a": "ä"}, ascii_only=True) == '{"a": "\\u00e4"}'


def test_lines_can_be_read_from_a_file() -> None:
    """A file with one object per line can be read line by line."""
    values = [{"a": "x\u2028y"}, {"a": "\x85"}, {"a": "\n"}]
    assert [json.loads(one) for one in io.StringIO("\n".join(map(json_line, values)))] == values
