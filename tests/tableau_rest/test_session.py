"""One session per credential, over real HTTP: shared, renewed once, never ended by the client itself."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest

from tableau_rest import (
    ConnectedApp,
    ConnectionFailed,
    FileSessions,
    InvalidResponse,
    MemorySessions,
    NotPermitted,
    PersonalAccessToken,
    SessionStore,
    SignInBusy,
    SignInFailed,
    Tableau,
    TableauError,
    Unauthorized,
)
from tests.tableau_rest.tiny import EXPIRED, LUID, SITE, USER, Asked, Reply, TinyTableau, refused

PAT = PersonalAccessToken("bot", "s3cr3t-value")
BOOK = Reply({"workbook": {"id": LUID, "name": "Sales"}})
REFUSED = Reply({"error": {"code": "401001", "summary": "Signin Error", "detail": "PAT s3cr3t-value is invalid"}}, 401)


def tableau(tiny: TinyTableau, store: SessionStore, **more: object) -> Tableau:
    return Tableau(tiny.url, "mk", PAT, sessions=store, sleep=lambda _: None, **more)  # type: ignore[arg-type]


def test_the_first_call_signs_in_and_the_next_does_not(tiny: TinyTableau, client: Tableau) -> None:
    """Version, sign-in and call; afterwards only calls."""
    tiny.replies[f"GET workbooks/{LUID}"] = BOOK
    assert client.workbook(LUID).name == "Sales"
    client.workbook(LUID)
    assert [asked.path for asked in tiny.asked] == [
        "/api/2.4/serverinfo",
        "/api/3.27/auth/signin",
        f"workbooks/{LUID}",
        f"workbooks/{LUID}",
    ]
    proof = tiny.asked[1].json["credentials"]
    assert proof == {
        "personalAccessTokenName": "bot",
        "personalAccessTokenSecret": "s3cr3t-value",
        "site": {"contentUrl": "mk"},
    }


@pytest.mark.parametrize(
    "dead",
    [
        Reply(EXPIRED, 401),
        Reply({"error": {"code": "401000", "summary": "Unauthorized"}}, 401),
        Reply(b"<html>401</html>", 401, {"Content-Type": "text/html"}),
        Reply(b"", 401),
        Reply({"error": {"code": "403004", "summary": "Forbidden"}}, 403),
    ],
)
def test_an_ended_session_in_any_form_is_renewed_once(tiny: TinyTableau, client: Tableau, dead: Reply) -> None:
    """Ended sessions show as several kinds of 401, and sometimes as 403."""
    tiny.replies[f"GET workbooks/{LUID}"] = BOOK
    client.workbook(LUID)
    tiny.expire()
    tiny.expired = dead
    assert client.workbook(LUID).name == "Sales"
    assert tiny.sign_ins == 2


def test_a_forbidden_call_does_not_sign_in_again(tiny: TinyTableau, client: Tableau) -> None:
    """403 with a valid session is a refusal of the call, not a reason to replace the session."""
    tiny.replies["GET jobs"] = Reply({"error": {"code": "403004", "summary": "Forbidden"}}, 403)
    tiny.replies["GET /api/3.27/sessions/current"] = Reply({"session": {}})
    with pytest.raises(TableauError, match="lacks the right"):
        list(client.jobs())
    assert tiny.sign_ins == 1


CURRENT = "GET /api/3.27/sessions/current"


def test_a_call_that_is_refused_with_a_new_session_is_not_permitted(
    tiny: TinyTableau, client: Tableau, caplog: pytest.LogCaptureFixture
) -> None:
    """After one sign-in the refusal belongs to the call: a permanent error, without further sign-ins, logged once."""
    tiny.replies |= {f"GET workbooks/{LUID}": BOOK, "GET jobs": Reply(EXPIRED, 401), CURRENT: Reply({"session": {}})}
    for _ in range(5):
        with pytest.raises(NotPermitted, match="lacks the right") as raised:
            list(client.jobs())
        assert raised.value.permanent
        assert client.workbook(LUID).name == "Sales"
    assert tiny.sign_ins == 2
    warnings = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings == ["Tableau refuses GET jobs with a valid session"]


def test_the_refusal_of_a_call_is_one_for_all_content(tiny: TinyTableau, client: Tableau) -> None:
    """A call is refused whatever LUID is in it, but content for which it works is not affected."""
    tiny.replies[CURRENT] = Reply({"session": {}})
    for number in range(5):
        luid = f"{number:08d}-2222-4333-8444-555566667777"
        tiny.replies[f"GET workbooks/{luid}/previewImage"] = Reply(EXPIRED, 401)
        with pytest.raises(NotPermitted):
            client.workbook_preview_image(luid)
    assert tiny.sign_ins == 2
    tiny.replies[f"GET workbooks/{LUID}/previewImage"] = Reply(b"\x89PNG")
    assert client.workbook_preview_image(LUID) == b"\x89PNG"


def test_a_refused_call_still_renews_a_session_that_has_ended(tiny: TinyTableau, client: Tableau) -> None:
    """The session itself is queried, so that a right that was granted meanwhile takes effect."""
    tiny.replies |= {"GET jobs": Reply(EXPIRED, 401), CURRENT: Reply({"session": {}})}
    with pytest.raises(NotPermitted):
        list(client.jobs())
    tiny.expire()
    tiny.replies["GET jobs"] = Reply({"backgroundJobs": {}})
    assert list(client.jobs()) == []
    assert tiny.sign_ins == 3


def test_a_refusal_is_forgotten_after_an_hour(tiny: TinyTableau) -> None:
    """A server that cannot say whether a session is valid is signed in to once an hour for a refused call."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    tiny.replies["GET jobs"] = Reply(EXPIRED, 401)
    with tableau(tiny, MemorySessions(), clock=lambda: now) as client:
        for _ in range(6):
            with pytest.raises(NotPermitted):
                list(client.jobs())
            now += timedelta(minutes=14)
    assert tiny.sign_ins == 3


