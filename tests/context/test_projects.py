"""The paths of projects, from a list that is cached."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from tableau_rest.models import Project, Reference
from tests.support.fake_tableau import FakeTableau
from tests.support.handler_context import NOW, MakeContext, MakeEvent, MakeJob
from webhooks.context.projects import ProjectPath

HIDDEN = Reference("00000000-0000-4000-8000-0000000000f3", "Hidden")


def test_projects_are_listed_once_in_five_minutes(context: MakeContext, job: MakeJob, event: MakeEvent) -> None:
    """The list of projects is long on a large site and is cached for a while."""
    tableau = FakeTableau()
    for minutes in (0, 4, 6):
        now = datetime(2026, 2, 1, 9, minutes, tzinfo=UTC)
        made = context(job(event()), tableau=lambda: tableau, clock=lambda now=now: now)
        assert made.project_path(tableau.project) == "Finance/Reports"
    assert tableau.asked.count("projects") == 2


def test_invisible_project_is_requested_once(context: MakeContext, job: MakeJob, event: MakeEvent) -> None:
    """While the list is fresh it is not fetched again for every event in a project that the user cannot see."""
    tableau = FakeTableau()
    for _ in range(3):
        assert context(job(event()), tableau=lambda: tableau).project_path(HIDDEN) == "Hidden"
    assert tableau.asked.count("projects") == 1
    assert context(job(event()), tableau=lambda: tableau).project_path(tableau.project) == "Finance/Reports"
    later = NOW + timedelta(minutes=6)
    assert context(job(event()), tableau=lambda: tableau, clock=lambda: later).project_path(HIDDEN) == "Hidden"
    assert tableau.asked.count("projects") == 2


def test_path_is_incomplete_if_a_parent_is_invisible(context: MakeContext, job: MakeJob, event: MakeEvent) -> None:
    """A path that may have more projects above it says so."""

    class Partial(FakeTableau):
        def projects(self, **given: object) -> list[Project]:
            return super().projects(**given)[1:]

    for tableau, path in (
        (FakeTableau(), ProjectPath("Finance/Reports", True)),
        (Partial(), ProjectPath("Reports", False)),
    ):
        made = context(job(event()), tableau=lambda tableau=tableau: tableau)
        assert made.find_project_path(tableau.project) == path
        assert made.find_project_path(HIDDEN) == ProjectPath("Hidden", complete=False)


def test_projects_are_fetched_by_one_thread(context: MakeContext, job: MakeJob) -> None:
    """Eight jobs at the same time fetch one list."""
    together = threading.Barrier(8)

    class Slow(FakeTableau):
        def projects(self, **given: object) -> list[Project]:
            time.sleep(0.05)
            return super().projects(**given)

    tableau, claimed = Slow(), job()

    def ask(_: int) -> str:
        together.wait(10)
        return context(claimed, tableau=lambda: tableau).project_path(tableau.project)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"Finance/Reports"}
    assert tableau.asked.count("projects") == 1
