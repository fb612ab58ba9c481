"""Settings that are valid, but probably not what their author meant."""

from __future__ import annotations

import pytest

from webhooks.config.probable_mistakes import probable_mistakes
from webhooks.config.site import Site

SECRET = "qlE1g9MMh9vbrjjg==:rZTHhPpP2tUW1kfn4tjg8"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"domain": "10ax.online.tableau.com", "pat_name": "webhooks"}, ""),
        ({"domain": "http://127.0.0.1:8100"}, ""),
        ({"domain": "http://tableau.example.org"}, "TABLEAU_DOMAIN begins with http://"),
        (
            {"pat_name": SECRET},
            "TABLEAU_PAT_NAME looks like the secret of a token; are the name and the secret swapped?",
        ),
        ({"name": "finance", "pat_name": SECRET}, "pat_name of the site finance looks like the secret"),
    ],
)
def test_probable_mistakes_are_named(fields: dict[str, str], expected: str) -> None:
    """The sentence names the setting, and contains no secret."""
    assert probable_mistakes([], slack_token="xoxb-1-a") == []
    rotating = probable_mistakes([], slack_token="xoxe.xoxb-1-s3cret")
    assert rotating[0].startswith("SLACK_TOKEN (xoxe…) expires after 12 hours")
    assert "s3cret" not in rotating[0]
    found = " ".join(probable_mistakes([Site(**{"name": "", **fields})]))  # type: ignore[arg-type]
    assert found.startswith(expected) if expected else not found
    assert SECRET not in found
