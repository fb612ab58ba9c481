"""Measure the Tableau client: time per call and at import, compared with requests, and sign-ins with a shared PAT.

python -m bench.client            all figures, one line of JSON each
python -m bench.client call|import|share
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import requests

from tableau_rest import FileSessions, MemorySessions, PersonalAccessToken, Tableau

SITE = "6b7a1111-2222-4333-8444-555566667777"
LUID = "e3411111-2222-4333-8444-555566667777"
ROOT = Path(__file__).resolve().parent.parent
WORKBOOK = {
    "workbook": {
        "id": LUID,
        "name": "Sales",
        "contentUrl": "Sales",
        "webpageUrl": "https://t.example.org/#/site/mk/workbooks/123",
        "showTabs": "true",
        "size": "2",
        "createdAt": "2026-01-31T09:30:00Z",
        "updatedAt": "2026-01-31T09:30:00Z",
        "hasExtracts": True,
        "project": {"id": SITE, "name": "Finance"},
        "owner": {"id": SITE, "name": "ann@example.org"},
        "tags": {"tag": [{"label": "gold"}]},
        "views": {"view": [{"id": SITE, "name": "Overview", "contentUrl": "Sales/sheets/Overview"}]},
    }
}


class MinimalTableau:
    """A minimal Tableau in a separate process: one valid token, responses from memory."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening, self._lock = listening, threading.Lock()
        self._token, self._sign_ins, self._calls = "", 0, 0

    def serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        waiting = b""
        while True:
            while b"\r\n\r\n" not in waiting:
                received = connection.recv(65536)
                if not received:
                    connection.close()
                    return
                waiting += received
            head, _, waiting = waiting.partition(b"\r\n\r\n")
            length = _header(head, b"content-length")
            while len(waiting) < int(length or 0):
                waiting += connection.recv(65536)
            waiting = waiting[int(length or 0) :]
            connection.sendall(self._respond(head))

    def _respond(self, head: bytes) -> bytes:
        with self._lock:
            if b"/serverinfo" in head:
                return _reply({"serverInfo": {"restApiVersion": "3.27"}})
            if b"/auth/signin" in head:
                self._sign_ins += 1
                self._token = f"token-{self._sign_ins}"
                found = {"site": {"id": SITE}, "user": {"id": LUID}, "token": self._token}
                return _reply({"credentials": found})
            if b"/bench/expire" in head:
                self._token = "ended"
                return _reply({})
            if b"/bench/counts" in head:
                return _reply({"sign_ins": self._sign_ins, "calls": self._calls})
            if _header(head, b"x-tableau-auth").decode() != self._token:
                return _reply({"error": {"code": "401002", "summary": "Unauthorized"}}, b"401 Unauthorized")
            self._calls += 1
        return WHOLE


