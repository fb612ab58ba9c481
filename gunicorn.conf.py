"""Settings of gunicorn: address, threads, limits, logging, and when the embedded worker starts and stops."""

import gc
import logging
import multiprocessing
import os
import resource
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path

import gunicorn
from gunicorn.config import ForwardedAllowIPS
from gunicorn.errors import HaltServer

# gunicorn may be started in another folder, with --config; everything relative is below the project's root.
chdir = str(Path(__file__).resolve().parent)
sys.path.insert(0, chdir)
# `python -m gunicorn` is replaced by the file that it runs (SIGUSR2), whose folder has modules named like Python's own.
sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != Path(gunicorn.__file__).resolve().parent]

if "webhooks" not in sys.modules:
    # At the start, not at a reload. Modules create many objects and no garbage: collections before the first fork would
    # take a fifth of the time until then.
    gc.disable()

from webhooks.app import check_handlers  # noqa: E402 - needs the path above
from webhooks.arenas import limit_arenas  # noqa: E402 - as above
from webhooks.config import environment  # noqa: E402 - as above
from webhooks.config.settings import Settings, load_environment, web_concurrency  # noqa: E402 - as above
from webhooks.dashboard.warm_up import warm_up_soon  # noqa: E402 - as above
from webhooks.gunicorn.job_process import JobProcess  # noqa: E402 - as above
from webhooks.gunicorn.migration import migrate  # noqa: E402 - as above
from webhooks.gunicorn.processes import (  # noqa: E402 - as above
    BootCode,
    child_processes,
    end_process,
    end_when_quiet,
    job_role,
    known_database,
    serving_flags,
    start_in_background,
)
from webhooks.gunicorn.reception import REQUEST_SECONDS  # noqa: E402 - as above
from webhooks.gunicorn.sharing_worker import ABSENT, SUPPORTED, SharingWorker, choose_worker_class  # noqa: E402 - as above
from webhooks.gunicorn.signals import repeat_early_signals, stop_claiming_at_sigterm  # noqa: E402 - as above
from webhooks.observability import logs  # noqa: E402 - as above
from webhooks.observability.tracing import TRACING  # noqa: E402 - as above
from webhooks.receiver import REQUEST_LINES, RETRY_AFTER_SECONDS  # noqa: E402 - as above

# Seconds in which a client must send its whole request; gunicorn's own worker waits so long for each part of it.
CLIENT_SECONDS = int(REQUEST_SECONDS)
# Connections of each process, at most half of its file descriptors; with more, the oldest that need none are closed.
MAX_CONNECTIONS = 1000
# Seconds before a process is started in place of one that could not use the inbox.
RESTART_SECONDS = 1
# Seconds that running jobs get after the signal to stop; those that still run then are released for another worker.
JOB_GRACE_SECONDS = 20
# Seconds for the start of a process that is stopped meanwhile.
START_SECONDS = 5
# Seconds for the pages that are being prepared when the process ends.
WARM_UP_SECONDS = 2

environment.gunicorn_is_configured = True
limit_arenas()


def read_settings():
    """Return the settings, the number of processes, and the trusted proxies.

    gunicorn reads this file again at a reload (SIGHUP), and an error would end the server: it keeps the previous ones.
    """
    previous = environment.served_settings
    try:
        with environment.unchanged_on_error():
            load_environment()
            # gunicorn reads this variable before it reads this file, and so before the env file.
            trusted = os.environ.get("FORWARDED_ALLOW_IPS") or "127.0.0.1,::1"
            require_proxy_addresses(trusted)
            found = Settings.read(), web_concurrency(), trusted
            if previous is not None:
                require_new_address(previous[0], found[0])
    except RuntimeError as error:
        if previous is None:
            sys.exit(f"Error: {error}")
        reason = " ".join(str(error).split())
        log = logging.getLogger("webhooks")
        log.error("Settings invalid, the server keeps the previous ones: %s", reason)  # noqa: TRY400 - the message lists the errors
        return previous
    environment.served_settings = found
    return found


def require_proxy_addresses(text):
    """Raise RuntimeError for addresses that gunicorn refuses."""
    try:
        ForwardedAllowIPS().set(text)
    except (ValueError, TypeError) as error:
        raise RuntimeError(f"FORWARDED_ALLOW_IPS: {text!r} is not a list of addresses: {error}") from None


