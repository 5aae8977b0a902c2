"""Which language a text seems to be in, for `lang`, `dir` and the scripted answers."""

import pytest

from outreach.sandbox.languages import Tongue, tongue_of
from outreach.sandbox.population import FREE_TEXT


@pytest.mark.parametrize(
    ("text", "code", "direction"),
    [
        ("We have an important message for you. Please reply 1.", "en", "ltr"),
        ("Tenemos un mensaje para usted. Responda 1.", "es", "ltr"),
        ("Nous avons un message pour vous. Répondez 1.", "fr", "ltr"),
        ("Nou gen yon mesaj pou ou. Reponn 1.", "ht", "ltr"),
        ("Temos uma mensagem para você. Responda 1.", "pt", "ltr"),
        ("Chúng tôi có tin nhắn cho quý vị. Trả lời 1.", "vi", "ltr"),
        ("Sizin için bir mesajımız var. Lütfen 1 yanıtlayın.", "tr", "ltr"),
        ("У нас есть для вас сообщение. Ответьте 1.", "ru", "ltr"),
        ("У нас є для вас повідомлення.", "uk", "ltr"),
        ("لدينا رسالة مهمة لك. أجب بالرقم 1.", "ar", "rtl"),
        ("برای شما پیامی داریم. عدد 1 را بفرستید.", "fa", "rtl"),
        ("ستاسو لپاره یو پیغام لرو. ځواب 1 راولېږئ.", "ps", "rtl"),
        ("آپ کے لیے ایک پیغام ہے۔ 1 لکھ کر جواب دیں۔ ٹ", "ur", "rtl"),
        ("我们有重要消息给您。请回复1。", "zh", "ltr"),
        ("हमारे पास आपके लिए एक संदेश है।", "hi", "ltr"),
        ("तपाईंको लागि सन्देश छ।", "ne", "ltr"),
        ("আপনার জন্য একটি বার্তা আছে।", "bn", "ltr"),
        ("ਤੁਹਾਡੇ ਲਈ ਸੁਨੇਹਾ ਹੈ।", "pa", "ltr"),
        ("ለእርስዎ መልእክት አለን።", "am", "ltr"),
        ("გვაქვს შეტყობინება თქვენთვის.", "ka", "ltr"),
        ("We are at https://example.org/ - لدينا رسالة لك", "ar", "rtl"),
        ("1", "und", "ltr"),
        ("👍", "und", "ltr"),
        ("", "und", "ltr"),
    ],
)
def test_a_text_shows_its_language_and_direction(text: str, code: str, direction: str) -> None:
    assert tongue_of(text) == Tongue(code, direction)


@pytest.mark.parametrize("code", sorted(set(FREE_TEXT) - {"es", "en", "fr", "ht", "pt", "vi", "tr", "so", "sw"}))
def test_the_scripted_answers_are_in_the_script_of_the_language_they_stand_for(code: str) -> None:
    scripts = {"hi": {"hi", "ne"}, "ne": {"hi", "ne"}, "am": {"am", "ti"}, "ti": {"am", "ti"}}
    related = scripts.get(code, {"ar", "fa", "ps", "ur"} if code in {"ar", "fa", "ps", "ur"} else {code})
    if code in {"ru", "uk"}:
        related = {"ru", "uk"}
    assert {tongue_of(text).code for text in FREE_TEXT[code]} <= related
