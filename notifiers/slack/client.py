"""slack_sdk's client with another way to the wire: each request has one end, and no redirect takes the token along."""

from __future__ import annotations

import time
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from io import BytesIO
from typing import Any
from urllib.error import HTTPError
from urllib.request import AbstractHTTPHandler, OpenerDirector, ProxyHandler, Request, UnknownHandler

from slack_sdk.web import WebClient
from slack_sdk.web.file_upload_v2_result import FileUploadV2Result

from notifiers.deadline import Deadline

WHOLE = 30.0  # seconds for a request and its answer
UPLOAD = 60.0  # seconds, where the request is a picture


class Client(WebClient):
    """Overrides the two places in which slack_sdk opens an address."""

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:  # noqa: ARG002
        return self._exchange(req, WHOLE)

    def _upload_file(self, *, url: str, data: bytes, **_: Any) -> FileUploadV2Result:
        said = self._exchange(Request(url, data, method="POST"), UPLOAD)  # noqa: S310 — _opener knows HTTP only
        if said["status"] != 200:
            raise HTTPError(url, said["status"], "", said["headers"], BytesIO())
        return FileUploadV2Result(status=said["status"], body=said["body"])

    def _exchange(self, request: Request, seconds: float) -> dict[str, Any]:
        """Whatever the status is."""
        with _opener(self.proxy, time.monotonic() + seconds).open(request, timeout=self.timeout) as answer:
            text = answer.read().decode(answer.headers.get_content_charset() or "utf-8")
            return {"status": answer.status, "headers": answer.headers, "body": text}


class _Http(AbstractHTTPHandler):
    """Opens http:// and https:// with a connection that ends."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self._until = until

    http_request = https_request = AbstractHTTPHandler.do_request_

    def http_open(self, request: Request) -> HTTPResponse:
        return self.do_open(partial(_Plain, until=self._until), request)

    def https_open(self, request: Request) -> HTTPResponse:
        return self.do_open(partial(_Secure, until=self._until), request)


class _Plain(Deadline, HTTPConnection):
    """http://"""


class _Secure(Deadline, HTTPSConnection):
    """https://"""


def _opener(proxy: str | None, until: float) -> OpenerDirector:
    """Without files, FTP and redirects: a redirected post is none, and the token would go where it leads."""
    opener = OpenerDirector()
    for handler in (ProxyHandler({"http": proxy, "https": proxy} if proxy else None), _Http(until), UnknownHandler()):
        opener.add_handler(handler)
    return opener
