"""Exports over a connection that fails: completely or not at all."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tableau_rest import ConnectionFailed, InvalidResponse, NotFound, Tableau
from tests.tableau_rest.tiny import EXPIRED, LUID, Asked, Reply, TinyTableau

PDF = Reply(b"%PDF" + b"x" * 300_000, headers={"Content-Type": "application/pdf"})
HALF = Reply(PDF.body, headers=PDF.headers, cut=200_000)
PATH = f"GET views/{LUID}/pdf"


def test_an_incomplete_export_leaves_no_file(tiny: TinyTableau, client: Tableau, tmp_path: Path) -> None:
    """After three broken attempts there is an error, and neither a file nor a temporary one."""
    tiny.replies[PATH] = HALF
    with pytest.raises(ConnectionFailed, match="before the response was complete") as raised:
        client.view_pdf(LUID).save(tmp_path / "view.pdf")
    assert list(tmp_path.iterdir()) == []
    assert not raised.value.permanent


def test_an_incomplete_export_is_repeated(tiny: TinyTableau, client: Tableau, tmp_path: Path) -> None:
    """The second attempt is complete and contains nothing of the first one."""
    tiny.replies[PATH] = [HALF, PDF]
    saved = client.view_pdf(LUID).save(tmp_path / "view.pdf")
    assert saved.read_bytes() == PDF.body


def test_an_export_with_an_ended_session_is_repeated_with_a_new_one(tiny: TinyTableau, client: Tableau) -> None:
    """The 401 does not become the file."""
    tiny.replies[PATH] = PDF
    client.session()
    tiny.expire()
    assert client.view_pdf(LUID).read() == PDF.body
    assert tiny.sign_ins == 2


def test_an_interrupted_export_leaves_no_file(tiny: TinyTableau, client: Tableau, tmp_path: Path) -> None:
    """Ctrl-C may come while the file is written."""

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    tiny.replies[PATH] = PDF
    export = client.view_pdf(LUID)
    export._fetch = interrupted
    with pytest.raises(KeyboardInterrupt):
        export.save(tmp_path / "view.pdf")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(b"<html>login</html>", headers={"Content-Type": "text/html; charset=utf-8"}), InvalidResponse),
        (Reply({"error": {"code": "404011", "summary": "Not found"}}, 404), NotFound),
    ],
)
def test_a_response_without_a_file_is_not_saved(
    tiny: TinyTableau, client: Tableau, tmp_path: Path, reply: Reply, kind: type[Exception]
) -> None:
    """Neither a login page nor an error becomes report.pdf."""
    tiny.replies[PATH] = reply
    with pytest.raises(kind):
        client.view_pdf(LUID).save(tmp_path / "report.pdf")
    assert list(tmp_path.iterdir()) == []


def test_the_parameters_of_an_export_are_encoded(tiny: TinyTableau, client: Tableau) -> None:
    """Filters of the view are encoded, several values are separated by commas, None is left out."""
    tiny.replies[f"GET views/{LUID}/image"] = Reply(b"\x89PNG")
    client.view_image(LUID, max_age=1, width=300, height=200, filters={"Sub Region": ["Süd", "A&B"]}).read()
    assert tiny.asked[-1].query == (
        "resolution=high&vizWidth=300&vizHeight=200&maxAge=1&vf_Sub%20Region=S%C3%BCd,A%26B"
    )
    assert tiny.asked[-1].headers["accept"] == "*/*"
    client.view_image(LUID, resolution="standard").read()
    assert tiny.asked[-1].query == ""


def test_twenty_exports_at_most_run_at_the_same_time(tiny: TinyTableau, client: Tableau) -> None:
    """Tableau Cloud's limit is kept by the client; further exports wait."""
    lock, under_way, most = threading.Lock(), 0, 0

    def slowly(_: Asked) -> Reply:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        threading.Event().wait(0.05)
        with lock:
            under_way -= 1
        return PDF

    tiny.slow[PATH] = slowly
    client.session()
    with ThreadPoolExecutor(50) as pool:
        assert all(pool.map(lambda _: client.view_pdf(LUID).read() == PDF.body, range(50)))
    assert 2 <= most <= 20


def test_an_export_whose_session_is_always_refused_fails(tiny: TinyTableau, client: Tableau, tmp_path: Path) -> None:
    """It leaves no file."""
    tiny.replies[PATH] = Reply(EXPIRED, 401)
    with pytest.raises(Exception, match="401002"):
        client.view_pdf(LUID).save(tmp_path / "x.pdf")
    assert list(tmp_path.iterdir()) == []
