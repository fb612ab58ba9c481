"""A Tableau client with one workbook and one data source, which counts the questions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tableau_rest.models import Datasource, Project, Reference, Workbook
from tests.support.handler_context import SITE_LUID


class FakeTableau:
    """Responds from memory, or raises `error` if one is given."""

    site_name = "acme"

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[str] = []
        self.project = Reference("00000000-0000-4000-8000-0000000000f2", "Reports")

    def session(self) -> Any:
        return SimpleNamespace(site_luid=SITE_LUID)

    def workbook(self, luid: str) -> Workbook:
        self.asked.append("workbook")
        if self.error:
            raise self.error
        return Workbook(luid, "Sales", project=self.project, owner=Reference("u", "ann"), tags=("gold", "old"))

    def datasource(self, luid: str) -> Datasource:
        self.asked.append("datasource")
        return Datasource(luid, "Orders", project=self.project, is_certified=True)

    def user(self, luid: str) -> Any: ...

    view = site = user

    def projects(self, **_: object) -> list[Project]:
        self.asked.append("projects")
        finance = Project("00000000-0000-4000-8000-0000000000f1", "Finance")
        return [finance, Project(self.project.luid, "Reports", parent_luid=finance.luid)]
