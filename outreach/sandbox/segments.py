"""How many SMS segments a text takes, and what Twilio's SmartEncoded option makes of it.

https://www.twilio.com/docs/glossary/what-is-gsm-7-character-encoding
"""

GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENDED = frozenset("^{}\\[~]|€\f")
GSM = GSM_BASIC | GSM_EXTENDED

SMART = str.maketrans(
    {
        "‘": "'",
        "’": "'",
        "“": '"',
        "”": '"',
        "–": "-",
        "—": "-",
        "…": "...",
        "\u00a0": " ",
        "\u200b": "",
        "«": '"',
        "»": '"',
    }
)


def count(body: str) -> int:
    """160 GSM-7 or 70 UCS-2 units in one segment; 153 or 67 in each of several, the rest being their headers."""
    if GSM.issuperset(body):
        units = len(body) + sum(body.count(character) for character in GSM_EXTENDED)
        return 1 if units <= 160 else -(-units // 153)
    units = len(body.encode("utf-16-le")) // 2
    return 1 if units <= 70 else -(-units // 67)


def smart_encoded(body: str) -> str:
    return body.translate(SMART)