def require_new_address(old, new):
    """Raise RuntimeError if the server cannot listen on the new address; it closes the old one before it tries."""
    if new.port != old.port:
        environment.require_free_address(new.host, new.port)
    elif new.host != old.host:
        # The port is in use, by this server.
        environment.require_free_address(new.host, 0)


settings, workers, forwarded_allow_ips = read_settings()

bind = f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"
# The application needs neither the scheme nor a path prefix from a proxy. gunicorn's defaults would refuse requests
# whose proxies disagree about the scheme, and let SCRIPT_NAME, which a client may send as well, replace the path.
secure_scheme_headers = {}
forwarder_headers = ""
worker_class = choose_worker_class(gunicorn.__version__)
# The application is built once, before the fork, so that the processes share the memory. It opens no connection and
# starts no thread before it is used. See docs/decisions/035-first-process.md.
preload_app = True
threads = 8
worker_connections = max(2 * threads, min(MAX_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2))
timeout = 60
# Heroku and most other platforms kill after 30 s. After the signal no job is claimed; requests and jobs finish in
# parallel.
graceful_timeout = 28
# Longer than a 503 lets senders wait (Retry-After): they would send on connections that are being closed.
keepalive = 2 * RETRY_AFTER_SECONDS
# gunicorn's default of 0 would make whatever the server creates writable for every user of the machine.
umask = 0o077
control_socket_disable = True
limit_request_line = 4094
limit_request_fields = 50
# The path of a request contains the token, so there is no access log. The receiver logs what it refuses, and the worker
# logs the outcome of each event.
accesslog = None
logconfig_dict = logs.configuration(**settings.logging())

# Twice as many as there are processes, because there are more while they are replaced, and some for SIGTTIN.
places = set(range(2 * workers + 8))
SharingWorker.connections = multiprocessing.RawArray("i", [ABSENT] * len(places))
# Which processes serve and share all imports, by their places.
complete = multiprocessing.RawArray("b", len(places))


def nworkers_changed(server, new, old):  # noqa: ARG001 - gunicorn counts the arguments
    """Let the application be built without what the first process does not wait for; not with --check-config.

    gunicorn calls this before it loads the application to serve it.
    """
    environment.gunicorn_serves = True


def on_starting(server):
    """Say in one sentence why the server cannot listen; not when it inherits its socket, as at an upgrade."""
    if "GUNICORN_FD" in os.environ or "LISTEN_FDS" in os.environ:
        return
    try:
        for address in server.cfg.address:
            if isinstance(address, tuple):
                environment.require_free_address(address[0], address[1])
    except RuntimeError as error:
        sys.exit(f"Error: {error}")


def when_ready(server):
    """Prepare the listening sockets and the inbox, before the first fork."""
    if worker_class is not SharingWorker:
        server.log.warning(
            "gunicorn %s is not supported by the worker that shares connections (%sx is), using gthread",
            gunicorn.__version__,
            SUPPORTED,
        )
    for listener in server.LISTENERS:
        # Accepted connections inherit it, https://man7.org/linux/man-pages/man7/socket.7.html
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", CLIENT_SECONDS, 0))
    distinguish_boot_errors(server)
    migrate(server, settings.database_url.get_secret_value())
    # The garbage collector would write into the pages of all objects that are loaded by now, and so copy them in every
    # process, https://docs.python.org/3/library/gc.html#gc.freeze
    gc.freeze()


def distinguish_boot_errors(server):
    """Let the exit codes by which gunicorn stops the whole server do so only for workers that could not start."""

    def has_served():
        return serving_flags.ended_after_serving(server.WORKERS.values())

    server.WORKER_BOOT_ERROR = BootCode(server.WORKER_BOOT_ERROR, has_served)
    server.APP_LOAD_ERROR = BootCode(server.APP_LOAD_ERROR, has_served)


def pre_fork(server, worker):
    """Give the new process a free place among the connection counts, and all imports unless it is the first."""
    if not starts_alone(worker):
        complete_start(server)
    serving_flags.add(worker)
    # A reload replaces them, perhaps by fewer, while this process may still run.
    worker.places, worker.connections, worker.complete = places, SharingWorker.connections, complete
    if not places:
        server.log.warning(
            "More than %d processes: another one accepts connections without regard to the others", len(complete)
        )
        worker.places, worker.connections, worker.complete = {0}, [ABSENT], [False]
    worker.place = worker.places.pop()
    worker.connections[worker.place] = 0
    worker.known_database = known_database(settings.database_url.get_secret_value())
    worker.job_role = job_role()
    worker.master_signals = getattr(server, "SIG_QUEUE", None)


