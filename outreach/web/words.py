"""The words for our codes, as staff read them. One table for each kind of code; a test fails when one lacks a word."""

from flask_babel import LazyString
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from outreach.access.accounts import Role
from outreach.access.audit import ActorKind
from outreach.campaigns.campaign import CampaignState
from outreach.campaigns.outcome import OutcomeState, Reason
from outreach.delivery.message import AttemptState, MessageState
from outreach.delivery.reply import Binding
from outreach.delivery.words import ReplyKind
from outreach.notices.disclosure import Code
from outreach.notices.notice import Channel, Purpose, RenditionState
from outreach.people.addresses.american import Flaw
from outreach.people.contact import AddressGrade, ContactKind, ContactRole, ContactState, Safety
from outreach.people.custody import ANumberRule, Custody, MailMarking
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

GRADES: Words = {
    AddressGrade.GOOD: _l("A letter can be sent"),
    AddressGrade.FOREIGN: _l("A letter can be sent abroad"),
    AddressGrade.BLANK: _l("It says nothing"),
    AddressGrade.INCOMPLETE: _l("Something is missing"),
    AddressGrade.NO_UNIT: _l("The number of the apartment is missing"),
    AddressGrade.NOT_RESIDENTIAL: _l("Nobody lives there"),
    AddressGrade.KNOWN_BAD: _l("A letter came back from there"),
    AddressGrade.CROWDED: _l("Given for more people than can live there"),
    AddressGrade.DENIED: _l("A foreign government's own: never used"),
}

FLAWS: Words = {
    Flaw.EMPTY: _l("The address says nothing."),
    Flaw.STREET: _l("A street with its number, a PO box with its number, or general delivery is needed."),
    Flaw.CITY: _l("The city is missing."),
    Flaw.STATE: _l("The state is missing, or is none of the United States."),
    Flaw.ZIP: _l("A ZIP code of five or nine digits is needed."),
    Flaw.ZIP_OF_ANOTHER_STATE: _l("The ZIP code lies in another state."),
    Flaw.PLACE: _l("This is a restaurant, a station, an office or a place of detention. Find out where the person lives."),
    Flaw.UNIT: _l("This is a house with many apartments. Ask for the number of theirs."),
    Flaw.COUNTRY: _l("The country is not known. Write its English name, or its two letters."),
    Flaw.PROVINCE: _l("The post there needs the state or province."),
    Flaw.POSTAL_CODE: _l("The postal code is missing, or is none of that country's."),
    Flaw.GOVERNMENT: _l("This is a foreign government's own address. It is kept, and nothing is ever sent there."),
}
"""What is wrong with a postal address, by its text."""

A_NUMBER_RULES: Words = {
    ANumberRule.NONE: _l("None"),
    ANumberRule.LAST_FOUR: _l("Its last four digits"),
    ANumberRule.FULL: _l("The whole number"),
}

MARKINGS: Words = {
    MailMarking.NONE: _l("No marking"),
    MailMarking.LEGAL_MAIL: _l("Legal mail"),
    MailMarking.SPECIAL_CORRESPONDENCE: _l("Special correspondence"),
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
    Reason.IN_CUSTODY: _l("In custody: no way of the campaign is for people there"),
    Reason.REMOVED: _l("Abroad: needs a safety review first"),
    Reason.CUSTODY_UNKNOWN: _l("Custody not known"),
    Reason.DECEASED: _l("Deceased"),
    Reason.PROTECTED: _l("Protected: only by the safe address"),
    Reason.NO_CONTACT: _l("No phone on file"),
    Reason.UNSAFE_CONTACT: _l("Nothing on file that is safe to use"),
    Reason.OPTED_OUT: _l("Asked us to stop"),
    Reason.WRONG_NUMBER: _l("Belongs to somebody else"),
    Reason.BAD_CONTACT: _l("The number or address does not work"),
    Reason.NOT_DELIVERED: _l("Not delivered"),
    Reason.REFUSED: _l("Refused by the carrier"),
    Reason.NO_ROUTE: _l("Our carrier does not send to their country"),
    Reason.FILTERED: _l("Stopped by the carrier as spam"),
    Reason.BLOCKED: _l("Stopped by our own check of the text"),
    Reason.CANNOT_READ: _l("Does not read: needs a voice"),
    Reason.NOT_PLANNED: _l("No step of the campaign is for people of their custody"),
    Reason.NO_EMAIL: _l("No e-mail address on file"),
    Reason.NO_ADDRESS: _l("No postal address on file"),
    Reason.BAD_ADDRESS: _l("No letter can get to the address on file"),
    Reason.NO_FACILITY: _l("Held, and we do not know where or how mail gets there"),
    Reason.NEEDS_CONSENT: _l("Only family on file, without a written consent"),
    Reason.MISSING_GLYPH: _l("A character of the letter cannot be printed"),
    Reason.RETURNED: _l("Came back"),
    Reason.MOVED: _l("Moved since it was printed: taken out"),
    Reason.NO_COUNSEL: _l("No attorney on record"),
    Reason.REPRESENTATION_ENDED: _l("Their attorney no longer represents them"),
    Reason.ATTORNEY_UNREACHABLE: _l("Their attorney cannot be reached"),
    Reason.NOT_SERVED: _l("Could not be handed over"),
    Reason.STOPPED: _l("The campaign was stopped before they were reached"),
    Reason.NO_HOUR: _l("No hour is decent everywhere where they may be"),
}

