"""Handing over what is due: texts and mails to their providers, letters to the print room or a mail house."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text

from outreach.delivery import dispatch as dispatching
from outreach.delivery import letter, print_room, pulling
from outreach.delivery.letter import Letter, RunKind
from outreach.delivery.limits import Limiter
from outreach.delivery.paper import ClaimedLetter, claim_letters
from outreach.delivery.print_room import NotOpen, SetLetter
from outreach.delivery.pulling import Recall
from outreach.delivery.record import Result, record
from outreach.delivery.spending import ROOM
from outreach.jobs.machine import (
    PRINT_ROOM,
    Machine,
    awake,
    carriers,
    letter_lease,
    limits,
    mail_composer,
    mail_house,
    mail_limits,
    mail_provider,
    paper_rules,
    rules_for,
    text_provider,
)
from outreach.notices.channel import Channel
from outreach.notices.letters.print_run import compose_run
from outreach.notices.letters.typesetting import Pdf, Typesetter
from outreach.providers import contract
from outreach.providers.postgrid import PostGridLetters
from outreach.providers.twilio import TwilioTexts

log = structlog.get_logger()

MAILS = (Channel.EMAIL, Channel.ATTORNEY_EMAIL)
PAPER = (Channel.HAND, Channel.LETTER, Channel.ATTORNEY_LETTER)


def send_due(m: Machine) -> dispatching.Worked:
    """Send texts for a while."""
    if not awake(m):
        return dispatching.Worked(0, more=False)
    s = m.settings
    limiter = Limiter(s.redis_url, s.sms_sender, s.sms_segments_per_second, m.sessions) if s.sms_segments_per_second else None
    # A batch must be sent within its lease, whatever the limit.
    most = s.sms_segments_per_second * s.lease_seconds / (4 * s.sms_max_segments)
    batch = min(s.sms_batch, max(1, int(most))) if limiter else s.sms_batch
    worked = dispatching.dispatch(
        m.sessions,
        text_provider(s),
        Channel.SMS,
        rules_for(s, TwilioTexts.name),
        limits(s),
        dispatching.Pace(batch, s.sms_in_flight, s.dispatch_seconds, s.sms_timeout_seconds, limiter),
    )
    if worked.sent:
        log.info("dispatch.worked", channel=Channel.SMS, sent=worked.sent, more=worked.more)
    return worked


def mail_due(m: Machine) -> dispatching.Worked:
    """Send mails for a while: people's, then attorneys'."""
    if not awake(m):
        return dispatching.Worked(0, more=False)
    s, sent, more = m.settings, 0, False
    for channel in MAILS:
        provider = mail_provider(s, m.vault)
        worked = dispatching.dispatch(
            m.sessions,
            provider,
            channel,
            rules_for(s, provider.name, mail_composer(s)),
            mail_limits(s),
            dispatching.Pace(s.mail_batch, s.mail_in_flight, s.dispatch_seconds, s.mail_timeout_seconds),
        )
        if worked.sent:
            log.info("dispatch.worked", channel=channel, sent=worked.sent, more=worked.more)
        sent, more = sent + worked.sent, more or worked.more
    return dispatching.Worked(sent, more)


def letters_due(m: Machine) -> dispatching.Worked:
    """Set the letters that are due, and put them into print runs or hand them to the mail house, for a while.

    typst compiles in this process, so it must be a job's own: never one that forks afterwards.
    """
    if not awake(m):
        return dispatching.Worked(0, more=False)
    end = time.monotonic() + m.settings.dispatch_seconds
    typesetter = Typesetter(paper_rules(m.settings).vendor)
    sent = 0
    for channel in PAPER:
        # What is handed over by an officer is always printed in our own house.
        by_house = m.settings.post_provider == PostGridLetters.name and channel is not Channel.HAND
        for campaign_id in _waiting(m, channel):
            while True:
                if time.monotonic() >= end:
                    return dispatching.Worked(sent, more=True)
                step = _to_mail_house if by_house else _to_print_room
                handled, seen = step(m, typesetter, channel, campaign_id)
                sent += handled
                if not seen:
                    break
    return dispatching.Worked(sent, more=False)


WAITING = f"""
    select s.campaign_id from step s join campaign c on c.id = s.campaign_id
    join message m on m.step_id = s.id and m.state = 'ready' and m.due_at <= now()
    where c.state = 'running' and s.channel = :channel
      and not exists (select 1 from breaker b where b.closed_at is null and (b.step_id = s.id or b.provider = :provider))
      and not exists (select 1 from incarnation where frozen_at is not null)
      and coalesce({ROOM}, 1) > 0
    group by s.campaign_id
    having count(*) >= :full or min(m.due_at) <= now() - :gather * interval '1 second'
