"""The audit log's page, and `python -m outreach audit verify`."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.accounts import Role
from outreach.access.audit import COMMAND
from outreach.db import new_id
from tests.factories import make_account, make_person
from tests.web.conftest import Fetch, SignIn


def tamper(session: Session, statement: str) -> None:
    """What somebody with the database's own password could do."""
    session.execute(sa.text("alter table audit_entry disable trigger all"))
    session.execute(sa.text(statement))
    session.commit()


def test_the_newest_entry_comes_first_and_filters_narrow(sign_in: SignIn, page: Fetch, session: Session) -> None:
    olga = make_account(session, Role.OFFICER, name="Olga Officer")
    person = make_person(session)
    audit.record(session, olga.actor, "person.open", "person", person.id)
    for _ in range(3):
        audit.record(session, COMMAND, "person.search", "person", by="name")
    session.commit()
    client = sign_in(Role.AUDITOR)
    everything = page(client, "/audit").text
    assert everything.index("Searched for a person", everything.index("Details")) < everything.rindex("Opened a person")
    for query in (f"actor={olga.id}", "action=person.open", f"object={person.id}"):
        narrowed = page(client, f"/audit?{query}")
        assert "1 to 1 of 1 entries" in narrowed.text, query
        assert "Olga Officer" in narrowed.text
    assert "no record id" in page(client, "/audit?object=nonsense").text
    assert "No entry fits." in page(client, f"/audit?object={new_id()}").text


def test_a_long_log_comes_in_pages(sign_in: SignIn, page: Fetch, session: Session) -> None:
    for _ in range(60):
        audit.record(session, COMMAND, "person.search", "person", by="name")
    session.commit()
    client = sign_in(Role.AUDITOR)
    assert "1 to 50 of 60 entries" in page(client, "/audit?action=person.search").text
    assert "51 to 60 of 60 entries" in page(client, "/audit?action=person.search&page=2").text


def test_the_button_says_that_the_chain_holds_and_that_it_was_pressed(sign_in: SignIn, page: Fetch) -> None:
    client = sign_in(Role.AUDITOR)
    assert "The chain holds" in page(client, "/audit/verify", post={}).text
    assert "Verified the audit log" in page(client, "/audit").text


def test_the_button_names_the_entry_that_was_altered(sign_in: SignIn, page: Fetch, session: Session) -> None:
    for _ in range(3):
        audit.record(session, COMMAND, "person.search", "person", by="name")
    end = audit.head(session).seq
    tamper(session, f"update audit_entry set detail = '{{}}' where seq = {end - 1}")
    answer = page(sign_in(Role.SUPERVISOR), "/audit/verify", post={}).text
    assert "The chain is broken" in answer
    assert f"entry {end - 1} does not follow" in answer


def test_an_entry_written_past_the_end_is_found(session: Session) -> None:
    audit.record(session, COMMAND, "person.search", "person", by="name")
    end = audit.head(session).seq
    assert audit.verify(session).problem is None
    tamper(
        session,
        "insert into audit_entry (seq, at, actor_kind, action, object_kind, detail, mac)"
        f" select {end + 1}, at, actor_kind, action, object_kind, detail, mac from audit_entry where seq = {end}",
    )
    assert f"entry {end + 1} stands after the end" in str(audit.verify(session).problem)
