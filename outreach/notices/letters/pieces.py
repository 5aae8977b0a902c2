"""Phone numbers, codes and addresses of sites inside a text, which must keep their order and stay on one line.

In right-to-left text a bare (800) 555-0100 is shown as 0100-555 (800), a number that nobody meant (UAX #9, rules W2 and N1).
"""

import re

# A path or a query up to its last character, which is none that ends a sentence.
_PATH = r"[^\s\u2066-\u2069]*[^\s\u2066-\u2069.,;:!?)\u060c\u061b\u061f\u06d4\u0964\u1362\u3002\uff0c]"
_DASH = r"\u2010-\u2013-"
_NO_MORE = rf"(?![A-Za-z0-9]|[/_{_DASH}][A-Za-z0-9])"
_TOKEN = re.compile(
    rf"""
      https?://{_PATH}                                                     # a web address
    | [A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+                  # an e-mail address
    | [A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{{2,}}(?:/{_PATH})?       # a site
    | (?:\+\d|\(\d{{1,4}}\))[\d() \u00a0./{_DASH}]*\d{_NO_MORE}            # a phone with its groups
    | [A-Za-z]?\d{{1,4}}(?:[ \u00a0./{_DASH}](?:\(\d{{2,4}}\)|\d{{2,4}})){{2,}}{_NO_MORE}  # likewise, or an A-number
    | [A-Za-z0-9]+(?:[/_{_DASH}][A-Za-z0-9]+)+                             # a code of several groups, a date
    | \d[\d.:]*\d                                                          # a time, a number
    """,
    re.VERBOSE,
)
_ISOLATES = re.compile("[\u2066-\u2069]")

# Longer ones could be wider than a line, and then it is better that they break than that they are cut.
_LONGEST = 48

Pieces = list[str | list[str]]


def split(text: str) -> Pieces:
    """The text in pieces; one that is a list of one string is set left to right and never broken. Isolates have done their work."""
    pieces: Pieces = []
    at = 0
    for match in _TOKEN.finditer(text):
        if len(match[0]) <= _LONGEST:
            pieces += [text[at : match.start()], [match[0]]]
            at = match.end()
    pieces.append(text[at:])
    without = (_ISOLATES.sub("", piece) if isinstance(piece, str) else piece for piece in pieces)
    return [piece for piece in without if piece]
