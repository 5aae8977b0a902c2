"""The words that Twilio itself obeys, and its English answers.

https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out: one word alone, upper or lower case. Twilio sends its
answers outside the message log, so the sandbox shows them on the phone and hides them from the API.
"""

WORDS = {
    "STOP": ("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"),
    "START": ("START", "YES", "UNSTOP"),
    "HELP": ("HELP", "INFO"),
}
MEANING = {word: kind for kind, words in WORDS.items() for word in words}

ANSWERS = {
    "STOP": "You have successfully been unsubscribed. You will not receive any more messages from this number."
    " Reply START to resubscribe.",
    "START": "You have successfully been re-subscribed to messages from this number. Reply HELP for help."
    " Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
    "HELP": "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
}


def meaning(body: str) -> str | None:
    """STOP, START or HELP, or None for any other text."""
    return MEANING.get(body.strip().upper())
