"""Letters are composed for one person, under that person's key, as the settings and the person's file say."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from outreach import jobs
from outreach.access.sealing import key_for, vault_of
from outreach.db import now
from outreach.delivery import events
from outreach.delivery.claim import Rules
from outreach.delivery.letter import Letter, LetterState
from outreach.delivery.paper import claim_letters
from outreach.delivery.record import Limits, Result, record
from outreach.notices import notice
from outreach.notices.channel import Channel
from outreach.people.custody import Custody
from outreach.providers.contract import Receipt, Refusal, Report, Verdict
from outreach.providers.postgrid import PostGridLetters
from tests.delivery.conftest import HOUSE, LEASE
from tests.delivery.office import LETTER, PAPER, Office, office
from tests.factories import (
    make_rendition,
)

__all__ = ["office"]


@pytest.mark.parametrize("said", ["at once", "in a report"])
def test_one_letter_that_a_mail_house_cannot_post_does_not_close_the_facility_for_the_others(office: Office, said: str) -> None:
    office.person(Custody.DETAINED, "Sample Center"), office.person(Custody.DETAINED, "Sample Center")
    home = office.address(office.person())
    office.launch(Channel.LETTER)
    limits = Limits(attempts=3, retry_seconds=60)
    letters = claim_letters(office.session, Channel.LETTER, 500, Rules(HOUSE, LEASE, PostGridLetters.name), PAPER)[0]
    refused = next(one for one in letters if one.facility_id), next(one for one in letters if one.facility_id is None)
    for one in refused:
        if said == "at once":
            receipt = Receipt(one.token, Verdict.REFUSED, code="invalid_address_error", refusal=Refusal.BAD_ADDRESS)
            record(office.session, [Result(one.message_id, receipt)], limits, PostGridLetters.name)
        else:
            report = Report(f"key {one.token}", one.token, f"letter_{one.token.hex}", "cancelled", "failed", "undeliverable")
            events.keep(office.session, PostGridLetters.name, report)
            events.apply(office.session, size=10, meaning=jobs.meaning, limits=lambda _: limits)
    rows = office.session.execute(sa.text("select id, state from contact_point where kind = 'post'"))
    states = {row.id: row.state for row in rows}
    assert states.pop(home.id) == "bad"
    assert set(states.values()) == {"usable"}


def test_a_letter_is_about_one_person_even_where_two_live(office: Office) -> None:
    ana, bo = office.person(Custody.DETAINED, "Sample Center"), office.person(Custody.DETAINED, "Sample Center")
    office.launch(Channel.LETTER)
    letters = office.claim_letters()
    assert {letter.person_id for letter in letters} == {ana.id, bo.id}
    assert len({letter.code for letter in letters}) == 2


def test_the_english_behind_a_letter_is_the_one_that_stood_beside_its_text_when_it_was_decided_on(office: Office) -> None:
    office.address(office.person())
    office.launch(Channel.LETTER)
    said = office.session.get_one(notice.Notice, office.notice_id)
    office.session.execute(
        sa.update(notice.Rendition).where(notice.Rendition.channel == Channel.LETTER, notice.Rendition.language == "en")
        .values(state=notice.RenditionState.RETIRED)
    )  # fmt: skip
    make_rendition(
        office.session, said, "en", channel=Channel.LETTER, text=LETTER + "\n\nA newer sentence.",
        approved_at=now() + timedelta(hours=1), version=2,
    )  # fmt: skip
    (letter,) = office.claim_letters()
    assert [each.language for each in letter.content.texts] == ["es", "en"]
    assert letter.content.texts[0].blocks == letter.content.texts[1].blocks


def test_a_letters_content_opens_with_the_persons_own_key_only(office: Office) -> None:
    ana = office.person()
    office.address(ana)
    office.launch(Channel.LETTER)
    (letter,) = office.claim_letters()
    row = office.session.execute(sa.text("select id, body_sealed, sealed_under from attempt")).one()
    assert row.sealed_under == ana.id
    assert "Sample PERSON" in key_for(office.session, ana.id).open("attempt.body", row.id, row.body_sealed)
    code = office.session.execute(sa.text("select code_hash from access_code")).scalar_one()
    assert letter.code is not None
    assert code == vault_of(office.session).keyed_hash("access_code", letter.code.replace("-", ""))


def test_a_name_that_no_font_can_print_keeps_the_letter_back_and_says_so(office: Office) -> None:
    ana = office.person(name="Sample \U00013000")
    office.address(ana)
    office.launch(Channel.LETTER)
    assert office.claim_letters() == []
    assert office.standing(ana) == "exhausted:missing_glyph"


def test_who_needs_large_type_gets_it(office: Office) -> None:
    ana, bo = office.person(large_print=True), office.person()
    office.address(ana), office.address(bo)
    office.launch(Channel.LETTER)
    assert {one.person_id: one.content.large_print for one in office.claim_letters()} == {ana.id: True, bo.id: False}


@pytest.mark.parametrize(("policy", "languages"), [(True, ["es", "en"]), (False, ["es"])])
def test_the_english_stands_behind_where_the_policy_says_so(office: Office, policy: bool, languages: list[str]) -> None:
    office.address(office.person())
    office.launch(Channel.LETTER)
    (letter,) = office.claim_letters(paper=replace(PAPER, english_behind=policy))
    assert [text.language for text in letter.content.texts] == languages


def test_after_a_letter_came_back_the_next_says_that_it_is_a_duplicate_and_of_which(office: Office) -> None:
    ana = office.person()
    office.address(ana)
    office.launch(Channel.LETTER, (Channel.LETTER, 0))
    first, second = sorted(office.claim_letters(), key=lambda one: one.message_id)
    assert (first.content.duplicate, first.duplicate_of) == (False, None)
    came_back = Letter(
        attempt_id=first.token, person_id=ana.id, return_code=first.content.return_code, reference=first.content.reference, pages=1,
        pdf_sha256="-", state=LetterState.RETURNED, state_at=now(),
    )  # fmt: skip
    office.session.add(came_back)
    office.session.flush()
    office.session.execute(sa.text("update attempt set state = 'not_sent' where id = :id"), {"id": second.token})
    office.session.execute(sa.text("update message set state = 'ready', due_at = now() where id = :id"), {"id": second.message_id})
    (again,) = office.claim_letters()
    assert (again.content.duplicate, again.duplicate_of) == (True, first.token)
