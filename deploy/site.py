"""Adapt the pages to the documentation's site; MkDocs calls these functions as hooks.

https://www.mkdocs.org/user-guide/configuration/#hooks
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
# In the navigation: all pages that it does not name.
REMAINING = "*"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Return the configuration with folders and `*` in the navigation replaced by their pages."""
    docs = Path(config.docs_dir)
    pages = {file.relative_to(docs).as_posix() for file in docs.rglob("*.md")}
    navigation = [_expanded(entry, sorted(pages)) for entry in config.nav or []]
    rest = sorted(pages - set(_named(navigation)))
    config.nav = [entry for entry in (_filled(entry, rest) for entry in navigation) if entry]
    return config


def _expanded(entry: Any, pages: list[str]) -> Any:
    ((title, target),) = entry.items()
    if isinstance(target, str) and target.endswith("/"):
        return {title: [page for page in pages if page.startswith(target)]}
    return entry


def _named(navigation: Any) -> list[str]:
    if isinstance(navigation, str):
        return [navigation]
    entries = navigation.values() if isinstance(navigation, dict) else navigation
    return [page for entry in entries for page in _named(entry)]


def _filled(entry: Any, rest: list[str]) -> Any:
    ((title, target),) = entry.items()
    return ({title: rest} if rest else None) if target == REMAINING else entry


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 — by name
    """Return the page with links to files outside the documentation replaced by links to the repository, or names."""
    folder = (Path(config.docs_dir) / page.file.src_uri).parent

    def fitted(match: re.Match[str]) -> str:
        label, target = match[1], urlsplit(match[2])
        place = (folder / target.path).resolve()
        outside = not target.scheme and target.path and not place.is_relative_to(config.docs_dir)
        if not outside or not place.exists():
            return match[0]
        if config.repo_url:
            return f"[{label}]({config.repo_url.rstrip('/')}/blob/main/{place.relative_to(ROOT)})"
        return label if label.startswith("`") else f"`{label}`"

    return LINK.sub(fitted, markdown)
