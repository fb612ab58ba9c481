"""Several processes that share the session of one personal access token through a directory."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tableau_rest import FileSessions
from tests.tableau_rest.tiny import LUID, Reply, TinyTableau

ROOT = Path(__file__).resolve().parents[2]
WORK = """
import sys
from tableau_rest import FileSessions, PersonalAccessToken, Tableau
url, directory, luid = sys.argv[1:]
with Tableau(url, "mk", PersonalAccessToken("bot", "secret"), sessions=FileSessions(directory)) as tableau:
    for _ in range(60):
        tableau.workbook(luid)
"""


def test_three_processes_with_one_token_do_not_end_each_others_session(tiny: TinyTableau, tmp_path: Path) -> None:
    """One sign-in at the start, and one for each time the session is ended."""
    tiny.replies[f"GET workbooks/{LUID}"] = Reply({"workbook": {"id": LUID}})
    command = [sys.executable, "-c", WORK, tiny.url, str(tmp_path), LUID]
    workers = [subprocess.Popen(command, cwd=ROOT) for _ in range(3)]
    ended = 0
    while any(worker.poll() is None for worker in workers):
        if ended < 3 and len(tiny.calls(f"GET workbooks/{LUID}")) > (ended + 1) * 40:
            tiny.expire()
            ended += 1
        time.sleep(0.002)
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    assert ended == 3
    assert tiny.sign_ins == 1 + ended
    assert oct(next(tmp_path.glob("tableau-session-*[0-9a-f]")).stat().st_mode)[-2:] == "00"


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    """The lock is the operating system's."""
    hold = (
        "import sys, time\n"
        "from tableau_rest import FileSessions\n"
        "with FileSessions(sys.argv[1]).lock('k'):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", hold, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with FileSessions(tmp_path, lock_seconds=5).lock("k"):
        pass
