"""Why a refresh failed, out of the notes that Tableau keeps with the job. Pure."""

from __future__ import annotations

import re

LONGEST = 500
# A qualified class name in front of the words, such as java.lang.RuntimeException:
CLASS = re.compile(r"^(?:(?:[A-Za-z_$][\w$]*\.)+[A-Za-z_$][\w$]*:\s+)+")
STACK = re.compile(r"^(?:at\s+[\w$.]+\(|\.\.\. \d+ more)")
CAUSE = re.compile(r"^Caused by:\s*")
SECRET = re.compile(r"(?i)\b(password|passwd|pwd|secret|token|apikey|api_key)(\s*[=:]\s*)[^\s;,&\"']+")


def reason(notes: str) -> str:
    """The notes' root cause on one line, at most 500 characters, without stack trace and passwords; empty if none.

    Notes are written for the log of a Java server: a class name, a message, often a stack trace with the real cause at
    its end. They may name hosts and people, so nothing is kept beyond the sentence that says what went wrong.
    """
    lines = [line.strip() for line in notes.splitlines()]
    spoken = [line for line in lines if line and not STACK.match(line)]
    causes = [CAUSE.sub("", line) for line in spoken if CAUSE.match(line)]
    chosen = next((text for text in (*reversed(causes), *spoken) if _bare(text)), "")
    return _shortened(SECRET.sub(r"\1\2***", _bare(chosen)))


def _bare(line: str) -> str:
    return " ".join(CLASS.sub("", line).split())


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"
