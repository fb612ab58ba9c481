"""How gunicorn serves: threads, limits, log format; the embedded worker starts after the fork and stops with it."""

import gc
import multiprocessing
import os
import signal
import socket
import struct
import sys
import time
from contextlib import suppress

from gunicorn import util
from gunicorn.workers.gthread import ThreadWorker

from webhooks import logs
from webhooks.config.settings import Settings, web_concurrency

LEAVE_SECONDS = 0.005
NOBODY = 1_000_000


class Fair(ThreadWorker):
    """Leaves a connection to a process that has fewer of them, when its own threads have enough to do.

    Else the process that is awake takes them all, and the other processor rests while sixteen clients wait for one.
    """

    place = 0

    def accept(self, listener):
        # Those that are only kept alive give the threads nothing to do.
        busy = self.nr_conns - len(self.keepalived_conns) - len(self.pending_conns)
        if busy >= self.cfg.threads and self.nr_conns > min(CONNECTIONS) + 1:
            time.sleep(LEAVE_SECONDS)
        super().accept(listener)
        CONNECTIONS[self.place] = self.nr_conns


try:
    settings = Settings.read()
    workers = web_concurrency()
except RuntimeError as error:
    sys.exit(f"Error: {error}")

bind = f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"
worker_class = Fair
# The application is built once, before the fork: half the start-up, and memory that the processes share. Nothing in it
# opens a connection or starts a thread until it is used.
preload_app = True
threads = 8
# Shared by all processes, twice as many places as processes: while they are exchanged there are more.
CONNECTIONS = multiprocessing.RawArray("i", [NOBODY] * 2 * workers)
timeout = 60
# Heroku and most others kill after 30 s. From the signal on no job is taken; requests and jobs end side by side, and
# jobs that still run after 20 s are given back.
graceful_timeout = 28
JOB_GRACE_SECONDS = 20
keepalive = 5
control_socket_disable = True
limit_request_line = 4094
limit_request_fields = 50
# A token in the address must not reach a log, so there is no access log; the receiver logs what it
# refuses, the worker what becomes of each event.
accesslog = None
logconfig_dict = logs.dictionary(debug=settings.flask_env == "development", secrets=settings.secrets())

CLIENT_SECONDS = 10
MIGRATION_SECONDS = 900


def when_ready(server):
    """It listens, and nothing is forked yet."""
    # A client that stops in the middle of its request holds a thread for ten seconds, not for ever.
    for listener in server.LISTENERS:
        # Accepted connections inherit it, https://man7.org/linux/man-pages/man7/socket.7.html
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", CLIENT_SECONDS, 0))
    _migrate(server)
    # What is loaded by now stays shared while the collector leaves it alone: its marks would copy the pages,
    # https://docs.python.org/3/library/gc.html#gc.freeze
    gc.collect()
    gc.freeze()


def _migrate(server):
    """Brings the inbox up to date in a process that ends: the memory which that takes is given back, and it may take
    longer than a worker may be silent. A signal to the server ends it."""
    services = server.app.wsgi().extensions["webhooks"]
    child = multiprocessing.get_context("fork").Process(target=_open_inbox, args=(server, services))
    child.start()
    deadline = time.monotonic() + MIGRATION_SECONDS
    while child.is_alive() and server.SIG_QUEUE.empty() and time.monotonic() < deadline:
        child.join(0.2)
    child.kill()
    child.join()


def _open_inbox(server, services):
    for listener in server.LISTENERS:
        listener.sock.close()
    # As the processes will run, so that they own the files.
    util.set_owner_process(server.cfg.uid, server.cfg.gid, initgroups=server.cfg.initgroups)
    os.umask(server.cfg.umask)
    # What is wrong is met again, and told, when the processes open the inbox.
    with suppress(Exception):
        services.inbox.close()


def pre_fork(server, worker):
    taken = {other.place for other in server.WORKERS.values()}
    worker.place = next((place for place in range(len(CONNECTIONS)) if place not in taken), 0)
    CONNECTIONS[worker.place] = 0


def child_exit(server, worker):  # noqa: ARG001 — gunicorn counts the arguments
    CONNECTIONS[worker.place] = NOBODY


def post_worker_init(worker):
    """Threads and connections do not survive a fork, so they start here."""
    services = worker.wsgi.extensions["webhooks"]
    services.start_worker()
    # A client that sends a byte now and then must not use up the time of the jobs.
    worker.cfg.set("graceful_timeout", CLIENT_SECONDS + 2)
    gunicorns = signal.getsignal(signal.SIGTERM)

    def stop(number, frame):
        first = worker.alive
        gunicorns(number, frame)
        if first:
            worker.stopped_at = time.monotonic()
            services.stop_claiming()

    signal.signal(signal.SIGTERM, stop)
    signal.siginterrupt(signal.SIGTERM, False)  # as gunicorn has it: no request is disturbed


def worker_exit(server, worker):  # noqa: ARG001 — gunicorn counts the arguments
    if getattr(worker, "wsgi", None) is not None:
        since = getattr(worker, "stopped_at", time.monotonic())
        worker.wsgi.extensions["webhooks"].stop(max(0.0, since + JOB_GRACE_SECONDS - time.monotonic()))
