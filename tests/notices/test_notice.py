"""Notices: a text is sent only when somebody other than its author approved exactly it."""

from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from outreach.access.accounts import Account, Role
from outreach.access.audit import AuditEntry
from outreach.db import new_id
from outreach.notices import disclosure, notice
from outreach.notices.house import House
from outreach.notices.languages import UnknownLanguageError
from outreach.notices.notice import Channel, NoNotice, NotApproved, Notice, Purpose, Rendition, RenditionState
from tests.factories import make_account, make_rendition

HOUSE = House({"program": "Letter Line", "phone": "1-800-555-0199", "site": "notices.example.org"}, 3, Decimal("0.0079"))
TEXT = "((program)): we have an important message for you. Call ((phone))."
NOTE = "Read by Sample REVIEWER, who grew up with it"


@pytest.fixture
def author(session: Session) -> Account:
    return make_account(session)


@pytest.fixture
def approver(session: Session) -> Account:
    return make_account(session, Role.APPROVER)


@pytest.fixture
def empty(session: Session, author: Account) -> Notice:
    return notice.create(session, title="  Test notice ", by=author)


@pytest.fixture
def draft(session: Session, empty: Notice, author: Account) -> Rendition:
    return notice.draft(session, empty.id, language="es", text=TEXT, by=author)


def test_a_change_is_a_new_version_and_a_draft(session: Session, draft: Rendition, author: Account) -> None:
    second = notice.draft(session, draft.notice_id, language="es", text="Another", by=author)
    other = notice.draft(session, draft.notice_id, language="fr", text="Autre", by=author)
    assert [(one.version, one.state) for one in (draft, second, other)] == [(1, "draft"), (2, "draft"), (1, "draft")]


def test_each_channel_has_versions_of_its_own_and_only_mails_a_subject(session: Session, draft: Rendition, author: Account) -> None:
    made = {
        channel: notice.draft(session, draft.notice_id, language="es", text=TEXT, by=author, channel=channel, subject=" Hello ")
        for channel in (Channel.EMAIL, Channel.HAND, Channel.ATTORNEY_LETTER)
    }
    assert [(one.channel, one.version, one.subject) for one in made.values()] == [
        ("email", 1, "Hello"),
        ("letter", 1, None),
        ("attorney_letter", 1, None),
    ]
    for channel, one in made.items():
        assert [v.rendition for v in notice.versions(session, draft.notice_id, channel=channel)["es"]] == [one]
    assert [v.rendition for v in notice.versions(session, draft.notice_id)["es"]] == [draft]


def test_an_approval_checks_a_text_as_its_channel_is_read(
    session: Session, empty: Notice, author: Account, approver: Account
) -> None:
    telling = "((program)): asilo"
    letter = notice.draft(session, empty.id, language="es", text=telling, by=author, channel=Channel.LETTER)
    mail = notice.draft(session, empty.id, language="es", text=telling, by=author, channel=Channel.EMAIL, subject="Hola")
    assert notice.approve(session, letter.id, by=approver, note=NOTE, house=HOUSE).state == RenditionState.APPROVED
    with pytest.raises(NotApproved, match="asilo"):
        notice.approve(session, mail.id, by=approver, note=NOTE, house=HOUSE)


def test_a_draft_needs_a_notice_and_a_language(session: Session, empty: Notice, author: Account) -> None:
    with pytest.raises(NoNotice):
        notice.draft(session, new_id(), language="es", text=TEXT, by=author)
    with pytest.raises(UnknownLanguageError):
        notice.draft(session, empty.id, language="xx", text=TEXT, by=author)
    with pytest.raises(NoNotice):
        notice.get(session, new_id())


def test_an_approval_says_who_and_by_which_check(session: Session, draft: Rendition, approver: Account) -> None:
    notice.approve(session, draft.id, by=approver, note=f" {NOTE} ", house=HOUSE)
    assert (draft.state, draft.approved_by, draft.approval_note) == (RenditionState.APPROVED, approver.id, NOTE)
    assert draft.policy == disclosure.POLICY_VERSION
    entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "rendition.approve")).one()
    assert (entry.actor_id, entry.object_id, entry.detail) == (approver.id, draft.id, {"language": "es", "version": 1})


def test_the_text_before_it_is_retired(session: Session, draft: Rendition, author: Account, approver: Account) -> None:
    notice.approve(session, draft.id, by=approver, note=NOTE, house=HOUSE)
    second = notice.draft(session, draft.notice_id, language="es", text=f"{TEXT} Free.", by=author)
    assert draft.state == RenditionState.APPROVED, "until the new one is approved"
    notice.approve(session, second.id, by=approver, note=NOTE, house=HOUSE)
    session.refresh(draft)
    assert (draft.state, second.state) == (RenditionState.RETIRED, RenditionState.APPROVED)


def test_nobody_approves_their_own_text(session: Session, empty: Notice) -> None:
    author = make_account(session, Role.SUPERVISOR)
    own = notice.draft(session, empty.id, language="es", text=TEXT, by=author)
    with pytest.raises(NotApproved, match="You wrote this text"):
        notice.approve(session, own.id, by=author, note=NOTE, house=HOUSE)


