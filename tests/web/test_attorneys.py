"""Attorneys in the panel: entered once, verified by somebody else, ended at once, and both tracks in a person's file."""

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from markupsafe import escape
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.access.audit import AuditEntry
from outreach.campaigns.campaign import Campaign
from outreach.campaigns.outcome import CounselOutcome, OutcomeState, Reason
from outreach.delivery.message import MessagePerson
from outreach.notices.notice import Channel, Notice
from outreach.people.attorney import AppearanceForm, Attorney, Ending, Representation
from outreach.people.contact import ContactPoint
from tests.factories import (
    make_account,
    make_attorney,
    make_campaign,
    make_message,
    make_outcome,
    make_person,
    make_rendition,
    make_reply,
    make_representation,
)
from tests.web.conftest import Fetch, SignIn, submit

FORM = {
    "name": "Avery Q. Sample", "firm": "Example Legal Aid", "eoir_id": "ZZ-000123", "bar_state": "CA", "bar_number": "00123",
    "email": "avery@example.org", "phone": "(202) 555-0142", "post": "100 Sample Ave, Suite 4\nSample City, TX 75001",
}  # fmt: skip


def actions(session: Session) -> list[str]:
    session.expire_all()
    wanted = sa.select(AuditEntry.action).where(~AuditEntry.action.startswith("account")).order_by(AuditEntry.seq)
    return list(session.scalars(wanted))


def test_the_list_puts_first_who_has_something_to_be_verified(sign_in: SignIn, page: Fetch, session: Session) -> None:
    idle, busy = make_attorney(session, name="Blake Example"), make_attorney(session, name="Avery Sample", firm="Example Aid")
    make_representation(session, make_person(session), idle)
    make_representation(session, make_person(session), busy, verified=False)
    client = sign_in(Role.OFFICER)
    listed = page(client, "/attorneys")
    assert listed.text.index("Avery Sample") < listed.text.index("Blake Example")
    assert "Example Aid" in listed.text
    assert actions(session)[-1] == "attorney.list"
    waiting = page(client, "/attorneys?show=waiting")
    assert "Blake Example" not in waiting.text
    assert "Avery Sample" in waiting.text


def test_the_list_is_in_the_order_of_people_and_not_of_papers(sign_in: SignIn, page: Fetch, session: Session) -> None:
    two, one = make_attorney(session, name="Blake Example"), make_attorney(session, name="Avery Sample")
    client = make_person(session)
    for attorney, people in ((two, [make_person(session), make_person(session)]), (one, [client, client])):
        for person, form in zip(people, AppearanceForm, strict=True):
            make_representation(session, person, attorney, verified=False, form=form)
    listed = page(sign_in(Role.OFFICER), "/attorneys").text
    assert listed.index("Blake Example") < listed.index("Avery Sample")


@pytest.mark.parametrize(
    ("by", "words"), [("name", "avery"), ("eoir_id", "zz000123"), ("bar", "ca 00123"), ("email", "avery@example.org")]
)
def test_an_attorney_is_found_and_what_was_typed_is_in_no_address(
    sign_in: SignIn, page: Fetch, session: Session, by: str, words: str
) -> None:
    client = sign_in(Role.OFFICER)
    submit(client, "/attorneys", FORM)
    found = page(client, "/attorneys/search", post={"by": by, "words": words})
    assert "Avery Q. Sample" in found.text
    assert actions(session)[-2:] == ["attorney.search", "attorney.list"]
    nothing = page(client, "/attorneys/search", post={"by": "eoir_id", "words": "ZZ999999"})
    assert "No attorney found" in nothing.text
    page(client, "/attorneys/search", post={"by": "bar", "words": "?"}, status=400)
    assert submit(client, "/attorneys/search", {"by": "phone", "words": "1"}).status_code == 400


def test_an_attorney_is_entered_shown_and_changed(sign_in: SignIn, page: Fetch, session: Session) -> None:
    client = sign_in(Role.OFFICER)
    page(client, "/attorneys/new")
    where = submit(client, "/attorneys", FORM).location
    shown = page(client, where)
    for part in ("Avery Q. Sample", "Example Legal Aid", "ZZ000123", "CA 00123", "avery@example.org", "+12025550142", "Suite 4"):
        assert part in shown.text
    edited = page(client, f"{where}/edit")
    assert 'value="avery@example.org"' in edited.html
    assert submit(client, where, FORM | {"email": "new@example.org"}).location == where
    assert "new@example.org" in page(client, where).text
    assert {"attorney.enter", "attorney.open", "attorney.change"} <= set(actions(session))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "There is no name of the attorney"),
        ({"eoir_id": "pending"}, "“EOIR ID” is not an EOIR ID"),
        ({"bar_state": ""}, "A bar number needs the state"),
        ({"email": "avery at example"}, "“E-mail address” is not an e-mail address"),
    ],
)
def test_what_cannot_be_read_is_said_beside_its_field_and_kept(
    sign_in: SignIn, page: Fetch, session: Session, changes: dict[str, str], said: str
) -> None:
    refused = page(sign_in(Role.OFFICER), "/attorneys", post=FORM | changes, status=400)
    assert said in refused.text
    assert str(escape(FORM["firm"])) in refused.html
    assert session.scalar(sa.select(sa.func.count()).select_from(Attorney)) == 0


