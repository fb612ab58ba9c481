"""Say how a syntax error of TOML is corrected, to people who do not know TOML. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

AT_LINE = re.compile(r"at line (\d+)(?:, column (\d+))?")
CURLY_QUOTES = re.compile("[\u201c\u201d\u201e\u2018\u2019]")
# Copied text has them instead of spaces.
FIXED_BLANKS = re.compile("[\u00a0\u2007\u202f]")
# A header with too few brackets: [rule], [[rule] or [rule]].
BROKEN_HEADER = re.compile(r"^[ \t]*(?!\[\[[ \t]*rule[ \t]*\]\])\[{1,2}[ \t]*rule[ \t]*\]{1,2}", re.MULTILINE)
TWO_BRACKETS = "write [[rule]], with two brackets on each side"
QUOTATION_MARKS = 'write text in straight quotation marks: "text"'
LIST = 'write several values as a list: ["one", "two"]'
BACKSLASH = "write single quotation marks around text with a backslash; a project's path has /, as in Finance/Reports"
# tomllib names a table as a tuple of Python.
TABLE_NAME = re.compile(r"\('(.*)',\)")

# What is wrong in tomllib's words, what the line contains, and how it is corrected. The first that fits is shown.
ADVICE: Sequence[tuple[str, str, str]] = (
    (r"", CURLY_QUOTES.pattern, 'use straight quotation marks: "text"'),
    (r"", FIXED_BLANKS.pattern, "the line has a no-break space, as copied text does; replace it by a space"),
    (r"Invalid value", r"=\s*(True|False|TRUE|FALSE)\b", "write true and false in small letters"),
    (r"Invalid value", r"=\s*\[\s*[\w-]+\s*=", 'write a table in braces: { project = "Finance*" }'),
    (r"Invalid value", r"", QUOTATION_MARKS),
    (r"Expected '=' after", r"^\s*[\w-]+\s*:", "write = instead of the colon"),
    (r"Expected '=' after|Invalid statement", r"", 'write a key, = and its value, as in notify = "default"'),
    (r"Expected newline", r"""=\s*("[^"]*"|'[^']*')\s*,""", LIST),
    (r"Expected newline", r"=\s*[\d+-]", QUOTATION_MARKS),
    (r"Expected newline", r'".*".*"', "write single quotation marks around text that contains quotation marks"),
    (r"Illegal character|Unterminated|Expected \"'\"", r"", "a closing quotation mark is missing"),
    (r"Cannot declare", r"", "write it once, with all its keys below it"),
    (r"Cannot overwrite", r"", f"the key is given twice; {LIST}"),
    (r"Duplicate inline table key", r"", f"the key is given twice; {LIST}"),
    (r"Unescaped|Invalid hex value", r"", BACKSLASH),
    (r"Invalid initial character|Unclosed inline table", r"\{", "write a table from { to } on one line"),
)


def describe_syntax_error(text: str, error: str) -> str:
    """Return the error of tomllib for `text` as a sentence, with how it is corrected if that is known."""
    readable = TABLE_NAME.sub(r"[\1]", error)
    return "; ".join(filter(None, (f"not TOML: {readable}", _advice(text, error))))


def line_of(error: str) -> int:
    """Return the line that an error of tomllib names; 0 if it names none."""
    found = AT_LINE.search(error)
    return int(found[1]) if found else 0


def _advice(text: str, error: str) -> str:
    """Return how an error is corrected, or an empty string."""
    if header := BROKEN_HEADER.search(text):
        return f"in line {text.count(chr(10), 0, header.start()) + 1}, {TWO_BRACKETS}"
    number = line_of(error)
    line = text.split("\n")[number - 1] if number else ""
    if error.startswith("Unclosed array"):
        found = AT_LINE.search(error)
        follows = line[int(found[2]) - 1 :] if found and found[2] else ""
        return "put a comma between the items" if follows[:1] in set("\"'{") else "the list above it needs a closing ]"
    return next(
        (advice for problem, part, advice in ADVICE if re.match(problem, error) and re.search(part, line)),
        "",
    )