@pytest.mark.parametrize("role", [Role.OFFICER, Role.AUDITOR])
def test_a_role_that_does_not_approve_is_refused(session: Session, draft: Rendition, role: Role) -> None:
    with pytest.raises(NotApproved, match="Only an approver"):
        notice.approve(session, draft.id, by=make_account(session, role), note=NOTE, house=HOUSE)


@pytest.mark.parametrize("note", ["", "  \n"])
def test_without_a_reviewer_nothing_is_approved(session: Session, draft: Rendition, approver: Account, note: str) -> None:
    with pytest.raises(NotApproved, match="who reviewed"):
        notice.approve(session, draft.id, by=approver, note=note, house=HOUSE)


@pytest.mark.parametrize(
    "text",
    ["Your asylum case", "((program)) ((name))", "((program)) ((", "Call 212-555-0100", "x" * 500, "See bit.ly/abc", "\u202eabc"],
)
def test_a_text_that_tells_or_does_not_fit_is_refused_with_what_to_mend(
    session: Session, empty: Notice, author: Account, approver: Account, text: str
) -> None:
    wrong = notice.draft(session, empty.id, language="en", text=text, by=author)
    with pytest.raises(NotApproved) as caught:
        notice.approve(session, wrong.id, by=approver, note=NOTE, house=HOUSE)
    assert caught.value.problems
    assert wrong.state == RenditionState.DRAFT


def test_only_the_newest_draft_is_approved_and_once(session: Session, draft: Rendition, author: Account, approver: Account) -> None:
    second = notice.draft(session, draft.notice_id, language="es", text=f"{TEXT} Free.", by=author)
    with pytest.raises(NotApproved, match="newer draft"):
        notice.approve(session, draft.id, by=approver, note=NOTE, house=HOUSE)
    notice.approve(session, second.id, by=approver, note=NOTE, house=HOUSE)
    with pytest.raises(NotApproved, match="Only a draft"):
        notice.approve(session, second.id, by=approver, note=NOTE, house=HOUSE)
    with pytest.raises(NoNotice):
        notice.approve(session, new_id(), by=approver, note=NOTE, house=HOUSE)


# The database keeps it too, whatever the code does.


def test_the_database_refuses_an_approval_by_the_author(session: Session, draft: Rendition) -> None:
    with pytest.raises(IntegrityError, match="rendition_two_people_check"):
        session.execute(sa.update(Rendition).values(approved_by=draft.drafted_by))


def test_the_database_refuses_an_approved_text_that_nobody_approved(session: Session, draft: Rendition) -> None:
    with pytest.raises(IntegrityError, match="rendition_approved_check"):
        session.execute(sa.update(Rendition).where(Rendition.id == draft.id).values(state="approved"))


def test_the_database_refuses_to_change_an_approved_text(session: Session, empty: Notice) -> None:
    approved = make_rendition(session, empty)
    with pytest.raises(DBAPIError, match="its text cannot change"):
        session.execute(sa.update(Rendition).where(Rendition.id == approved.id).values(text="Something else"))


def test_the_database_refuses_two_approved_texts_in_one_language(session: Session, empty: Notice) -> None:
    make_rendition(session, empty)
    with pytest.raises(IntegrityError, match="rendition_approved_key"):
        make_rendition(session, empty, version=2)


# Reading.


def test_starters_are_drafts_of_nobody_and_adding_them_again_adds_nothing(session: Session) -> None:
    for _ in range(2):
        notice.create_starters(session)
    found = {one.purpose: one for one in notice.summaries(session)}
    assert set(found) == set(Purpose)
    for one in found.values():
        assert one.approved == 0
        assert one.drafts >= 15
    versions = notice.versions(session, found[Purpose.NOTICE].id)
    assert {(one.rendition.state, one.drafted_by) for all_of in versions.values() for one in all_of} == {("draft", None)}


def test_a_draft_that_a_newer_version_has_overtaken_does_not_wait(session: Session, draft: Rendition, author: Account) -> None:
    notice.draft(session, draft.notice_id, language="es", text="Another", by=author)
    make_rendition(session, session.get_one(Notice, draft.notice_id), "fr")
    (found,) = notice.summaries(session)
    assert (found.title, found.drafts, found.approved) == ("Test notice", 1, 1)


def test_versions_come_newest_first_with_the_names_of_who_signed(session: Session, empty: Notice, author: Account) -> None:
    first = make_rendition(session, empty, drafted_by=author.id)
    notice.draft(session, empty.id, language="es", text=TEXT, by=author)
    (versions,) = notice.versions(session, empty.id, "es").values()
    assert [(one.rendition.version, one.drafted_by, one.approved_by is not None) for one in versions] == [
        (2, author.name, False),
        (1, author.name, True),
    ]
    assert versions[1].rendition.id == first.id
    assert notice.versions(session, empty.id, "fr") == {}
