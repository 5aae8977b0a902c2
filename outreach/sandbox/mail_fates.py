"""What can become of a mail, and how SendGrid tells it: data only, with no knowledge of who decides.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event and https://www.twilio.com/docs/sendgrid/glossary/drops
"""

# Name -> the events about the mail, in the order they happen. "blocked" is an event "bounce" of type "blocked".
FATES: dict[str, tuple[str, ...]] = {
    "delivered": ("processed", "delivered"),
    "deferred": ("processed", "deferred", "deferred", "delivered"),
    "stuck": ("processed", "deferred", "blocked"),
    "bounce": ("processed", "bounce"),
    "full": ("processed", "bounce"),
    "blocked": ("processed", "blocked"),
    "nowhere": ("processed", "blocked"),
    "returned": ("processed", "delivered", "bounce"),
    "spamreport": ("processed", "delivered", "spamreport"),
    "unsubscribe": ("processed", "delivered", "unsubscribe"),
    "oneclick": ("processed", "delivered"),
    "dropped": ("dropped",),
    "complained": ("dropped",),
    "optedout": ("dropped",),
    "invalid": ("dropped",),
    "spamcontent": ("dropped",),
    "badheader": ("dropped",),
}

# What an event says besides the common fields. A fate's own row is looked up first, the event's after it.
DETAILS: dict[str, dict[str, object]] = {
    "delivered": {"response": "250 2.0.0 OK"},
    "deferred": {"response": "450 4.2.1 The user you are trying to contact is receiving mail too quickly", "attempt": "1"},
    "bounce": {
        "reason": "550 5.1.1 The email account that you tried to reach does not exist",
        "status": "5.1.1",
        "type": "bounce",
        "bounce_classification": "Invalid Address",
    },
    "full:bounce": {
        "reason": "552 5.2.2 The mailbox is full",
        "status": "5.2.2",
        "type": "bounce",
        "bounce_classification": "Mailbox Unavailable",
    },
    "blocked": {
        "reason": "554 5.7.1 Message blocked by the receiving server's policy",
        "status": "5.7.1",
        "type": "blocked",
        "bounce_classification": "Reputation",
    },
    # No server was spoken to, so there is no status.
    "nowhere:blocked": {
        "reason": "unable to get mx info: failed to get IPs from PTR record: lookup <nil>: unrecognized address",
        "type": "blocked",
        "bounce_classification": "Unclassified",
    },
    "dropped": {"reason": "Bounced Address", "status": "5.0.0"},
    "complained:dropped": {"reason": "Spam Reporting Address"},
    "optedout:dropped": {"reason": "Unsubscribed Address"},
    "invalid:dropped": {"reason": "Invalid"},
    "spamcontent:dropped": {"reason": "Spam Content"},
    "badheader:dropped": {"reason": "Invalid SMTPAPI header"},
}

# After such an event SendGrid sends nothing more to the address, and drops what is asked for with this fate.
SUPPRESSIONS = {"bounce": "dropped", "spamreport": "complained", "unsubscribe": "optedout"}


def details(fate: str, event: str) -> dict[str, object]:
    return DETAILS.get(f"{fate}:{event}", DETAILS.get(event, {}))
