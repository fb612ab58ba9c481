"""Explain why a SQLite inbox cannot be written, and which file systems it should not be on."""

from __future__ import annotations

import os
import pwd
import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

# File systems over a network or between a machine and its guest. SQLite in WAL mode needs memory shared by all
# processes and locks that work: https://www.sqlite.org/wal.html and https://www.sqlite.org/faq.html#q5
REMOTE_FILE_SYSTEMS = {
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "lustre", "afs", "vboxsf", "virtiofs",
    "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone",
}  # fmt: skip
MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class Process:
    """The user and groups that a process runs as."""

    uid: int
    gids: Collection[int]

    @classmethod
    def current(cls) -> Process:
        return cls(os.geteuid(), {os.getegid(), *os.getgroups()})

    def may_write(self, path: Path) -> bool:
        """Return whether the mode bits let this process write; a folder must be searchable as well."""
        status = path.stat()
        needed = 0o3 if path.is_dir() else 0o2
        if self.uid == 0:
            return True
        if status.st_uid == self.uid:
            needed <<= 6
        elif status.st_gid in self.gids:
            needed <<= 3
        return status.st_mode & needed == needed


def explain_unwritable(database: Path, process: Process) -> tuple[str, str] | None:
    """Return which file or folder the process cannot write and the command that repairs it; None if it can."""
    folder = next(parent for parent in database.parents if parent.exists())
    files = [Path(f"{database}{suffix}") for suffix in ("", "-wal", "-shm")]
    for path in (folder, *filter(Path.exists, files)):
        if not process.may_write(path):
            kind = "the folder" if path.is_dir() else "the file"
            owner = path.stat().st_uid
            text = f"{kind} {path} is not writable by {_user(process.uid)}; it belongs to {_user(owner)}"
            target = shlex.quote(str(path))
            command = f"chmod u+w {target}" if owner == process.uid else f"sudo chown -R {process.uid} {target}"
            return text, f"Run: {command}"
        if os.statvfs(path).f_flag & os.ST_RDONLY:
            return f"{path} is on a file system that is mounted read-only", "Mount it read-write, or set DATABASE_URL."
    return None


def foreign_owner(database: Path, process: Process) -> str:
    """Return the owner of the database's folder if root is about to write files that this owner cannot open."""
    folder = next(parent for parent in database.parents if parent.exists())
    owner = folder.stat().st_uid
    return _user(owner) if process.uid == 0 and owner != 0 else ""


def exposed_files(database: Path) -> list[Path]:
    """Return the folder and the files of the inbox that every user of this machine can write, or read or lock."""
    folder = database.parent
    if not folder.stat().st_mode & 0o001:
        return []  # other users cannot enter it
    files = [Path(f"{database}{suffix}") for suffix in ("", "-wal", "-shm", ".lock")]
    found = [file for file in files if file.exists() and file.stat().st_mode & 0o006]
    return [folder, *found] if folder.stat().st_mode & 0o002 else found


def close_command(paths: Sequence[Path], process: Process) -> str:
    """Return the command that takes all rights on the paths from the group and from others."""
    foreign = process.uid != 0 and any(path.stat().st_uid != process.uid for path in paths)
    return f"{'sudo ' if foreign else ''}chmod go-rwx {' '.join(shlex.quote(str(path)) for path in paths)}"


def remote_file_system(path: Path, mounts: str) -> str:
    """Return type and mount point of the remote file system that holds `path`; empty if it is on a local one.

    `mounts` is the content of /proc/self/mountinfo, https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
    """
    found: tuple[int, str, str] = (-1, "", "")
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        if len(fields.split()) < 5 or not rest:
            continue
        # Blanks and backslashes in paths are octal escapes.
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields.split()[4])
        # A later mount at the same point hides an earlier one.
        if path.is_relative_to(point) and len(Path(point).parts) >= found[0]:
            found = len(Path(point).parts), rest.split()[0], point
    return f"{found[1]} at {found[2]}" if found[1] in REMOTE_FILE_SYSTEMS else ""


def read_mounts() -> str:
    """Return the content of /proc/self/mountinfo; empty on systems without it."""
    try:
        return MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _user(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (user id {uid})"
    except KeyError:
        return f"user id {uid}"