def starts_alone(worker):
    """Return whether the process serves before rules and handlers are imported, which it does itself meanwhile.

    A server with one process imports all before: else the master would do so when it replaces the process, perhaps with
    handlers that were changed meanwhile, and an error in them would end a server that serves.
    """
    return isinstance(worker, SharingWorker) and worker.age == 1 and worker.cfg.workers > 1


def complete_start(server):
    """Import and check in the master process, which the first process did not wait for; an error ends the server."""
    services = server.app.wsgi().extensions["webhooks"]
    if services.checked:
        return
    try:
        check_handlers(services)
    except RuntimeError as error:
        print(f"\nError: {error}\n", file=sys.stderr, flush=True)
        raise HaltServer("Rules or handlers are invalid.", 1) from None
    if server.cfg.workers > 1:
        services.import_clients()
    # As above.
    gc.freeze()
    gc.enable()


def child_exit(server, worker):  # noqa: ARG001 - gunicorn counts the arguments
    """Free the place of the ended process."""
    serving_flags.remove(worker)
    worker.connections[worker.place] = ABSENT
    worker.complete[worker.place] = False
    worker.places.add(worker.place)


def post_worker_init(worker):
    """Start the embedded worker, or stand by: threads and connections do not survive a fork."""
    services = worker.wsgi.extensions["webhooks"]
    services.known_database = worker.known_database
    # A process that replaces a dead one must not create an inbox in place of one that was removed.
    existed = services.known_database.exists
    if existed:
        services.require_existing_inbox()
    # A process that a handler forks would keep the address in use, and accept connections that it never serves.
    os.register_at_fork(after_in_child=lambda: [listener.sock.close() for listener in worker.sockets])
    worker.jobs = JobProcess(worker.job_role, services, worker.cfg.workers, lambda error: end_process(worker, error))
    # Before the first job runs, which may end this process.
    serving_flags.set(worker, True)
    try:
        if starts_alone(worker):
            # An inbox that cannot be used ends the process before it serves.
            services.inbox.events  # noqa: B018 - opened
            worker.starting = start_in_background(worker, lambda: start_alone(worker.jobs, services))
            end_when_quiet(worker, lambda: sum(complete) >= worker.cfg.workers - 1 and services.idle())
        else:
            worker.jobs.start()
            worker.complete[worker.place] = True
    except RuntimeError:
        # A setting is wrong, or the inbox was made by a newer version: no process can start.
        serving_flags.set(worker, existed)
        time.sleep(RESTART_SECONDS if existed else 0)
        raise
    except Exception:
        # The inbox is damaged: the server must stay, to refuse events.
        time.sleep(RESTART_SECONDS)
        raise
    defer_responses(worker, services)
    # A client that sends a byte now and then must not use up the time of the jobs.
    worker.cfg.set("graceful_timeout", CLIENT_SECONDS + 2)
    stop_claiming_at_sigterm(worker, services)
    repeat_early_signals(worker)
    worker.warming_up = warm_up_soon(worker.wsgi)


def defer_responses(worker, services):
    """Let events wait for their commit without a thread, unless traced: a span cannot be left and entered again."""
    services.inbox.events  # noqa: B018 - opened
    worker.defers = lambda request: request.startswith(REQUEST_LINES) and TRACING.tracer is None


def start_alone(jobs, services):
    """Start the embedded worker while the process serves; what it imports is shared by all processes but this one."""
    jobs.start()
    services.import_parts()
    gc.freeze()
    gc.enable()


def worker_exit(server, worker):  # noqa: ARG001 - gunicorn counts the arguments
    """Stop the embedded worker within the rest of its time, and then what its handlers have started."""
    if getattr(worker, "wsgi", None) is not None:
        if hasattr(worker, "warming_up"):
            worker.warming_up.cancel()
            worker.warming_up.join(WARM_UP_SECONDS)
        if hasattr(worker, "starting"):
            worker.starting.join(START_SECONDS)
        if hasattr(worker, "jobs"):
            worker.jobs.stop()
        since = getattr(worker, "stopped_at", time.monotonic())
        worker.wsgi.extensions["webhooks"].stop(max(0.0, since + JOB_GRACE_SECONDS - time.monotonic()))
        # Not SIGTERM: a process may ignore it, and the time to stop is over.
        for pid in child_processes():
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
