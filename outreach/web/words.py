"""The words for our codes, as staff read them. One table for each kind of code; a test fails when one lacks a word."""

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from outreach.access.accounts import Role
from outreach.access.audit import ActorKind
from outreach.campaigns.campaign import CampaignState
from outreach.campaigns.outcome import OutcomeState, Reason
from outreach.delivery.message import AttemptState, MessageState
from outreach.delivery.reply import Binding
from outreach.delivery.words import ReplyKind
from outreach.notices.notice import Channel
from outreach.people.contact import ContactKind, ContactRole, ContactState, Safety
from outreach.people.custody import Custody
from outreach.people.file import RevealReason
from outreach.people.person import NameKind, Posture, Precision

Words = dict[str, LazyString]

ROLES: Words = {
    Role.OFFICER: _l("outreach officer"),
    Role.APPROVER: _l("approver"),
    Role.SUPERVISOR: _l("supervisor"),
    Role.AUDITOR: _l("auditor"),
}

CUSTODY: Words = {
    Custody.DETAINED: _l("In detention"),
    Custody.IN_TRANSIT: _l("In transit"),
    Custody.RELEASED: _l("Released"),
    Custody.REMOVED: _l("Removed"),
    Custody.DEPARTED: _l("Left on their own"),
    Custody.OTHER_AGENCY: _l("With another agency"),
    Custody.RELIEF: _l("Granted relief"),
    Custody.DECEASED: _l("Deceased"),
    Custody.UNKNOWN: _l("Custody not known"),
}

POSTURES: Words = {
    Posture.CREDIBLE_FEAR_POSITIVE: _l("Credible fear found"),
    Posture.CREDIBLE_FEAR_NEGATIVE: _l("Credible fear not found"),
    Posture.FINAL_ORDER: _l("Final order of removal"),
    Posture.IN_PROCEEDINGS: _l("In proceedings"),
    Posture.WITHHOLDING_ONLY: _l("Withholding only"),
    Posture.GRANTED: _l("Protection granted"),
    Posture.UNKNOWN: _l("Not known"),
}

PRECISIONS: Words = {
    Precision.DAY: _l("exact day"),
    Precision.MONTH: _l("month and year only"),
    Precision.YEAR: _l("year only"),
    Precision.ESTIMATED: _l("estimated"),
}

NAME_KINDS: Words = {
    NameKind.RECORDED: _l("as recorded"),
    NameKind.ALIAS: _l("also known as"),
    NameKind.NATIVE: _l("in their own script"),
}

CONTACT_KINDS: Words = {
    ContactKind.PHONE: _l("Phone"),
    ContactKind.EMAIL: _l("E-mail"),
    ContactKind.POST: _l("Postal address"),
}

CONTACT_ROLES: Words = {
    ContactRole.OWN: _l("their own"),
    ContactRole.FAMILY: _l("family"),
    ContactRole.SHELTER: _l("shelter"),
    ContactRole.ATTORNEY: _l("attorney"),
    ContactRole.OTHER: _l("somebody else"),
}

CONTACT_STATES: Words = {
    ContactState.USABLE: _l("Can be used"),
    ContactState.BAD: _l("Does not work"),
    ContactState.OPTED_OUT: _l("Asked us to stop"),
    ContactState.QUARANTINED: _l("Set aside: somebody there said “wrong person”"),
}

SAFETIES: Words = {
    Safety.YES: _l("Safe"),
    Safety.UNKNOWN: _l("Not known whether it is safe"),
    Safety.NO: _l("Not safe"),
    Safety.NEVER: _l("Never use"),
}

OUTCOMES: Words = {
    OutcomeState.TOLD: _l("Told"),
    OutcomeState.REACHED: _l("Reached"),
    OutcomeState.IN_PROGRESS: _l("On the way"),
    OutcomeState.PLANNED: _l("Planned"),
    OutcomeState.EXHAUSTED: _l("Not reached"),
    OutcomeState.EXCLUDED: _l("Left out"),
    "none": _l("In no campaign"),
}

REASONS: Words = {
    Reason.NEEDS_LANGUAGE: _l("We do not know their language"),
    Reason.NEEDS_TRANSLATION: _l("No approved text in their language"),
    Reason.IN_CUSTODY: _l("In custody: handed over in person instead"),
    Reason.REMOVED: _l("Removed: needs a safety review first"),
    Reason.CUSTODY_UNKNOWN: _l("Custody not known"),
    Reason.DECEASED: _l("Deceased"),
    Reason.PROTECTED: _l("Protected: only by the safe address"),
    Reason.NO_CONTACT: _l("No phone on file"),
    Reason.UNSAFE_CONTACT: _l("No phone that is safe to use"),
    Reason.OPTED_OUT: _l("Asked us to stop"),
    Reason.WRONG_NUMBER: _l("Wrong number"),
    Reason.BAD_CONTACT: _l("The number does not work"),
    Reason.NOT_DELIVERED: _l("Not delivered"),
    Reason.REFUSED: _l("Refused by the carrier"),
    Reason.FILTERED: _l("Stopped by the carrier as spam"),
    Reason.BLOCKED: _l("Stopped by our own check of the text"),
    Reason.CANNOT_READ: _l("Does not read: needs a voice"),
}

