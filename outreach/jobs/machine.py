"""What the jobs work with: settings, sessions, and the providers that the settings choose."""

import functools
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from sqlalchemy import NullPool, Pool, QueuePool
from sqlalchemy.orm import Session, sessionmaker

from outreach import settings
from outreach.access.sealing import FileKeyRing, Vault
from outreach.db import make_engine, make_sessions
from outreach.delivery import incarnation, mail_address
from outreach.delivery.breaker import Tolerance
from outreach.delivery.claim import Rules
from outreach.delivery.compose import Composer, texts
from outreach.delivery.incarnation import RedisMark
from outreach.delivery.mail_address import Purpose
from outreach.delivery.mails import MailRules, mails
from outreach.delivery.paper import PaperRules
from outreach.delivery.record import Limits
from outreach.delivery.spending import Tariff
from outreach.notices.channel import Channel
from outreach.notices.house import House
from outreach.notices.letters import vendors
from outreach.people.roster import limits as roster
from outreach.providers import postgrid, sendgrid, smtp
from outreach.providers.contract import Mailbox, Refusal
from outreach.providers.postgrid import PostGridLetters
from outreach.providers.sendgrid import SendGridMail
from outreach.providers.smtp import SmtpMail
from outreach.providers.twilio import TwilioTexts, codes
from outreach.settings import Settings

PRINT_ROOM = "print_room"


@dataclass(frozen=True, slots=True)
class Machine:
    """What a job needs: the settings, and sessions that connect only when they are used."""

    settings: Settings
    sessions: sessionmaker[Session]

    @property
    def vault(self) -> Vault:
        vault = self.sessions.kw["info"]["vault"]
        assert isinstance(vault, Vault)
        return vault


def machine_for(chosen: Settings, *, pool: type[Pool] = NullPool) -> Machine:
    """Nothing is connected yet. Unless there is a pool, each connection is closed after its use."""
    engine = make_engine(chosen.database_url, pool=pool)
    return Machine(chosen, make_sessions(engine, Vault(FileKeyRing(chosen.key_ring))))


@functools.cache
def machine() -> Machine:
    """This process's own, made from its environment. A worker makes it before it forks, and never connects: only its jobs do.

    A job keeps its connections: to connect anew for each batch costs as much as the batch.
    """
    return machine_for(settings.load(), pool=QueuePool)


def awake(m: Machine) -> bool:
    """Whether this database is the one that was last reconciled. Asked at the start of each job that sends, and by each sweep."""
    with m.sessions.begin() as session:
        return incarnation.look(session, m.settings.incarnation, RedisMark(m.settings.redis_url))


def house(chosen: Settings) -> House:
    return House(chosen.fields_for_texts, chosen.sms_max_segments, chosen.sms_segment_price)


def text_provider(chosen: Settings) -> TwilioTexts:
    """The provider of texts that the settings choose."""
    return TwilioTexts(
        account_sid=chosen.twilio_account_sid,
        auth_token=chosen.twilio_auth_token,
        previous_token=chosen.twilio_auth_token_previous,
        sender=chosen.sms_sender,
        api_url=chosen.twilio_api_url,
        callback_base=chosen.public_base_url,
        in_flight=chosen.sms_in_flight,
        timeout=chosen.sms_timeout_seconds,
        allowed_numbers=chosen.sms_allowed_numbers,
    )


def mail_provider(chosen: Settings, vault: Vault) -> SendGridMail | SmtpMail:
    """The provider of mails that the settings choose."""
    if chosen.mail_provider == SmtpMail.name:
        return SmtpMail(
            host=chosen.smtp_host,
            port=chosen.smtp_port,
            security=cast("smtp.Security", chosen.smtp_security),  # the settings allow no other
            username=chosen.smtp_username,
            password=chosen.smtp_password,
            sender=Mailbox(chosen.mail_from),
            sender_name=chosen.program_name,
            bounce_address=lambda token: f"{mail_address.sign(vault, Purpose.BOUNCE, token)}@{chosen.smtp_bounce_domain}",
            in_flight=chosen.mail_in_flight,
            timeout=chosen.mail_timeout_seconds,
            allowed_domains=chosen.mail_allowed_domains,
        )
    return sendgrid_provider(chosen, vault)


