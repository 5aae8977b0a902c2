"""Our books against the providers': every difference is found, named, and where a report settles it, settled."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access.sealing import vault_of
from outreach.db import now
from outreach.delivery import books, comparison, reconcile
from outreach.delivery.books import BookCheck, NotThatDay
from outreach.delivery.message import Attempt, body_digest
from outreach.notices.channel import Channel
from outreach.providers.contract import Standing
from tests.delivery.office import Office, office
from tests.stage import Stage, phone

__all__ = ["office"]

DAY = date(2024, 2, 29)
NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)


def attempt(office: Office, number: int, state: str, **columns: Any) -> Attempt:
    """An attempt to send a text to `phone(number)` at noon of the day, in a state, known to the provider by `SM<number>`."""
    session = office.session
    if office.campaign is None:
        people = [office.person(language="es") for _ in range(12)]
        for n, person in enumerate(people):
            office.phone(person, n)
        office.launch(Channel.SMS)
        assert office.claim_texts() == 12
    index = vault_of(session).blind_index("phone", phone(number))
    found = session.scalars(
        sa.text("select a.id from attempt a join contact_point cp on cp.id = a.contact_point_id where cp.value_index = :index"),
        {"index": index},
    ).one()
    one = session.get_one(Attempt, found)
    values = {"provider_id": f"SM{number}", "started_at": NOON, "finished_at": NOON} | columns
    for name, value in values.items():
        setattr(one, name, value)
    one.state = state
    session.flush()
    return one


def standing(number: int, state: str, **changed: Any) -> Standing:
    values: dict[str, Any] = {
        "provider_id": f"SM{number}", "status": state, "state": state, "code": None, "to": phone(number), "text": "Sample",
        "created_at": NOON + timedelta(seconds=1),
    }  # fmt: skip
    return Standing(**(values | changed))


def compared(session: Session, *pages: Sequence[Standing], absent: Sequence[str] = ()) -> tuple[BookCheck, list[tuple[Any, ...]]]:
    """The check of the day, and its differences as (kind, attempt, provider's id, our state, theirs)."""
    comparison.begin(session)
    for page in pages:
        comparison.write_down(session, page)
    for provider_id in absent:
        session.execute(sa.text("insert into their_books (provider_id) values (:id)"), {"id": provider_id})
    comparison.recognise(session, "twilio")
    while comparison.keep_later(session, "twilio"):
        pass
    check = comparison.compare(session, "twilio", DAY)
    rows = session.execute(
        sa.text("""
            select kind, attempt_id, provider_id, our_state, their_state from book_difference
            where provider = 'twilio' and day = :day order by kind, provider_id
        """),
        {"day": DAY},
    )
    return check, [tuple(row) for row in rows]


def kept(session: Session) -> list[tuple[UUID, str]]:
    rows = session.execute(sa.text("select attempt_id, state from event order by id"))
    return [(row.attempt_id, row.state) for row in rows]


def test_every_difference_of_a_day_has_its_kind_and_all_else_agrees(office: Office) -> None:
    same, ahead = attempt(office, 0, "delivered"), attempt(office, 1, "delivered")
    later, contrary = attempt(office, 2, "sent"), attempt(office, 3, "delivered")
    gone, queued = attempt(office, 4, "accepted"), attempt(office, 5, "accepted")
    unknown = attempt(office, 6, "unknown", provider_id=None)
    attempt(office, 7, "open")
    attempt(office, 8, "not_sent", provider_id=None)
    attempt(office, 9, "delivered", started_at=NOON - timedelta(days=1))
    check, differences = compared(
        office.session,
        [standing(0, "delivered"), standing(1, "sent"), standing(2, "delivered"), standing(3, "undelivered")],
        [
            standing(7, "sent"),
            standing(9, "delivered"),
            standing(777, "sent"),
            standing(778, "sent", created_at=NOON + timedelta(days=1)),
        ],
        absent=["SM4"],
    )
    assert same.id != ahead.id
    assert differences == [
        ("not_ours", None, "SM777", None, "sent"),
        ("not_theirs", gone.id, "SM4", "accepted", None),
        ("other_state", later.id, "SM2", "sent", "delivered"),
        ("other_state", contrary.id, "SM3", "delivered", "undelivered"),
        ("undecided", queued.id, "SM5", "accepted", None),
        ("undecided", unknown.id, None, "unknown", None),
    ]
    assert (check.ours, check.theirs, check.agreed) == (7, 5, 2)
    assert kept(office.session) == [(later.id, "delivered"), (contrary.id, "undelivered")]


def test_what_comes_twice_while_the_books_are_read_counts_once_with_its_later_word(office: Office) -> None:
    attempt(office, 0, "delivered")
    check, differences = compared(
        office.session, [standing(0, "sent")], [standing(0, "delivered"), standing(0, "delivered")], [standing(0, "sent")]
    )
    assert (check.theirs, check.agreed, differences) == (1, 1, [])


@pytest.mark.parametrize("state", ["unknown", "not_sent"])
def test_a_text_whose_answer_was_lost_is_recognised_by_what_it_says_and_where_it_went(office: Office, state: str) -> None:
    session = office.session
    lost = attempt(office, 0, state, provider_id=None)
    lost.body_digest = body_digest(vault_of(session), "Sample: one")
    session.flush()
    others = [
        standing(700, "sent", to=phone(0), text="Sample: two"),
        standing(701, "sent", to=phone(1), text="Sample: one"),
        standing(702, "sent", to=phone(0), text="Sample: one", created_at=NOON - timedelta(hours=1)),
        standing(703, "sent", to=phone(0), text=""),
    ]
    _, differences = compared(session, [*others, standing(1, "sent", to=phone(0), text="Sample:  ONE")])
    assert ("other_state", lost.id, "SM1", state, "sent") in differences
    assert [d[2] for d in differences if d[0] == "not_ours"] == ["SM700", "SM701", "SM702", "SM703"]
    assert kept(session) == [(lost.id, "sent")]


def test_where_the_books_keep_our_token_it_decides(office: Office) -> None:
    lost, known = attempt(office, 0, "unknown", provider_id=None), attempt(office, 1, "sent")
    _, differences = compared(
        office.session,
        [standing(50, "sent", token=lost.id, text=""), standing(51, "sent", token=known.id, text=""), standing(1, "sent")],
        [standing(52, "sent", token=uuid4(), text="")],
    )
    assert differences == [
        ("not_ours", known.id, "SM51", None, "sent"),
        ("not_ours", None, "SM52", None, "sent"),
        ("other_state", lost.id, "SM50", "unknown", "sent"),
    ]


def test_a_second_look_replaces_the_first(office: Office) -> None:
    one = attempt(office, 0, "sent")
    assert len(compared(office.session, [standing(0, "delivered")])[1]) == 1
    one.state = "delivered"
    office.session.flush()
    check, differences = compared(office.session, [standing(0, "delivered")])
    assert (differences, check.agreed) == ([], 1)


def test_what_is_in_no_listing_is_asked_for_by_its_id_once_books_can_have_it(office: Office) -> None:
    for number, (state, minutes) in enumerate((("accepted", 31), ("accepted", 29), ("open", 31), ("delivered", 31))):
        attempt(office, number, state, started_at=now() - timedelta(minutes=minutes))
    comparison.begin(office.session)
    comparison.write_down(office.session, [standing(3, "delivered")])
    days = {(now() - timedelta(minutes=minutes)).astimezone(UTC).date() for minutes in (29, 31)}
    assert [each for day in days for each in comparison.unlisted(office.session, "twilio", day)] == ["SM0"]


def test_yesterday_is_compared_once_and_a_day_with_differences_again_each_day_for_a_week(session: Session) -> None:
    today = now().astimezone(UTC).date()
    yesterday, earlier = today - timedelta(days=1), today - timedelta(days=3)
    assert books.due(session, ["twilio"]) == [("twilio", yesterday)]
    session.execute(sa.text("update book_check set wanted_at = null, tried_at = now(), checked_at = now()"))
    assert books.due(session, ["twilio"]) == []
    looked = now() - timedelta(days=1)
    for day, differs in ((earlier, True), (today - timedelta(days=2), False), (today - timedelta(days=9), True)):
        session.add(BookCheck(provider="twilio", day=day, checked_at=looked, tried_at=looked, wanted_at=None))
        session.flush()
        if differs:
            session.add(books.BookDifference(provider="twilio", day=day, kind="not_ours", provider_id="SM1"))
            session.flush()
    assert books.due(session, ["twilio"]) == [("twilio", earlier)]
    books.want(session, "twilio", today)
    assert books.due(session, ["twilio"]) == [("twilio", today), ("twilio", earlier)]
    assert books.due(session, ["postgrid"]) == [("postgrid", yesterday)]
    for refused in (today + timedelta(days=1), today - timedelta(days=31)):
        with pytest.raises(NotThatDay):
            books.want(session, "twilio", refused)


def test_a_hundred_thousand_lines_are_compared_by_the_database(office: Office) -> None:
    """A tenth of that, so that the suite stays quick; what takes long would be lines taken one by one."""
    for first in range(0, 10_000, 1000):
        page = [standing(n, "sent", text="") for n in range(first, first + 1000)]
        if first == 0:
            comparison.begin(office.session)
        comparison.write_down(office.session, page)
    attempt(office, 0, "sent")
    comparison.recognise(office.session, "twilio")
    check = comparison.compare(office.session, "twilio", DAY)
    assert (check.ours, check.theirs, check.agreed) == (12 - 11, 10_000, 1)


def test_over_http_a_lost_answer_and_a_lost_report_are_found_in_the_books_and_agree_at_the_next_look(stage: Stage) -> None:
    stage.cast(6)
    stage.plan()
    stage.control.fault("missing")
    stage.control.fault("drop_after", to=phone(0))
    stage.dispatch()
    stage.control.wait_until_quiet()
    assert stage.states("attempt") == {"unknown": 1, "accepted": 5}
    today = now().astimezone(UTC).date()
    with stage.sessions.begin() as session:
        books.want(session, "twilio", today)
    assert jobs.compare_due(stage.machine) >= 1
    look = "select ours || ' ' || theirs || ' ' || agreed from book_check where provider = 'twilio' and day = :day"
    assert stage.scalar(look, day=today) == "6 6 0"
    assert stage.scalar("select count(*) from book_difference where kind = 'other_state'") == 6
    jobs.apply_due(stage.machine)
    with stage.sessions.begin() as session:
        books.want(session, "twilio", today)
    jobs.compare_due(stage.machine)
    assert stage.scalar(look, day=today) == "6 6 6"
    assert stage.scalar("select count(*) from book_difference") == 0
    stage.check_promises()


def test_books_that_cannot_be_read_are_tried_again_and_say_so(stage: Stage) -> None:
    stage.control.fault("read_error")
    assert jobs.compare_due(stage.machine) == 0
    assert stage.scalar("select problem from book_check where provider = 'twilio'")
    assert jobs.compare_due(stage.machine) == 0
    stage.control.clear_faults()
    stage.execute("update book_check set tried_at = tried_at - interval '1 hour', wanted_at = wanted_at - interval '1 hour'")
    assert jobs.compare_due(stage.machine) >= 1
    assert stage.scalar("select problem is null and wanted_at is null from book_check where provider = 'twilio'")


TEXTS, LETTERS = reconcile.polls_of_texts(3600), reconcile.polls_of_letters(86_400, 30)


def test_silence_is_asked_about_at_its_hours(office: Office) -> None:
    one = attempt(office, 0, "sent")
    for polls, seen, age, asked in [
        (TEXTS, None, 0.9, False),
        (TEXTS, None, 1.1, True),
        (TEXTS, 1.0, 5.9, False),
        (TEXTS, 1.0, 6.1, True),
        (TEXTS, 6.1, 23.9, False),
        (TEXTS, 6.1, 24.1, True),
        (TEXTS, 24.2, 71.0, False),
        (TEXTS, 24.2, 72.1, True),
        (TEXTS, 72.2, 90.0, False),
        (LETTERS, 24.1, 47.0, False),
        (LETTERS, 24.1, 48.1, True),
        (LETTERS, 28 * 24.0, 29 * 24.1, True),
        (LETTERS, 30 * 24.1, 31.5 * 24, False),
    ]:
        one.started_at = now() - timedelta(hours=age)
        one.seen_at = None if seen is None else one.started_at + timedelta(hours=seen)
        one.checked_at = one.seen_at
        office.session.flush()
        found = reconcile.take(office.session, "twilio", reconcile.Waits(60, 60, polls), 100)
        assert bool(found) == asked, f"after {age} hours, seen last after {seen}"
        office.session.expire(one)


def test_a_question_that_was_not_answered_is_asked_again(office: Office) -> None:
    one = attempt(office, 0, "sent")
    one.started_at = now() - timedelta(hours=73)
    office.session.flush()

    def take() -> list[reconcile.Undecided]:
        return reconcile.take(office.session, "twilio", reconcile.Waits(60, 60, TEXTS), 100)

    def later(minutes: int) -> None:
        gone = sa.text("update attempt set checked_at = checked_at - :minutes * interval '1 minute'")
        office.session.execute(gone, {"minutes": minutes})

    assert len(take()) == 1, "the last time that it is asked about"
    later(minutes=4)
    assert take() == [], "somebody is at it, or has died, and nothing hangs on it"
    later(minutes=1)
    asked = take()
    reconcile.settle(office.session, "twilio", asked, [reconcile.Answer(False, (), "TimeoutError")])
    later(minutes=5)
    asked = take()
    reconcile.settle(office.session, "twilio", asked, [reconcile.Answer(True, ())])
    later(minutes=5)
    assert take() == []