CAMPAIGN_STATES: Words = {
    CampaignState.DRAFT: _l("Draft"),
    CampaignState.SUBMITTED: _l("Waiting for approval"),
    CampaignState.APPROVED: _l("Approved"),
    CampaignState.RUNNING: _l("Running"),
    CampaignState.PAUSED: _l("Paused"),
    CampaignState.DONE: _l("Done"),
}

MESSAGE_STATES: Words = {
    MessageState.READY: _l("Waiting to be sent"),
    MessageState.SUBMITTING: _l("Being handed over"),
    MessageState.UNKNOWN: _l("Not known whether it was sent"),
    MessageState.ACCEPTED: _l("Accepted by the carrier"),
    MessageState.SENT: _l("Sent"),
    MessageState.DELIVERED: _l("Delivered to the phone"),
    MessageState.UNDELIVERED: _l("Not delivered"),
    MessageState.FAILED: _l("Refused"),
    MessageState.CANCELLED: _l("Cancelled"),
    MessageState.BLOCKED: _l("Stopped by our own check"),
}

ATTEMPT_STATES: Words = {
    AttemptState.OPEN: _l("Being handed over"),
    AttemptState.UNKNOWN: _l("No answer: being looked up"),
    AttemptState.ACCEPTED: _l("Accepted by the carrier"),
    AttemptState.SENT: _l("Sent"),
    AttemptState.DELIVERED: _l("Delivered to the phone"),
    AttemptState.UNDELIVERED: _l("Not delivered"),
    AttemptState.FAILED: _l("Failed later"),
    AttemptState.REFUSED: _l("Refused by the carrier"),
    AttemptState.NOT_SENT: _l("Proved not to have been sent"),
}

BINDINGS: Words = {
    Binding.ONLY_PERSON: _l("the only person on this phone"),
    Binding.STAFF: _l("matched by staff"),
    Binding.SHARED: _l("several people use this phone"),
    Binding.STRANGER: _l("nobody we know uses this phone"),
}

ACTORS: Words = {
    ActorKind.STAFF: _l("a member of staff"),
    ActorKind.SYSTEM: _l("the system"),
    ActorKind.COMMAND: _l("the command line"),
    ActorKind.RECIPIENT: _l("the holder of a phone"),
}

ROLE_MEANINGS: Words = {
    Role.OFFICER: _l("Imports rosters, builds campaigns, opens people's files, handles replies."),
    Role.APPROVER: _l("Approves campaigns and texts. Sees figures, not people."),
    Role.SUPERVISOR: _l("All of that, protected people's files, and accounts. Never approves their own work."),
    Role.AUDITOR: _l("Reads the audit log and the figures. Sees no person's data."),
}

ACTIONS: Words = {
    "account.create": _l("Made an account"),
    "account.deactivate": _l("Deactivated an account"),
    "account.role": _l("Changed a role"),
    "account.sign_in": _l("Signed in"),
    "audit.verify": _l("Verified the audit log"),
    "contact.safety": _l("Changed whether a contact is safe"),
    "person.list": _l("Saw names in a list"),
    "person.open": _l("Opened a person's file"),
    "person.protect": _l("Changed whether a person is protected"),
    "person.reveal": _l("Saw a person's numbers in full"),
    "person.search": _l("Searched for a person"),
}
"""Actions of the audit log. One without a word here is shown by its code."""

CHANNELS: Words = {
    Channel.SMS: _l("text message"),
    Channel.EMAIL: _l("e-mail"),
    Channel.LETTER: _l("letter"),
}

REPLY_KINDS: Words = {
    ReplyKind.STOP: _l("asks us to stop"),
    ReplyKind.WRONG_PERSON: _l("says that they are not the person"),
    ReplyKind.HELP: _l("asks for help"),
    ReplyKind.CALL_ME: _l("asks to be called"),
    ReplyKind.OTHER_LANGUAGE: _l("asks for another language"),
    ReplyKind.ACKNOWLEDGE: _l("says that they have it"),
    ReplyKind.START: _l("wants to hear from us again"),
    ReplyKind.TEXT: _l("wrote to us"),
}

REVEAL_REASONS: Words = {
    RevealReason.CONTACT: _l("I need to call or write to them"),
    RevealReason.REPLY: _l("I need to find out who answered"),
    RevealReason.CORRECT: _l("I am correcting the record"),
    RevealReason.ATTORNEY: _l("their verified attorney asks"),
    RevealReason.COURT: _l("a court or an oversight body asks"),
}

ELEMENTS: Words = {
    "name": _l("name"),
    "a_number": _l("A-number"),
    "birth_date": _l("birth date"),
    "nationality": _l("nationality"),
    "facility": _l("place of detention"),
    "custody": _l("custody"),
    "posture": _l("state of their case"),
    "language": _l("language"),
    "phone": _l("phone number"),
    "email": _l("e-mail address"),
    "address": _l("postal address"),
}
"""What can leak. An import may name another element, which is then shown as it was named."""
