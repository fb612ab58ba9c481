r"""Parse env files such as `.env`, strictly: a line that has no meaning is an error, never ignored.

    # a comment
    NAME=value                   # spaces around the value are removed, and a comment after a space
    NAME='value # with $ and \'  literal; \' is a quotation mark, \\ a backslash
    NAME="value"                 \" \' \\ \$ \n \r \t are escapes, other backslashes are errors
    export NAME=value            as in a shell

The file is in UTF-8, with or without a byte-order mark: Flask reads it before this module does, and knows no other
encoding.

There is no interpolation: `$` and `${x}` are parts of the value, because secrets contain any characters. A value is on
one line. If a name is set twice, the last line with a value counts: an empty line of a template at the end must not
remove a token.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import NamedTuple

from webhooks.config.text_file import LINE_END, invisible_character, read_text

LINE = re.compile(r"(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(?P<value>.*)")
# Also after the commands of other shells.
COMMAND = r"(?:(?:export|set|setx|declare[ \t]+-x)[ \t]+|\$env:)?+"
NAME = re.compile(COMMAND + r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?=[ \t:=]|$)")
# A name in several words. The message names only the first, because the second may be the beginning of a secret.
SPACED_NAME = re.compile(COMMAND + r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:[ \t]+[A-Za-z0-9_]+)+[ \t]*=")
HYPHENATED_NAME = re.compile(COMMAND + r"[A-Za-z_][A-Za-z0-9_]*(?:[-.][A-Za-z0-9_]+)+[ \t]*=")
SECOND_VARIABLE = re.compile(r"[ \t][A-Z][A-Z0-9]*_[A-Z0-9_]+=")
SINGLE_QUOTED = re.compile(r"'(?P<value>(?:\\'|[^'])*)'(?P<rest>.*)")
DOUBLE_QUOTED = re.compile(r'"(?P<value>(?:\\.|[^"\\])*)"(?P<rest>.*)')
COMMENT = re.compile(r"(?:[ \t]+#|#(?=[ \t]|$)).*")
# Word processors and chats insert them; no parser of env files removes them.
CURLY_QUOTES = tuple("\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb")
ESCAPES = {"\\": "\\", '"': '"', "'": "'", "$": "$", "n": "\n", "r": "\r", "t": "\t"}


class Line(NamedTuple):
    """A line that sets a variable."""

    number: int
    name: str
    value: str


class EnvFileError(RuntimeError):
    """The env file cannot be read; the message names the lines, and no values, which may be secret."""


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables in the file at `path`; none if it does not exist. Raises EnvFileError."""
    return _variables(read_lines(path))


def read_lines(path: Path) -> list[Line]:
    """Return the lines of the file at `path` that set variables; none if it does not exist. Raises EnvFileError."""
    try:
        text = read_text(path)
        marked = path.read_bytes().startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EnvFileError(f"Cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise EnvFileError(f"Cannot read {path}: the file {error}") from None
    if marked:
        raise EnvFileError(f"Cannot read {path}: the file is not UTF-8, but UTF-16 or UTF-32; save it as UTF-8")
    return _parse_lines(text, str(path))


def parse_env(text: str, source: str = ".env") -> dict[str, str]:
    """Return the variables in `text`. Raises EnvFileError that names every invalid line; `source` names the file."""
    return _variables(_parse_lines(text, source))


def contradictions(lines: list[Line]) -> list[str]:
    """Return a sentence for each name, in any case, that is set to several values."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        if line.value:
            found.setdefault(line.name.upper(), []).append(line)
    return [
        f"{name} is set {len(same)} times, to different values; line {same[-1].number} counts"
        for name, same in found.items()
        if len({line.value for line in same}) > 1
    ]


def _variables(lines: list[Line]) -> dict[str, str]:
    variables: dict[str, str] = {}
    for line in lines:
        variables[line.name] = line.value or variables.get(line.name, "")
    return variables


def _parse_lines(text: str, source: str) -> list[Line]:
    lines, errors = [], []
    for number, line in enumerate(map(str.strip, LINE_END.split(text)), 1):
        if not line or line.startswith("#"):
            continue
        if found := LINE.fullmatch(line):
            try:
                lines.append(Line(number, found["name"], _parse_value(found["value"])))
            except ValueError as error:
                errors.append(f"line {number}: {found['name']}: {error}")
        elif word := SPACED_NAME.match(line):
            advice = f"write an underscore after {word['name']} if the name continues, = if the value follows"
            errors.append(f"line {number}: the name of a variable contains no spaces; {advice}")
        elif HYPHENATED_NAME.match(line):
            errors.append(f"line {number}: the name of a variable contains neither - nor a dot; write underscores")
        elif word := NAME.match(line):
            errors.append(f"line {number}: write {word['name']}=value, with = directly after the name of the variable")
        else:
            errors.append(f"line {number}: does not begin with the name of a variable and =")
    if errors:
        raise EnvFileError("\n  ".join([f"{source} is invalid:", *errors]))
    return lines


def _parse_value(text: str) -> str:
    if problem := invisible_character(text.replace("\t", " ")):
        raise ValueError(f"{problem}; type the value instead of copying it")
    if text[:1] in CURLY_QUOTES and text[-1:] in CURLY_QUOTES:
        raise ValueError("the value is in typographic quotation marks; write straight ones, or none")
    if text[:1] not in {"'", '"'}:
        value = COMMENT.sub("", text).rstrip()
        if value.endswith("\\"):
            raise ValueError("the value ends with a backslash; write it in 'single quotation marks', on one line")
        if SECOND_VARIABLE.search(value):
            raise ValueError("another variable follows on this line; write a value with = in 'single quotation marks'")
        return value
    found = (SINGLE_QUOTED if text[0] == "'" else DOUBLE_QUOTED).fullmatch(text)
    if not found:
        raise ValueError(f"the quotation mark {text[0]} is not closed on this line")
    rest = found["rest"].strip()
    if rest and not rest.startswith("#"):
        raise ValueError("there is text after the closing quotation mark")
    if text[0] == "'":
        return re.sub(r"\\(['\\])", r"\1", found["value"])
    unknown = next((char for char in re.findall(r"\\(.)", found["value"]) if char not in ESCAPES), None)
    if unknown:
        raise ValueError(f"\\{unknown} is not an escape; write a value with backslashes in 'single quotation marks'")
    return re.sub(r"\\(.)", lambda match: ESCAPES[match[1]], found["value"])
