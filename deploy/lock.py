"""Write requirements.txt, requirements-dev.txt and environment.yml from pyproject.toml (`make lock`).

uv resolves one list for every platform and every Python that pyproject.toml admits, with the hashes of all files:
https://docs.astral.sh/uv/pip/compile/. Versions that are pinned already stay, unless `--upgrade` is given.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN, DEV = "requirements.txt", "requirements-dev.txt"
HEAD = "# Written by `make lock` from pyproject.toml.\n"
# An entry begins at the left margin; its hashes are indented.
ENTRY = re.compile(r"^(?P<pin>(?P<name>[a-z0-9-]+)==.*?)(?: \\\n(?: {4}--hash=\S+(?: \\)?\n)+)", re.MULTILINE)


def compiled(*arguments: str, previous: str, oldest_python: str) -> str:
    """Return the resolved list for `arguments`, without comments and without the address of any package index."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
    command += ["--python-version", oldest_python, "--no-header", "--no-annotate", "--no-emit-index-url"]
    command += ["--no-emit-find-links", *arguments]
    # uv prefers the versions in its output file, so it gets a copy that it may overwrite.
    output = ROOT / previous
    command += ["--output-file", str(output)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: S603 - no shell, our own words
    return output.read_text(encoding="utf-8")


def entries(text: str) -> dict[str, re.Match[str]]:
    """Return the entries of a list by package name, with the pin and its marker in the group `pin`."""
    return {match["name"]: match for match in ENTRY.finditer(text)}


def environment(pins: list[str], python: str) -> str:
    """Return the text of environment.yml; conda reads no hashes, so it has the pins only."""
    packages = "".join(f"      - {pin}\n" for pin in pins)
    return (
        f"{HEAD}name: tableau-webhooks\nchannels:\n  - conda-forge\ndependencies:\n"
        f"  - python{python}\n  - pip\n  - pip:\n{packages}"
    )


def main() -> None:
    """Resolve both lists and write the three files."""
    python = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    options = {"oldest_python": python.removeprefix(">=")}
    upgrade = [argument for argument in sys.argv[1:] if argument == "--upgrade"]
    run = compiled("pyproject.toml", *upgrade, previous=RUN, **options)
    # What both lists need is pinned in the first one, and has the same version in the second.
    dev = compiled("--group", "dev", "--constraint", RUN, *upgrade, previous=DEV, **options)
    needed = entries(run)
    (ROOT / RUN).write_text(HEAD + run, encoding="utf-8")
    only_dev = "".join(match[0] for name, match in entries(dev).items() if name not in needed)
    (ROOT / DEV).write_text(HEAD + only_dev, encoding="utf-8")
    (ROOT / "environment.yml").write_text(environment([match["pin"] for match in needed.values()], python), "utf-8")


if __name__ == "__main__":
    main()
