"""What `flask doctor` finds: a line each, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, and what to do about it."""

    check: str
    state: State
    text: str
    advice: str = ""


Check = Callable[[], Iterable[Finding]]


def ok(check: str, text: str) -> Finding:
    return Finding(check, State.OK, text)


def warning(check: str, text: str, advice: str) -> Finding:
    return Finding(check, State.WARNING, text, advice)


def failed(check: str, text: str, advice: str) -> Finding:
    return Finding(check, State.FAILED, text, advice)


def skipped(check: str, text: str) -> Finding:
    return Finding(check, State.SKIPPED, text)


def examine(name: str, check: Check) -> Iterator[Finding]:
    """What the check finds. One that breaks is a finding, too: the others are still wanted."""
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001 — whatever it is, it is what the doctor was asked for
        yield failed(
            name, f"{type(error).__name__}: {error}", "The check itself broke; the log of the server may say more."
        )
