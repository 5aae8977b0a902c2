"""What is known of an attorney, as it is typed and as it is kept, and the marks by which two entries are seen to be one attorney.

An EOIR ID is the number under which somebody is registered to appear before the immigration courts:
https://www.justice.gov/eoir/eregistration. A bar number means something only together with the state that gave it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from outreach.people.addresses import address, american
from outreach.people.roster import phones, values
from outreach.people.roster.problems import BadValueError, Fault, Problem

LONGEST_POST = 500  # characters
_SIGNS = re.compile(r"[\s.#:/_-]+")
_LABEL = re.compile(r"^(?:(?:eoir|bar|sbn|id|no|number)\b[\s.:#-]*)+", re.IGNORECASE)
_NUMBER = re.compile(r"(?=.*\d)[A-Z0-9]{2,20}")


class Particular(StrEnum):
    NAME = "name"
    FIRM = "firm"
    EOIR_ID = "eoir_id"
    BAR_STATE = "bar_state"
    BAR_NUMBER = "bar_number"
    EMAIL = "email"
    PHONE = "phone"
    POST = "post"


@dataclass(frozen=True, slots=True)
class Particulars:
    """Normalised: `bar_state` two letters, numbers without signs, `phone` E.164, `post` the lines of an address.

    `country` is the address's ISO code, `grade` its `AddressGrade`; both None without an address.
    """

    name: str
    firm: str | None = None
    eoir_id: str | None = None
    bar_state: str | None = None
    bar_number: str | None = None
    email: str | None = None
    phone: str | None = None
    post: str | None = None
    country: str | None = None
    grade: str | None = None

    @property
    def bar(self) -> str | None:
        """State and number together, as they are compared."""
        return f"{self.bar_state}:{self.bar_number}" if self.bar_state and self.bar_number else None


class Unreadable(Exception):
    """Some of what was typed cannot be read. `problems` says of each what to mend."""

    def __init__(self, problems: Mapping[Particular, Problem]) -> None:
        super().__init__()
        self.problems = problems


def read(typed: Mapping[Particular, str]) -> Particulars:
    """What was typed into a form, by particular; blank ones may be left out. Raises Unreadable."""
    problems: dict[Particular, Problem] = {}

    def one(particular: Particular, parse: Callable[[str], str]) -> str | None:
        text = typed.get(particular, "").strip()
        try:
            return parse(text) if text else None
        except BadValueError as error:
            problems[particular] = Problem(error.code, particular, error.details)
            return None

    name = one(Particular.NAME, values.parse_name)
    if name is None:
        problems.setdefault(Particular.NAME, Problem(Fault.ATTORNEY_NAME_MISSING, Particular.NAME))
    firm = one(Particular.FIRM, values.parse_name)
    eoir_id = one(Particular.EOIR_ID, parse_eoir_id)
    state, number = one(Particular.BAR_STATE, parse_bar_state), one(Particular.BAR_NUMBER, parse_bar_number)
    if number and not state:
        problems.setdefault(Particular.BAR_STATE, Problem(Fault.BAR_STATE_MISSING, Particular.BAR_STATE))
    email, phone = one(Particular.EMAIL, parse_email), one(Particular.PHONE, parse_phone)
    post = one(Particular.POST, parse_post)
    if problems:
        raise Unreadable(problems)
    assert name is not None  # else it was among the problems
    found = address.from_text("", post, "", office=True) if post else None
    return Particulars(
        name=name, firm=firm, eoir_id=eoir_id, bar_state=state, bar_number=number, email=email, phone=phone,
        post=found.lines if found else None, country=found.country if found else None, grade=found.grade if found else None,
    )  # fmt: skip


def parse_eoir_id(text: str) -> str:
    """An EOIR ID without signs and in capitals: `ab 123-456` becomes AB123456. Raises BadValueError."""
    return _number(text, Fault.EOIR_ID_UNREADABLE)


def parse_bar_number(text: str) -> str:
    """A bar number without signs and in capitals. States give them in many forms. Raises BadValueError."""
    return _number(text, Fault.BAR_NUMBER_UNREADABLE)


def parse_bar_state(text: str) -> str:
    """The two letters of a state, district or territory, also by its name. Raises BadValueError."""
    code = american.state_code(values.clean(text))
    if not american.is_state(code):
        raise BadValueError(Fault.BAR_STATE_UNKNOWN)
    return code


def parse_email(text: str) -> str:
    """One address. Raises BadValueError."""
    found = values.parse_emails(text)
    if len(found) != 1:
        raise BadValueError(Fault.EMAIL_INVALID)
    return found[0]


def parse_phone(text: str) -> str:
    """One number, in E.164; an office's extension is left out. Raises BadValueError."""
    found = phones.parse_phones(text)
    if len(found) != 1:
        raise BadValueError(Fault.PHONE_UNREADABLE)
    return found[0].e164


def parse_post(text: str) -> str:
    """The lines of an address, each cleaned. Raises BadValueError."""
    if len(text) > LONGEST_POST:
        raise BadValueError(Fault.CELL_TOO_LONG, found=len(text), limit=LONGEST_POST)
    return "\n".join(filter(None, (values.clean(line) for line in text.splitlines())))


def _number(text: str, fault: Fault) -> str:
    plain = _LABEL.sub("", values.restore_number(values.western_digits(values.clean(text))))
    plain = _SIGNS.sub("", plain).upper()
    if not _NUMBER.fullmatch(plain):
        raise BadValueError(fault)
    return plain