def sendgrid_provider(chosen: Settings, vault: Vault) -> SendGridMail:
    """SendGrid, also where it only brings the answers to mails that a relay has sent."""
    return SendGridMail(
        api_key=chosen.sendgrid_api_key,
        sender=Mailbox(chosen.mail_from),
        sender_name=chosen.program_name,
        api_url=chosen.sendgrid_api_url,
        in_flight=chosen.mail_in_flight,
        timeout=chosen.mail_timeout_seconds,
        activity=chosen.sendgrid_activity,
        webhook_keys=chosen.sendgrid_webhook_keys,
        inbound_password=chosen.inbound_mail_password,
        read_address=lambda address: mail_address.read(vault, Purpose.REPLY, address),
        allowed_domains=chosen.mail_allowed_domains,
    )


def mute(s: Settings) -> list[str]:
    """The providers whose books cannot be read: what they have never answered for, only a report or a person settles."""
    return [SmtpMail.name] if s.sendgrid_activity else [SmtpMail.name, SendGridMail.name]


def mail_house(chosen: Settings) -> PostGridLetters:
    """The mail house; only where the settings choose one instead of the print room."""
    return PostGridLetters(
        api_key=chosen.postgrid_api_key,
        webhook_secret=chosen.postgrid_webhook_secret,
        api_url=chosen.postgrid_api_url,
        sender=chosen.sender_lines,
        timeout=chosen.postgrid_timeout_seconds,
    )


MEANINGS = {
    TwilioTexts.name: lambda code: codes().get(code or "", Refusal.REVIEW),
    SendGridMail.name: sendgrid.refusal,
    SmtpMail.name: smtp.refusal,
    PostGridLetters.name: postgrid.refusal,
}


def meaning(provider: str, code: str | None) -> Refusal:
    """What to do about a code that a provider has reported."""
    return MEANINGS[provider](code) if provider in MEANINGS else Refusal.REVIEW


def tolerance(s: Settings) -> Tolerance:
    """How much may go wrong before a breaker opens."""
    return Tolerance(
        s.filtered_limit, s.breaker_sample, s.breaker_address_share, s.breaker_refusal_share, s.breaker_unknown_share,
        s.breaker_mail_sample, s.breaker_bounce_share, s.breaker_complaint_share,
    )  # fmt: skip


def carriers(s: Settings) -> dict[Channel, str]:
    """By whom each channel's messages go, as the settings choose. What an officer hands over is always printed in our own house."""
    house = PostGridLetters.name if s.post_provider == PostGridLetters.name else PRINT_ROOM
    return {
        Channel.SMS: TwilioTexts.name,
        Channel.EMAIL: s.mail_provider,
        Channel.ATTORNEY_EMAIL: s.mail_provider,
        Channel.LETTER: house,
        Channel.ATTORNEY_LETTER: house,
        Channel.HAND: PRINT_ROOM,
    }


def limits(s: Settings) -> Limits:
    """Tries of a text."""
    return Limits(s.sms_attempts, s.sms_retry_seconds, tolerance(s))


def mail_limits(s: Settings) -> Limits:
    """Tries of a mail or a letter."""
    return Limits(s.mail_attempts, s.mail_retry_seconds, tolerance(s))


def limits_of(s: Settings, provider: str) -> Limits:
    """Tries of whatever goes by a provider."""
    return limits(s) if provider == TwilioTexts.name else mail_limits(s)


def tariff(s: Settings) -> Tariff:
    """What messages cost, and when the carriers' day ends."""
    return Tariff(s.sms_segment_price, s.mail_price, s.letter_price, s.carrier_day_zone)


def rules_for(s: Settings, provider: str, composer: Composer = texts, lease: timedelta | None = None) -> Rules:
    return Rules(
        house(s), lease or timedelta(seconds=s.lease_seconds), provider, composer, tariff=tariff(s),
        late_after=timedelta(hours=s.late_after_hours), validity=timedelta(seconds=s.sms_validity_seconds),
        shortest_validity=timedelta(seconds=s.sms_shortest_validity_seconds),
    )  # fmt: skip


def letter_lease(s: Settings) -> timedelta:
    return timedelta(seconds=s.letter_lease_seconds)


def mail_composer(s: Settings) -> Composer:
    return mails(MailRules(s.public_base_url, s.mail_reply_domain))


def paper_rules(s: Settings) -> PaperRules:
    return PaperRules(vendors.load(s.print_vendor), s.sender_lines, s.sender_title, s.letter_english_behind)


def roster_limits(chosen: Settings) -> roster.Limits:
    return roster.Limits(file_bytes=chosen.roster_max_bytes, rows=chosen.roster_max_rows, address_reuse=chosen.address_reuse_limit)
