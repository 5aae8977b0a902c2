"""Twilio's callbacks over real HTTP: believed by signature, and never believed twice."""

from urllib.parse import urlencode
from uuid import uuid4

import pytest
from twilio.request_validator import RequestValidator

from outreach import jobs
from outreach.providers.twilio import OVERRIDES
from tests.stage import TOKEN, Stage
from tests.web.webhooks.calls import PATHS, call, everything, report, sent_one, signed, text


def test_a_field_that_twilio_adds_without_notice_loses_no_stop_and_no_report(stage: Stage) -> None:
    token = sent_one(stage)
    path, form = f"{PATHS['status']}{token}", report(MessageSid=stage.scalar("select provider_id from attempt"), NewField="x")
    assert call(stage, path, urlencode(form).encode(), signed(stage, path, form)).status == 204
    form = text(Body="STOP", NewField="x")
    assert call(stage, PATHS["inbound"], urlencode(form).encode(), signed(stage, PATHS["inbound"], form)).status == 200
    jobs.apply_due(stage.machine)
    assert stage.states() == {"delivered": 1}
    assert stage.contact(0).state == "opted_out"


def test_a_genuine_report_is_kept_once_however_often_it_is_replayed(stage: Stage) -> None:
    token = sent_one(stage)
    path, form = f"{PATHS['status']}{token}", report(MessageSid=stage.scalar("select provider_id from attempt"))
    headers = signed(stage, path, form)
    assert call(stage, path, urlencode(form).encode(), headers).status == 204
    jobs.apply_due(stage.machine)
    assert stage.states() == {"delivered": 1}
    before = everything(stage)
    for _ in range(3):
        assert call(stage, path, urlencode(form).encode(), headers).status == 204
    assert everything(stage) == before


def test_a_genuine_text_replayed_is_obeyed_once_and_does_not_undo_what_came_after_it(stage: Stage) -> None:
    sent_one(stage)
    path, form = PATHS["inbound"], text(Body="STOP")
    headers = signed(stage, path, form)
    assert call(stage, path, urlencode(form).encode(), headers).status == 200
    assert stage.contact(0).state == "opted_out"
    start = text(Body="START", MessageSid=f"SM{'0' * 31}2")
    call(stage, path, urlencode(start).encode(), signed(stage, path, start))
    before = everything(stage)
    assert call(stage, path, urlencode(form).encode(), headers).status == 200
    assert stage.contact(0).state == "usable"
    assert everything(stage) == before


def test_a_report_signed_with_or_without_the_overrides_or_by_the_previous_token_is_believed(stage: Stage) -> None:
    token = sent_one(stage)
    path, form = f"{PATHS['status']}{token}", report(MessageSid=stage.scalar("select provider_id from attempt"))
    signature = RequestValidator(TOKEN).compute_signature(stage.web_url + path + OVERRIDES, form)
    assert call(stage, path, urlencode(form).encode(), {"X-Twilio-Signature": signature}).status == 204


@pytest.mark.parametrize("stage", [{"twilio_auth_token_previous": "the token before"}], indirect=True)
def test_while_the_token_is_changed_both_are_believed(stage: Stage) -> None:
    token = sent_one(stage)
    path = f"{PATHS['status']}{token}"
    for status, key in (("sent", "the token before"), ("delivered", TOKEN)):
        form = report(MessageStatus=status, MessageSid=stage.scalar("select provider_id from attempt"))
        assert call(stage, path, urlencode(form).encode(), signed(stage, path, form, key)).status == 204
    assert stage.scalar("select count(*) from event") == 2


def test_a_report_for_an_attempt_nobody_knows_is_kept_and_marked(stage: Stage) -> None:
    path, form = f"{PATHS['status']}{uuid4()}", report()
    assert call(stage, path, urlencode(form).encode(), signed(stage, path, form)).status == 204
    jobs.apply_due(stage.machine)
    assert stage.scalar("select problem from event") == "no_attempt"
