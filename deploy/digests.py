"""Write the digests of the images into Dockerfile and compose.yaml (`make digests`), so that their tags cannot move.

The registry is asked by its HTTP API: https://distribution.github.io/distribution/spec/api/#pulling-an-image-manifest.
A digest is the SHA-256 of the manifest (of the index of all platforms where there is one), which is verified. Run it
again to renew the digests: a pinned image gets no security updates.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from notifiers.errors import NotifierError
from notifiers.transport import Request, Timeouts, Transport

ROOT = Path(__file__).resolve().parent.parent
FILES = ("Dockerfile", "compose.yaml")
# `FROM packages` names a stage and has no tag; an image that is built here has none either.
IMAGE = re.compile(
    r"(?m)^(?P<before>(?:FROM|\s*image:)[ ]+)(?P<name>[a-z0-9][\w./-]*(?::\d+/[\w./-]+)?):(?P<tag>[\w.-]+)"
    r"(?:@sha256:[0-9a-f]{64})?"
)
ACCEPT = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
LARGEST_MANIFEST = 4 * 1024 * 1024
TIMEOUTS = Timeouts(total=30.0)
CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class Unresolved(Exception):
    """The digest of an image could not be looked up."""


def pinned(text: str, resolved: dict[str, str]) -> str:
    """Return the text with the digest of each image, by `name:tag`, behind its tag."""
    return IMAGE.sub(lambda found: f"{found['before']}{_reference(found)}@{resolved[_reference(found)]}", text)


def images(text: str) -> set[str]:
    """Return the images in the text as `name:tag`."""
    return {_reference(found) for found in IMAGE.finditer(text)}


def address(image: str, registry: str = "") -> tuple[str, str]:
    """Return the registry of `name:tag`, or `registry` in its place, and the address of the manifest there.

    Raises Unresolved if neither is given: which registry a name without a host means is a setting of the engine.
    """
    name, _, tag = image.rpartition(":")
    host, _, path = name.partition("/")
    if path and ("." in host or ":" in host or host == "localhost"):
        own = f"https://{host}"
    else:
        own, path = "", name if path else f"library/{name}"
    base = (registry or own).rstrip("/")
    if not base:
        raise Unresolved(f"{image} names no registry; give its address with --registry")
    return base, f"{base}/v2/{quote(path)}/manifests/{quote(tag)}"


def digest(image: str, registry: str = "") -> str:
    """Return the digest of `name:tag`. `registry` replaces the address of the image's own. Raises Unresolved."""
    base, url = address(image, registry)
    transport = Transport("The registry")
    try:
        response = transport.send(_get(url), TIMEOUTS)
        if response.status == 401:
            token = _token(transport, response.headers.get("www-authenticate", ""), base)
            response = transport.send(_get(url, {"Authorization": f"Bearer {token}"}), TIMEOUTS)
    except NotifierError as error:
        raise Unresolved(f"{image}: {error}") from error
    if response.status != 200:
        raise Unresolved(f"{image}: {base} responded {response.status}")
    found = f"sha256:{hashlib.sha256(response.body).hexdigest()}"
    if response.headers.get("docker-content-digest", found) != found:
        raise Unresolved(f"{image}: the manifest that {base} sent does not have the digest that it names")
    return found


def _reference(found: re.Match[str]) -> str:
    return f"{found['name']}:{found['tag']}"


def _get(url: str, headers: dict[str, str] | None = None) -> Request:
    return Request("GET", url, {"Accept": ACCEPT, **(headers or {})}, largest=LARGEST_MANIFEST)


def _token(transport: Transport, challenge: str, registry: str) -> str:
    """Return an anonymous token from the place that the registry names."""
    # https://distribution.github.io/distribution/spec/auth/token/
    fields = dict(CHALLENGE.findall(challenge))
    realm = fields.pop("realm", "")
    if urlsplit(realm).scheme not in {"https", urlsplit(registry).scheme}:
        raise Unresolved(f"{registry} names no place for a token: {challenge[:200]!r}")
    query = urlencode({name: value for name, value in fields.items() if name in {"service", "scope"}})
    document = transport.send(_get(f"{realm}?{query}"), TIMEOUTS).json()
    token = document.get("token") or document.get("access_token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise Unresolved(f"{realm} gave no token")
    return token


def main(words: list[str], folder: Path = ROOT) -> int:
    """Look up all images, then write both files; write neither if an image cannot be looked up."""
    parser = argparse.ArgumentParser(prog="python -m deploy.digests", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--registry", default="", help="address of the registry for images that name none, or of a mirror that has all"
    )
    registry = parser.parse_args(words).registry
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in FILES}
    try:
        resolved = {image: digest(image, registry) for text in texts.values() for image in sorted(images(text))}
    except Unresolved as error:
        print(f"Nothing was changed. {error}", file=sys.stderr)
        return 1
    for name, text in texts.items():
        (folder / name).write_text(pinned(text, resolved), encoding="utf-8")
    for image, found in resolved.items():
        print(f"{image}@{found}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
