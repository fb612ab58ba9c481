"""Versions of Tableau's REST API: which exist and which one to use."""

from __future__ import annotations

import re

# The last minor version of each major one. 2.8 came with Tableau 10.5; 3.29 with Tableau 2026.2, the newest one this
# client was tested with. https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_concepts_versions.htm
_LAST_MINOR = {2: 8, 3: 29}
NEWEST = "3.29"
# The oldest version with a call for the server's own version; every server still accepts it.
SERVER_INFO = "2.4"


def parse(version: str) -> tuple[int, int]:
    """Return `"3.21"` as `(3, 21)`, for comparing. Raises ValueError for anything else."""
    match = re.fullmatch(r"([0-9]{1,3})\.([0-9]{1,3})", version)
    if not match:
        raise ValueError(f"not a REST API version: {version[:40]!r} (expected the form {NEWEST})")
    return int(match[1]), int(match[2])


def validate(version: str) -> str:
    """Return the version if Tableau has it and this client supports it. Raises ValueError otherwise."""
    major, minor = parse(version)
    if minor > _LAST_MINOR.get(major, -1):
        raise ValueError(
            f"unknown REST API version {version}: 2.0 to 2.8 and 3.0 to {NEWEST} are known;"
            " leave it empty to use the server's own"
        )
    return version


def negotiate(offered: str) -> str:
    """Return the version to use with a server that offers `offered`: that, or the newest one known if it is older."""
    return min(offered, NEWEST, key=parse)


def is_older(version: str, needed: str) -> bool:
    """Return whether a version is older than the one needed."""
    return parse(version) < parse(needed)
