"""What the schema refuses, whatever the code does, and that migrating there and back loses nothing."""

from collections.abc import Iterable, Iterator
from itertools import product
from uuid import uuid4

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError, InternalError
from sqlalchemy.orm import Session

from outreach import jobs  # noqa: F401  # imports every table
from outreach.access import audit
from outreach.access.accounts import Role
from outreach.access.audit import SYSTEM
from outreach.db import MIGRATIONS, Base
from outreach.delivery import plan
from outreach.delivery.claim import Rules, claim
from outreach.delivery.message import AttemptState, MessageState
from tests.delivery.conftest import HOUSE, LEASE
from tests.factories import make_account, make_incident
from tests.stage import make_notice, make_recipients, make_running

S = MessageState
# Every change of a message's state that the system may make. Written down a second time on purpose: the trigger must agree.
LEGAL = {
    S.READY: {S.SUBMITTING, S.ACCEPTED, S.SENT, S.DELIVERED, S.CANCELLED, S.BLOCKED},
    S.SUBMITTING: {S.READY, S.UNKNOWN, S.ACCEPTED, S.SENT, S.DELIVERED, S.UNDELIVERED, S.FAILED, S.RETURNED},
    S.UNKNOWN: {S.READY, S.ACCEPTED, S.SENT, S.DELIVERED, S.UNDELIVERED, S.FAILED, S.RETURNED},
    S.ACCEPTED: {S.SENT, S.DELIVERED, S.UNDELIVERED, S.FAILED, S.RETURNED},
    S.SENT: {S.DELIVERED, S.UNDELIVERED, S.FAILED, S.RETURNED},
    S.DELIVERED: {S.RETURNED},
    S.UNDELIVERED: {S.DELIVERED, S.READY, S.CANCELLED, S.RETURNED},
    S.FAILED: {S.ACCEPTED, S.SENT, S.DELIVERED, S.RETURNED},
    S.RETURNED: set(),
    S.CANCELLED: {S.READY, S.DELIVERED},
    S.BLOCKED: {S.READY, S.CANCELLED, S.DELIVERED},
}
GIVEN_UP = {AttemptState.NOT_SENT, AttemptState.REFUSED}


@pytest.fixture
def claimed(session: Session) -> Session:
    """A session in whose database one message to one person is being submitted."""
    incident = make_incident(session)
    make_recipients(session, incident, 1)
    make_running(session, incident, make_notice(session, by=make_account(session, Role.APPROVER)))
    for step in plan.due_steps(session):
        plan.plan(session, step)
    claim(session, "sms", 10, Rules(HOUSE, LEASE, "twilio"))
    return session


def refused(session: Session, statement: str, **parameters: object) -> bool:
    """Whether the schema refuses the statement. Nothing of it stays."""
    savepoint = session.begin_nested()
    try:
        session.execute(sa.text(statement), parameters)
    except (IntegrityError, InternalError):
        return True
    finally:
        savepoint.rollback()
    return False


def changes(session: Session, table: str, before: str, states: Iterable[str]) -> set[str]:
    """The states that a row of this table may go to from `before`."""
    session.execute(sa.text(f"alter table {table} disable trigger user"))
    session.execute(sa.text(f"update {table} set state = :state"), {"state": before})
    session.execute(sa.text(f"alter table {table} enable trigger user"))
    statement = f"update {table} set state = :state"
    return {state for state in states if state != before and not refused(session, statement, state=state)}


@pytest.mark.parametrize("before", S)
def test_a_message_changes_its_state_only_as_drawn(claimed: Session, before: S) -> None:
    assert changes(claimed, "message", before, S) == LEGAL[before]


@pytest.mark.parametrize("before", AttemptState)
def test_an_attempt_never_opens_again_and_is_believed_once_proved(claimed: Session, before: AttemptState) -> None:
    never = {AttemptState.OPEN} | (GIVEN_UP | {AttemptState.UNKNOWN} if before in GIVEN_UP else set())
    assert changes(claimed, "attempt", before, AttemptState) == set(AttemptState) - never - {before}


COPY = """
    insert into attempt (id, message_id, number, contact_point_id, channel, provider, state, body_sealed, body_digest, segments,
        provider_id, started_at, lease_until, checks)
    select :id, :message, :number, coalesce(:contact, contact_point_id), channel, provider, :state, body_sealed, body_digest,
        segments, :provider_id, started_at, lease_until, checks from attempt limit 1
"""


LIVE = ("open", "unknown", "accepted", "sent")


@pytest.mark.parametrize(("first", "second"), list(product(LIVE, LIVE)))
def test_a_message_has_one_live_attempt(claimed: Session, first: str, second: str) -> None:
    if first != "open":
        claimed.execute(sa.text("update attempt set state = :state"), {"state": first})
    message = claimed.scalar(sa.text("select id from message"))
    values = {"id": uuid4(), "message": message, "number": 2, "contact": uuid4(), "state": second, "provider_id": None}
    assert refused(claimed, COPY, **values)


