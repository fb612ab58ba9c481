"""Why a refresh failed, out of the notes that Tableau keeps with the job. Pure."""

from __future__ import annotations

import re

LONGEST = 500
# A qualified class name in front of the words, such as java.lang.RuntimeException: but not a host such as db.example:
CLASS = re.compile(r"^(?:(?:[A-Za-z_$][\w$]*\.)+[A-Z][\w$]*:(?:\s+|$))+")
STACK = re.compile(r"^(?:at\s+[\w$.]+\(|\.\.\. \d+ more)")
CAUSE = re.compile(r"^Caused by:\s*")
SECRET = re.compile(r"(?i)\b(password|passwd|pwd|secret|token|apikey|api_key)(\s*[=:]\s*)[^\s;,&\"']+")


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
    return _shortened(SECRET.sub(r"\1\2***", said))


def _bare(line: str) -> str:
    return " ".join(CLASS.sub("", line).split())


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"
