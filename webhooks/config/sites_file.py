"""Reads sites.toml: TOML -> sites, or every fault in it at once."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from webhooks.config.site import SECRETS, Site
from webhooks.spelling import hint
from webhooks.validation import describe_values

KEYS = (*Site.model_fields, *(f"{name}_{way}" for name in SECRETS for way in ("env", "file")))


@dataclass
class SitesFile:
    """The sites of a file as far as they can be read, and all that is wrong with it."""

    path: Path
    sites: tuple[Site, ...] = ()
    faults: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    """Every secret that was found, also that of a site with a fault."""

    def message(self) -> str:
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        return "\n  ".join([f"{self.path} has {count}:", *self.faults])


def load(path: Path, environment: Mapping[str, str | None]) -> SitesFile:
    """The file at `path`; `environment` is where `…_env` of a secret looks. Raises nothing: `faults` has it all."""
    found = SitesFile(path)
    try:
        document = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        found.faults.append(f"cannot be read: {error.strerror}")
    except ValueError as error:
        found.faults.append(f"not TOML: {error}")
    else:
        _Reading(found, environment).document(document)
    return found


class _Reading:
    """One pass that goes on where something is wrong, and collects it."""

    def __init__(self, found: SitesFile, environment: Mapping[str, str | None]) -> None:
        self._found, self._environment = found, environment

    def document(self, document: Mapping[str, Any]) -> None:
        faults = self._found.faults
        faults += [f"{key} is not known here; write [[site]]" for key in sorted(document.keys() - {"site"})]
        entries = document.get("site", [])
        if not isinstance(entries, list) or not entries or not all(isinstance(one, Mapping) for one in entries):
            faults.append("write [[site]], with two brackets on each side, above each site")
            return
        read = [self._site(_place(number, entry), entry) for number, entry in enumerate(entries, 1)]
        self._found.sites = tuple(site for site in read if site)
        self._apart()

    def _site(self, place: str, given: Mapping[str, Any]) -> Site | None:
        before = len(self._found.faults)
        for key in sorted(given.keys() - set(KEYS)):
            self._fault(place, f"{key} is not known; {hint(key, KEYS)}")
        secrets = {name: self._secret(place, name, given) for name in SECRETS}
        plain = {key: given[key] for key in Site.model_fields if key in given and key not in SECRETS}
        try:
            site = Site(**{"name": "", **plain, **{name: text for name, text in secrets.items() if text}})
        except ValidationError as error:
            self._fault(place, *describe_values(error))
            return None
        missing = [name for name in ("name",) if not site.name] + site.missing()
        told = " ".join(self._found.faults[before:])
        if missing := [name for name in missing if f"{place}: {name}_" not in told]:
            self._fault(
                place, f"needs {', '.join(missing)}" + (f" (auth = {site.auth!r})" if missing != ["name"] else "")
            )
        return site if len(self._found.faults) == before else None

    def _secret(self, place: str, name: str, given: Mapping[str, Any]) -> str:
        """The text of a secret, wherever it is; empty where it is nowhere, or where that is a fault."""
        ways: dict[str, Callable[[str], str]] = {
            name: lambda text: text,
            f"{name}_env": lambda variable: self._variable(place, f"{name}_env", variable),
            f"{name}_file": lambda path: self._file(place, f"{name}_file", path),
        }
        used = [key for key in ways if given.get(key) not in (None, "")]
        if len(used) > 1:
            self._fault(place, f"{' and '.join(used)}: one is enough")
        if odd := [key for key in used if not isinstance(given[key], str)]:
            self._fault(place, f"{odd[0]} should be text in quotes")
        if len(used) != 1 or odd:
            return ""
        secret = ways[used[0]](given[used[0]]).strip()
        self._found.secrets += [secret] if secret else []
        return secret

    def _variable(self, place: str, key: str, variable: str) -> str:
        secret = self._environment.get(variable) or ""
        if not secret:
            self._fault(place, f"{key}: the variable {variable} is not set")
        return secret

    def _file(self, place: str, key: str, path: str) -> str:
        file = self._found.path.parent / path
        try:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            self._fault(place, f"{key}: cannot read {file}: {why}")
            return ""

    def _apart(self) -> None:
        """No two are called the same, are the same, or use one token: each sign-in ends the other's session."""
        same: dict[tuple[str, str], list[str]] = defaultdict(list)
        for site in self._found.sites:
            same["are called", site.name.casefold()].append(site.name)
            same["are the same site", site.key.casefold()].append(site.name)
            if site.site_luid:
                same["have the same site_luid", site.site_luid].append(site.name)
            if site.auth == "pat":
                token = f"{site.domain}\n{site.pat_name}\n{site.pat_secret.get_secret_value()}"
                same["use one token, and each sign-in with it ends the one before; make one for each", token].append(
                    site.name
                )
        for (what, _), names in same.items():
            if len(names) > 1:
                shown = f"{len(names)} sites {what} {names[0]}" if what == "are called" else f"{_and(names)} {what}"
                self._found.faults.append(shown)

    def _fault(self, place: str, *messages: str) -> None:
        self._found.faults += [f"{place}: {message}" for message in messages]


def _place(number: int, entry: Mapping[str, Any]) -> str:
    name = entry.get("name")
    return f'site {number} "{name}"' if isinstance(name, str) and name else f"site {number}"


def _and(names: list[str]) -> str:
    return " and ".join(names)
