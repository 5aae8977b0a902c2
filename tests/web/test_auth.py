"""Signing in, staying in, being put out."""

from datetime import timedelta

import pyotp
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from outreach.access import accounts
from outreach.access.accounts import AuthSession, Role, SignInFailure
from outreach.db import now
from tests.factories import PASSWORD, TOTP_SECRET, make_account
from tests.web.conftest import Fetch, SignIn, form_token, submit

REFUSED = "Login, password and code do not fit together"


def code(seconds: int = 0) -> str:
    """The one-time code of TOTP_SECRET, so many seconds from now."""
    return pyotp.TOTP(TOTP_SECRET).at(now() + timedelta(seconds=seconds))


def enter(client: FlaskClient, **form: str) -> TestResponse:
    return submit(client, "/sign-in", {"login": "officer", "password": PASSWORD, "code": code()} | form)


@pytest.fixture
def officer(session: Session) -> accounts.Account:
    account = make_account(session, Role.OFFICER, login="officer")
    session.commit()
    return account


@pytest.mark.usefixtures("officer")
def test_login_password_and_code_open_the_panel_where_one_wanted_to_go(app: Flask) -> None:
    client = app.test_client()
    answer = enter(client, next="/people?custody=released")
    assert (answer.status_code, answer.location) == (302, "/people?custody=released")
    assert client.get("/").status_code == 200


@pytest.mark.usefixtures("officer")
@pytest.mark.parametrize(
    "wrong",
    [{"login": "nobody"}, {"password": "wrong horse battery"}, {"code": "000000"}, {"code": ""}, {"password": "x" * 100_000}],
    ids=["login", "password", "code", "no code", "a very long password"],
)
def test_whatever_is_wrong_the_answer_is_the_same(app: Flask, page: Fetch, wrong: dict[str, str]) -> None:
    client = app.test_client()
    form = {"login": "officer", "password": PASSWORD, "code": code()} | wrong
    answer = page(client, "/sign-in", status=400, post=form)
    assert REFUSED in answer.text
    assert PASSWORD not in answer.html
    assert client.get("/").status_code == 302


def test_a_deactivated_account_does_not_sign_in(app: Flask, session: Session, officer: accounts.Account) -> None:
    officer.active = False
    session.commit()
    assert enter(app.test_client()).status_code == 400


@pytest.mark.usefixtures("officer")
def test_a_code_is_good_once(app: Flask) -> None:
    used = code()
    assert enter(app.test_client(), code=used).status_code == 302
    assert enter(app.test_client(), code=used).status_code == 400
    assert enter(app.test_client(), code=code(-30)).status_code == 400, "nor is the one before it good any more"


@pytest.mark.usefixtures("officer")
def test_after_ten_failures_the_right_password_waits_too(app: Flask, session: Session, page: Fetch) -> None:
    client = app.test_client()
    for _ in range(accounts.THROTTLE_FAILURES):
        assert enter(client, code="000000").status_code == 400
    form = {"login": "officer", "password": PASSWORD, "code": code()}
    assert "Too many tries" in page(client, "/sign-in", status=429, post=form).text
    earlier = now() - accounts.THROTTLE_WINDOW - timedelta(seconds=1)
    session.execute(sa.update(SignInFailure).values(at=earlier))
    session.commit()
    assert enter(client).status_code == 302, "and a quarter of an hour later it works again"


def test_failures_from_one_address_are_counted_over_all_logins(app: Flask, session: Session) -> None:
    make_account(session, Role.OFFICER, login="officer")
    session.commit()
    client = app.test_client()
    for number in range(accounts.THROTTLE_FAILURES):
        enter(client, login=f"guess{number}")
    assert enter(client).status_code == 429
    elsewhere = {"csrf_token": form_token(client), "login": "officer", "password": PASSWORD, "code": code()}
    answer = client.post("/sign-in", data=elsewhere, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert answer.status_code == 302, "and nobody else is locked out by it"


@pytest.mark.parametrize(
    ("column", "age", "stays"),
    [
        ("seen_at", accounts.IDLE - timedelta(minutes=1), True),
        ("seen_at", accounts.IDLE + timedelta(seconds=1), False),
        ("created_at", accounts.ABSOLUTE - timedelta(minutes=1), True),
        ("created_at", accounts.ABSOLUTE + timedelta(seconds=1), False),
    ],
    ids=["14 minutes idle", "15 minutes idle", "under 8 hours", "8 hours"],
)
def test_a_session_ends_when_idle_and_at_the_end_of_the_day(
    sign_in: SignIn, session: Session, column: str, age: timedelta, *, stays: bool
) -> None:
    client = sign_in(Role.OFFICER)
    session.execute(sa.update(AuthSession).values({column: now() - age}))
    session.commit()
    assert (client.get("/").status_code == 200) is stays


def test_using_the_panel_keeps_the_session_alive(sign_in: SignIn, session: Session) -> None:
    client = sign_in(Role.OFFICER)
    for _ in range(3):
        session.execute(sa.update(AuthSession).values(seen_at=now() - timedelta(minutes=10)))
        session.commit()
        assert client.get("/").status_code == 200
        session.expire_all()
        seen = session.scalar(sa.select(AuthSession.seen_at))
        assert seen is not None
        assert now() - seen < timedelta(minutes=1)


def test_signing_out_ends_the_session_and_not_only_the_cookie(app: Flask, sign_in: SignIn) -> None:
    client = sign_in(Role.OFFICER)
    cookie = client.get_cookie("outreach")
    assert cookie is not None
    assert submit(client, "/sign-out").status_code == 302
    thief = app.test_client()
    thief.set_cookie("outreach", cookie.value)
    assert thief.get("/").status_code == 302


def test_over_https_the_cookies_are_bound_to_this_host(https_app: Flask, session: Session) -> None:
    make_account(session, Role.OFFICER, login="officer")
    session.commit()
    client = https_app.test_client()
    client.get("/sign-in", base_url="https://outreach.example.org")
    form = {"login": "officer", "password": PASSWORD, "code": code()}
    token = client.get("/sign-in", base_url="https://outreach.example.org").text.split('name="csrf_token" value="')[1].split('"')[0]
    answer = client.post("/sign-in", data=form | {"csrf_token": token}, base_url="https://outreach.example.org")
    assert answer.status_code == 302
    cookies = answer.headers.getlist("Set-Cookie")
    (signed_in,) = [cookie for cookie in cookies if cookie.startswith("__Host-outreach=")]
    for part in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
        assert part in signed_in
    assert "Domain" not in signed_in
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_the_language_of_the_pages_is_the_accounts_own(sign_in: SignIn, page: Fetch) -> None:
    client = sign_in(Role.APPROVER)
    assert "Overview" in page(client, "/").text
    assert submit(client, "/account", {"locale": "es"}).status_code == 302
    spanish = page(client, "/")
    assert spanish.all("html")[0]["lang"] == "es"
    assert "Panorama" in spanish.text
    submit(client, "/account", {"locale": "tlh"})
    assert page(client, "/").all("html")[0]["lang"] == "es", "a language that is none changes nothing"


def test_before_signing_in_the_browser_says_the_language(app: Flask) -> None:
    answer = app.test_client().get("/sign-in", headers={"Accept-Language": "es-MX,es;q=0.9,en;q=0.5"})
    assert '<html lang="es"' in answer.text
