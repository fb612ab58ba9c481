"""Results of `flask doctor`: one line for each check, with advice if something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from webhooks.cli.support import terminal


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


STYLES = {State.OK: "green", State.WARNING: "yellow", State.FAILED: "bold red", State.SKIPPED: "dim"}

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


def show(result: CheckResult) -> None:
    """Print the result's line and its advice; on a terminal both are wrapped within their column."""
    from rich.table import Table  # noqa: PLC0415 - the help page needs no table

    text = terminal.styled(terminal.one_line(result.text), "")
    if result.advice:
        text.append(f"\n{result.advice}", style="dim")
    row = Table.grid(padding=(0, 1))
    row.add_column(width=8)
    row.add_column(width=12)
    row.add_column(overflow="fold")
    row.add_row(terminal.styled(result.state, STYLES[result.state]), result.check, text)
    terminal.show(row)
