"""Return codes: what is printed on a letter so that whoever gets its envelope back can say which it was. No secret.

Read as all codes are (`outreach.access.codes.read`), so that it does not matter how one is typed or scanned.
"""

from outreach.access import codes


def new() -> str:
    """Such as 7K3M9-QTZ4B: 50 bits, so that a misread one is nobody else's, and narrow enough to stand beside an address."""
    return codes.new(2, group=5)