def test_a_token_that_is_used_elsewhere_is_no_refusal_of_the_call(tiny: TinyTableau, client: Tableau) -> None:
    """If the new session has ended as well, another program uses the token: an error that is not permanent."""
    tiny.replies |= {f"GET workbooks/{LUID}": Reply(EXPIRED, 401), CURRENT: Reply(EXPIRED, 401)}
    with pytest.raises(Unauthorized, match="used somewhere else") as raised:
        client.workbook(LUID)
    assert not isinstance(raised.value, NotPermitted)
    assert not raised.value.permanent
    assert tiny.sign_ins == 2
    assert len(tiny.calls(f"GET workbooks/{LUID}")) == 2


def test_a_connected_app_without_the_scope_signs_in_once_more(tiny: TinyTableau) -> None:
    """The error names the scope, and further calls do not sign in again."""
    app = ConnectedApp("client", "id", "k" * 44, "ann", scopes=("tableau:content:read",))
    tiny.replies["GET jobs"] = Reply(EXPIRED, 401)
    with Tableau(tiny.url, "mk", app, sessions=MemorySessions(), sleep=lambda _: None) as client:
        for _ in range(5):
            with pytest.raises(NotPermitted, match="tableau:jobs:read"):
                list(client.jobs())
    assert tiny.sign_ins == 2


def test_the_official_client_does_not_sign_in_for_a_refused_call(tiny: TinyTableau, client: Tableau) -> None:
    """Its calls follow the same rule."""
    tiny.replies |= {"GET jobs": Reply(EXPIRED, 401), CURRENT: Reply({"session": {}})}
    server = client.as_tsc()
    for _ in range(5):
        with pytest.raises(Exception, match="401002"):
            server.jobs.get()
    assert tiny.sign_ins == 2


