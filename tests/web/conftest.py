"""The panel on a database whose changes are undone after each test, browsers that are signed in, and checks of every page."""

import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from outreach import settings
from outreach.access.accounts import Account, AuthSession, Role, _token_hash
from outreach.access.sealing import Vault
from outreach.db import make_sessions
from outreach.settings import Settings
from outreach.web import create_app, headers, languages
from tests.factories import make_account

SignIn = Callable[..., FlaskClient]
Fetch = Callable[..., "Page"]


@pytest.fixture(scope="session", autouse=True)
def catalogues() -> None:
    """Pages in Spanish are those of the .po files as they are now, not as they were at the last `make setup`."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    for source in languages.TRANSLATIONS.glob("*/LC_MESSAGES/messages.po"):
        target = source.with_suffix(".mo")
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            with source.open("rb") as readable:
                catalogue = read_po(readable, locale=source.parts[-3])
            part = target.with_suffix(f".{secrets.token_hex(4)}")
            with part.open("wb") as writable:
                write_mo(writable, catalogue)
            part.replace(target)  # Another process of the run may be reading it.


@pytest.fixture
def sessions(engine: sa.Engine, vault: Vault) -> Iterator[sessionmaker[Session]]:
    """Sessions whose commits the panel and the test both see, and which are all undone after the test."""
    with engine.connect() as connection:
        transaction = connection.begin()
        found = make_sessions(engine, vault)
        found.configure(bind=connection, join_transaction_mode="create_savepoint")
        yield found
        transaction.rollback()


@pytest.fixture
def session(sessions: sessionmaker[Session]) -> Iterator[Session]:
    """The test's own session. Commit before asking the panel for a page."""
    with sessions() as session:
        yield session


@pytest.fixture(scope="session")
def web_settings() -> Settings:
    """Settings of a panel that nothing but its pages is asked of."""
    return settings.load(
        {
            "OUTREACH_ENVIRONMENT": "test",
            "DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/none",
            "REDIS_URL": "redis://127.0.0.1:1/0",
            "OUTREACH_SECRET_KEY": secrets.token_hex(32),
            "OUTREACH_KEY_RING": "none",
            "OUTREACH_TWILIO_ACCOUNT_SID": f"AC{'0' * 32}",
            "OUTREACH_TWILIO_AUTH_TOKEN": "0" * 32,
        }
    )


@pytest.fixture
def rings() -> list[tuple[object, ...]]:
    """What the panel has rung for, call by call."""
    return []


@pytest.fixture
def app(web_settings: Settings, sessions: sessionmaker[Session], rings: list[tuple[object, ...]]) -> Flask:
    return create_app(web_settings, sessions, lambda *what: rings.append(what))


@pytest.fixture
def sign_in(app: Flask, session: Session) -> SignIn:
    """`sign_in(Role.OFFICER)`: a browser with that account signed in. Give an account to use that one."""

    def sign_in(who: Role | Account, **overrides: str) -> FlaskClient:
        account = who if isinstance(who, Account) else make_account(session, who, **overrides)
        token = secrets.token_urlsafe(32)
        session.add(AuthSession(token_hash=_token_hash(token), account_id=account.id))
        session.commit()
        client = app.test_client()
        client.set_cookie("outreach", token, domain="localhost")
        return client

    return sign_in


@pytest.fixture
def page() -> Fetch:
    """`page(client, "/people")`: fetch a page (or `post=` a form to it), check what every page must be, and return it."""

    def fetch(client: FlaskClient, path: str, *, status: int = 200, post: dict[str, str] | None = None) -> Page:
        answer = client.get(path) if post is None else submit(client, path, post)
        assert answer.status_code == status, f"{path}: {answer.status_code}\n{text_of(answer.text)[:1500]}"
        found = Page(answer)
        found.check()
        return found

    return fetch


def form_token(client: FlaskClient) -> str:
    """A token that this browser may post with, from a page that anybody can open."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in").text)
    assert found
    return found[1]


def submit(client: FlaskClient, path: str, form: dict[str, str] | None = None) -> TestResponse:
    """Post a form as the browser would, with its token."""
    return client.post(path, data={"csrf_token": form_token(client), **(form or {})})


def text_of(markup: str) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", markup)).strip()


class Page(HTMLParser):
    """An answer, taken apart far enough to check it."""

    def __init__(self, answer: TestResponse) -> None:
        super().__init__()
        self.answer = answer
        self.html = answer.text
        self.text = text_of(self.html)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.forms: list[tuple[dict[str, str | None], set[str]]] = []
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append((tag, values))
        if tag == "form":
            self.forms.append((values, set()))
        elif tag in ("input", "select", "textarea", "button") and self.forms and values.get("name"):
            self.forms[-1][1].add(str(values["name"]))

    def all(self, *names: str) -> list[dict[str, str | None]]:
        """The attributes of all tags with one of these names."""
        return [values for tag, values in self.tags if tag in names]

    def links(self) -> set[str]:
        """Where the page's links lead."""
        return {str(values["href"]) for values in self.all("a") if values.get("href")}

    def check(self) -> None:
        """What holds for every page of the panel."""
        assert self.answer.headers["Content-Security-Policy"] == headers.CONTENT_SECURITY_POLICY
        assert self.answer.headers["Cache-Control"] == "no-store"
        (html,) = self.all("html")
        assert html["lang"] in languages.LOCALES
        assert html["dir"] == "ltr"
        assert re.search(r"<title>[^<]+ · Outreach</title>", self.html)
        assert len(self.all("h1")) == 1
        assert all(script.get("src") for script in self.all("script")), "a script is written into the page"
        assert not self.all("style"), "a style is written into the page"
        for tag, values in self.tags:
            inline = [name for name in values if name == "style" or name.startswith("on")]
            assert not inline, f"<{tag}> has {inline}: the browser will refuse it"
            address = values.get("src") or values.get("href") or values.get("action") or ""
            assert not re.match(r"(https?:)?//", address), f"<{tag}> leads to another site: {address}"
        ids = [values["id"] for _, values in self.tags if values.get("id")]
        assert len(ids) == len(set(ids)), "an id is there twice"
        labelled = {values.get("for") for values in self.all("label")}
        for field in self.all("input", "select", "textarea"):
            hidden = field.get("type") in ("hidden", "submit")
            assert hidden or field.get("id") in labelled or field.get("aria-label"), f"{field} has no label"
        for form, names in self.forms:
            if form.get("method") == "post":
                assert "csrf_token" in names, f"the form to {form.get('action')} has no token"


@pytest.fixture
def https_app(web_settings: Settings, sessions: sessionmaker[Session]) -> Flask:
    """The panel as it is behind https."""
    secure = replace(web_settings, public_base_url="https://outreach.example.org", trusted_hosts=("outreach.example.org",))
    return create_app(secure, sessions)
