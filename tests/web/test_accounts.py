"""Accounts: made with a secret that is shown once, ended at once, and never by their own holder."""

import re

import pyotp
import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from outreach.access.accounts import Account, Role
from outreach.access.audit import AuditEntry
from tests.factories import make_account
from tests.web.conftest import Fetch, SignIn, submit

NEW = {"login": "New.Officer", "name": "Nadia New", "role": "officer"}


def test_a_new_account_can_sign_in_with_what_the_page_showed_once(
    app: Flask, sign_in: SignIn, page: Fetch, session: Session
) -> None:
    supervisor = sign_in(Role.SUPERVISOR)
    made = page(supervisor, "/accounts", post=NEW)
    password, secret = re.findall(r"<code>([^<]+)</code>", made.html)
    assert made.all("svg"), "the code to scan"
    form = {"login": "new.officer", "password": password, "code": pyotp.TOTP(secret).now()}
    assert submit(app.test_client(), "/sign-in", form).status_code == 302
    listed = page(supervisor, "/accounts")
    assert "Nadia New" in listed.text
    assert secret not in listed.html
    assert password not in listed.html
    actions = session.scalars(sa.select(AuditEntry.action).where(AuditEntry.object_kind == "account")).all()
    assert "account.create" in actions


@pytest.mark.parametrize("wrong", [{"login": ""}, {"name": " "}, {"role": "owner"}, {"role": ""}, {"login": "x" * 101}])
def test_an_account_needs_a_login_a_name_and_a_role(sign_in: SignIn, page: Fetch, wrong: dict[str, str]) -> None:
    answer = page(sign_in(Role.SUPERVISOR), "/accounts", status=400, post=NEW | wrong)
    assert "Give a login, a name and a role." in answer.text


def test_a_login_that_is_taken_is_refused_and_what_was_typed_is_kept(sign_in: SignIn, page: Fetch, session: Session) -> None:
    make_account(session, login="new.officer")
    session.commit()
    answer = page(sign_in(Role.SUPERVISOR), "/accounts", status=409, post=NEW)
    assert "This login is taken" in answer.text
    assert 'value="Nadia New"' in answer.html


def test_deactivating_puts_the_holder_out_at_once(sign_in: SignIn, page: Fetch, session: Session) -> None:
    officer = make_account(session, Role.OFFICER)
    theirs = sign_in(officer)
    assert theirs.get("/").status_code == 200
    supervisor = sign_in(Role.SUPERVISOR)
    assert submit(supervisor, f"/accounts/{officer.id}/deactivate").status_code == 302
    assert theirs.get("/").status_code == 302
    assert "Deactivated" in page(supervisor, "/accounts").text
    submit(supervisor, f"/accounts/{officer.id}/deactivate")
    entries = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "account.deactivate")).all()
    assert [entry.object_id for entry in entries] == [officer.id], "done once, logged once"


def test_a_new_role_counts_from_the_next_sign_in(sign_in: SignIn, session: Session) -> None:
    officer = make_account(session, Role.OFFICER)
    theirs = sign_in(officer)
    assert submit(sign_in(Role.SUPERVISOR), f"/accounts/{officer.id}/role", {"role": "auditor"}).status_code == 302
    assert theirs.get("/people").status_code == 302, "the session of the old role is over"
    session.refresh(officer)
    assert officer.role == Role.AUDITOR
    (entry,) = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "account.role")).all()
    assert entry.detail == {"before": "officer", "after": "auditor"}


@pytest.mark.parametrize("what", ["deactivate", "role"])
def test_nobody_ends_or_changes_their_own_account(sign_in: SignIn, page: Fetch, session: Session, what: str) -> None:
    supervisor = make_account(session, Role.SUPERVISOR)
    client = sign_in(supervisor)
    answer = page(client, f"/accounts/{supervisor.id}/{what}", status=409, post={"role": "officer"})
    assert "your own" in answer.text
    session.refresh(supervisor)
    assert (supervisor.role, supervisor.active) == (Role.SUPERVISOR, True)
    assert f"/accounts/{supervisor.id}" not in page(client, "/accounts").html, "and no button offers it"


def test_passwords_and_secrets_are_not_in_the_database_in_clear(sign_in: SignIn, page: Fetch, session: Session) -> None:
    made = page(sign_in(Role.SUPERVISOR), "/accounts", post=NEW)
    password, secret = re.findall(r"<code>([^<]+)</code>", made.html)
    stored = session.scalars(sa.select(Account).where(Account.login == "new.officer")).one()
    assert password not in stored.password_hash
    assert secret.encode() not in stored.totp_sealed
