"""Connections for requests' sessions: with a deadline, kept alive, trusting further certificate authorities."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager, ProxyManager

from tableau_rest.transport.exchange import DeadlineConnection

# Idle connections kept for each host; further threads open additional connections.
_CONNECTIONS = 256


def mount(session: requests.Session, ca_bundle: str) -> None:
    """Let a session use connections with a deadline, and trust the certificate authorities of a file or folder, too.

    Raises ValueError if they cannot be read.
    """
    tls = None
    if ca_bundle:
        is_folder = Path(ca_bundle).is_dir()
        try:
            tls = ssl.create_default_context(
                cafile=None if is_folder else ca_bundle, capath=ca_bundle if is_folder else None
            )
        except OSError as error:  # ssl.SSLError is one
            raise ValueError(f"cannot read certificate authorities from {ca_bundle!r}: {error}") from None
        # Python 3.13 refuses certificates without key identifiers, which private authorities often issue:
        # https://docs.python.org/3/library/ssl.html#ssl.create_default_context
        tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(tls))


class _HTTPConnection(DeadlineConnection, HTTPConnection):
    """A plain connection with a deadline."""


class _HTTPSConnection(DeadlineConnection, HTTPSConnection):
    """A TLS connection with a deadline."""


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _Adapter(HTTPAdapter):
    """Connections with a deadline, kept alive: a firewall that drops an idle one would cost the next call a timeout."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        super().__init__(pool_connections=8, pool_maxsize=_CONNECTIONS)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        options = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
        if hasattr(socket, "TCP_KEEPIDLE"):  # without it the system's own interval applies, often two hours
            options.append((socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60))
        super().init_poolmanager(*args, socket_options=options, ssl_context=self._tls, **kwargs)
        _use_deadlines(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(*args, ssl_context=self._tls, **kwargs)
        if isinstance(manager, ProxyManager):  # that of a SOCKS proxy has other pools
            _use_deadlines(manager)
        return manager


def _use_deadlines(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