def _header(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return b""


def _reply(document: object, status: bytes = b"200 OK") -> bytes:
    body = json.dumps(document).encode()
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
    return head + body


WHOLE = _reply(WORKBOOK)


def _serving() -> tuple[multiprocessing.Process, str]:
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    process = multiprocessing.Process(target=MinimalTableau(listening).serve, daemon=True)
    process.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    listening.close()
    return process, url


def call(rounds: int = 15, calls: int = 400) -> dict[str, object]:
    """Compare a call of workbook() with requests.Session.get().json(), both on a connection that is kept open."""
    process, url = _serving()
    with Tableau(url, "mk", PersonalAccessToken("bot", "secret"), sessions=MemorySessions()) as client:
        token = client.session().token
        headers = {"X-Tableau-Auth": token, "Accept": "application/json"}
        target = f"{url}/api/3.27/sites/{SITE}/workbooks/{LUID}"
        with requests.Session() as plain, requests.Session() as lean:
            lean.trust_env = (
                False  # requests then does not read the environment before every call; neither does the client
            )

            def with_requests(session: requests.Session) -> object:
                response = session.get(target, headers=headers, timeout=30)
                response.raise_for_status()
                return response.json()

            ours, theirs, leanest = [], [], []
            for _ in range(rounds):  # alternating, so that other load on the machine affects all alike
                theirs.append(_timed(lambda: with_requests(plain), calls))
                leanest.append(_timed(lambda: with_requests(lean), calls))
                ours.append(_timed(lambda: client.workbook(LUID), calls))
    process.terminate()
    process.join()
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return {
        "figure": "cost per call beside requests",
        "requests_us": round(statistics.median(theirs) * 1e6),
        "client_us": round(statistics.median(ours) * 1e6),
        "ratio": round(statistics.median(ratios), 3),
        "worst_round": round(max(ratios), 3),
        "ratio_without_environment": round(
            statistics.median(mine / other for mine, other in zip(ours, leanest, strict=True)), 3
        ),
        "at_most": 1.3,
    }


def _timed(work: Callable[[], object], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        work()
    return (time.perf_counter() - started) / calls


def imports(rounds: int = 25) -> dict[str, object]:
    """Compare the import of the client and its names with that of requests, each in a new interpreter."""
    wanted = "from tableau_rest import Tableau, PersonalAccessToken, NotFound"
    sources = {"nothing": "pass", "requests": "import requests", "package": "import tableau_rest", "client": wanted}
    with tempfile.TemporaryDirectory() as cache:  # compiled once, as after an installation
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"PYTHONPYCACHEPREFIX": cache, "PYTHONPATH": str(ROOT)}
        times: dict[str, list[float]] = {name: [] for name in sources}
        for turn in range(rounds + 1):
            for name, source in sources.items():
                started = time.perf_counter()
                subprocess.run([sys.executable, "-c", source], check=True, env=environment)
                if turn:
                    times[name].append(time.perf_counter() - started)
    low = {name: statistics.quantiles(found, n=4)[0] - min(times["nothing"]) for name, found in times.items()}
    return {
        "figure": "import time beside requests",
        "requests_ms": round(low["requests"] * 1000, 1),
        "client_ms": round(low["client"] * 1000, 1),
        "ratio": round(low["client"] / low["requests"], 3),
        "package_alone_ratio": round(low["package"] / low["requests"], 3),
        "at_most": 1.2,
    }


def _worker(url: str, directory: str, calls: int, together: object) -> None:
    together.wait()  # type: ignore[attr-defined]
    with Tableau(url, "mk", PersonalAccessToken("bot", "secret"), sessions=FileSessions(directory)) as client:
        for _ in range(calls):
            client.workbook(LUID)
            time.sleep(0.001)


def share(processes: int = 3, calls: int = 1000, expiries: int = 5) -> dict[str, object]:
    """Count the sign-ins of several processes with one PAT whose session is ended: one, and one more for each end."""
    server, url = _serving()
    together = multiprocessing.Barrier(processes)
    with tempfile.TemporaryDirectory() as directory:
        each = -(-calls // processes)
        workers = [
            multiprocessing.Process(target=_worker, args=(url, directory, each, together)) for _ in range(processes)
        ]
        for worker in workers:
            worker.start()
        ended = 0
        while any(worker.is_alive() for worker in workers):
            done = requests.get(f"{url}/bench/counts", timeout=5).json()["calls"]
            if ended < expiries and done > (ended + 1) * calls / (expiries + 1):
                requests.get(f"{url}/bench/expire", timeout=5)
                ended += 1
            time.sleep(0.005)
        for worker in workers:
            worker.join()
        counts = requests.get(f"{url}/bench/counts", timeout=5).json()
    server.terminate()
    server.join()
    return {
        "figure": "sign-ins with a shared PAT",
        "processes": processes,
        "calls": counts["calls"],
        "expired": ended,
        "sign_ins": counts["sign_ins"],
        "ping_pong": counts["sign_ins"] - 1 - ended,
        "failed_processes": sum(worker.exitcode != 0 for worker in workers),
        "at_most": 0,
    }


FIGURES: dict[str, Callable[[], dict[str, object]]] = {"call": call, "import": imports, "share": share}


def run(*names: str) -> None:
    """Print the named figures, or all, one line of JSON each."""
    for name in names or FIGURES:
        print(json.dumps(FIGURES[name]()), flush=True)


if __name__ == "__main__":
    run(*sys.argv[1:])