def test_a_session_in_the_store_is_used_without_signing_in(tiny: TinyTableau) -> None:
    """The session of another process is used; even the version is not requested again."""
    tiny.replies[f"GET workbooks/{LUID}"] = BOOK
    store = MemorySessions()
    with tableau(tiny, store) as first, tableau(tiny, store) as second:
        first.workbook(LUID)
        before = len(tiny.asked)
        second.workbook(LUID)
    assert [asked.path for asked in tiny.asked[before:]] == [f"workbooks/{LUID}"]


def test_a_newer_session_in_the_store_is_used_after_401(tiny: TinyTableau) -> None:
    """If another client has signed in meanwhile, its session is used, so clients do not end each other's session."""
    tiny.replies[f"GET workbooks/{LUID}"] = BOOK
    store = MemorySessions()
    with tableau(tiny, store) as first, tableau(tiny, store) as second:
        first.workbook(LUID)
        second.workbook(LUID)
        tiny.expire()
        first.workbook(LUID)
        second.workbook(LUID)
    assert tiny.sign_ins == 2


def test_an_ended_session_in_the_store_costs_one_more_request(tiny: TinyTableau) -> None:
    """If the own and the stored session have ended, the call succeeds with one sign-in."""
    tiny.replies[f"GET workbooks/{LUID}"] = BOOK
    store = MemorySessions()
    with tableau(tiny, store) as first, tableau(tiny, store) as second:
        first.workbook(LUID)
        second.workbook(LUID)
        tiny.expire()
        first.workbook(LUID)
        tiny.expire()
        assert second.workbook(LUID).name == "Sales"
    assert tiny.sign_ins == 3


def test_two_hundred_calls_on_an_expired_session_sign_in_once(tiny: TinyTableau, client: Tableau) -> None:
    """Any number of threads may find the session expired at the same moment."""
    tiny.replies[f"GET workbooks/{LUID}"] = BOOK
    client.workbook(LUID)
    tiny.expire()
    together = threading.Barrier(200)

    def call(_: int) -> str:
        together.wait(30)
        return client.workbook(LUID).name

    with ThreadPoolExecutor(200) as pool:
        assert set(pool.map(call, range(200))) == {"Sales"}
    assert tiny.sign_ins == 2


def test_a_failed_sign_in_is_not_repeated_by_every_waiting_thread(tiny: TinyTableau, client: Tableau) -> None:
    """Threads that waited for a failed sign-in fail with it, so that the account is not locked."""
    started, go_on = threading.Event(), threading.Event()

    def slowly(_: Asked) -> Reply:
        started.set()
        go_on.wait(10)
        return REFUSED

    tiny.replies["POST /api/3.27/auth/signin"] = slowly
    errors: list[TableauError] = []

    def call() -> None:
        try:
            client.workbook(LUID)
        except TableauError as error:
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(20)]
    threads[0].start()
    started.wait(10)
    for thread in threads[1:]:
        thread.start()
    while threading.active_count() < 20:
        pass
    threading.Timer(0.1, go_on.set).start()
    for thread in threads:
        thread.join()
    assert {type(error) for error in errors} == {SignInFailed}
    assert len(errors) == 20
    assert len(tiny.calls("POST /api/3.27/auth/signin")) <= 2


def test_a_session_is_replaced_before_tableau_ends_it(tiny: TinyTableau) -> None:
    """After session_minutes, and after 110 minutes at most, a new one is made without a 401."""
    now = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    tiny.replies[f"GET workbooks/{LUID}"] = BOOK
    with tableau(tiny, MemorySessions(), clock=lambda: now, session_minutes=500) as client:
        client.workbook(LUID)
        now += timedelta(minutes=109)
        client.workbook(LUID)
        assert tiny.sign_ins == 1
        now += timedelta(minutes=2)
        client.workbook(LUID)
    assert tiny.sign_ins == 2


