"""The ways to tell somebody, and which ((fields)) the texts of each may use."""

from enum import StrEnum


class Channel(StrEnum):
    """The ways to tell somebody. Attorneys are told about their clients in other words, so those are channels of their own."""

    SMS = "sms"
    EMAIL = "email"
    LETTER = "letter"
    HAND = "hand"  # the letter, handed over by an officer against a receipt; it has no text of its own
    ATTORNEY_EMAIL = "attorney_email"
    ATTORNEY_LETTER = "attorney_letter"

    @property
    def rendition(self) -> "Channel":
        """The channel whose texts this one uses."""
        return Channel.LETTER if self is Channel.HAND else self

    @property
    def to_attorney(self) -> bool:
        return self in (Channel.ATTORNEY_EMAIL, Channel.ATTORNEY_LETTER)

    @property
    def is_mail(self) -> bool:
        """Whether its texts have a subject."""
        return self in (Channel.EMAIL, Channel.ATTORNEY_EMAIL)

    @property
    def on_paper(self) -> bool:
        return self in (Channel.LETTER, Channel.HAND, Channel.ATTORNEY_LETTER)


_HOUSE = ("program", "phone", "site")  # the same for everyone

SUBJECT_FIELDS = _HOUSE
"""What the subject of an e-mail may use: nothing that belongs to one person."""

# In an attorney's texts `count` is how many clients it is about, in digits; `clients` is a paragraph of its own, which the
# typesetter replaces by the list of them; `name` is the addressee's.
FIELDS: dict[Channel, tuple[str, ...]] = {
    Channel.SMS: _HOUSE,
    Channel.EMAIL: _HOUSE,
    Channel.LETTER: (*_HOUSE, "name", "reference", "code", "date"),
    Channel.HAND: (*_HOUSE, "name", "reference", "code", "date"),
    Channel.ATTORNEY_EMAIL: (*_HOUSE, "count", "reference"),
    Channel.ATTORNEY_LETTER: (*_HOUSE, "name", "reference", "date", "count", "clients"),
}

SAMPLES = {
    "name": "Sample PERSON",
    "reference": "K7PM-2XQD",
    "code": "7H3K-9QXT",
    "date": "1 February 2030",
    "count": "2",
    "clients": "(list of clients)",
}
"""Plainly fictional values, for showing and checking a text that has no reader yet."""