def test_an_attorney_on_record_is_not_entered_twice_and_the_page_leads_to_the_record(
    sign_in: SignIn, page: Fetch, session: Session
) -> None:
    client = sign_in(Role.OFFICER)
    where = submit(client, "/attorneys", FORM).location
    refused = page(client, "/attorneys", post=FORM | {"name": "Blake Example"}, status=409)
    assert "with this EOIR ID is on record" in refused.text
    assert where in refused.links()


def test_an_appearance_is_entered_by_one_and_verified_by_another_from_the_persons_file(
    sign_in: SignIn, page: Fetch, session: Session
) -> None:
    person, attorney = make_person(session, name="SAMPLE, Layla"), make_attorney(session, name="Avery Sample")
    session.commit()
    first, second = sign_in(Role.OFFICER), sign_in(Role.OFFICER)
    assert "No attorney on record" in page(first, f"/people/{person.id}").text
    choose = page(first, f"/attorneys/for/{person.id}/search", post={"by": "name", "words": "avery"})
    form = f"/attorneys/{attorney.id}/for/{person.id}"
    assert form in choose.links()
    assert "SAMPLE, Layla" in page(first, form).text
    typed = {"form": "g28", "scope": "all", "filed_on": "2022-11-02", "evidence": "box 4"}
    page(first, form, post=typed | {"form": ""}, status=400)
    page(first, form, post=typed | {"filed_on": "2999-01-01"}, status=409)
    assert submit(first, form, typed).status_code == 302
    page(first, form, post=typed, status=409)
    found = session.scalars(sa.select(Representation)).one()
    mine = page(first, f"/people/{person.id}")
    assert "You entered it: a second person verifies it." in mine.text
    assert f"/attorneys/representations/{found.id}/verify" not in mine.html
    submit(first, f"/attorneys/representations/{found.id}/verify")
    session.refresh(found)
    assert found.verified_at is None
    theirs = page(second, f"/people/{person.id}")
    assert "box 4" in theirs.text
    assert "No attorney on record" in theirs.text
    submit(second, f"/attorneys/representations/{found.id}/verify")
    after = page(second, f"/people/{person.id}")
    assert "No attorney on record" not in after.text
    assert "Attorney's appearance verified" in after.text.replace("&#39;", "'")


def test_a_roster_s_appearances_are_verified_together_when_they_were_counted(
    sign_in: SignIn, page: Fetch, session: Session
) -> None:
    attorney, importer = make_attorney(session), make_account(session)
    found = [make_representation(session, make_person(session), attorney, verified=False, entered_by=importer.id) for _ in range(3)]
    make_representation(session, make_person(session, name="SAMPLE, Hidden", protected=True), attorney, verified=False)
    session.commit()
    where = f"/attorneys/{attorney.id}/verify"
    assert "There is nothing here that you could verify" in page(sign_in(importer), where).text
    client = sign_in(Role.OFFICER)
    shown = page(client, where)
    assert len([one for one in shown.all("input") if one.get("name") == "representations"]) == 3
    assert "SAMPLE, Hidden" not in shown.text
    chosen: dict[str, Any] = {"representations": [str(one.id) for one in found[:2]]}
    for count, status in (("", 400), ("two", 400), ("3", 409)):
        page(client, where, post=chosen | {"count": count}, status=status)
    session.expire_all()
    assert not any(one.verified_at for one in found)
    assert submit(client, where, chosen | {"count": "2"}).status_code == 302
    session.expire_all()
    assert [one.verified_at is not None for one in found] == [True, True, False]