@pytest.mark.parametrize(("first", "second"), list(product(LIVE[:2], LIVE[:2])))
def test_a_destination_has_one_undecided_attempt_whatever_the_message(claimed: Session, first: str, second: str) -> None:
    if first != "open":
        claimed.execute(sa.text("update attempt set state = :state"), {"state": first})
    other = uuid4()
    claimed.execute(
        sa.text("""
            insert into message (id, step_id, campaign_id, contact_point_id, rendition_id, channel, language, state, attempts,
                created_at, updated_at)
            select :id, step_id, campaign_id, contact_point_id, rendition_id, channel, 'fr', 'submitting', 1, now(), now()
            from message
        """),
        {"id": other},
    )
    values = {"id": uuid4(), "message": other, "number": 1, "contact": None, "provider_id": None}
    assert refused(claimed, COPY, **values, state=second)
    assert not refused(claimed, COPY, **values, state="accepted")


def test_an_attempts_number_and_a_providers_id_are_given_once(claimed: Session) -> None:
    claimed.execute(sa.text("update attempt set state = 'failed', provider_id = 'SM1'"))
    message = claimed.scalar(sa.text("select id from message"))
    values = {"id": uuid4(), "message": message, "contact": uuid4(), "state": "failed"}
    assert refused(claimed, COPY, **values, number=1, provider_id=None)
    assert refused(claimed, COPY, **values, number=2, provider_id="SM1")
    assert not refused(claimed, COPY, **values, number=2, provider_id="SM2")


def test_one_step_decides_once_for_each_phone_and_language(claimed: Session) -> None:
    again = """
        insert into message (id, step_id, campaign_id, contact_point_id, rendition_id, channel, language, state, attempts,
            created_at, updated_at)
        select gen_random_uuid(), step_id, campaign_id, contact_point_id, rendition_id, channel, language, 'ready', 0, now(), now()
        from message
    """
    assert refused(claimed, again)


@pytest.mark.parametrize(
    "statement",
    [
        "update audit_entry set action = 'nothing.happened'",
        "delete from audit_entry",
        "truncate audit_entry",
        "insert into audit_head (id, seq, mac) values (2, 0, '')",
        "update custody_event set state = 'released', source = 'nobody'",
        "delete from custody_event",
        "delete from event",
        "update rendition set text = 'Another text'",
        "update rendition set approved_by = null",
        "update campaign set approved_by = created_by, submitted_digest = 'x', submitted_by = created_by",
    ],
)
def test_what_is_on_record_stays_on_record(claimed: Session, statement: str) -> None:
    audit.record(claimed, SYSTEM, "test.happened", "test")
    claimed.execute(
        sa.text("""
            insert into event (provider, key, attempt_id, provider_id, provider_status, state, received_at)
            values ('twilio', 'key', gen_random_uuid(), 'SM1', 'sent', 'sent', now())
        """)
    )
    assert refused(claimed, statement)


@pytest.fixture
def connection(engine: sa.Engine, clean_database: str) -> Iterator[sa.Connection]:
    with engine.connect() as connection:
        yield connection


def test_the_models_are_what_the_migrations_made(connection: sa.Connection) -> None:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    assert compare_metadata(context, Base.metadata) == []


def test_migrating_down_and_up_again_keeps_what_was_written(clean_database: str, sessions: sa.orm.sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        incident = make_incident(session)
        make_recipients(session, incident, 3)
        make_running(session, incident, make_notice(session, by=make_account(session, Role.APPROVER)))
        for step in plan.due_steps(session):
            plan.plan(session, step)
        tables = [table.name for table in Base.metadata.sorted_tables if not table.name.startswith("audit_")]
        before = {name: session.scalar(sa.text(f"select count(*) from {name}")) for name in tables}
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["database_url"] = clean_database
    command.downgrade(config, "0001")
    command.upgrade(config, "head")
    with sessions.begin() as session:
        assert {name: session.scalar(sa.text(f"select count(*) from {name}")) for name in tables} == before
        assert session.scalar(sa.text("select count(*) from audit_head")) == 1
        assert refused(session, "update message set state = 'unknown'")


def test_migrating_all_the_way_down_leaves_nothing(clean_database: str, engine: sa.Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["database_url"] = clean_database
    command.downgrade(config, "base")
    with engine.connect() as connection:
        assert set(sa.inspect(connection).get_table_names()) <= {"alembic_version"}
        assert connection.scalar(sa.text("select count(*) from pg_proc where pronamespace = 'public'::regnamespace")) == 0
    command.upgrade(config, "head")