CAMPAIGN_STATES: Words = {
    CampaignState.DRAFT: _l("Draft"),
    CampaignState.SUBMITTED: _l("Waiting for approval"),
    CampaignState.APPROVED: _l("Approved"),
    CampaignState.RUNNING: _l("Running"),
    CampaignState.PAUSED: _l("Paused"),
    CampaignState.DONE: _l("Done"),
    CampaignState.STOPPED: _l("Stopped"),
}

MESSAGE_STATES: Words = {
    MessageState.READY: _l("Waiting to be sent"),
    MessageState.SUBMITTING: _l("Being handed over"),
    MessageState.UNKNOWN: _l("Not known whether it was sent"),
    MessageState.ACCEPTED: _l("Accepted for delivery"),
    MessageState.SENT: _l("Sent"),
    MessageState.DELIVERED: _l("Delivered"),
    MessageState.UNDELIVERED: _l("Not delivered"),
    MessageState.FAILED: _l("Refused"),
    MessageState.RETURNED: _l("Came back"),
    MessageState.CANCELLED: _l("Cancelled"),
    MessageState.BLOCKED: _l("Stopped by our own check"),
}

ATTEMPT_STATES: Words = {
    AttemptState.OPEN: _l("Being handed over"),
    AttemptState.UNKNOWN: _l("No answer: being looked up"),
    AttemptState.ACCEPTED: _l("Accepted for delivery"),
    AttemptState.SENT: _l("Sent"),
    AttemptState.DELIVERED: _l("Delivered"),
    AttemptState.UNDELIVERED: _l("Not delivered"),
    AttemptState.FAILED: _l("Failed later"),
    AttemptState.RETURNED: _l("Came back"),
    AttemptState.REFUSED: _l("Refused by the carrier"),
    AttemptState.NOT_SENT: _l("Proved not to have been sent"),
}

BINDINGS: Words = {
    Binding.ONLY_PERSON: _l("the only person there"),
    Binding.UNPROVEN: _l("by the sender's address, which anybody can make up"),
    Binding.ATTORNEY: _l("from an attorney's office"),
    Binding.STAFF: _l("matched by staff"),
    Binding.SHARED: _l("several people are there"),
    Binding.STRANGER: _l("nobody we know is there"),
}

