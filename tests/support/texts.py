"""Strategies for texts of all scripts, of characters that this interpreter's Unicode knows."""

from __future__ import annotations

import unicodedata

from hypothesis import strategies as st

SENTENCES = {
    "Hindi": "वह किताब नहीं पढ़ती; क्‍षमा, क्षत्रिय ३ की।",
    "Bengali": "আমি বাংলায় গান গাই না, ৪২টি বই।",
    "Tamil": "அவள் பள்ளிக்குப் போகவில்லை.",
    "Thai": "เธอไม่ไปโรงเรียนวันที่ ๑๒ น้ำ",
    "Khmer": "ខ្ញុំមិនទៅសាលារៀនទេ ១២",
    "Burmese": "သူမ ကျောင်းမသွားဘူး။ ၅",
    "Tibetan": "ང་སློབ་གྲྭར་མི་འགྲོ། ༥",
    "Lao": "ລາວບໍ່ໄປໂຮງຮຽນ",
    "Arabic": "هُوَ لَا يَذْهَبُ إِلَى ٱلْمَدْرَسَةِ، كـــتاب ﻻ",
    "Persian": "نمی‌خواهم به خانه بروم",
    "Hebrew": 'הוּא לֹא הוֹלֵךְ לְבֵית סֵפֶר; צה״ל, ג׳ירפה "כן"',
    "Korean": "그는 학교에 가지 않는다. 한국어 ㅋㅋㅠ ﾡￂ",
    "Hangul letters": "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "Japanese": "彼は学校に行かない。テキスト、ﾃｷｽﾄ ｶﾞｷﾞﾊﾟ がぎ か\u3099 『本』ー々〆",
    "Chinese": "他说‘不’，用Python3写了10行code，〇一二。",
    "emoji": "👩\u200d👩\u200d👧\u200d👦 ❤️ 👍🏽 🇩🇪 1️⃣ ☺︎ text🙂text",
    "soft hyphens": "co\u00adop\u00ader\u00ada\u00adtion \u200bzero\u200bwidth\ufeff e\u00ad\u0301",
    "decomposed": unicodedata.normalize("NFD", "Größe naïve Été Ünïcode ấ ệ ǖ Ά ΐ й"),
    "Greek": "ΟΔΥΣΣΕΥΣ ΣΟΦΟΣ ὀδυσσεύς Ϊ\u0301",
    "Turkish": "İSTANBUL Istanbul ıi ĞÜŞ",
    "Georgian": "ᲥᲐᲠᲗᲣᲚᲘ ქართული",
    "forms": "Ｆｕｌｌ－ｗｉｄｔｈ １２ ﬁne ﬀ ½ 10² x₂ ⓐ 𝐱 ㎏ ™ № … ‥ Ⅻ ㈱",
    "quotes": "It’s ‘quoted’ — rock ’n’ roll, the boys’ “don't” _‘so’_ __init__ x_1 _a'_ '90s",
    "code": "camelCase snake_case CONST_A f(x)->y a'b''c 'd' _ __ \0 \x1c\x85",
}
"""Sentences by language, and signs that are told apart in a way of their own."""

known = st.characters(exclude_categories=["Cs", "Cn"])
"""Characters that have properties to compare with."""

awkward = st.sampled_from(
    sorted({*"aAbZ09__''' .,\n\t\r\0", *"".join(SENTENCES.values()), *"\u0327\u0323\u212b\u1f80"})
)

letters = st.sampled_from("abzABZ'_9 ")
"""Much of these makes long words, whose ends lie at any place."""


@st.composite
def shifted(draw: st.DrawFn) -> str:
    """Draw a text around a place where a kernel begins to read its next 8 or 64 bytes."""
    before = draw(st.sampled_from(["x", " ", ".", "中", "é"])) * draw(st.integers(0, 70))
    return before[: draw(st.integers(0, 70))] + draw(st.text(awkward | letters, max_size=80))


texts = st.one_of(
    st.text(known, max_size=40),
    st.text(awkward, max_size=80),
    st.lists(st.sampled_from(sorted(SENTENCES.values())), max_size=3).map(" ".join),
    shifted(),
)
