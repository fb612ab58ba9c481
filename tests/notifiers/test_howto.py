"""The example of the page on adding a notifier works as it is printed."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from notifiers import KINDS, Capabilities, Message, NotifierError, Posted
from webhooks.config.settings import ROOT

PAGE = (ROOT / "docs" / "howto" / "notifier.md").read_text(encoding="utf-8")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def pager(vendor: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the notifier of the page, whose service is the vendor."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    module = ModuleType("pager_of_the_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(code, "docs/howto/notifier.md", "exec"), module.__dict__)
    config = module.PagerConfig(key="pager-secret", to="7", url=vendor.url)
    return module.PagerNotifier(config, clock=lambda: NOW)


def test_example_sends_and_edits(pager: Any, vendor: Any, reply: Any) -> None:
    """A message is posted to the default address and then changed."""
    vendor.on("/pages", reply({"id": 12}, 201))
    vendor.on("/pages/12", reply({}))
    posted = pager.post(Message("Sales", status="Failing"), None, client_id="notice-7")
    assert posted == Posted("pager", "7", "12")
    assert pager.edit(posted, Message("Sales", status="Recovered")) == posted
    post, edit = vendor.requests
    assert (post.json, post.headers["Authorization"]) == ({"to": "7", "text": "Failing: Sales"}, "Bearer pager-secret")
    assert (edit.method, edit.json) == ("POST", {"text": "Recovered: Sales"})
    assert pager.capabilities.upkeep == "edit"


def test_example_reports_failures(pager: Any, vendor: Any, reply: Any) -> None:
    """A refusal is permanent, a rate limit names a time, and a lost response is uncertain."""
    vendor.on("/pages", reply({}, 400), reply({}, 429, {"Retry-After": "30"}), reply(drop=True))
    errors = []
    for _ in range(3):
        with pytest.raises(NotifierError, match=r"Could not deliver to pager:7 \(PAGER_TO\)\.") as caught:
            pager.send(Message("t"), None)
        errors.append(caught.value)
    assert [error.permanent for error in errors] == [True, False, False]
    assert [error.retry_at for error in errors] == [None, NOW + timedelta(seconds=30), None]
    assert [error.uncertain for error in errors] == [False, False, True]


def test_page_names_every_capability_and_way_of_upkeep() -> None:
    """The tables of the page are complete."""
    for name in Capabilities.__dataclass_fields__:
        assert f"| `{name}` |" in PAGE
    for notifier in KINDS.values():
        rows = re.findall(rf"\| `{notifier.capabilities.upkeep}` \|.*", PAGE)
        assert any(notifier.label.lower() in row.lower() for row in rows)
