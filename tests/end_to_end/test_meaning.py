"""Texts in many scripts: what says something else stays, and the same in another form goes."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest

from tests.end_to_end.conftest import (
    Name,
    Run,
    check_conservation,
    dedup,
    jaccard,
    plain,
    words,
    write_rows,
)
from tests.support.commands import outcross

EXACT_RULE = "same text but for line ends and trailing white space"
NEAR_RULE = (
    "similar 5-word sequences, by jaccard; numbers, signs and negations agree "
    "(above 200 words in that proportion)"
)

HINDI = (
    "गर्मियों की छुट्टियों में हम लोग दादी के पुराने घर गए और वहाँ आम के पेड़ के नीचे दिन भर खेलते रहे। "
    "शाम को {} आँगन में आकर सबको गाँव की कहानियाँ सुनाता था और रात होते ही तारे गिनने का खेल शुरू हो जाता। "
    "सुबह चिड़ियों की आवाज़ से नींद खुलती और रसोई से गरम रोटियों की महक पूरे घर में फैल जाती थी।"
)
BENGALI = (
    "বর্ষার দিনে আমরা ছাদে বসে মেঘ দেখতাম আর ভাইবোনেরা মিলে কাগজের নৌকা বানিয়ে উঠানের জলে ভাসাতাম। "
    "সেদিন মেলা থেকে বাবা একটা {} কিনে এনেছিলেন আর সারা বাড়ির লোক সেটা দেখতে ছুটে এসেছিল। "
    "রাতে ঠাকুমা লণ্ঠনের আলোয় পুরোনো দিনের গল্প বলতেন আর আমরা গল্প শুনতে শুনতে ঘুমিয়ে পড়তাম সবাই।"
)
THAI = (
    "เมื่อวานแม่พาน้องไปเดินตลาดริมน้ำแล้วซื้อผักสดกับผลไม้กลับมาทำอาหารเย็นให้ทุกคนในบ้าน "
    "ตอนค่ำพ่อเล่าว่าเขาเห็น{}ตัวใหญ่อยู่หน้าร้านของลุง แล้วทุกคนก็หัวเราะกันอย่างสนุกสนาน"
)
BURMESE = (
    "မနေ့က ကျွန်တော်တို့ မိသားစု မြစ်ကမ်းနားကို သွားပြီး ညစာ အတူ စားခဲ့ကြတယ်။ "
    "အဖေက ဈေးကနေ {} ဝယ်လာပြီး အမေက အိမ်မှာ ချက်ပြုတ်ပေးတယ်။"
)
KHMER = (
    "ម្សិលមិញយើងបានទៅលេងផ្ទះជីដូននៅឯស្រុកហើយបានបរិភោគអាហារពេលល្ងាចជាមួយគ្នា "
    "ក្មេងៗបានឃើញ{}នៅក្បែរផ្ទះនោះហើយរត់មកប្រាប់ម្តាយ"
)
CHINESE = (
    "秋天的早晨，村里的孩子们沿着小河去上学，路边的稻田已经变成金黄色。"
    "老师在黑板上写下{}，让大家先读一遍，然后分组讨论其中的意思。"
    "下课以后，他们在操场上踢球，直到太阳落到山的后面才慢慢走回家。"
)
JAPANESE = (
    "去年の夏、祖父と一緒に山の湖へ釣りに出かけた。朝早く起きて、霧の中を二時間ほど歩いた。"
    "湖のほとりで{}を見つけて、昼まで静かに糸を垂れていたが、魚は小さいのばかりだった。"
    "帰り道に雨が降りはじめ、茶店で熱いお茶を飲みながら昔の話を聞いた。"
)
ENGLISH = (
    "The old ferry leaves the harbour every morning while the fog still covers the bay and the "
    "fishermen sort their nets on the wooden quay. On the notice board somebody wrote {} in "
    "white chalk, and all the passengers read it aloud before they went on board to drink their "
    "coffee and watch the gulls follow the boat across the water."
)

# In each of these pairs the texts say different things.
DIFFERENT: dict[str, tuple[str, str]] = {
    # Vowel signs and tone marks.
    "hi-vowel": (HINDI.format("बूढ़ा माली"), HINDI.format("बूढ़ी माली")),
    "hi-short": (
        "मेरा पड़ोसी रोज़ तालाब के किनारे अकेला घूमता है",
        "मेरी पड़ोसी रोज़ तालाब के किनारे अकेली घूमती है",
    ),
    "bn-vowel": (BENGALI.format("পাখি"), BENGALI.format("পাখা")),
    "ta-vowel": ("அவள் மாலையில் கல் எடுத்தாள்", "அவள் மாலையில் கால் எடுத்தாள்"),
    "th-tone": (THAI.format("เสือ"), THAI.format("เสื้อ")),
    "my-vowel": (BURMESE.format("ငါး"), BURMESE.format("ငုံး")),
    "km-vowel": (KHMER.format("កា"), KHMER.format("កូ")),
    "he-points": ("הַסֵּפֶר הַזֶּה יָפֶה מְאֹד", "הספר הזה יפה מאוד"),
    "ar-vowels": ("كَتَبَ المعلم الدرس على اللوح", "كُتِبَ المعلم الدرس على اللوح"),
    "ja-kana": (JAPANESE.format("かき"), JAPANESE.format("かぎ")),
    # What compatibility forms would fold.
    "power": (ENGLISH.format("10² metres"), ENGLISH.format("102 metres")),
    "subscript": (ENGLISH.format("CO₂ alarm"), ENGLISH.format("CO2 alarm")),
    "fraction": (ENGLISH.format("1½ miles"), ENGLISH.format("11⁄2 miles")),
    "circled": (ENGLISH.format("step ③"), ENGLISH.format("step 3")),
    # Signs, numbers, negations, emoji.
    "sign": (ENGLISH.format("-7 degrees"), ENGLISH.format("7 degrees")),
    "comparison": (ENGLISH.format("x < 5"), ENGLISH.format("x > 5")),
    "decimal": (ENGLISH.format("1.5 litres"), ENGLISH.format("15 litres")),
    "currency": (ENGLISH.format("$40"), ENGLISH.format("€40")),
    "language": (ENGLISH.format("C++"), ENGLISH.format("C#")),
    "emoji": (ENGLISH.format("welcome 😀"), ENGLISH.format("welcome 😡")),
    "en-not": (ENGLISH.format("do smoke"), ENGLISH.format("do not smoke")),
    "zh-number": (CHINESE.format("三个句子"), CHINESE.format("八个句子")),
    "zh-not": (CHINESE.format("我们要去"), CHINESE.format("我们不要去")),
    "ja-number": (JAPANESE.format("3本の木"), JAPANESE.format("4本の木")),
}


def _wide(text: str) -> str:
    """Return the text with full-width letters and digits."""
    return "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalnum() else c for c in text)


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


# Texts, how a copy differs, and the stage under which one of both goes.
Change = Callable[[str], str]
SAME: dict[str, tuple[str, Change, str]] = {
    "cs-composed": (
        "Příliš žluťoučký kůň úpěl ďábelské ódy nad zamrzlou řekou celý večer",
        _decomposed,
        "exact",
    ),
    "ko-composed": ("어제 저녁에 우리는 강가에서 오래된 노래를 함께 불렀다", _decomposed, "exact"),
    "hi-line-ends": (
        HINDI.format("पुराना माली").replace("। ", "।\n"),
        lambda text: text.replace("\n", " \r\n") + "  ",
        "exact",
    ),
    "en-wide": ("Bring 12 apples and 30 pears to the kitchen before noon", _wide, "near"),
    "en-case": ("The train stopped in the snow near the village", str.upper, "near"),
    "en-quotes": (
        'She said "come in" and closed the heavy door behind us',
        lambda text: text.replace(' "', " “").replace('" ', "” "),
        "near",
    ),
    "zh-marks": (
        CHINESE.format("一首古诗"),
        lambda text: text.replace("，", ",").replace("。", ". "),
        "near",
    ),
    "zh-edit": (
        CHINESE.format("新的课文"),
        lambda text: text.replace("孩子们沿", "孩子们都沿"),
        "near",
    ),
    "ja-edit": (
        JAPANESE.format("大きな岩"),
        lambda text: text.replace("静かに糸", "静かな糸"),
        "near",
    ),
    "th-edit": (THAI.format("ช้าง"), lambda text: text.replace("ทุกคนใน", "ทุกๆคนใน"), "near"),
    "hi-edit": (HINDI.format("नया पड़ोसी"), lambda text: text.replace("पुराने घर", "बड़े घर"), "near"),
}

PAIRS = DIFFERENT | {kind: (text, change(text)) for kind, (text, change, _) in SAME.items()}
TEXTS = {f"{kind}.{n}": text for kind, pair in PAIRS.items() for n, text in enumerate(pair)}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Only texts of one pair are compared: each pair is the answers to a prompt of its own."""
    folder = tmp_path_factory.mktemp("meaning")
    texts = [{"id": key, "pair": key[:-2], "text": text} for key, text in TEXTS.items()]
    path = write_rows(folder / "texts.jsonl", texts)
    out = folder / "out"
    asked = ["--prompt-field", "pair", "--max-same-answers", 1, "--id-field", "id"]
    return dedup("--synthetic", path, *asked, "--out", out, "--workers", 1, out=out)


