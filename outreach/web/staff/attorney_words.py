"""The words of attorneys and of whom they represent."""

from flask_babel import lazy_gettext as _l

from outreach.people.attorney import AppearanceForm, Clue, Ending, Scope, Source
from outreach.people.attorney.particulars import Particular
from outreach.people.attorney.search import By
from outreach.web.words import Words

FORMS: Words = {
    AppearanceForm.G28: _l("G-28 (before the agency)"),
    AppearanceForm.EOIR28: _l("EOIR-28 (before the court)"),
}

SCOPES: Words = {
    Scope.ALL: _l("Everything"),
    Scope.CUSTODY_AND_BOND: _l("Custody and bond only"),
    Scope.ALL_BUT_CUSTODY_AND_BOND: _l("Everything but custody and bond"),
}

ENDINGS: Words = {
    Ending.WITHDRAWN: _l("Withdrawn by the attorney"),
    Ending.SUBSTITUTED: _l("Another attorney took over"),
    Ending.CONCLUDED: _l("The case is over"),
    Ending.MISTAKEN: _l("It never was: entered by mistake"),
}

SOURCES: Words = {
    Source.ROSTER: _l("from a roster"),
    Source.STAFF: _l("entered by hand"),
}

PARTICULARS: Words = {
    Particular.NAME: _l("Name"),
    Particular.FIRM: _l("Firm or organization"),
    Particular.EOIR_ID: _l("EOIR ID"),
    Particular.BAR_STATE: _l("State of the bar"),
    Particular.BAR_NUMBER: _l("Bar number"),
    Particular.EMAIL: _l("E-mail address"),
    Particular.PHONE: _l("Phone number"),
    Particular.POST: _l("Postal address"),
}

FOUND_BY: Words = {
    By.NAME: _l("Name or firm"),
    By.EOIR_ID: _l("EOIR ID"),
    By.BAR: _l("State and bar number"),
    By.EMAIL: _l("E-mail address"),
}

UNREADABLE: Words = {
    By.NAME: _l("Type at least three letters of the name. Nothing was searched."),
    By.EOIR_ID: _l("This is not an EOIR ID, such as AB123456. Nothing was searched."),
    By.BAR: _l("Type the two letters of the state, a space and the number, such as CA 123456. Nothing was searched."),
    By.EMAIL: _l("This is not an e-mail address. Nothing was searched."),
}

TWINS: Words = {
    Clue.EOIR_ID: _l("An attorney with this EOIR ID is on record already."),
    Clue.BAR: _l("An attorney with this bar number is on record already."),
    Clue.EMAIL: _l("An attorney of this name with this e-mail address is on record already."),
}

HAPPENED: Words = {
    "entered": _l("Attorney's appearance entered"),
    "verified": _l("Attorney's appearance verified: the attorney may be told"),
    "ended": _l("Attorney's appearance ended"),
}
