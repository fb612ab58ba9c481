"""Requests that are under way, shared by the threads that need their responses."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from copy import copy
from datetime import datetime
from typing import Any, TypeVar

from tableau_rest.errors import TableauError
from webhooks.forks import Lock

T = TypeVar("T")

# A request and its repeats have deadlines. After this time it is sent again.
WAIT_SECONDS = 180.0


class RequestsUnderWay:
    """Requests by key. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        # By process and key: no thread of a forked process ends the requests of its parent.
        self._requests: dict[tuple[int, str], tuple[datetime, Future[Any]]] = {}

    def share(self, key: str, request: Callable[[], T], *, now: datetime, not_before: datetime) -> T:
        """Return the result of a request with that key that began at `not_before` or later, or call `request`.

        Those who wait for it get its error as well: each trying again would only repeat the failure.
        """
        mine, name = (now, Future[Any]()), (os.getpid(), key)
        with self._lock:
            other = self._requests.get(name)
            if other is None or other[0] < not_before:
                self._requests[name], other = mine, None
        if other is not None:
            try:
                result: T = other[1].result(WAIT_SECONDS)
            except (TimeoutError, CancelledError):
                return request()
            except TableauError as error:
                # With a traceback of its own.
                raise copy(error) from error
            return result
        try:
            result = request()
        except Exception as error:
            mine[1].set_exception(error)
            raise
        except BaseException:
            mine[1].cancel()
            raise
        else:
            mine[1].set_result(result)
            return result
        finally:
            with self._lock:
                if self._requests.get(name) is mine:
                    del self._requests[name]
