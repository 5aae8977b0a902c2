"""Which language a text seems to be in: good enough to set `lang` and `dir` on a page, and to answer in kind.

The script decides first; where several languages share one, letters or little words that only one of them has. A text
that shows none of these is called undetermined, which is honest and what screen readers expect.
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

RIGHT_TO_LEFT = frozenset({"ar", "fa", "ps", "ur", "ckb", "he", "dv", "syr"})
UNDETERMINED = "und"

# Words of a Unicode character name -> language when nothing more is known.
SCRIPTS = {
    "ARABIC": "ar", "CYRILLIC": "ru", "DEVANAGARI": "hi", "BENGALI": "bn", "GURMUKHI": "pa", "GUJARATI": "gu",
    "TAMIL": "ta", "TELUGU": "te", "SINHALA": "si", "MALAYALAM": "ml", "KANNADA": "kn", "ETHIOPIC": "am", "CJK": "zh",
    "HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "ARMENIAN": "hy", "GEORGIAN": "ka", "HEBREW": "he",
    "GREEK": "el", "THAI": "th", "LAO": "lo", "KHMER": "km", "MYANMAR": "my", "TIBETAN": "bo", "THAANA": "dv",
    "SYRIAC": "syr", "LATIN": "latin",
}  # fmt: skip

# Within a script: the first row whose letters occur wins.
LETTERS = {
    "ar": (("ps", "ټډړږښځڅګۍې"), ("ur", "ٹڈڑںے"), ("ckb", "ڕڵۆێە"), ("fa", "پچژگکی")),
    "ru": (("uk", "іїєґ"), ("be", "ў"), ("kk", "әғқңөұүһ"), ("ky", "ңөү"), ("tg", "ӣӯҷҳ")),
    "am": (("ti", "ኸዀቐቘ"),),
}

# Little words, each known to one of the languages that share the script.
WORDS = {
    "hi": {"ne": "छ छन् हुन्छ तपाईं तपाईंको गर्नुहोस् हामी", "mr": "आहे आम्ही तुम्ही"},
    "am": {"ti": "እዩ ናይ ንስኻ ኣሎ ናብ"},
    "latin": {
        "en": "the you your we us this reply please call with have for and",
        "es": "el los las usted su por para con una este llame responda mensaje tenemos",
        "fr": "vous votre nous les des pour avec est une répondez appelez ce",
        "ht": "ou nou pou ak yon sa mesaj reponn rele nan gen tanpri",
        "pt": "você seu sua não uma para com responda ligue nós esta temos",
        "vi": "bạn chúng tôi quý vị của và không gọi trả lời",
        "tr": "siz sizin bu için ve bir lütfen arayın yanıtlayın mesaj",
        "so": "waxaan waa adiga kuu soo fadlan iyo ka ku wac jawaab",
        "sw": "wewe kwa ya na tafadhali jibu ujumbe piga simu sisi",
        "uz": "siz uchun va bilan bu iltimos javob",
        "id": "anda kami untuk dan dengan silakan balas pesan",
        "ro": "dumneavoastră vă pentru și cu mesaj răspundeți sunați",
        "sq": "ju për dhe me një ju lutem përgjigjuni mesazh",
        "ln": "yo biso mpo na te pe mbela",
        "rw": "wowe kuri na mu ku ubutumwa subiza",
        "om": "isin kan fi keessan deebisaa bilbilaa ergaa",
        "qu": "qam ñuqa kay wan",
        "quc": "at uj ri le xuquje",
        "mam": "ay qe tey kyuj",
    },
}
WORDS_OF = {script: {language: frozenset(words.split()) for language, words in rows.items()} for script, rows in WORDS.items()}


@dataclass(frozen=True)
class Tongue:
    """A BCP 47 tag and the direction its script runs."""

    code: str
    direction: str


def tongue_of(text: str) -> Tongue:
    script = _script(text)
    code = _within(script, text) if script else UNDETERMINED
    return Tongue(code, "rtl" if code in RIGHT_TO_LEFT else "ltr")


def _script(text: str) -> str | None:
    letters = Counter(
        language
        for character in text
        if character.isalpha()
        and (language := SCRIPTS.get(unicodedata.name(character, "").split(" ")[0].removesuffix("-UNIFIED"))) is not None
    )
    if letters["ja"] and letters["zh"]:  # Chinese characters with kana between them are Japanese.
        return "ja"
    # Links and names are often Latin in any text, so another script wins when it has a fifth of the letters.
    others = [(count, language) for language, count in letters.items() if language != "latin"]
    if others and max(others)[0] * 5 >= letters.total():
        return max(others)[1]
    return "latin" if letters["latin"] else None


def _within(script: str, text: str) -> str:
    folded = text.casefold()
    for language, marks in LETTERS.get(script, ()):
        if any(mark in folded for mark in marks):
            return language
    words = set(re.findall(r"[^\W\d_]+(?:[\u0300-\u036f\u093e-\u094d\u0900-\u0903]+[^\W\d_]*)*", folded))
    scores = {language: len(words & known) for language, known in WORDS_OF.get(script, {}).items()}
    best = max(scores, key=lambda language: scores[language], default=None)
    if best is not None and scores[best] > 0:
        return best
    return UNDETERMINED if script == "latin" else script