def test_a_stored_session_cannot_be_read_without_the_credential(tiny: TinyTableau) -> None:
    """The store contains neither token nor secret, and another secret does not decrypt it."""
    tiny.replies[f"GET workbooks/{LUID}"] = BOOK
    kept: dict[str, bytes] = {}

    class Glass(MemorySessions):
        def save(self, key: str, value: bytes) -> None:
            kept[key] = value
            super().save(key, value)

    store = Glass()
    with tableau(tiny, store) as client:
        client.workbook(LUID)
    ((key, value),) = kept.items()
    assert b"session|1" not in value
    assert "s3cr3t" not in key
    assert "bot" not in key
    with Tableau(tiny.url, "mk", PersonalAccessToken("bot", "rotated"), sessions=store) as rotated:
        rotated.workbook(LUID)
    assert tiny.sign_ins == 2


@pytest.mark.parametrize("rubbish", [b"", b"rubbish", b"\xff" * 100])
def test_damaged_bytes_in_the_store_are_no_session(tiny: TinyTableau, rubbish: bytes) -> None:
    """Damaged or foreign bytes lead to a sign-in, not to an error."""
    tiny.replies[f"GET workbooks/{LUID}"] = BOOK

    class Broken(MemorySessions):
        def load(self, key: str) -> bytes | None:
            return rubbish

    with tableau(tiny, Broken()) as client:
        assert client.workbook(LUID).name == "Sales"


def test_waiting_for_the_sign_in_lock_ends(tiny: TinyTableau) -> None:
    """A lock that is never released becomes an error that is not permanent."""
    store = MemorySessions(lock_seconds=0.05)
    with tableau(tiny, store) as client, store.lock(client._sessions._key), pytest.raises(SignInBusy) as raised:
        client.workbook(LUID)
    assert not raised.value.permanent


def test_a_refused_token_comes_with_advice_and_without_the_secret(tiny: TinyTableau, client: Tableau) -> None:
    """The error is permanent and masks the secret that the server repeated."""
    tiny.replies["POST /api/3.27/auth/signin"] = REFUSED
    with pytest.raises(SignInFailed) as raised:
        client.workbook(LUID)
    assert raised.value.permanent
    assert "15 days" in str(raised.value)
    assert "'mk'" in str(raised.value)
    assert "s3cr3t-value" not in str(raised.value)
    assert "s3cr3t-value" not in repr(client.credential)


def test_a_refused_connection_is_not_permanent() -> None:
    """The server may be up again later."""
    client = Tableau("http://127.0.0.1:9", "mk", PAT, sessions=MemorySessions(), sleep=lambda _: None)
    with client, pytest.raises(ConnectionFailed, match="cannot be reached") as raised:
        client.workbook(LUID)
    assert not raised.value.permanent


def test_a_server_without_tls_must_be_named_with_http(tiny: TinyTableau) -> None:
    """Without a scheme it is https; the error says what to write, and nothing was sent unencrypted."""
    host = tiny.url.removeprefix("http://")
    with (
        Tableau(host, "mk", PAT, sessions=MemorySessions()) as client,
        pytest.raises(ConnectionFailed, match="http://"),
    ):
        client.session()
    assert tiny.asked == []


def test_the_sign_in_follows_the_redirect_to_the_pod(tiny: TinyTableau, another: TinyTableau) -> None:
    """A 301 leads to a POST at the new host, and all further calls go there."""
    pod = another.url.replace("127.0.0.1", "localhost")
    tiny.replies["POST /api/3.27/auth/signin"] = Reply(b"", 301, {"Location": f"{pod}/api/3.27/auth/signin"})
    another.replies[f"GET workbooks/{LUID}"] = BOOK
    with tableau(tiny, MemorySessions()) as client:
        assert client.workbook(LUID).name == "Sales"
        assert client.session().server == pod
    assert [asked.method for asked in another.asked] == ["POST", "GET", "GET"]
    assert not tiny.calls(f"GET workbooks/{LUID}")


