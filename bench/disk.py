"""Simulate disks with a shim in front of the C library: one whose fsync is slow, and one that loses its power."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

DELAY_MICROSECONDS = 4000
SLOW = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
static int slowly(const char *name, int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    usleep(DELAY);
    return real(fd);
}
int fsync(int fd) { return slowly("fsync", fd); }
int fdatasync(int fd) { return slowly("fdatasync", fd); }
"""
# Copies each file below FROM to the folder TO when it is synced: exactly this has to survive a power failure. It reads
# from the given descriptor, because closing another one would release SQLite's locks. The copies of processes that sync
# at the same time must not overwrite newer ones.
POWER_FAILURE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <dlfcn.h>
static void copy(int fd) {
    char link[64], path[PATH_MAX], temporary[PATH_MAX], target[PATH_MAX], data[65536];
    struct stat status;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1), count;
    if (length < 0) return;
    path[length] = 0;
    if (strncmp(path, FROM, strlen(FROM)) || fstat(fd, &status) || !S_ISREG(status.st_mode)) return;
    snprintf(temporary, sizeof temporary, "%s/temporary", TO);
    snprintf(target, sizeof target, "%s/%s", TO, strrchr(path, '/') + 1);
    int lock = open(TO "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX)) abort();
    int out = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    off_t offset = 0;
    while ((count = pread(fd, data, sizeof data, offset)) > 0) {
        if (write(out, data, count) != count) abort();
        offset += count;
    }
    if (count < 0 || close(out) || rename(temporary, target)) abort();
    close(lock);
}
static int copying(const char *name, int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    copy(fd);
    return real(fd);
}
int fsync(int fd) { return copying("fsync", fd); }
int fdatasync(int fd) { return copying("fdatasync", fd); }
"""


def compiler() -> str | None:
    """Return the path of a C compiler; None if none is installed."""
    return shutil.which("gcc") or shutil.which("cc")


def slow_disk(folder: Path) -> dict[str, str] | None:
    """Return the environment in which every fsync is slow; None if no C compiler is installed."""
    return _preload(folder / "slow", SLOW, DELAY=str(DELAY_MICROSECONDS)) if compiler() else None


class PowerFailure:
    """A disk below `folder` that remembers what was synced; `environment` is that of the processes that use it.

    Needs a C compiler.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._synced = folder, folder / "synced"
        self._synced.mkdir()
        self.environment = _preload(folder / "power", POWER_FAILURE, FROM=f'"{folder}"', TO=f'"{self._synced}"')

    def fail(self, database: Path) -> None:
        """Replace the files of a SQLite database, which no process uses, by what was synced of them."""
        for suffix in ("", "-wal", "-shm"):
            file = database.with_name(database.name + suffix)
            file.unlink(missing_ok=True)
            synced = self._synced / file.name
            if synced.exists():
                shutil.copyfile(synced, file)


def _preload(base: Path, code: str, **constants: str) -> dict[str, str]:
    """Return the environment that puts the code in front of the C library."""
    source, library = base.with_suffix(".c"), base.with_suffix(".so")
    source.write_text(code)
    definitions = [f"-D{name}={value}" for name, value in constants.items()]
    subprocess.run(
        [str(compiler()), "-shared", "-fPIC", *definitions, "-o", library, source, "-ldl"], check=True, timeout=60
    )
    return {"LD_PRELOAD": str(library)}
