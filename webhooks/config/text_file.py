"""Read text as editors and shells leave it: any Unicode encoding, byte-order marks, line ends, invisible characters."""

from __future__ import annotations

import codecs
import re
import unicodedata
from pathlib import Path

# The longer marks come first, because UTF-32's begins with UTF-16's.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
LINE_END = re.compile(r"\r\n|\n|\r")
QUOTED = re.compile(r"""(["']).*\1""", re.DOTALL)
# A line of an env file, in place of its value alone.
VARIABLE = re.compile(r"(export[ \t]+)?[A-Z][A-Z0-9]*_[A-Z0-9_]+[ \t]*=")


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 or UTF-32 with a byte-order mark, as PowerShell writes it.

    Raises OSError, and ValueError that completes the sentence "The file …".
    """
    content = path.read_bytes()
    encoding = next((name for mark, name in BYTE_ORDER_MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"is not {name} (line {line}, byte {error.start}); save it as UTF-8") from None
    if "\0" in text:
        raise ValueError("contains NUL characters; save it as UTF-8")
    return text


def read_secret(path: Path) -> str:
    """Return the secret in a file, without spaces and line ends around it.

    Raises OSError, and ValueError that completes the sentence "The file …"; the secret is not in the message.
    """
    lines = [line.strip() for line in LINE_END.split(read_text(path))]
    filled = [line for line in lines if line]
    if not filled:
        raise ValueError("is empty")
    if len(filled) > 1:
        raise ValueError(f"contains {len(filled)} lines; a secret is on one line")
    secret = filled[0]
    if problem := invisible_character(secret):
        raise ValueError(problem)
    if QUOTED.fullmatch(secret):
        raise ValueError("contains quotation marks around the secret; remove them")
    if VARIABLE.match(secret):
        raise ValueError("contains NAME=value; write only the value")
    return secret


def invisible_character(text: str) -> str:
    """Return a description of the first control or formatting character in `text`; empty if there is none.

    Such characters come with text that is copied from documents and chats, and make a secret invalid.
    """
    for position, character in enumerate(text, 1):
        if unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"}:
            name = unicodedata.name(character, "a control character").lower()
            return f"contains an invisible character at position {position}: U+{ord(character):04X}, {name}"
    return ""
