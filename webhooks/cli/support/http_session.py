"""Sessions for requests that commands send themselves: they trust the certificate authorities of CA_BUNDLE, too."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter


class _TrustingAdapter(HTTPAdapter):
    """An adapter whose connections trust further authorities; those of certifi are added by requests itself."""

    def __init__(self, ca_bundle: Path) -> None:
        self._context = ssl.create_default_context(cafile=ca_bundle)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        return super().proxy_manager_for(*args, **kwargs, ssl_context=self._context)


def http_session(ca_bundle: Path | None) -> requests.Session:
    """Return a session that trusts the usual authorities and those in the file `ca_bundle`."""
    session = requests.Session()
    if ca_bundle:
        session.mount("https://", _TrustingAdapter(ca_bundle))
    return session
