"""Lists in pages, also while they change: a complete list or an error, never a part of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tableau_rest import IncompleteList, InvalidResponse, NotPermitted, ServerError, Tableau, TableauError
from tests.tableau_rest.tiny import EXPIRED, Asked, ChangingList, Reply, TinyTableau, refused


def luid(number: int) -> str:
    return f"{number:08d}-0000-4000-8000-000000000000"


def changing(count: int, change: Callable[[list[int], int], object] = lambda _, __: None) -> ChangingList:
    """Return a list of workbooks that `change` may alter before a page is sent."""
    return ChangingList(count, change, names=("workbooks", "workbook"), item=lambda number: {"id": luid(number)})


def numbers(client: Tableau) -> list[int]:
    return [int(book.luid[:8]) for book in client.workbooks(page_size=2)]


def test_pages_are_requested_when_they_are_needed(tiny: TinyTableau, client: Tableau) -> None:
    """Three items in pages of two take two requests, the second only for the third item."""
    tiny.replies["GET workbooks"] = changing(3)
    books = client.workbooks(page_size=2)
    next(books)
    next(books)
    assert len(tiny.calls("GET workbooks")) == 1
    assert len(list(books)) == 1
    assert len(tiny.calls("GET workbooks")) == 2


def test_an_item_that_moves_to_the_next_page_is_returned_once(tiny: TinyTableau, client: Tableau) -> None:
    """Content that is published while the list is read moves the rest; no item is returned twice or missing."""
    tiny.replies["GET workbooks"] = changing(5, lambda found, request: request == 2 and found.insert(0, 99))
    assert numbers(client) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_an_item_that_moves_to_the_previous_page_is_not_skipped(tiny: TinyTableau, client: Tableau, gone: int) -> None:
    """Content that is deleted while the list is read moves the rest; the list is read again."""
    tiny.replies["GET workbooks"] = changing(6, lambda found, request: request == 2 and found.remove(gone))
    assert set(range(6)) - {gone} <= set(numbers(client))


def test_a_page_behind_the_end_of_a_list_that_shrank_is_no_error(tiny: TinyTableau, client: Tableau) -> None:
    """Tableau responds with 400006 for a page that no longer exists."""
    pages = changing(6, lambda found, request: request == 3 and found.__delitem__(slice(0, 2)))

    def shrinking(asked: Asked) -> Reply:
        reply = pages(asked)
        return refused("400006") if (asked.page - 1) * 2 >= len(pages.numbers) else reply

    tiny.replies["GET workbooks"] = shrinking
    assert set(numbers(client)) >= {2, 3, 4, 5}
    assert pages.requests == 5


def test_a_list_that_keeps_changing_is_an_error(tiny: TinyTableau, client: Tableau) -> None:
    """It is not permanent, and it gives both counts."""
    tiny.replies["GET workbooks"] = changing(40, lambda found, request: found.pop(0))
    with pytest.raises(IncompleteList, match="incomplete") as raised:
        numbers(client)
    assert not raised.value.permanent


def test_an_item_that_is_listed_twice_is_returned_once(tiny: TinyTableau, client: Tableau) -> None:
    """If a second reading finds the same list, the server counts the item twice."""
    tiny.replies["GET workbooks"] = changing(4, lambda found, _: found.__setitem__(slice(None), [0, 1, 1, 2]))
    assert numbers(client) == [0, 1, 2]


def test_a_server_that_repeats_a_page_is_an_error(tiny: TinyTableau, client: Tableau) -> None:
    """It ignores the page number, so the rest of the list is unknown."""
    page = Reply({"pagination": {"totalAvailable": "4"}, "workbooks": {"workbook": [{"id": luid(0)}, {"id": luid(1)}]}})
    tiny.replies["GET workbooks"] = page
    with pytest.raises(IncompleteList):
        numbers(client)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(Reply(b"", 500), ServerError), (Reply(EXPIRED, 401), NotPermitted), (Reply({}), InvalidResponse)],
)
def test_an_error_on_a_later_page_is_raised(
    tiny: TinyTableau, client: Tableau, reply: Reply, kind: type[TableauError]
) -> None:
    """The items before it are not the list."""
    pages = changing(4)
    tiny.replies["GET workbooks"] = lambda asked: pages(asked) if asked.page == 1 else reply
    with pytest.raises(kind):
        numbers(client)


def test_a_total_that_is_never_reached_ends(tiny: TinyTableau, client: Tableau) -> None:
    """An empty page is the end, whatever the server counts; a second reading confirms it."""
    pages = changing(2)

    def miscounting(asked: Asked) -> Reply:
        return Reply(pages(asked).body | {"pagination": {"totalAvailable": "99"}})

    tiny.replies["GET workbooks"] = miscounting
    assert numbers(client) == [0, 1]
    assert pages.requests == 4


def test_a_total_that_grows_forever_ends(tiny: TinyTableau, client: Tableau) -> None:
    """A hostile server cannot keep a list going without an end."""
    pages = changing(2)

    def growing(asked: Asked) -> Reply:
        asked_first = Asked(asked.method, asked.path, "pageNumber=1", asked.headers, asked.body)
        return Reply(pages(asked_first).body | {"pagination": {"totalAvailable": str(asked.page * 10)}})

    tiny.replies["GET workbooks"] = growing
    with pytest.raises(IncompleteList):
        numbers(client)


def test_a_list_without_a_paging_block_is_one_page(tiny: TinyTableau, client: Tableau) -> None:
    """Some lists have none."""
    tiny.replies["GET flows/runs"] = Reply({"flowRuns": {"flowRun": [{"id": "1"}, {"id": "2"}]}})
    assert [run.luid for run in client.flow_runs()] == ["1", "2"]


def test_full_pages_without_a_paging_block_are_followed(tiny: TinyTableau, client: Tableau) -> None:
    """Only a page that is not full, or one that is repeated, is surely the last."""
    pages = changing(5)
    tiny.replies["GET workbooks"] = lambda asked: Reply({"workbooks": pages(asked).body["workbooks"]})
    assert numbers(client) == [0, 1, 2, 3, 4]
    tiny.replies["GET workbooks"] = Reply({"workbooks": {"workbook": [{"id": luid(n)} for n in range(3)]}})
    assert numbers(client) == [0, 1, 2]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        {},
        {"projects": {"project": []}},
        {"workbooks": "none"},
        {"workbooks": {"workbook": ["Sales"]}},
        {"workbooks": {"error": "no"}},
        {"workbooks": {"workbook": [{"name": "Sales"}]}},
        ["Sales"],
        b"<html><title>Sign in</title></html>",
    ],
)
def test_a_response_that_is_no_list_is_not_an_empty_list(tiny: TinyTableau, client: Tableau, body: Any) -> None:
    """An empty response, another list, texts, and an item without an id are errors."""
    tiny.replies["GET workbooks"] = Reply(body)
    with pytest.raises(InvalidResponse):
        numbers(client)


@pytest.mark.parametrize("body", [{"workbooks": {}}, {"workbooks": {"workbook": []}}, {"workbooks": None}, []])
def test_an_empty_list_is_empty(tiny: TinyTableau, client: Tableau, body: Any) -> None:
    """Servers send several forms of one."""
    tiny.replies["GET workbooks"] = Reply(body)
    assert numbers(client) == []
