"""Results of `flask doctor`: one line for each check, with advice if something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The outcome of a check."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check, with advice if something is wrong."""

    check: str
    state: State
    text: str
    advice: str = ""


Check = Callable[[], Iterable[CheckResult]]


def ok(check: str, text: str) -> CheckResult:
    return CheckResult(check, State.OK, text)


def warning(check: str, text: str, advice: str) -> CheckResult:
    return CheckResult(check, State.WARNING, text, advice)


def failed(check: str, text: str, advice: str) -> CheckResult:
    return CheckResult(check, State.FAILED, text, advice)


def skipped(check: str, text: str) -> CheckResult:
    return CheckResult(check, State.SKIPPED, text)


def run_check(name: str, check: Check) -> Iterator[CheckResult]:
    """Yield the results of the check. One that raises has failed and does not stop the others."""
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001 - an unexpected error is a result, too
        yield failed(name, f"{type(error).__name__}: {error}", "This check failed unexpectedly; please report it.")