ACTORS: Words = {
    ActorKind.STAFF: _l("a member of staff"),
    ActorKind.SYSTEM: _l("the system"),
    ActorKind.COMMAND: _l("the command line"),
    ActorKind.RECIPIENT: _l("the holder of a phone or mailbox"),
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
    "attempt.decide": _l("Decided whether an attempt was handed over"),
    "attorney.change": _l("Changed an attorney's record"),
    "attorney.enter": _l("Entered an attorney"),
    "attorney.list": _l("Saw attorneys' names in a list"),
    "attorney.open": _l("Opened an attorney's file"),
    "attorney.search": _l("Searched for an attorney"),
    "audit.verify": _l("Verified the audit log"),
    "books.compare": _l("Had the providers' books compared"),
    "breaker.close": _l("Closed an automatic stop"),
    "breaker.open": _l("Stopped sending by itself"),
    "campaign.add_step": _l("Added a step to a campaign"),
    "campaign.approve": _l("Approved a campaign"),
    "campaign.approve_step": _l("Approved a step that was added"),
    "campaign.change": _l("Changed a campaign"),
    "campaign.create": _l("Made a campaign"),
    "campaign.launch": _l("Launched a campaign"),
    "campaign.pass_canary": _l("Let a campaign go on after its first wave"),
    "campaign.pause": _l("Paused a campaign"),
    "campaign.raise_cap": _l("Let a campaign spend more"),
    "campaign.resume": _l("Resumed a campaign"),
    "campaign.send_back": _l("Sent a campaign back"),
    "campaign.stop": _l("Stopped a campaign for good"),
    "campaign.submit": _l("Asked for approval of a campaign"),
    "campaign.withdraw_step": _l("Withdrew a step that was added"),
    "channel_plan.change": _l("Changed the channel plan"),
    "contact.add": _l("Added a way to reach somebody"),
    "contact.consent": _l("Recorded a written consent"),
    "contact.replace": _l("Replaced a way to reach somebody"),
    "contact.review": _l("Signed off a contact in a safety review"),
    "contact.close": _l("Closed a phone or mailbox from there"),
    "contact.reopen": _l("Opened a phone or mailbox again from there"),
    "contact.safety": _l("Changed whether a contact is safe"),
    "conversation.handle": _l("Marked a conversation as handled"),
    "conversation.list": _l("Saw the ends of numbers in a list"),
    "conversation.open": _l("Opened a conversation"),
    "conversation.reveal": _l("Saw a conversation's number in full"),
    "facility.change": _l("Changed a facility's rules for mail"),
    "imminent.approve": _l("Approved that a removal is imminent"),
    "imminent.ask": _l("Asked to mark a removal as imminent"),
    "imminent.end": _l("Ended the mark of an imminent removal"),
    "import.discard": _l("Discarded an import"),
    "import.look": _l("Saw rows of a roster"),
    "import.run": _l("Imported a roster"),
    "import.start": _l("Started an import"),
    "import.upload": _l("Uploaded a roster"),
    "incarnation.freeze": _l("Sending was frozen: the database was restored or taken over"),
    "incarnation.reconcile": _l("Read the providers' books after a restore; sending stayed frozen"),
    "incarnation.thaw": _l("Read the providers' books after a restore, and let sending go on"),
    "incident.add": _l("Added an incident"),
    "hand_service.enter": _l("Entered the receipt of a letter"),
    "letter.escaped": _l("A letter that was to be taken out came back"),
    "letter.pull": _l("Pulled letters before they left"),
    "letter.remail": _l("Wrote again after a letter came back"),
    "letter.reprint": _l("Printed a letter again"),
    "letter.reprint_differs": _l("A letter came out otherwise than before"),
    "letter.returned": _l("Entered a letter that came back"),
    "letter.take_out": _l("Took a letter out of a print run"),
    "letter.taken_out": _l("Confirmed that letters are taken out"),
    "notice.create": _l("Made a notice"),
    "person.list": _l("Saw names in a list"),
    "person.open": _l("Opened a person's file"),
    "person.protect": _l("Changed whether a person is protected"),
    "person.reveal": _l("Saw a person's numbers in full"),
    "person.search": _l("Searched for a person"),
    "print_run.download": _l("Opened the PDF of a print run"),
    "print_run.enveloped": _l("Put a print run into envelopes"),
    "print_run.handed_over": _l("Handed a print run over"),
    "print_run.make": _l("Made a print run"),
    "print_run.papers": _l("Opened the papers of a packet"),
    "print_run.printed": _l("Printed a print run"),
    "print_run.void": _l("Voided a print run"),
    "quarantine.correct": _l("Corrected a row of a roster"),
    "quarantine.dismiss": _l("Dismissed a row of a roster"),
    "quarantine.export": _l("Downloaded rows of a roster"),
    "quarantine.open": _l("Opened a row of a roster"),
    "redaction.again": _l("Asked Twilio again to forget texts"),
    "rendition.approve": _l("Approved a text"),
    "rendition.draft": _l("Drafted a text"),
    "representation.end": _l("Ended an attorney's appearance"),
    "representation.enter": _l("Entered an attorney's appearance"),
    "representation.verify": _l("Verified an attorney's appearance"),
    "reply.bind": _l("Said whose reply it is"),
    "reply.handle": _l("Marked a reply as handled"),
    "task.close": _l("Closed a task"),
}
"""Actions of the audit log. One without a word here is shown by its code."""

