"""What Tableau's things look like here: frozen dataclasses, each with `from_json`. Loaded when first asked for.

Thirty dataclasses take longer to build than `requests` takes to spare, and most programs use three of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tableau_rest.models.content import Content as Content
    from tableau_rest.models.content import Datasource as Datasource
    from tableau_rest.models.content import Reference as Reference
    from tableau_rest.models.content import View as View
    from tableau_rest.models.content import Workbook as Workbook
    from tableau_rest.models.people import Site as Site
    from tableau_rest.models.people import User as User
    from tableau_rest.models.webhook import Webhook as Webhook
    from tableau_rest.models.webhook import WebhookTest as WebhookTest
    from tableau_rest.models.work import BackgroundJob as BackgroundJob
    from tableau_rest.models.work import Job as Job

_HOMES = {
    "Content": "content",
    "Datasource": "content",
    "Reference": "content",
    "View": "content",
    "Workbook": "content",
    "Site": "people",
    "User": "people",
    "Webhook": "webhook",
    "WebhookTest": "webhook",
    "BackgroundJob": "work",
    "Job": "work",
}
__all__ = sorted(_HOMES)  # noqa: PLE0605  the names are those of the table


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    model = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = model
    return model
