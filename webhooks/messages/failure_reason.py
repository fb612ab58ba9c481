"""Extract from Tableau's notes on a failed job why the refresh failed. Pure."""

from __future__ import annotations

import re

MAX_LENGTH = 500
# Characters of one line, and of all lines together, that are read: each password costs a search to their end.
MAX_LINE = 2000
MAX_READ = 5000
# A qualified class name before the message, such as java.lang.RuntimeException: but not a host such as db.example:
CLASS = re.compile(r"^(?:(?:[A-Za-z_$][\w$]*\.)+[A-Z][\w$]*:(?:\s+|$))+")
STACK = re.compile(r"^(?:at\s+[\w$.]+\(|\.\.\. \d+ more)")
CAUSE = re.compile(r"^Caused by:\s*")
# The forms in which passwords appear in notes. The group before a password is kept.
SECRETS = (
    # PWD='hun ter2', {"password": "x"}, AccountKey={a;b}
    re.compile(
        r"(?i)((?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|account[_-]?key|access[_-]?key)"
        r"[\"']?\s*[=:]\s*)(?:\"[^\"]*\"|'[^']*'|\{[^}]*\}|[^\s;,&\"']+)"
    ),
    # with password hunter2, but not: with password authentication
    re.compile(
        r"(?i)(\b(?:with|using)\s+(?:the\s+)?password\s+)"
        r"(?!(?:authentication|failed|is|was|has|for|of|and|or|expired|credentials|\*\*\*)\b)[^\s;,]+"
    ),
    # postgres://ann:hunter2@host, jdbc:oracle:thin:ann/hunter2@host
    re.compile(r"(\b[\w+.-]+://[^\s/:@]*:)[^\s]+(?=@)"),
    re.compile(r"(?i)(:thin:[^\s/@]+/)[^\s]+(?=@)"),
    # Authorization: Bearer abc
    re.compile(r"(?i)(\bauthorization[\"']?\s*[=:]\s*[\"']?(?:(?:bearer|basic|digest|token)\s+)?)[^\s;,\"']+"),
    re.compile(r"(?i)(\bbearer\s+)[\w.~+/=-]{6,}"),
)


def failure_reason(notes: str) -> str:
    """Return the reason on one line of at most 500 characters, with passwords masked; empty if the notes give none.

    Notes are written for the log of a Java server: class names, messages, often a stack trace with the root cause at
    its end. Class names and traces are left out; of several causes the deepest follows the first message.
    """
    lines = [line[:MAX_LINE] for line in map(str.strip, notes.splitlines()) if line and not STACK.match(line)]
    causes = [_message(CAUSE.sub("", line)) for line in lines if CAUSE.match(line)]
    messages = [_message(line) for line in lines if not CAUSE.match(line)]
    text = ": ".join(filter(None, [*messages[:1], causes[-1]])) if causes else " ".join(filter(None, messages))
    text = text[:MAX_READ]
    for secret in SECRETS:
        text = secret.sub(r"\1***", text)
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1].rstrip() + "…"


def _message(line: str) -> str:
    """Return a line without its class names and with single spaces."""
    return " ".join(CLASS.sub("", line).split())
