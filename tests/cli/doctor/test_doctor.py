"""`flask doctor` as a whole: its lines, its summary, and its exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.doctor.conftest import results, states
from tests.support.pseudo_terminal import terminal_session
from tests.support.simulated_site import TOKEN, MakeFlask, RunFlask
from webhooks.cli.doctor.results import CheckResult, failed, ok, run_check
from webhooks.config.settings import Settings


def test_everything_in_order(flask: RunFlask, server: str) -> None:
    """A configured server with its webhooks ends with 0; the only warnings are those a test cannot avoid."""
    flask("webhooks", "sync", "--url", server)
    result = flask("doctor", "--url", server, "--json")
    assert result.exit_code == 0, result.output
    assert states(result) == {
        "settings": "ok",
        "token": "warning",
        "database": "ok",
        "disk": "ok",
        "rules": "ok",
        "worker": "ok",
        "dead letters": "ok",
        "tableau": "ok",
        "clock": "ok",
        "sign-in": "ok",
        "webhooks": "ok",
        "names": "skipped",
        "destination": "ok",
        "slack": "ok",
        "twilio": "ok",
        "console": "ok",
        "address": "ok",
        "certificate": "warning",
    }


def test_lines_for_people(flask: RunFlask, server: str) -> None:
    """Each check has a line with its advice below; a summary ends the output; no secret is shown."""
    result = flask("doctor", "--url", server)
    assert result.exit_code == 1
    missing = "DatasourceRefreshFailed, WorkbookCreated, WorkbookRefreshFailed"
    line = f"failed   webhooks     3 webhooks are missing in Tableau: {missing}\n"
    assert f"{line}{'':22}flask webhooks sync" in result.stdout
    assert result.stdout.splitlines()[-1].endswith("1 failed, 1 skipped")
    assert TOKEN not in result.output


def test_lines_fit_the_terminal(settings: Settings, tmp_path: Path) -> None:
    """On 80 columns, text and advice are wrapped below their column."""
    import os

    environment = {**os.environ, "DATABASE_URL": settings.database_url.get_secret_value(), "TERM": "dumb"}
    given = {"TABLEAU_DOMAIN": "http://127.0.0.1:9", "RULES_FILE": str(settings.rules_file)}
    with terminal_session("doctor", environment={**environment, **given}) as session:
        assert session.wait() == 1
    lines = session.shown.splitlines()
    assert max(map(len, lines)) <= 80
    assert {line[:22].strip() for line in lines if line.startswith(" ")} == {""}


def test_without_credentials_everything_else_is_checked(
    make_flask: MakeFlask, tmp_path: Path, rules_file: Path
) -> None:
    """With nothing but an inbox, it names what is missing and skips what needs it."""
    bare = Settings(_env_file=None, database_url=f"sqlite:///{tmp_path / 'i'}", rules_file=rules_file, worker_threads=0)
    result = make_flask(bare)("doctor", "--json")
    assert result.exit_code == 1
    found = results(result)
    assert "TABLEAU_DOMAIN, TABLEAU_PAT_NAME, TABLEAU_PAT_SECRET" in found["settings"]["text"]
    assert found["token"]["state"] == "warning"
    assert found["rules"]["state"] == "failed"
    assert "slack" in found["rules"]["text"]
    assert {found[name]["state"] for name in ("tableau", "sign-in", "webhooks", "address")} == {"skipped"}
    assert found["database"]["state"] == "ok"


@pytest.mark.parametrize("url", ["nonsense", "mysql://h/x", "postgresql+psycopg://h:port/x", "sqlite:////proc/no/i"])
def test_database_that_cannot_be_opened_is_one_failure(make_flask: MakeFlask, settings: Settings, url: str) -> None:
    """It is reported once, with advice; checks that need the inbox are skipped, and none breaks."""
    known = {
        "database_url": type(settings.database_url)(url),
        "tableau_domain": "http://127.0.0.1:9",
        "tableau_pat_name": "x",
    }
    result = make_flask(settings.model_copy(update=known))("doctor", "--json")
    found = results(result)
    assert result.exit_code == 1
    assert found["database"]["state"] == "failed"
    assert found["database"]["advice"]
    assert {found[name]["state"] for name in ("worker", "sign-in", "webhooks")} <= {"skipped", "failed"}
    assert found["worker"]["state"] == "skipped"
    assert "unexpectedly" not in result.stdout


def test_unwritable_database_does_not_stop_the_other_checks(make_flask: MakeFlask, settings: Settings) -> None:
    """Tableau is checked anyway."""
    url = type(settings.database_url)("sqlite:////proc/nothing/i")
    result = make_flask(settings.model_copy(update={"database_url": url}))("doctor", "--json")
    assert result.exit_code == 1
    assert states(result)["database"] == "failed"
    assert states(result)["tableau"] == "ok"


def test_check_that_raises_has_failed() -> None:
    """An unexpected error is a result, and earlier results of the check are kept."""

    def check() -> list[CheckResult]:
        raise ZeroDivisionError("by zero")

    (result,) = run_check("disk", check)
    assert (result.check, result.state.value, "by zero" in result.text) == ("disk", "failed", True)
    assert list(run_check("disk", lambda: [ok("disk", "a"), failed("disk", "b", "c")])) == [
        ok("disk", "a"),
        failed("disk", "b", "c"),
    ]
