"""Test what is remembered about the content of a site."""

from __future__ import annotations

from webhooks.inbox import Inbox, Resource


def test_deleted_resources_are_remembered(inbox: Inbox) -> None:
    """A deleted resource is no longer on the site but can be looked up; saving it again brings it back."""
    sales = Resource("w-1", "workbook", "s", "Sales", "Ann", "Finance", 1.5)
    inbox.resources.save(
        [sales, Resource("w-2", "workbook", "s", "Costs"), Resource("d-1", "datasource", "s", "Orders")]
    )
    inbox.resources.mark_deleted(["w-1"])
    assert set(inbox.resources.on_site("s", "workbook")) == {"w-2"}
    assert inbox.resources.get("w-1") == sales
    assert inbox.resources.get("w-9") is None
    inbox.resources.save([Resource("w-1", "workbook", "s", "Sales 2", "Ann", "Finance", 2.5)])
    assert inbox.resources.on_site("s", "workbook")["w-1"].name == "Sales 2"