def test_each_server_is_sent_another_jwt(tiny: TinyTableau, another: TinyTableau) -> None:
    """Tableau accepts a JWT once, and the generic host may have used it."""
    pod = another.url.replace("127.0.0.1", "localhost")
    tiny.replies["POST /api/3.27/auth/signin"] = Reply(b"", 301, {"Location": f"{pod}/api/3.27/auth/signin"})
    app = ConnectedApp("client", "id", "k" * 44, "ann")
    with Tableau(tiny.url, "mk", app, sessions=MemorySessions()) as client:
        assert client.session().server == pod
    first, second = (one.calls("POST /api/3.27/auth/signin")[0].json["credentials"]["jwt"] for one in (tiny, another))
    assert first != second


def test_redirects_in_a_circle_end(tiny: TinyTableau, client: Tableau) -> None:
    """Three redirects are the limit."""
    tiny.replies["GET /api/2.4/serverinfo"] = Reply(b"", 302, {"Location": f"{tiny.url}/api/2.4/serverinfo"})
    with pytest.raises(InvalidResponse, match="circle"):
        client.session()
    assert len(tiny.asked) == 3


def test_the_servers_version_needs_no_session(tiny: TinyTableau, client: Tableau) -> None:
    """It is read before a sign-in and after it."""
    assert client.server_info().rest_api_version == "3.27"
    assert tiny.sign_ins == 0
    client.session()
    assert client.server_info().product_version == "2025.3.1"


def test_a_redirect_to_a_foreign_host_is_not_followed(tiny: TinyTableau, client: Tableau) -> None:
    """The credential is never sent there."""
    tiny.replies["POST /api/3.27/auth/signin"] = Reply(
        b"", 301, {"Location": "https://evil.example.org/api/3.27/auth/signin"}
    )
    with pytest.raises(InvalidResponse, match=r"evil\.example\.org") as raised:
        client.workbook(LUID)
    assert raised.value.permanent


def test_a_site_that_moved_is_signed_in_to_at_its_new_server(tiny: TinyTableau, another: TinyTableau) -> None:
    """A redirect of an ordinary call causes a sign-in there; the old token is not sent to it."""
    pod = another.url.replace("127.0.0.1", "localhost")
    path = f"/api/3.27/sites/{SITE}/workbooks/{LUID}"
    tiny.replies[f"GET workbooks/{LUID}"] = Reply(b"", 301, {"Location": pod + path})
    another.replies[f"GET workbooks/{LUID}"] = BOOK
    with tableau(tiny, MemorySessions()) as client:
        assert client.workbook(LUID).name == "Sales"
    assert another.sign_ins == 1


@pytest.mark.parametrize(
    "make", [lambda path: MemorySessions(lock_seconds=0.05), lambda path: FileSessions(path, lock_seconds=0.05)]
)
def test_stores_save_and_lock(make: object, tmp_path: object) -> None:
    """A saved value is loaded; a second user of the lock gets an error in time; the lock is released."""
    store: SessionStore = make(tmp_path)  # type: ignore[operator]
    assert store.load("k") is None
    store.save("k", b"1")
    store.save("k", b"2")
    assert store.load("k") == b"2"

    def taken(lock: AbstractContextManager[None]) -> None:
        with lock:
            pass

    with store.lock("k"), pytest.raises(TimeoutError):
        taken(store.lock("k"))
    taken(store.lock("k"))


def test_the_official_client_sends_no_token_to_another_host(
    tiny: TinyTableau, another: TinyTableau, client: Tableau
) -> None:
    """It follows redirects, but the token stays with the server it belongs to."""
    foreign = another.url.replace("127.0.0.1", "localhost")
    tiny.replies["GET jobs"] = Reply(b"", 302, {"Location": f"{foreign}/api/3.27/sites/{SITE}/jobs"})
    with pytest.raises(Exception, match="401002"):
        client.as_tsc().jobs.get()
    assert tiny.calls("GET jobs")[0].headers["x-tableau-auth"]
    assert another.calls("GET jobs")
    assert not any("x-tableau-auth" in asked.headers for asked in another.asked)


