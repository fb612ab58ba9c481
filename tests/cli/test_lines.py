"""One JSON object a line, whatever is in it."""

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
def test_line_is_one_line_and_loses_nothing(value: dict[str, Any], ascii_only: bool) -> None:
    """Whoever splits the output in lines, in whatever way, gets whole objects with the same values."""
    text = json_line(value, ascii_only=ascii_only)
    assert json.loads(text) == value
    assert text.splitlines() == [text]
    assert "\x1b" not in text


def test_line_keeps_letters_readable() -> None:
    """Where the output is Unicode, names can be searched for as they are written."""
    assert json_line({"a": "Umsätze 売上"}) == '{"a": "Umsätze 売上"}'
    assert json_line({"a": "ä"}, ascii_only=True) == '{"a": "\\u00e4"}'


def test_lines_can_be_read_from_a_file() -> None:
    """A file of such lines is read line by line."""
    values = [{"a": "x\u2028y"}, {"a": "\x85"}, {"a": "\n"}]
    assert [json.loads(one) for one in io.StringIO("\n".join(map(json_line, values)))] == values
