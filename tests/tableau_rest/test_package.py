"""The package as a whole: its names, what importing it loads, its reference page, and the secrets in its texts."""

from __future__ import annotations

import ast
import logging
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import tableau_rest
from tableau_rest import ConnectedApp, MemorySessions, Password, PersonalAccessToken, Tableau, TableauError, models
from tableau_rest.client import Tableau as Whole
from tableau_rest.reference import page
from tests.tableau_rest.tiny import LUID, Reply, TinyTableau

ROOT = Path(__file__).resolve().parents[2]
SECRET = "s3cr3t-value-of-the-token"


@pytest.mark.parametrize("package", [tableau_rest, models])
def test_lazy_names_are_declared_for_type_checkers(package: object) -> None:
    """Every lazy name exists, and is declared for mypy under the same module."""
    tree = ast.parse(Path(str(package.__file__)).read_text(encoding="utf-8"))  # type: ignore[attr-defined]
    declared = {
        alias.name: node.module
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If)
        for node in branch.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes = package._HOMES  # type: ignore[attr-defined]
    assert declared == {name: f"{package.__name__}.{home}" for name, home in homes.items()}  # type: ignore[attr-defined]
    assert all(getattr(package, name) for name in homes)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        package.nonsense  # type: ignore[attr-defined]  # noqa: B018 - the access is the test


def test_importing_loads_only_what_is_needed() -> None:
    """Neither cryptography, JWT, XML, dataclasses nor the official client are imported."""
    heavy = {"cryptography", "jwt", "xml", "dataclasses", "inspect", "tableauserverclient", "webhooks", "flask"}
    code = (
        "import sys, requests; before = set(sys.modules)\n"
        "from tableau_rest import Tableau, PersonalAccessToken, NotFound\n"
        "print(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {name.partition(".")[0] for name in done.stdout.split()} & heavy


def test_only_the_transport_knows_the_http_library() -> None:
    """One folder imports requests."""
    knowing = {
        path.parent.name
        for path in (ROOT / "tableau_rest").rglob("*.py")
        if any(line.startswith(("import requests", "from requests")) for line in path.read_text().splitlines())
    }
    assert knowing == {"transport"}


def test_the_reference_page_is_current() -> None:
    """It is what `python -m tableau_rest.reference > docs/tableau_rest.md` writes."""
    assert (ROOT / "docs" / "tableau_rest.md").read_text(encoding="utf-8") == page()


def test_every_call_names_its_endpoint() -> None:
    """URI, version and scope are in its docstring; only methods that make several calls have none."""
    combined = {"find_failed_job", "wait_for_job", "as_tsc", "close", "session", "request"}
    combined |= {"renew_token", "remember_refusal"}
    for name in dir(Whole):
        method = getattr(Whole, name)
        if name.startswith("_") or isinstance(method, property) or name in combined:
            continue
        assert method.endpoint.line in (method.__doc__ or ""), name


def test_no_topic_overrides_a_method_of_another() -> None:
    """All topics are bases of one class, so a method with the same name would replace another."""
    homes: dict[str, list[str]] = {}
    for topic in Whole.__mro__[:-1]:
        for name, member in vars(topic).items():
            if callable(member) and not name.startswith("__"):
                homes.setdefault(name, []).append(topic.__name__)
    assert {name: topics for name, topics in homes.items() if len(topics) > 1} == {}


def test_errors_survive_pickling_and_copying() -> None:
    """Process pools pass them on complete."""
    error = tableau_rest.TooManyRequests("busy", detail="29 minutes", status=429, code="429000")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.code) == (type(error), str(error), "429000")


def test_secrets_appear_in_no_text(
    tiny: TinyTableau, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither in logs at DEBUG, nor in errors with all their causes, nor in a repr."""
    caplog.set_level(logging.DEBUG)
    echo = {"error": {"code": "400000", "summary": "Bad", "detail": f"token session|1|x and {SECRET}"}}
    tiny.replies[f"GET workbooks/{LUID}"] = lambda asked: Reply(
        {"error": {**echo["error"], "detail": f"you sent {asked.headers['x-tableau-auth']} and {SECRET}"}}, 400
    )
    client = Tableau(tiny.url, "mk", PersonalAccessToken("bot", SECRET), sessions=MemorySessions())
    with client, pytest.raises(TableauError) as raised:
        client.workbook(LUID)
    unreachable_client = Tableau("http://127.0.0.1:9", "mk", PersonalAccessToken("bot", SECRET), sleep=lambda _: None)
    with unreachable_client, pytest.raises(TableauError) as refused:
        unreachable_client.workbook(LUID)
    texts = [caplog.text, repr(client), repr(client.credential), repr(client.session())]
    for error in (raised.value, refused.value):
        cause: BaseException | None = error
        while cause is not None:
            texts += [str(cause), repr(cause), repr(vars(cause))]
            cause = cause.__cause__ or cause.__context__
    texts += [repr(Password("ann", SECRET)), repr(ConnectedApp("c", "i", SECRET, "ann", spare=("j", SECRET)))]
    everything = "\n".join(texts)
    assert SECRET not in everything
    assert client.session().token not in everything
    assert "GET" in caplog.text