def test_every_text_is_kept_or_removed(result: Run) -> None:
    check_conservation(result)
    kept, gone = set(result.appearances), set(result.gone)
    assert not kept & gone
    assert {name[1] for name in kept | gone} == set(TEXTS)
    assert set(result.gone.values()) <= kept
    counts = result.report["deduplication"]
    assert (counts["exact"], counts["near"]) == tuple(
        sum(stage == expected for _, _, stage in SAME.values()) for expected in ("exact", "near")
    )


@pytest.mark.parametrize("kind", DIFFERENT)
def test_what_says_something_else_stays(result: Run, kind: str) -> None:
    kept = {name[1]: row for name, row in zip(map(_name, result.data), result.data, strict=True)}
    for n, text in enumerate(DIFFERENT[kind]):
        assert kept[f"{kind}.{n}"]["text"] == text


@pytest.mark.parametrize("kind", SAME)
def test_the_same_in_another_form_goes(result: Run, kind: str) -> None:
    text, change, stage = SAME[kind]
    copy = change(text)
    assert copy != text
    (row,) = [row for row in result.removed if row["id"][:-2] == kind]
    assert {row["id"], row["kept_id"]} == {f"{kind}.0", f"{kind}.1"}
    assert row["row"]["text"] == TEXTS[row["id"]]
    assert row["stage"] == stage
    assert row["rule"] == {"exact": EXACT_RULE, "near": NEAR_RULE}[stage]
    assert (plain(text) == plain(copy)) == (stage == "exact")
    similarity = 1 if stage == "exact" else jaccard(text, copy)
    assert row["similarity"] == pytest.approx(similarity)
    assert (similarity < 1) == kind.endswith("edit")


@pytest.mark.parametrize(("kind", "rule"), [("ko-composed", EXACT_RULE), ("zh-edit", NEAR_RULE)])
def test_a_removal_is_explained_by_its_rule(result: Run, kind: str, rule: str) -> None:
    (row,) = [row for row in result.removed if row["id"][:-2] == kind]
    said = " ".join(outcross("explain", result.out, row["id"]).stdout.split())
    assert rule in said
    assert f"to {row['kept_id']} (synthetic)" in said


def test_characters_without_spaces_between_them_are_counted(result: Run) -> None:
    for row in result.data:
        assert row["outcross"]["tokens"] == len(words(row["text"])), row["outcross"]["id"]


def _name(row: dict[str, Any]) -> Name:
    return row["outcross"]["source"], row["outcross"]["id"]
