"""People who are not there: what becomes of texts to them, and what they answer, so that a demonstration looks alive.

Everything is drawn from the seed and the phone alone: the same phone is out of order in every run. The shares are
plausible, not measured. The answers are short, plainly fictional, and in the language of the text that was received.
"""

from dataclasses import dataclass

from outreach.sandbox.faults import draw
from outreach.sandbox.languages import tongue_of

# Share of phones -> code that refuses each text to them.
REFUSED = ((0.010, 21211), (0.004, 21614))
# Share of phones -> final status and error code of each text to them.
UNREACHED = ((0.040, "undelivered", 30003), (0.020, "undelivered", 30005), (0.010, "undelivered", 30006),
             (0.003, "undelivered", 30008), (0.010, "sent", None))  # fmt: skip
ANSWERING = 0.12
# Share of the answers -> what they say; the rest is free text.
ANSWERS = ((0.50, "1"), (0.16, "2"), (0.09, "9"), (0.07, "STOP"))

FREE_TEXT = {
    "en": ("Thank you, I read this.", "Who is this please?", "Can you call me tomorrow?"),
    "es": ("Gracias, ya lo leí.", "¿Quién es?", "¿Me pueden llamar mañana?"),
    "fr": ("Merci, j'ai lu le message.", "Qui êtes-vous ?", "Pouvez-vous m'appeler demain ?"),
    "ht": ("Mèsi, mwen li mesaj la.", "Kiyès ki ekri m?", "Èske nou ka rele m demen?"),
    "pt": ("Obrigado, eu li.", "Quem é?", "Podem me ligar amanhã?"),
    "ru": ("Спасибо, я прочитал.", "Кто это?", "Можете позвонить завтра?"),
    "uk": ("Дякую, я прочитав.", "Хто це?", "Можете подзвонити завтра?"),
    "ar": ("شكرا، قرأت الرسالة.", "من معي؟", "هل يمكن الاتصال بي غدا؟"),
    "fa": ("ممنون، پیام را خواندم.", "شما کی هستید؟", "می‌توانید فردا زنگ بزنید؟"),
    "ps": ("مننه، پیغام مې ولوست.", "تاسو څوک یاست؟"),
    "ur": ("شکریہ، میں نے پڑھ لیا۔", "آپ کون ہیں؟"),
    "zh": ("谢谢，我看到了。", "请问是哪位？", "明天可以给我打电话吗？"),
    "hi": ("धन्यवाद, मैंने पढ़ लिया।", "आप कौन हैं?"),
    "pa": ("ਧੰਨਵਾਦ, ਮੈਂ ਪੜ੍ਹ ਲਿਆ।", "ਤੁਸੀਂ ਕੌਣ ਹੋ?"),
    "bn": ("ধন্যবাদ, আমি পড়েছি।", "আপনি কে?"),
    "ne": ("धन्यवाद, मैले पढें।", "तपाईं को हो?"),
    "vi": ("Cảm ơn, tôi đã đọc.", "Xin hỏi ai đó?"),
    "tr": ("Teşekkürler, okudum.", "Kimsiniz?", "Yarın arayabilir misiniz?"),
    "so": ("Mahadsanid, waan akhriyey.", "Waa kuma?"),
    "am": ("አመሰግናለሁ፣ አንብቤዋለሁ።", "ማን ነው?"),
    "ti": ("የቐንየለይ፣ ኣንቢበዮ።",),
    "sw": ("Asante, nimesoma.", "Ni nani?"),
    "ka": ("გმადლობთ, წავიკითხე.", "ვინ ხართ?"),
    "hy": ("Շնորհակալություն, կարդացի։", "Ո՞վ է։"),
}
# A language without answers of its own gets one that needs no language.
WORDLESS = ("OK", "👍")


@dataclass(frozen=True)
class Fate:
    """The final status of a text and the error code that comes with it."""

    status: str = "delivered"
    error: int | None = None


def refusal(seed: int, phone: str) -> int | None:
    """The code with which Twilio refuses any text to this phone, or None."""
    point = draw(seed, "refused", phone)
    for share, code in REFUSED:
        if point < share:
            return code
        point -= share
    return None


def fate(seed: int, phone: str) -> Fate:
    point = draw(seed, "fate", phone)
    for share, status, error in UNREACHED:
        if point < share:
            return Fate(status, error)
        point -= share
    return Fate()


def answer(seed: int, phone: str, body: str, nth: int) -> str | None:
    """What this phone answers to its nth text, or None when it stays silent."""
    if draw(seed, "answers", phone, nth) >= ANSWERING:
        return None
    point = draw(seed, "says", phone, nth)
    for share, text in ANSWERS:
        if point < share:
            return text
        point -= share
    texts = FREE_TEXT.get(tongue_of(body).code, WORDLESS)
    return texts[int(draw(seed, "words", phone, nth) * len(texts))]