# --- responses of something else than Tableau -------------------------------------------------------------------------

HTML = {"Content-Type": "text/html"}
LOGIN = b"<!doctype html><html><head><title>Corporate sign-in</title></head></html>"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(LOGIN, 200, HTML),
        Reply(LOGIN, 401, HTML),
        Reply(LOGIN, 403, HTML),
        Reply(LOGIN, 404, HTML),
        Reply(b"", 200),
        Reply(b"", 401),
        Reply(b"", 404),
        Reply({"version": "1.0", "product": "Another product"}),
        Reply({"message": "Unauthorized"}, 401),
        Reply(["serverInfo"]),
        Reply("serverInfo"),
        Reply({"serverInfo": {"restApiVersion": "latest"}}),
        Reply({"serverInfo": "3.27"}),
    ],
)
@pytest.mark.parametrize("step", ["GET /api/2.4/serverinfo", "POST /api/3.27/auth/signin"])
def test_something_that_is_not_tableau_is_called_so(
    tiny: TinyTableau, client: Tableau, reply: Reply, step: str
) -> None:
    """It never blames the credential, and it may pass, because a proxy may have responded."""
    tiny.replies[step] = reply
    with pytest.raises(InvalidResponse) as raised:
        client.session()
    assert not isinstance(raised.value, SignInFailed)
    assert "expired" not in str(raised.value)
    assert not raised.value.permanent
    assert reply.body != LOGIN or "Corporate sign-in" in str(raised.value)


@pytest.mark.parametrize(
    "credentials",
    [
        {"site": {"id": SITE}, "user": {"id": USER}},
        {"token": "a b", "site": {"id": SITE}},
        {"token": "a\r\nX-Header: x", "site": {"id": SITE}},
        {"token": "\u00e9", "site": {"id": SITE}},
        {"token": "t" * 100_000, "site": {"id": SITE}},
        {"token": "t|t", "site": {"id": "../../other"}},
        {"token": "t|t", "site": {}},
    ],
)
def test_a_token_or_site_that_cannot_be_used_is_an_invalid_response(
    tiny: TinyTableau, client: Tableau, credentials: object
) -> None:
    """Both become part of every later request, so they are checked first."""
    tiny.replies["POST /api/3.27/auth/signin"] = Reply({"credentials": credentials})
    with pytest.raises(InvalidResponse, match="without"):
        client.workbook(LUID)


def test_a_proxys_404_is_not_deleted_content(tiny: TinyTableau, client: Tableau) -> None:
    """NotFound means that Tableau itself says so."""
    tiny.replies[f"GET workbooks/{LUID}"] = Reply(b"<title>404 Not Found</title>", 404, HTML)
    with pytest.raises(InvalidResponse, match="404 Not Found") as raised:
        client.workbook(LUID)
    assert not raised.value.permanent
    assert raised.value.status == 404


def test_a_proxys_401_is_named_after_one_sign_in(tiny: TinyTableau, client: Tableau) -> None:
    """A login page in front of the calls is not a missing right, and further calls do not sign in again."""
    tiny.replies |= {f"GET workbooks/{LUID}": Reply(LOGIN, 401, HTML), CURRENT: Reply(LOGIN, 401, HTML)}
    for _ in range(5):
        with pytest.raises(InvalidResponse, match="Corporate sign-in") as raised:
            client.workbook(LUID)
        assert not raised.value.permanent
    assert tiny.sign_ins == 2


@pytest.mark.parametrize("reply", [Reply(b"", 503), refused("429000")])
def test_a_server_in_trouble_does_not_make_a_refusal_permanent(
    tiny: TinyTableau, client: Tableau, reply: Reply
) -> None:
    """While the session cannot be verified, a 401 may pass."""
    tiny.replies |= {"GET jobs": Reply(EXPIRED, 401), CURRENT: reply}
    with pytest.raises(Unauthorized) as raised:
        list(client.jobs())
    assert not raised.value.permanent
