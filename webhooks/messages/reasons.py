"""Why a refresh failed, out of the notes that Tableau keeps with the job. Pure."""

from __future__ import annotations

import re

LONGEST = 500
# A qualified class name in front of the words, such as java.lang.RuntimeException: but not a host such as db.example:
CLASS = re.compile(r"^(?:(?:[A-Za-z_$][\w$]*\.)+[A-Z][\w$]*:(?:\s+|$))+")
STACK = re.compile(r"^(?:at\s+[\w$.]+\(|\.\.\. \d+ more)")
CAUSE = re.compile(r"^Caused by:\s*")
SECRETS = (
    # PWD='hun ter2', {"password": "x"}, AccountKey={a;b}
    re.compile(
        r"(?i)([\w-]*(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|account[_-]?key|access[_-]?key)"
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
"""The forms that passwords take in notes; what stands in front of one is kept."""


def reason(notes: str) -> str:
    """What the notes say in words, on one line of at most 500 characters, without passwords; empty if nothing.

    Notes are written for the log of a Java server: class names, messages, often a stack trace with the real cause at
    its end. Class names and traces are left out; of causes the deepest is kept, behind the first sentence.
    """
    lines = [line.strip() for line in notes.splitlines()]
    spoken = [line for line in lines if line and not STACK.match(line)]
    causes = [_bare(CAUSE.sub("", line)) for line in spoken if CAUSE.match(line)]
    words = [_bare(line) for line in spoken if not CAUSE.match(line)]
    said = ": ".join(filter(None, [*words[:1], causes[-1]])) if causes else " ".join(filter(None, words))
    return _shortened(_masked(said))


def _masked(text: str) -> str:
    for secret in SECRETS:
        text = secret.sub(r"\1***", text)
    return text


def _bare(line: str) -> str:
    return " ".join(CLASS.sub("", line).split())


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"
