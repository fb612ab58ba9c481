"""Addresses of Power Automate workflows, whose signature may contain characters that Apprise refuses. Pure.

Apprise accepts letters, digits, `_` and `-` in a signature. Microsoft signs the address and promises no alphabet:
https://learn.microsoft.com/en-us/azure/logic-apps/logic-apps-securing-a-logic-app#sas
"""

from __future__ import annotations

import re
from urllib.parse import unquote

# The signature as a parameter of the query, and as the second part of the path of the short form.
PARAMETER = re.compile(r"([?&](?:sig|signature)=)([^&#]+)", re.IGNORECASE)
SHORT = re.compile(r"(workflows?://[^/?#]+/[^/?#]+/)([^/?#]+)", re.IGNORECASE)
NATIVE = re.compile(r"https?://[^/?#]+(/[^?#]*)?/workflows/[^/?#]+/triggers/", re.IGNORECASE)
ACCEPTED = re.compile(r"[A-Za-z0-9_-]+")
PLACEHOLDER = "signature"


def find_signature(url: str) -> re.Match[str] | None:
    """Return the match whose second group is the signature as it was copied; None if this is another address."""
    if not NATIVE.match(url) and not url.lower().startswith(("workflow://", "workflows://")):
        return None
    return PARAMETER.search(url) or SHORT.match(url)


def separate_signature(url: str) -> tuple[str, str]:
    """Return the URL with a placeholder instead of its signature, and the signature as it has to arrive.

    The signature is empty, and the URL unchanged, if Apprise accepts it, or if this is not the address of a workflow.
    """
    found = find_signature(url)
    if found is None or ACCEPTED.fullmatch(found[2]):
        return url, ""
    return f"{url[: found.start(2)]}{PLACEHOLDER}{url[found.end(2) :]}", unquote(found[2])
