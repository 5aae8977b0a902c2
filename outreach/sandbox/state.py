"""What every request handler of the sandbox shares."""

import hmac
from dataclasses import dataclass, field

import jinja2
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec

from outreach.sandbox.books import Books
from outreach.sandbox.config import Config, Dials
from outreach.sandbox.faults import Rules
from outreach.sandbox.mail_books import Mails
from outreach.sandbox.post_books import Letters


@dataclass(kw_only=True)
class State:
    """One running sandbox."""

    config: Config
    dials: Dials
    books: Books
    letters: Letters
    mails: Mails
    mail_key: ec.EllipticCurvePrivateKey
    rules: Rules
    templates: jinja2.Environment
    in_flight: set[int] = field(default_factory=set)

    def senders_accept(self, number: str) -> bool:
        return not self.config.numbers or number in self.config.numbers


STATE = web.AppKey("state", State)


def same(given: str, expected: str) -> bool:
    """Compares secrets in a time that tells nothing about them."""
    return hmac.compare_digest(given.encode(), expected.encode())
