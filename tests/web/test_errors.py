"""What the panel answers when something is wrong: plain words, what to do now, and never a trace or what was sent."""

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

import pytest
import sqlalchemy as sa
from flask import Flask, abort
from sqlalchemy.orm import Session, sessionmaker

from outreach.access.accounts import Role
from outreach.access.sealing import Vault
from outreach.db import make_sessions
from outreach.settings import Settings
from outreach.web import create_app, errors, gate, headers, words
from tests.web.conftest import Fetch, SignIn, form_token

SECRET = "Sample Person, +1 202 555 0142"


def fail_with(app: Flask, failure: Callable[[], str]) -> None:
    """A page that fails."""
    app.view_functions["broken"] = gate.public(failure)
    app.url_map.add(app.url_rule_class("/broken", endpoint="broken"))


def test_a_failure_of_ours_shows_and_logs_nothing_of_what_it_was_about(
    app: Flask, page: Fetch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken() -> str:
        raise LookupError(SECRET)

    fail_with(app, broken)
    answer = page(app.test_client(), "/broken", status=500)
    logged = "".join(capfd.readouterr())
    for told in (answer.html, logged):
        assert "555" not in told
        assert "Traceback" not in told
    assert "Something went wrong on our side" in answer.text
    assert "LookupError" in logged


@pytest.mark.parametrize("status", sorted(errors.SENTENCES))
def test_each_error_has_a_page_that_says_what_to_do(app: Flask, page: Fetch, status: int) -> None:
    fail_with(app, lambda: abort(status))
    answer = page(app.test_client(), "/broken", status=status)
    assert str(errors.SENTENCES[status][0]) in answer.text
    assert answer.text.count(".") >= 1


def test_a_view_can_say_more(app: Flask, page: Fetch) -> None:
    fail_with(app, lambda: abort(409, "Somebody else approved it a minute ago."))
    assert "Somebody else approved it a minute ago." in page(app.test_client(), "/broken", status=409).text


def test_a_lost_database_is_said_to_be_lost(web_settings: Settings, vault: Vault, page: Fetch) -> None:
    nowhere = make_sessions(sa.create_engine("postgresql+psycopg://nobody:hidden@127.0.0.1:1/none"), vault)
    client = create_app(web_settings, nowhere).test_client()
    client.set_cookie("outreach", "anything")
    answer = page(client, "/", status=503)
    assert "The database cannot be reached" in answer.text
    assert "hidden" not in answer.html


def test_nothing_is_connected_before_the_first_request(web_settings: Settings, vault: Vault) -> None:
    class Untouched(sessionmaker[Session]):
        def __call__(self, **_: object) -> Session:
            raise AssertionError("a session was made")

    create_app(web_settings, Untouched())


@pytest.mark.parametrize(("path", "status"), [("/sign-in", 413), ("/", 413)])
def test_a_body_larger_than_any_form_is_refused(app: Flask, page: Fetch, path: str, status: int) -> None:
    client = app.test_client()
    if path == "/":
        fail_with(app, lambda: "")
        path = "/broken"
        app.url_map.add(app.url_rule_class(path, endpoint="broken", methods=["POST"]))
    answer = client.post(path, data={"csrf_token": form_token(client), "login": "x" * (gate.FORM_BYTES + 1)})
    assert answer.status_code == status
    assert "too large" in answer.text


def test_an_old_form_says_how_to_go_on(app: Flask) -> None:
    answer = app.test_client().post("/sign-in", data={"csrf_token": "old"})
    assert answer.status_code == 400
    assert "This form is too old" in answer.text


@pytest.mark.parametrize("host", ["evil.example.org", "localhost.evil.example.org", ""])
def test_another_host_name_is_refused(app: Flask, host: str) -> None:
    answer = app.test_client().get("/sign-in", headers={"Host": host})
    assert answer.status_code == 400
    assert "<" not in answer.text


def test_every_answer_has_the_headers(app: Flask, sign_in: SignIn) -> None:
    client = sign_in(Role.OFFICER)
    for path in ("/", "/sign-in", "/nowhere", "/static/outreach.css", "/accounts"):
        with client.get(path) as answer:  # A file's answer holds the file open until it is closed.
            answer.get_data()
        for name, value in headers.HEADERS.items():
            assert answer.headers[name] == value, path
        assert ("no-store" in answer.headers["Cache-Control"]) is not path.startswith("/static")


def test_the_request_log_has_the_route_and_never_the_address(
    app: Flask, sign_in: SignIn, capfd: pytest.CaptureFixture[str]
) -> None:
    client = sign_in(Role.OFFICER)
    client.get("/people/01890000-0000-7000-8000-00000000abcd?seen=by-nobody")
    logged = "".join(capfd.readouterr())
    assert "/people/<uuid:person_id>" in logged
    assert "abcd" not in logged
    assert "by-nobody" not in logged


def test_htmx_gets_the_error_page_in_full(app: Flask) -> None:
    answer = app.test_client().get("/nowhere", headers={"HX-Request": "true"})
    assert answer.headers["HX-Retarget"] == "body"


def test_a_panel_with_a_language_that_is_not_compiled_does_not_start(
    web_settings: Settings, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    from outreach.web import languages

    monkeypatch.setattr(languages, "TRANSLATIONS", tmp_path)
    with pytest.raises(languages.CatalogueMissing, match="make setup"):
        create_app(replace(web_settings), sessions)


def test_every_code_has_a_word() -> None:
    tables = {name: table for name, table in vars(words).items() if name.isupper() and isinstance(table, dict)}
    checked = 0
    for name, table in tables.items():
        kinds = {type(code) for code in table if isinstance(code, StrEnum)}
        for kind in kinds:
            missing = [code for code in kind if code not in table]
            assert missing == [], f"{name} has no words for these"
            checked += 1
    assert checked > 10
