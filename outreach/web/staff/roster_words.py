"""The words of imports: what columns can mean, and what is wrong with a file or a row."""

from collections.abc import Mapping

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from outreach.people.roster.columns import DateOrder
from outreach.people.roster.fields import Field
from outreach.people.roster.imports import ImportState
from outreach.people.roster.problems import FILE_TEXTS, TEXTS, FileFault, FileRemark, Problem, RosterError
from outreach.web.words import Words

STATES: Words = {
    ImportState.UPLOADED: _l("To be looked at"),
    ImportState.CHECKED: _l("Ready to import"),
    ImportState.RUNNING: _l("Being imported"),
    ImportState.DONE: _l("Imported"),
    ImportState.FAILED: _l("Failed"),
    ImportState.DISCARDED: _l("Discarded"),
}

ORDERS: Words = {
    DateOrder.DMY: _l("Day first: 03/04/1990 is the 3rd of April"),
    DateOrder.MDY: _l("Month first: 03/04/1990 is March 4"),
    DateOrder.YMD: _l("Neither is sure: set rows with such dates aside, to be corrected one by one"),
}

FIELDS: Words = {
    Field.A_NUMBER: _l("A-number"),
    Field.A_NUMBER_2: _l("Second A-number"),
    Field.A_NUMBER_3: _l("Third A-number"),
    Field.FULL_NAME: _l("Full name"),
    Field.GIVEN_NAME: _l("Given name"),
    Field.MIDDLE_NAME: _l("Middle name"),
    Field.FAMILY_NAME: _l("Family name"),
    Field.SECOND_FAMILY_NAME: _l("Second family name"),
    Field.NAME_SUFFIX: _l("Suffix of the name"),
    Field.NATIVE_NAME: _l("Name in their own script"),
    Field.BIRTH_DATE: _l("Date of birth"),
    Field.BIRTH_PRECISION: _l("How exact the date of birth is"),
    Field.NATIONALITY: _l("Nationality"),
    Field.BIRTH_COUNTRY: _l("Country of birth"),
    Field.CUSTODY: _l("Custody"),
    Field.CUSTODY_SINCE: _l("In this custody since"),
    Field.BOOKED_IN_ON: _l("Booked in on"),
    Field.RELEASED_ON: _l("Released on"),
    Field.REMOVED_ON: _l("Removed on"),
    Field.FACILITY_CODE: _l("Facility code"),
    Field.FACILITY_NAME: _l("Facility name"),
    Field.LANGUAGE: _l("Language"),
    Field.SECOND_LANGUAGE: _l("Second language"),
    Field.READS: _l("Can they read?"),
    Field.INTERPRETER: _l("Do they need an interpreter?"),
    Field.POSTURE: _l("State of the case"),
    Field.PROTECTED: _l("Protected person"),
    Field.PHONE: _l("Phone"),
    Field.PHONE_ROLE: _l("Phone: whose"),
    Field.PHONE_SAFETY: _l("Phone: is it safe?"),
    Field.PHONE_CONFIRMED_ON: _l("Phone: confirmed on"),
    Field.PHONE_2: _l("Second phone"),
    Field.PHONE_2_ROLE: _l("Second phone: whose"),
    Field.PHONE_2_SAFETY: _l("Second phone: is it safe?"),
    Field.PHONE_2_CONFIRMED_ON: _l("Second phone: confirmed on"),
    Field.PHONE_3: _l("Third phone"),
    Field.PHONE_3_ROLE: _l("Third phone: whose"),
    Field.PHONE_3_SAFETY: _l("Third phone: is it safe?"),
    Field.PHONE_3_CONFIRMED_ON: _l("Third phone: confirmed on"),
    Field.EMAIL: _l("E-mail"),
    Field.EMAIL_ROLE: _l("E-mail: whose"),
    Field.EMAIL_SAFETY: _l("E-mail: is it safe?"),
    Field.EMAIL_CONFIRMED_ON: _l("E-mail: confirmed on"),
    Field.EMAIL_2: _l("Second e-mail"),
    Field.CARE_OF: _l("Address: care of"),
    Field.ADDRESS: _l("Whole address in one cell"),
    Field.ADDRESS_LINE_1: _l("Address: first line"),
    Field.ADDRESS_LINE_2: _l("Address: second line"),
    Field.CITY: _l("Address: city"),
    Field.STATE: _l("Address: state"),
    Field.POSTAL_CODE: _l("Address: ZIP or postal code"),
    Field.COUNTRY: _l("Address: country"),
    Field.ADDRESS_ROLE: _l("Address: whose"),
    Field.ADDRESS_SAFETY: _l("Address: is it safe?"),
    Field.ADDRESS_CONFIRMED_ON: _l("Address: confirmed on"),
    Field.EXPOSED_ON: _l("Day of the exposure"),
    Field.ATTORNEY_NAME: _l("Attorney: name"),
    Field.ATTORNEY_PHONE: _l("Attorney: phone"),
    Field.ATTORNEY_EMAIL: _l("Attorney: e-mail"),
    Field.ATTORNEY_FIRM: _l("Attorney: firm"),
    Field.ATTORNEY_ADDRESS: _l("Attorney: address"),
    Field.ATTORNEY_EOIR_ID: _l("Attorney: EOIR ID"),
    Field.ATTORNEY_BAR_STATE: _l("Attorney: state of the bar"),
    Field.ATTORNEY_BAR_NUMBER: _l("Attorney: bar number"),
    Field.ATTORNEY_G28: _l("Attorney: G-28 filed"),
    Field.ATTORNEY_EOIR28: _l("Attorney: EOIR-28 filed"),
    Field.IGNORED: _l("Leave this column out"),
}


def problem_text(problem: Problem) -> str:
    """What is wrong with a row, or good to know of it, in the panel's language."""
    return str(_(problem.template)).format(column=problem.column, **problem.details)


def remark_text(remark: Mapping[str, object]) -> str:
    """What somebody should know of a file that was read all the same, as a report stores it."""
    details = remark["details"]
    assert isinstance(details, dict)
    return str(_(TEXTS[FileRemark(str(remark["code"]))])).format(**details)


def file_text(error: RosterError) -> str:
    """Why a file is refused, in the panel's language."""
    return str(_(error.template)).format(**error.details)


def failure_text(failed: Mapping[str, object]) -> str:
    """Why an import failed, as it was stored with it."""
    details = failed["details"]
    assert isinstance(details, dict)
    return str(_(FILE_TEXTS[FileFault(str(failed["code"]))])).format(**details)
