"""Versions of Tableau's REST API: which there are, which to use."""

from __future__ import annotations

import re

# 2.x ended with Tableau 10.5; 3.29 is Tableau 2026.2, the newest this client was written against.
# https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_concepts_versions.htm
_LAST_MINOR = {2: 8, 3: 29}
NEWEST = "3.29"
SERVER_INFO = "2.4"  # the oldest version that tells about itself; every server still speaks it


def parse(version: str) -> tuple[int, int]:
    """`"3.21"` as `(3, 21)`, for comparing. Raises ValueError for anything else."""
    match = re.fullmatch(r"(\d{1,3})\.(\d{1,3})", version)
    if not match:
        raise ValueError(f"not a REST API version: {version!r} (as in {NEWEST})")
    return int(match[1]), int(match[2])


def validate(version: str) -> str:
    """The version itself when it is one of Tableau's that this client knows. Raises ValueError otherwise."""
    major, minor = parse(version)
    if minor > _LAST_MINOR.get(major, -1):
        raise ValueError(
            f"unknown REST API version {version}: known are 2.0 to 2.8 and 3.0 to {NEWEST};"
            " leave it empty to use what the server offers"
        )
    return version


def negotiate(offered: str) -> str:
    """The version to speak with a server that offers `offered`: its own, or the newest we know if that is older."""
    return min(offered, NEWEST, key=parse)


def is_older(spoken: str, needed: str) -> bool:
    """Is the version that is spoken older than the one needed?"""
    return parse(spoken) < parse(needed)
