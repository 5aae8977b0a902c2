"""Mails: composed from the approved text, each with addresses of its own for answers and for the wish to hear no more."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from outreach.access import codes
from outreach.access.sealing import vault_of
from outreach.campaigns.outcome import Reason
from outreach.delivery import mail_address
from outreach.delivery.compose import Compose, Composed, Composer, Destination
from outreach.delivery.mail_address import Purpose
from outreach.delivery.message import body_digest
from outreach.notices import fields, mail
from outreach.notices.house import House
from outreach.providers.contract import Mail, Mailbox, NotOneMailbox


@dataclass(frozen=True, slots=True)
class MailRules:
    """Where mails point back to: our public address, and the domain that answers come to."""

    public_base_url: str
    reply_domain: str


def mails(rules: MailRules) -> Composer:
    """Composes mails. Each is rendered for its reader; what all of one text share is checked once."""

    def composer(session: Session, _rows: Sequence[Row[Any]], house: House) -> Compose:
        vault = vault_of(session)
        sound: dict[tuple[UUID, int], bool] = {}

        def compose(row: Row[Any], token: UUID, destination: Destination) -> Composed | Reason:
            reference = codes.of(token)
            values = {**house.values, "count": str(row.allowed), "reference": reference}
            stop_url = f"{rules.public_base_url}/mail/stop/{mail_address.sign(vault, Purpose.UNSUBSCRIBE, token)}"
            try:
                made = mail.render(row.subject or "", row.text, row.language, values, stop_url)
                to = Mailbox(destination.to)
            except fields.FieldError:
                return Reason.BLOCKED
            except NotOneMailbox:
                return Reason.BAD_CONTACT
            shared = (row.rendition_id, row.allowed)
            if shared not in sound:
                text = house.render(row.text, values)
                sound[shared] = not house.mail_findings(made.subject, text, row.language, (reference,))
            if not sound[shared]:
                return Reason.BLOCKED
            reply_to = Mailbox(f"{mail_address.sign(vault, Purpose.REPLY, token)}@{rules.reply_domain}")
            envelope = Mail(token, to, made.subject, made.text, made.html, row.language, reply_to, stop_url)
            content = json.dumps({"subject": made.subject, "text": made.text}, ensure_ascii=False)
            return Composed(envelope, content, destination.key, None, body_digest(vault, made.text))

        return compose

    return composer
