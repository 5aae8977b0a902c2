"""Mailboxes that are not there: what becomes of mails to them, and what their owners answer.

The first word of the local part, or else of the domain, decides where it is one of the words below: `bounce.47@example.org` and
`ana@bounce.example.org` bounce, `answers.3@example.net` answers. All others are drawn from the seed and the address alone when the
population is switched on, and else receive and stay silent. The shares are plausible, not measured.
"""

import re
from dataclasses import dataclass

from outreach.sandbox.faults import draw
from outreach.sandbox.languages import tongue_of
from outreach.sandbox.mail_fates import FATES
from outreach.sandbox.population import FREE_TEXT, WORDLESS

REFUSED = "refused"
"""A mailbox whose address SendGrid finds invalid."""

SHARES = ((0.030, "bounce"), (0.010, "blocked"), (0.005, "nowhere"), (0.005, "full"), (0.020, "deferred"), (0.007, "returned"),
          (0.003, "spamreport"), (0.002, "unsubscribe"), (0.003, "oneclick"), (0.004, "dropped"), (0.003, REFUSED))  # fmt: skip
ANSWERING = 0.10


@dataclass(frozen=True)
class Reply:
    """What a mailbox sends back. `machine`: an out-of-office notice."""

    text: str
    machine: bool = False
    attachment: bool = False


REPLIES = {
    "answers": Reply("1"),
    "away": Reply("I am out of the office until Monday.", machine=True),
    "stops": Reply("STOP"),
    "attaches": Reply("Please see the attached letter.", attachment=True),
}
WRITES = "writes"
# Share of the answers -> the word above that says which.
SAYS = ((0.45, "answers"), (0.20, "away"), (0.06, "stops"), (0.05, "attaches"))


def word_of(address: str) -> str | None:
    """The word in an address that decides its behaviour."""
    local, _, domain = address.casefold().rpartition("@")
    for part in (local, domain):
        word = re.split(r"[.+_-]", part)[0]
        if word in FATES or word in REPLIES or word in (WRITES, REFUSED):
            return word
    return None


def fate(seed: int, address: str, *, population: bool) -> str:
    """One of FATES, or REFUSED."""
    word = word_of(address)
    if word is not None:
        return word if word in FATES or word == REFUSED else "delivered"
    point = draw(seed, "mail", address.casefold()) if population else 1.0
    for share, name in SHARES:
        if point < share:
            return name
        point -= share
    return "delivered"


def reply(seed: int, address: str, text: str, nth: int, *, population: bool) -> Reply | None:
    """What the owner answers to their nth mail, None when they stay silent."""
    word = word_of(address)
    if word is None and population and draw(seed, "mails", address, nth) < ANSWERING:
        point = draw(seed, "mail says", address, nth)
        word = WRITES
        for share, name in SAYS:
            if point < share:
                word = name
                break
            point -= share
    if word == WRITES:
        texts = FREE_TEXT.get(tongue_of(text).code, WORDLESS)
        return Reply(texts[int(draw(seed, "mail words", address, nth) * len(texts))])
    return REPLIES.get(word or "")
