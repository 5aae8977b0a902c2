"""The jobs about providers' books: comparing them with ours, and having them forget what texts said."""

import time
from typing import Any

import structlog

from outreach.delivery import books, comparison, redaction
from outreach.jobs.machine import Machine, mail_house, sendgrid_provider, text_provider
from outreach.providers.contract import Provider
from outreach.providers.postgrid import PostGridLetters
from outreach.providers.sendgrid import SendGridMail
from outreach.providers.twilio import TwilioTexts
from outreach.settings import Settings

log = structlog.get_logger()

COMPARE_SECONDS = 600.0  # no comparison is begun later in one job: the next one goes on


def bookkeepers(s: Settings) -> list[str]:
    """The names of the providers with books that can be asked."""
    return [
        TwilioTexts.name,
        *([SendGridMail.name] if s.mail_provider == SendGridMail.name and s.sendgrid_activity else []),
        *([PostGridLetters.name] if s.post_provider == PostGridLetters.name else []),
    ]


def books_due(m: Machine) -> bool:
    """Whether there is a day to compare now. What is to be compared each day is written down here."""
    with m.sessions.begin() as session:
        return bool(books.due(session, bookkeepers(m.settings)))


def compare_due(m: Machine) -> int:
    """Compare what is due; how many days of how many providers."""
    with m.sessions.begin() as session:
        wanted = books.due(session, bookkeepers(m.settings))
    until, done = time.monotonic() + COMPARE_SECONDS, 0
    for name, day in wanted:
        if time.monotonic() >= until:
            break
        done += comparison.look(m.sessions, _provider(m, name), day)
    return done


def _provider(m: Machine, name: str) -> Provider[Any]:
    match name:
        case SendGridMail.name:
            return sendgrid_provider(m.settings, m.vault)
        case PostGridLetters.name:
            return mail_house(m.settings)
    return text_provider(m.settings)


def redactions_due(m: Machine) -> bool:
    """Whether there are texts to be redacted now."""
    with m.sessions.begin() as session:
        return redaction.due(session, TwilioTexts.name, m.settings.redact_after_seconds)


def redact_due(m: Machine) -> redaction.Redacted:
    """Redact texts for some seconds: the next sweep goes on."""
    done = redaction.redact(m.sessions, text_provider(m.settings), m.settings.redact_after_seconds)
    if done != redaction.Redacted():
        log.info("redaction.ran", done=done.done, refused=done.refused, given_up=done.given_up)
    return done