def test_an_appearance_is_ended_and_another_attorney_takes_over(sign_in: SignIn, page: Fetch, session: Session) -> None:
    person, old, new = make_person(session), make_attorney(session), make_attorney(session, name="Blake Example")
    g28, other = make_representation(session, person, old), make_representation(session, person, old, form="eoir28")
    session.commit()
    client = sign_in(Role.OFFICER)
    where = f"/attorneys/representations/{g28.id}/end"
    assert f"/attorneys/for/{person.id}?replaces={g28.id}" in page(client, where).links()
    page(client, where, post={"ended_as": "", "on": ""}, status=400)
    page(client, where, post={"ended_as": Ending.WITHDRAWN, "on": "2999-01-01"}, status=409)
    assert submit(client, where, {"ended_as": Ending.WITHDRAWN, "on": ""}).status_code == 302
    page(client, where, post={"ended_as": Ending.CONCLUDED, "on": ""}, status=409)
    assert "ends today, at once" in page(client, f"/attorneys/{new.id}/for/{person.id}?replaces={other.id}").text
    taking_over = {"form": "eoir28", "scope": "all", "replaces": str(other.id)}
    assert submit(client, f"/attorneys/{new.id}/for/{person.id}", taking_over).status_code == 302
    session.expire_all()
    assert (g28.ended_as, other.ended_as) == (Ending.WITHDRAWN, Ending.SUBSTITUTED)
    shown = page(client, f"/people/{person.id}").text
    assert "Withdrawn by the attorney" in shown
    assert "Another attorney took over" in shown
    assert "Blake Example" in shown


def test_a_protected_persons_appearances_are_a_supervisors(sign_in: SignIn, page: Fetch, session: Session) -> None:
    person, attorney = make_person(session, name="SAMPLE, Hidden", protected=True), make_attorney(session)
    found = make_representation(session, person, attorney, verified=False)
    session.commit()
    officer, supervisor = sign_in(Role.OFFICER), sign_in(Role.SUPERVISOR)
    seen = page(officer, f"/attorneys/{attorney.id}")
    assert "SAMPLE, Hidden" not in seen.text
    assert str(person.id) not in seen.html
    assert "Protected record" in seen.text
    assert "SAMPLE, Hidden" in page(supervisor, f"/attorneys/{attorney.id}").text
    for path in (
        f"/attorneys/for/{person.id}",
        f"/attorneys/{attorney.id}/for/{person.id}",
        f"/attorneys/representations/{found.id}/end",
    ):
        assert officer.get(path).status_code == 403
    assert submit(officer, f"/attorneys/representations/{found.id}/verify").status_code == 403
    assert submit(officer, f"/attorneys/representations/{found.id}/end", {"ended_as": "mistaken", "on": ""}).status_code == 403


def test_both_files_show_what_the_attorney_was_told_about_whom_and_answered(sign_in: SignIn, page: Fetch, session: Session) -> None:
    attorney = make_attorney(session, name="Avery Sample", email="avery@example.org")
    client, hidden = make_person(session, name="SAMPLE, Layla"), make_person(session, name="SAMPLE, Hidden", protected=True)
    for person in (client, hidden):
        make_representation(session, person, attorney)
    campaign = make_campaign(session, title="First notice")
    make_outcome(session, campaign, client, OutcomeState.PLANNED)
    session.add(
        CounselOutcome(
            campaign_id=campaign.id, person_id=client.id, attorney_id=attorney.id, state=OutcomeState.EXHAUSTED,
            reason=Reason.ATTORNEY_UNREACHABLE,
        )
    )  # fmt: skip
    point = session.get_one(ContactPoint, UUID(str(attorney.email_point_id)))
    told_attorney(session, campaign, point, attorney, [client.id, hidden.id])
    reply = make_reply(session, "+12025550142", "Thank you, I have told them <b>both</b>.")
    reply.attorney_id = attorney.id
    session.commit()
    browser = sign_in(Role.OFFICER)
    theirs = page(browser, f"/attorneys/{attorney.id}")
    for part in ("First notice", "about 2 clients", "SAMPLE, Layla", "Protected record", "Thank you, I have told them"):
        assert part in theirs.text
    assert "SAMPLE, Hidden" not in theirs.text
    assert "<b>both</b>" not in theirs.html
    assert "Names of SAMPLE, Hidden" not in theirs.html
    own = page(browser, f"/people/{client.id}")
    assert "Planned" in own.text
    assert "Not reached" in own.text
    assert "To their attorney" in own.text
    assert "also about 1 other person" in own.text
    assert "Names of SAMPLE, Hidden" not in own.html


def told_attorney(session: Session, campaign: Campaign, point: ContactPoint, attorney: Attorney, people: list[UUID]) -> None:
    """An e-mail to the attorney about these people, whose text names them."""
    make_rendition(session, session.get_one(Notice, campaign.notice_id), "en", channel=Channel.ATTORNEY_EMAIL, subject="A message")
    message = make_message(
        session, campaign, point, text="Names of SAMPLE, Hidden", channel=Channel.ATTORNEY_EMAIL, language="en",
        attorney_id=attorney.id,
    )  # fmt: skip
    session.add_all(MessagePerson(message_id=message.id, person_id=person_id) for person_id in people)
    session.flush()
