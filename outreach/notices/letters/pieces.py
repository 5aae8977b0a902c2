"""Phone numbers, codes and addresses of sites inside a text, which must keep their order and stay on one line.

In right-to-left text a bare (800) 555-0100 is shown as 0100-555 (800), a number that nobody meant (UAX #9, rules W2 and N1).
"""

import re

_TOKEN = re.compile(
    r"""
    https?://[^\s\u2066-\u2069]*[^\s\u2066-\u2069.,;:!?)]                              # a web address
    | [A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+                              # an e-mail address
    | [A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}(?:/[^\s\u2066-\u2069]*[^\s\u2066-\u2069.,;:!?)])?  # a site
    | \+?\(?\d[\d()./:\u2010-\u2013-]*(?:[ \u00a0]?[(\d][\d()./:\u2010-\u2013-]*)*\d\)?          # a number with its groups: a phone, a date
    | [A-Za-z0-9]+(?:[-/_\u2010-\u2013][A-Za-z0-9]+)+                                  # a code of several groups
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
