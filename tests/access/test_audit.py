"""The audit log: whoever changes, removes, adds or reorders an entry is found out, and many may write at once."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from outreach.access import audit
from outreach.access.audit import SYSTEM, Actor, ActorKind

ENTRIES = 20
CHANGES = {
    "at": "at = at + interval '1 microsecond'",
    "actor_kind": "actor_kind = actor_kind || 'x'",
    "actor_id": "actor_id = gen_random_uuid()",
    "action": "action = action || 'x'",
    "object_kind": "object_kind = object_kind || 'x'",
    "object_id": "object_id = gen_random_uuid()",
    "detail": """detail = detail || '{"people": -1}'""",
    "mac": "mac = set_byte(mac, 0, get_byte(mac, 0) # 1)",
    "seq": "seq = seq + 1000",
}


@pytest.fixture
def log(session: Session) -> Session:
    """A session in whose log there are twenty entries, and nobody to keep it from being tampered with."""
    for number in range(ENTRIES):
        actor = Actor(ActorKind.STAFF, uuid4()) if number % 2 else SYSTEM
        audit.record(session, actor, "test.happened", "test", uuid4(), people=number, codes=["a", "b"], note=None)
    session.execute(sa.text("alter table audit_entry disable trigger user"))
    return session


def holds(session: Session) -> bool:
    session.expire_all()
    return audit.verify(session).problem is None


def test_an_untouched_log_holds(log: Session) -> None:
    assert audit.verify(log) == audit.Verified(ENTRIES, None)


def test_a_long_log_is_shown_in_pages_and_its_queries_are_counted_to_a_number(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        audit.record(session, SYSTEM, "test.rare" if number == 4 else "test.common", "test")
    found, total = audit.entries(session, audit.Query(), limit=3, offset=3)
    assert ([entry.seq for entry in found], total) == ([6, 5, 4], 9)
    assert audit.entries(session, audit.Query(action="test.common"), limit=3)[1] == 8
    monkeypatch.setattr(audit, "COUNTED", 5)
    assert audit.entries(session, audit.Query(action="test.common"), limit=3)[1] == 6, "more than five"
    assert [entry.seq for entry in audit.entries(session, audit.Query(action="test.rare"), limit=3)[0]] == [5]
    assert audit.actions(session) == ["test.common", "test.rare"]


def test_each_of_three_hundred_random_changes_is_found(log: Session) -> None:
    drawn = random.Random(1)
    for _ in range(300):
        with log.begin_nested() as savepoint:
            tamper(log, drawn)
            assert not holds(log)
            savepoint.rollback()
        log.expire_all()
    assert holds(log)


def tamper(session: Session, drawn: random.Random) -> None:
    """Change one entry, remove one, swap two, cut off the end, or add one that was never recorded."""
    first, second = drawn.sample(range(1, ENTRIES + 1), 2)
    deed = drawn.choice(["change", "remove", "swap", "cut", "cut and hide", "add", "copy"])
    match deed:
        case "change":
            run(session, f"update audit_entry set {drawn.choice(list(CHANGES.values()))} where seq = :seq", seq=first)
        case "remove":
            run(session, "delete from audit_entry where seq = :seq", seq=first)
        case "swap":
            run(session, "update audit_entry set seq = -seq where seq in (:a, :b)", a=first, b=second)
            run(session, "update audit_entry set seq = case when seq = -:a then :b else :a end where seq < 0", a=first, b=second)
        case "cut":
            run(session, "delete from audit_entry where seq >= :seq", seq=first)
        case "cut and hide":
            run(session, "delete from audit_entry where seq >= :seq", seq=first)
            run(session, "update audit_head set seq = :seq - 1", seq=first)
        case "add":
            run(session, "insert into audit_entry select 21, at, actor_kind, actor_id, action, object_kind, object_id, detail, mac"
                         " from audit_entry where seq = :seq", seq=first)  # fmt: skip
        case "copy":
            run(session, "insert into audit_entry select 21, at, actor_kind, actor_id, action, object_kind, object_id, detail, mac"
                         " from audit_entry where seq = :seq", seq=first)  # fmt: skip
            run(session, "update audit_head set seq = 21")


def run(session: Session, statement: str, **parameters: object) -> None:
    session.execute(sa.text(statement), parameters)


def test_a_log_rolled_back_to_an_earlier_end_differs_from_the_head_written_down(log: Session) -> None:
    """The chain alone cannot show this: its keeper can put back an old end with its old code. The noted head can."""
    noted = audit.head(log)
    old = log.execute(sa.text("select seq, mac from audit_entry where seq = 10")).one()
    run(log, "delete from audit_entry where seq > 10")
    run(log, "update audit_head set seq = :seq, mac = :mac", seq=old.seq, mac=old.mac)
    assert holds(log)
    assert audit.head(log).seq < noted.seq


def test_many_may_record_at_once_and_the_chain_holds(clean_database: str, sessions: sessionmaker[Session]) -> None:
    def write(number: int) -> None:
        for _ in range(10):
            with sessions.begin() as session:
                audit.record(session, SYSTEM, "test.happened", "test", people=number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    with sessions() as session:
        assert audit.verify(session) == audit.Verified(80, None)


def test_what_is_rolled_back_leaves_no_gap(session: Session) -> None:
    audit.record(session, SYSTEM, "test.happened", "test")
    with session.begin_nested() as savepoint:
        audit.record(session, SYSTEM, "test.failed", "test")
        savepoint.rollback()
    session.expire_all()
    audit.record(session, SYSTEM, "test.happened", "test")
    assert audit.verify(session) == audit.Verified(2, None)


@pytest.mark.parametrize(
    "detail", [{"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1}, {}, {"x": 1.5, "y": True, "z": None}, {"n": 10**15}]
)
def test_what_the_database_gives_back_hashes_as_what_was_written(session: Session, detail: dict[str, Any]) -> None:
    audit.record(session, SYSTEM, "test.happened", "test", **detail)
    session.expire_all()
    assert holds(session)