"""  # noqa: S608  # made from our own constant


def _waiting(m: Machine, channel: Channel) -> list[UUID]:
    """Campaigns whose letters fill a run, or have waited long enough for others."""
    s = m.settings
    with m.sessions() as session:
        return list(
            session.scalars(
                text(WAITING),
                {
                    "channel": channel, "provider": carriers(s)[channel], "full": s.print_run_letters,
                    "gather": s.letter_gather_seconds, "day_zone": s.carrier_day_zone,
                },
            )
        )  # fmt: skip


def _to_print_room(m: Machine, typesetter: Typesetter, channel: Channel, campaign_id: UUID) -> tuple[int, int]:
    """One batch of letters into as many runs as there are facilities in it; how many were printed, and looked at."""
    s = m.settings
    rules = rules_for(s, PRINT_ROOM, lease=letter_lease(s))
    with m.sessions.begin() as session:
        claimed, seen = claim_letters(session, channel, s.print_run_letters, rules, paper_rules(s), only=campaign_id)
    if channel is Channel.HAND:
        claimed.sort(key=lambda one: (str(one.facility_id), one.language))
        packets: Iterable[tuple[UUID | None, list[ClaimedLetter]]] = (
            (facility_id, list(those)) for facility_id, those in groupby(claimed, key=lambda one: one.facility_id)
        )
    else:
        packets = [(None, claimed)] if claimed else []
    for facility_id, those in packets:
        _make_run(m, typesetter, channel, campaign_id, facility_id, those)
    return len(claimed), seen


def _make_run(
    m: Machine, typesetter: Typesetter, channel: Channel, campaign_id: UUID, facility_id: UUID | None, those: list[ClaimedLetter]
) -> None:
    those, single = _set_each(m, typesetter, those, PRINT_ROOM)
    if not those:
        return
    with m.sessions.begin() as session:
        number = print_room.reserve_number(session)
    whole = compose_run(typesetter, letter.run_name(number), [one.content for one in those])
    kind = RunKind.HAND if channel is Channel.HAND else RunKind.POST
    letters = [_set_letter(one, pdf, sequence) for sequence, (one, pdf) in enumerate(zip(those, single, strict=True), 1)]
    try:
        with m.sessions.begin() as session:
            run = print_room.add_run(
                session, kind, campaign_id, facility_id, letters, whole.pdf.data, whole.pdf.pages, number=number
            )
            log.info("print_run.made", run=str(run.id), kind=kind, letters=len(letters), pages=whole.pdf.pages)
    except NotOpen:
        # The sweep gave its attempts up while it was set; they are claimed again for another run.
        log.warning("print_run.overtaken", letters=len(letters))


def _set_each(
    m: Machine, typesetter: Typesetter, those: list[ClaimedLetter], provider: str
) -> tuple[list[ClaimedLetter], list[Pdf]]:
    """Each letter as a file of its own. One that cannot be set is refused by itself, and keeps no other from being printed."""
    sound: list[ClaimedLetter] = []
    pdfs: list[Pdf] = []
    refused: list[Result] = []
    for one in those:
        try:
            pdfs.append(typesetter.compose(one.content))
            sound.append(one)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is about this letter; its words may quote the letter
            log.error("letters.not_set", attempt=str(one.token), error=type(error).__name__)
            receipt = contract.Receipt(
                one.token, contract.Verdict.REFUSED, code=type(error).__name__, refusal=contract.Refusal.REVIEW
            )
            refused.append(Result(one.message_id, receipt))
    typesetter.forget()
    if refused:
        with m.sessions.begin() as session:
            record(session, refused, mail_limits(m.settings), provider)
    return sound, pdfs


def _set_letter(one: ClaimedLetter, pdf: Pdf, sequence: int) -> SetLetter:
    return SetLetter(
        one.token, one.person_id, one.facility_id, one.content.return_code, one.content.reference, pdf.pages, pdf.sha256, sequence,
        one.duplicate_of,
    )  # fmt: skip


def _to_mail_house(m: Machine, typesetter: Typesetter, channel: Channel, campaign_id: UUID) -> tuple[int, int]:
    """One batch of letters to the mail house; how many it was asked to send, and how many were looked at."""
    s = m.settings
    rules = rules_for(s, PostGridLetters.name, lease=letter_lease(s))
    # A worker that was frozen past its lease must not send: the sweep may have given the letter to another.
    fence = time.monotonic() + s.letter_lease_seconds - s.postgrid_timeout_seconds - dispatching.MARGIN_SECONDS
    with m.sessions.begin() as session:
        claimed, seen = claim_letters(session, channel, s.letter_batch, rules, paper_rules(s), only=campaign_id)
    if not claimed:
        return 0, seen
    watch = dispatching.Watch(m.sessions, [one.message_id for one in claimed], PostGridLetters.name)
    claimed, pdfs = _set_each(m, typesetter, claimed, PostGridLetters.name)
    # On record before the mail house is asked, as the attempts are: a letter that may be on its way is never unknown to us.
    with m.sessions.begin() as session:
        session.add_all(
            Letter(
                attempt_id=one.token, person_id=one.person_id, facility_id=one.facility_id, pages=pdf.pages,
                return_code=one.content.return_code, reference=one.content.reference, pdf_sha256=pdf.sha256,
                duplicate_of=one.duplicate_of,
            )
            for one, pdf in zip(claimed, pdfs, strict=True)
        )  # fmt: skip
    results = asyncio.run(_post_all(mail_house(s), claimed, pdfs, fence, watch))
    with m.sessions.begin() as session:
        record(session, results, mail_limits(s), PostGridLetters.name)
    return len(claimed), seen


def call_back(m: Machine) -> int:
    """Call back what the mail house must not print any more; how many letters it still could."""
    s = m.settings
    with m.sessions() as session:
        wanted = pulling.to_recall(session, PostGridLetters.name, minutes=s.postgrid_cancel_minutes)
    if not wanted:
        return 0
    answers = asyncio.run(_cancel_all(mail_house(s), wanted))
    done = [one for one, cancelled in zip(wanted, answers, strict=True) if cancelled]
    if done:
        with m.sessions.begin() as session:
            pulling.recalled(session, done)
    log.info("mail_house.called_back", wanted=len(wanted), called_back=len(done))
    return len(done)


async def _cancel_all(provider: PostGridLetters, wanted: Sequence[Recall]) -> list[bool]:
    async def cancel(one: Recall) -> bool:
        try:
            return await provider.cancel(one.provider_id)
        except contract.Unreachable as error:
            # The next sweep asks again, as long as there is any use in it.
            log.warning("mail_house.unreachable", attempt=str(one.attempt_id), cause=str(error))
            return False

    async with provider:
        return list(await asyncio.gather(*(cancel(one) for one in wanted)))


async def _post_all(
    provider: PostGridLetters, claimed: Sequence[ClaimedLetter], pdfs: Sequence[Pdf], fence: float, watch: dispatching.Watch
) -> list[Result]:
    waiting = iter(zip(claimed, pdfs, strict=True))
    results: list[Result] = []

    async def lane() -> None:
        # Each letter is asked whether it may still go, and is ours, when it is its turn, not when it begins to wait for one.
        for one, pdf in waiting:
            if await watch.holds_back(one.message_id):
                receipt = contract.Receipt(one.token, contract.Verdict.NOT_SENT, code="paused", retry_after=0.0)
            elif time.monotonic() > fence:
                receipt = contract.Receipt(one.token, contract.Verdict.NOT_SENT, code="lease_over")
            else:
                receipt = await _sent(provider, contract.Letter(one.token, one.content.recipient, one.country, pdf.data, pdf.pages))
            results.append(Result(one.message_id, receipt))

    async with provider:
        await asyncio.gather(*(lane() for _ in range(provider.in_flight)))
    return results


async def _sent(provider: Any, paper: contract.Letter) -> contract.Receipt:
    try:
        receipt: contract.Receipt = await provider.send(paper)
    except Exception as error:  # noqa: BLE001  # whatever it is, the letter may have gone
        log.error("delivery.send_failed", attempt=str(paper.token), error=type(error).__name__)
        return contract.Receipt(paper.token, contract.Verdict.UNKNOWN, code=type(error).__name__)
    return receipt
