"""Say which credentials of a `.env` file the simulator uses, or does not use."""

from __future__ import annotations

import os
import re
from pathlib import Path

from simulator.config import VARIABLES

NAME = re.compile(r"\s*(?:export\s+)?([A-Z_]+)\s*=\s*[^\s#]")


def env_file_warning(folder: Path) -> str:
    """Return a warning about the `.env` of the folder or its parents; empty if it has no credentials.

    `python -m simulator` does not read it. `flask --app simulator run` does, as for every application.
    """
    path = next((path for parent in (folder, *folder.parents) if (path := parent / ".env").is_file()), None)
    if path is None:
        return ""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    found = [match[1] for line in lines if (match := NAME.match(line)) and match[1] in VARIABLES]
    if not found:
        return ""
    names = ", ".join(dict.fromkeys(found))
    # https://flask.palletsprojects.com/en/stable/cli/#environment-variables-from-dotenv
    if os.environ.get("FLASK_SKIP_DOTENV", "").lower() in {"", "0", "false", "no"}:
        return (
            f"warning: Flask has read {path}; the simulator accepts the credentials that it sets ({names}). "
            "To use others, run: python -m simulator"
        )
    return (
        f"warning: the simulator does not read {path}, which sets {names}. "
        "It accepts those of its environment, else those listed below."
    )
