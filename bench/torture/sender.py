"""Sends events as Tableau does: waits three seconds, tries three times more, and now and then sends one twice."""

from __future__ import annotations

import http.client
import json
import random
import threading
from contextlib import closing, suppress

SECONDS = 3.0
TRIES = 4
PAUSE = 0.15


class Sender:
    """Several connections that send different events until `stop`; `acknowledged` has what was answered with 200."""

    def __init__(self, port: int, name: str, connections: int = 6, pause: float = 0.002) -> None:
        self._port, self._name, self._pause = port, name, pause
        self._stopping = threading.Event()
        self.acknowledged: set[str] = set()
        self.refused = 0
        self._threads = [threading.Thread(target=self._send_all, args=(number,)) for number in range(connections)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _send_all(self, number: int) -> None:
        chance, count = random.Random(f"{self._name}{number}"), 0
        while not self._stopping.is_set():
            count += 1
            self.send(f"{self._name}-{number}-{count}", again=chance.random() < 0.1)
            self._stopping.wait(self._pause)

    def send(self, luid: str, *, again: bool = False) -> None:
        """One event until it is acknowledged or given up; `again`: and once more."""
        for _ in range(TRIES):
            if self.post(luid) == 200:
                self.acknowledged.add(luid)
                if again:
                    self.post(luid)
                return
            self.refused += 1
            if self._stopping.wait(PAUSE):
                return

    def post(self, luid: str) -> int:
        """The status of the answer; 0 where there was none."""
        payload = {
            "resource": "WORKBOOK",
            "event_type": "WorkbookUpdated",
            "resource_name": f"Sales {luid}",
            "site_luid": "6b7a4a9c-1111-4222-8333-444455556666",
            "resource_luid": luid,
            "created_at": "2026-01-31T09:30:00Z",
        }
        with (
            suppress(OSError, http.client.HTTPException),
            closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=SECONDS)) as connection,
        ):
            connection.request("POST", "/webhook/bench-token", json.dumps(payload))
            with connection.getresponse() as answer:
                answer.read()
                return answer.status
        return 0