CHANNELS: Words = {
    Channel.SMS: _l("text message"),
    Channel.EMAIL: _l("e-mail"),
    Channel.LETTER: _l("letter"),
    Channel.HAND: _l("letter by hand"),
    Channel.ATTORNEY_EMAIL: _l("e-mail to their attorney"),
    Channel.ATTORNEY_LETTER: _l("letter to their attorney"),
}

CHANNEL_TITLES: Words = {
    Channel.SMS: _l("Text message"),
    Channel.EMAIL: _l("E-mail"),
    Channel.LETTER: _l("Letter by post"),
    Channel.HAND: _l("Letter by hand"),
    Channel.ATTORNEY_EMAIL: _l("E-mail to the attorney"),
    Channel.ATTORNEY_LETTER: _l("Letter to the attorney"),
}
"""The same at the head of a row or a tab."""

REPLY_KINDS: Words = {
    ReplyKind.STOP: _l("asks us to stop"),
    ReplyKind.WRONG_PERSON: _l("says that they are not the person"),
    ReplyKind.HELP: _l("asks for help"),
    ReplyKind.CALL_ME: _l("asks to be called"),
    ReplyKind.OTHER_LANGUAGE: _l("asks for another language"),
    ReplyKind.ACKNOWLEDGE: _l("says that they have it"),
    ReplyKind.START: _l("wants to hear from us again"),
    ReplyKind.AUTO_REPLY: _l("has an automatic answer"),
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

PURPOSES: Words = {
    Purpose.NOTICE: _l("for campaigns"),
    Purpose.HELP: _l("sent by itself to who asks for help"),
    Purpose.WRONG_PERSON: _l("sent by itself to who is not the person"),
}

RENDITION_STATES: Words = {
    RenditionState.DRAFT: _l("Draft"),
    RenditionState.APPROVED: _l("Approved text"),
    RenditionState.RETIRED: _l("Retired"),
}

ADVICE: Words = {
    Reason.NEEDS_LANGUAGE: _l("Find out which language they understand, and record it. Then they are written to."),
    Reason.NEEDS_TRANSLATION: _l("Draft a text in their language and have it approved. Nobody is written to in another one."),
    Reason.IN_CUSTODY: _l("Have a letter handed over, or add a step for their attorney. Phones there are in other hands."),
    Reason.REMOVED: _l("Ask for a safety review, and tell their attorney. Nothing is sent abroad by itself."),
    Reason.CUSTODY_UNKNOWN: _l("Find out where they are. Until then a message might reach somebody else."),
    Reason.DECEASED: _l("Nothing is sent. Their next of kin or attorney may have to be told another way."),
    Reason.PROTECTED: _l("A supervisor looks for an address that is confirmed to be safe."),
    Reason.NO_CONTACT: _l("Find a phone, or write a letter, or ask their attorney."),
    Reason.UNSAFE_CONTACT: _l("Ask them which phone or address is safe, or reach them another way."),
    Reason.OPTED_OUT: _l("Respect it: nothing more goes there. Write a letter, or ask their attorney."),
    Reason.WRONG_NUMBER: _l("Somebody else is at this number or address. Find the right one."),
    Reason.BAD_CONTACT: _l("Find another number or address, or write a letter."),
    Reason.NOT_DELIVERED: _l("It may be off for good. Try another phone or address, or write a letter."),
    Reason.REFUSED: _l("Look at the carrier's code, then try another way."),
    Reason.NO_ROUTE: _l("See whether the carrier can allow that country. Until then, reach them another way."),
    Reason.FILTERED: _l("The carrier takes the text for spam. Speak to the carrier before anything is sent again."),
    Reason.BLOCKED: _l("The text would tell what it is about. Mend it, and have it approved again."),
    Reason.CANNOT_READ: _l("Call them, with an interpreter where one is needed."),
    Reason.NOT_PLANNED: _l("Add a step that is for them, or change the channel plan."),
    Reason.NO_EMAIL: _l("Find an e-mail address, or write a letter."),
    Reason.NO_ADDRESS: _l("Find a postal address, or ask their attorney."),
    Reason.BAD_ADDRESS: _l("Open their file: it says what is wrong with the address. Mend it, or find another."),
    Reason.NO_FACILITY: _l("Record where they are held, and that facility's mailing address and rules."),
    Reason.NEEDS_CONSENT: _l("Ask the person for a written consent, and record it. Without one, family gets nothing."),
    Reason.MISSING_GLYPH: _l("Open the text or their name, and spell it with other letters. Or a font has to be added."),
    Reason.RETURNED: _l("Find another address; it was marked as not working. Their attorney may know one."),
    Reason.MOVED: _l("The next step is decided by where they are now. Check that their file says so."),
    Reason.NO_COUNSEL: _l("Nobody has entered an appearance for them. Record one when it is filed."),
    Reason.REPRESENTATION_ENDED: _l("Ask who represents them now, and record the new appearance."),
    Reason.ATTORNEY_UNREACHABLE: _l("Look for another address of their attorney, and record it."),
    Reason.STOPPED: _l("Reach them by another campaign."),
    Reason.NOT_SERVED: _l("Look up where they are now, then have it handed over again or tell their attorney."),
    Reason.NO_HOUR: _l("Write down where they live: while the campaign runs, the text then goes. Or reach them another way."),
}
"""What to do for people whom a campaign leaves out or does not reach, by reason."""

PAUSES: Words = {
    "staff": _l("A member of staff paused it."),
    "spend_cap": _l("It has spent all it may. An approver or a supervisor who did not make it can let it spend more."),
    "filtered": _l("Carriers refuse its texts as spam. Speak to the carrier before you resume it."),
    "configuration": _l("The carrier refuses our account or our number. The person who runs this system has to mend that first."),
}
"""Why a campaign is paused, by what stands before the colon of the reason."""

FINDINGS: Words = {
    Code.WORD: _l("This word tells what the message is about. Write only that there is an important message."),
    Code.A_NUMBER: _l("Seven to nine digits read as an A-number. Leave the number out."),
    Code.DATE: _l("A full date may be a birth date or a hearing. Leave it to the letter."),
    Code.KNOWN_VALUE: _l("This is something we know about the person. Take it out."),
    Code.PHONE: _l("This number is not one of ours. Use ((phone))."),
    Code.ADDRESS: _l("This web address is not ours. Use ((site)), and put a space after each full stop."),
    Code.SHORTENER: _l("Links by public shorteners are blocked by carriers and seen by others. Use ((site))."),
    Code.IMITATED_HOST: _l("This web address imitates letters of another alphabet. Use ((site))."),
    Code.EMAIL: _l("No e-mail address belongs here. Use ((phone)) or ((site))."),
    Code.FIELD: _l("This field is not allowed here, or was not filled."),
    Code.MIXED_SCRIPT: _l("This word mixes two alphabets. Type it again in one, or put a space between them."),
    Code.DIRECTION: _l("A hidden mark changes the direction of the text. Only pairs of isolates may stand around a field."),
    Code.INVISIBLE: _l("A character that does not show stands here. Type the text again without it."),
}
"""What the non-disclosure check found, and how to mend it."""

HEARD: Words = {
    ReplyKind.STOP: _l("STOP: nothing more goes there"),
    ReplyKind.WRONG_PERSON: _l("Says: wrong person"),
    ReplyKind.HELP: _l("HELP: asks for help"),
    ReplyKind.CALL_ME: _l("Asks to be called"),
    ReplyKind.OTHER_LANGUAGE: _l("Asks for another language"),
    ReplyKind.ACKNOWLEDGE: _l("Says: I got this"),
    ReplyKind.START: _l("START: wants to hear from us again"),
    ReplyKind.AUTO_REPLY: _l("Answered by a machine"),
    ReplyKind.TEXT: _l("Wrote to us"),
}
"""What a reply means and did, as the inbox says it."""

ANSWERS: Words = {
    Purpose.HELP.value: _l("the answer to HELP"),
    Purpose.WRONG_PERSON.value: _l("the answer to a wrong number"),
}


def refusal(sentence: str, **values: object) -> str:
    """A sentence of a domain exception in the panel's language. The catalogues are made from those exceptions as well."""
    return str(_(sentence, **values))
