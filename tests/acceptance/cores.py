"""Smallest differences in meaning that no language owns: numbers, units, formulas, code, emoji.

Each line of a table is two texts with a bar of three strokes between them.
"""

from __future__ import annotations

Two = tuple[str, str]


def _pairs(table: str) -> tuple[Two, ...]:
    lines = (line.strip().split(" ||| ") for line in table.strip().splitlines())
    return tuple((a, b) for a, b in lines)


def last_line_outside(block: str) -> str:
    """Return a block of Python whose last line stands one level further out."""
    before, last = block.rsplit("\n", 1)
    return f"{before}\n{last.removeprefix('    ')}"


NUMBERS = _pairs("""
    37 ||| 38
    1.5 ||| 15
    1,200 ||| 1,300
    0.5 ||| 0.05
    2019 ||| 2020
    12 ||| 21
    1,000 ||| 10,000
    3.14 ||| 3.41
    7 ||| 8
    640 ||| 604
    99.9 ||| 9.99
    1/2 ||| 1/3
    ½ ||| ¼
    1 000 ||| 1 001
    10² ||| 10³
    5–7 ||| 5–9
    2.5 ||| 25
    100 ||| 1000
""")

UNITS = _pairs("""
    5 mg ||| 5 g
    3 km ||| 3 m
    16 MB ||| 16 GB
    40 miles ||| 40 kilometres
    250 ml ||| 250 l
    2 h ||| 2 min
    8 kg ||| 8 lb
    100 kW ||| 100 kWh
    30 cm ||| 30 mm
    50 Hz ||| 50 kHz
    5 µg ||| 5 mg
    20 °C ||| 20 °F
    90° ||| 90%
    6 ft ||| 6 in
    7 % ||| 7 ‰
    4 mL ||| 4 ML
    12 Mb ||| 12 MB
    9 V ||| 9 A
    15 m² ||| 15 m³
    5kg ||| 5g
""")

CURRENCIES = _pairs("""
    $5 ||| €5
    £20 ||| ¥20
    ₹300 ||| ₩300
    45 USD ||| 45 EUR
    ₺90 ||| ₽90
    ฿40 ||| ₫40
    5 $ ||| 5 £
    €7.50 ||| £7.50
    ₪60 ||| $60
    ₦800 ||| ₵800
    ¢75 ||| $75
    ₿2 ||| €2
""")

SIGNS = _pairs("""
    -5 ||| 5
    −12 ||| 12
    +3 ||| -3
    -0.5 ||| 0.5
    −7 °C ||| 7 °C
    ±2 ||| 2
    -40 ||| +40
    ~9 ||| 9
""")

FORMULAS: dict[str, tuple[Two, ...]] = {
    "operator": _pairs("""
        a + b ||| a - b
        x × 3 ||| x ÷ 3
        p * q ||| p / q
        m − n ||| m + n
        17 % 5 ||| 17 / 5
        2 ** k ||| 2 * k
        u · v ||| u × v
        n! ||| n
        √y ||| y
        h ± 1 ||| h + 1
        ∑ aᵢ ||| ∏ aᵢ
        ∫ f dx ||| ∂ f dx
        ∇ × F ||| ∇ · F
        a ⊕ b ||| a ⊗ b
        |r| ||| r
        s // t ||| s / t
        1 : 4 ||| 1 ÷ 4
        f′(x) ||| f(x)
    """),
    "comparison": _pairs("""
        x < 5 ||| x > 5
        y ≤ 3 ||| y ≥ 3
        k = 8 ||| k ≠ 8
        p < .05 ||| p > .05
        a ≈ b ||| a = b
        m ≡ n ||| m ≢ n
        r <= 2 ||| r < 2
        s == t ||| s != t
        f ≪ g ||| f ≫ g
        u ∝ v ||| u = v
        q >= 7 ||| q <= 7
        w ≅ z ||| w ≇ z
    """),
    "logical or set symbol": _pairs("""
        P ∧ Q ||| P ∨ Q
        ¬R ||| R
        x ∈ A ||| x ∉ A
        B ⊂ C ||| B ⊃ C
        D ∪ E ||| D ∩ E
        ∀ n ||| ∃ n
        S ⇒ T ||| S ⇔ T
        F ⊆ G ||| F ⊄ G
        U → V ||| U ← V
        M ∖ N ||| M ∪ N
        ∃! y ||| ∃ y
        H ⊢ K ||| H ⊬ K
        ∅ ∈ X ||| ∅ ⊂ X
        p & q ||| p | q
        a ⊻ b ||| a ∨ b
        I ∥ J ||| I ⊥ J
    """),
    "superscript or subscript": _pairs("""
        10² m ||| 102 m
        x² + 1 ||| x³ + 1
        CO₂ ||| CO₃
        H₂O ||| H₃O
        SO₄²⁻ ||| SO₃²⁻
        a₁ + a₂ ||| a₁ + a₃
        2⁴ bit ||| 24 bit
        m² ||| m³
        Na⁺ ||| Na⁻
        10⁻³ ||| 10³
        log₂ n ||| log₁₀ n
        Ca²⁺ ||| Ca²⁻
        ²³⁵U ||| ²³⁸U
        eˣ ||| ex
        3¹ ||| 31
        x₁² ||| x₁₂
        5ᵗʰ ||| 5ᵗ
        1ª ||| 1º
    """),
}

NOTES = _pairs("""
    C♯ E G ||| C E G
    B♭ major ||| B major
    F♯ A D ||| F♭ A D
    E♭ G B♭ ||| E G B♭
    D♯/F♯ ||| D/F♯
    A♮ E C ||| A♭ E C
    G𝄪 C ||| G♯ C
    C♯m7 ||| Cm7
    ♩ = 60 ||| ♪ = 60
    𝄞 G ||| 𝄢 G
""")

EMOJI = _pairs("""
    😀 ||| 😡
    👍 ||| 👎
    👨‍👩‍👧 ||| 👨‍👩‍👦
    👍🏻 ||| 👍🏿
    🇫🇷 ||| 🇩🇪
    ❤️ ||| 💔
    🟢 ||| 🔴
    ☀️ ||| 🌧️
    👩‍🚀 ||| 👨‍🚀
    🐶 ||| 🐱
    🏳️‍🌈 ||| 🏴‍☠️
    1️⃣ ||| 2️⃣
    👨‍👩‍👧 ||| 👨👩👧
    🙂 ||| 🙃
    ✅ ||| ❌
    ⬆️ ||| ⬇️
    🕐 ||| 🕑
    ♀ ||| ♂
    🎉🎉 ||| 🎉
    👩🏽‍🔬 ||| 👩🏾‍🔬
    🇨🇭🇦🇹 ||| 🇦🇹🇨🇭
    🏴󠁧󠁢󠁥󠁮󠁧󠁿 ||| 🏴󠁧󠁢󠁳󠁣󠁴󠁿
    ♠ 7 ||| ♥ 7
    😂 ||| 😭
    :) ||| :(
    ★★★★☆ ||| ★★☆☆☆
""")

LANGUAGE_NAMES = _pairs("""
    C ||| C++
    C++ ||| C#
    F ||| F#
    C# ||| C
    A* ||| A
    .NET ||| NET
    C++17 ||| C++20
    C++ ||| C--
""")

VERSIONS = _pairs("""
    1.2.3 ||| 1.2.4
    v2.0 ||| v2.1
    3.10 ||| 3.1
    4.0-rc1 ||| 4.0-rc2
    ^5.2.0 ||| ~5.2.0
    >=6.1 ||| <6.1
    7.0a1 ||| 7.0b1
    0.9.12 ||| 0.9.21
    2024.04 ||| 2024.10
    11.0.0+1 ||| 11.0.0-1
""")

# language of the code around it, then the two lines
CODE: dict[str, tuple[tuple[str, str, str], ...]] = {
    "path": tuple(
        ("sh", a, b)
        for a, b in _pairs("""
        cp notes.txt /usr/bin ||| cp notes.txt /usr/lib
        cat a.txt ||| cat b.txt
        cd ./src ||| cd ../src
        rm -r /tmp/cache/ ||| rm -r /tmp/cache/*
        ls ~/data ||| ls /data
        source env/bin/activate ||| source .env/bin/activate
        dir C:\\Users\\ann ||| dir D:\\Users\\ann
        mv log.1 old ||| mv log.2 old
        scp host:/etc/hosts . ||| scp host:/etc/hosts /
        tar xf pack.tar.gz ||| tar cf pack.tar.gz
        sort -r names ||| sort -n names
        echo text > out ||| echo text >> out
    """)
    ),
    "regular expression": tuple(
        ("py", f'pattern = r"{a}"', f'pattern = r"{b}"')
        for a, b in _pairs(r"""
        \d+ ||| \d*
        [a-z] ||| [A-Z]
        ^a ||| a
        \w+@\w+ ||| \w+@\W+
        (ab)? ||| (ab)+
        x{2} ||| x{3}
        [^0-9] ||| [0-9]
        end$ ||| end
        a.b ||| a\.b
        (?=k) ||| (?!k)
        \bcat\b ||| \Bcat\B
        p|q ||| pq
        .*? ||| .*
        [+-] ||| [+_]
    """)
    ),
    "pointer or operator in code": tuple(
        ("c", a, b)
        for a, b in _pairs("""
        int *p = q; ||| int p = q;
        n = p->x; ||| n = p.x;
        if (a == b) stop(); ||| if (a = b) stop();
        if (a && b) go(); ||| if (a || b) go();
        for (;;) i++; ||| for (;;) i--;
        if (!flag) run(); ||| if (flag) run();
        int *r, *s; ||| int *r, s;
        f(&value); ||| f(value);
        m = a & mask; ||| m = a | mask;
        k = k << 2; ||| k = k >> 2;
        y = ++z; ||| y = z++;
        u = ~bits; ||| u = -bits;
        t += step; ||| t -= step;
        char **v; ||| char *v;
        w = d ? 1 : 0; ||| w = d ? 0 : 1;
        std::move(list); ||| std.move(list);
        T&& item; ||| T& item;
        #define LOG ||| #undef LOG
        return *best; ||| return &best;
    """)
    )
    + tuple(
        ("js", a, b)
        for a, b in _pairs("""
        const box = {}; ||| const box = [];
        if (a === b) stop(); ||| if (a == b) stop();
        const s = a ?? b; ||| const s = a || b;
        call(...rest); ||| call(rest);
        const g = x => y; ||| const g = x <= y;
        const o = item?.name; ||| const o = item.name;
        const t = `${id}`; ||| const t = `$id`;
        let n = "5"; ||| let n = 5;
        return [a, b]; ||| return (a, b);
    """)
    )
    + tuple(
        ("py", a, b)
        for a, b in _pairs("""
        x = y[1:] ||| x = y[:1]
        z = a @ b ||| z = a * b
        f(*args) ||| f(**args)
        r = s[::-1] ||| r = s[::1]
        d = {k: v} ||| d = {k, v}
        t = (a,) ||| t = (a)
        if n := size: ||| if n == size:
        w = u // 2 ||| w = u / 2
        m = not done ||| m = done
    """)
    ),
    "indentation": tuple(
        ("py", block, last_line_outside(block))
        for block in (
            "for x in rows:\n    total += x\n    print(total)",
            "if ready:\n    start()\n    wait()",
            "while queue:\n    item = pop()\n    count += 1",
            "with lock:\n    read()\n    write()",
            "try:\n    load()\nfinally:\n    close()\n    exit()",
            "for a in left:\n    for b in right:\n        hit()\n        miss()",
        )
    ),
    "letters' case in code": tuple(
        (code, a, b)
        for code, a, b in (
            ("js", "myList.Push(3);", "myList.push(3);"),
            ("js", "getValue(node);", "getvalue(node);"),
            ("c", "limit = MAX_VALUE;", "limit = max_value;"),
            ("c", "Foo();", "foo();"),
            ("js", "new userName(id);", "new UserName(id);"),
            ("py", "item = True_value", "item = true_value"),
            ("sh", "export PATH=$Home", "export PATH=$HOME"),
            ("c", "size_T width;", "size_t width;"),
            ("py", "from Queue import Empty", "from queue import Empty"),
            ("js", "const Node = node;", "const node = Node;"),
            ("sh", "grep -I word file", "grep -i word file"),
            ("py", "yield List[int]", "yield list[int]"),
            ("js", "let iOs = 1;", "let IOS = 1;"),
            ("sh", "chmod -R u+X bin", "chmod -R u+x bin"),
        )
    ),
}

# Sentences that differ in the negation of languages without a bank, and of English, by script.
NEGATIONS: dict[str, tuple[Two, ...]] = {
    "Latin": _pairs("""
        The bridge is safe for heavy trucks. ||| The bridge isn't safe for heavy trucks.
        Our team will sign that contract soon. ||| Our team won't sign that contract soon.
        Cats do like the smell of lemons. ||| Cats don’t like the smell of lemons.
        Somebody had answered the phone there. ||| Nobody had answered the phone there.
        I cannot recommend this hotel to families. ||| I can recommend this hotel to families.
        Either side wanted war over the islands. ||| Neither side wanted war over the islands.
        Le témoin connaît cet homme du village. ||| Le témoin ne connaît pas cet homme du village.
        Elle a pris le train avec ses clés. ||| Elle a pris le train sans ses clés.
        El perro quiere comer carne cruda. ||| El perro no quiere comer carne cruda.
        Mio zio beve il caffè la sera. ||| Mio zio non beve il caffè la sera.
        A loja abre aos domingos de manhã. ||| A loja não abre aos domingos de manhã.
        De sleutel past op dit oude slot. ||| De sleutel past niet op dit oude slot.
        Wij hebben een kamer vrij vannacht. ||| Wij hebben geen kamer vrij vannacht.
        Pociąg staje na tej małej stacji. ||| Pociąg nie staje na tej małej stacji.
        Ten most je pro auta bezpečný. ||| Ten most není pro auta bezpečný.
        Barnen får bada i sjön idag. ||| Barnen får inte bada i sjön idag.
        Du må gerne åbne vinduet nu. ||| Du må ikke gerne åbne vinduet nu.
        Hän voi syödä tätä leipää enää. ||| Hän ei voi syödä tätä leipää enää.
        A kutya szereti a hideg vizet. ||| A kutya nem szereti a hideg vizet.
        Copilul vrea să doarmă după masă. ||| Copilul nu vrea să doarmă după masă.
        Obat ini aman untuk ibu hamil. ||| Obat ini tidak aman untuk ibu hamil.
        Çocuklar bu gece erken uyudu. ||| Çocuklar bu gece erken uyumadı.
    """),
    "Cyrillic": _pairs("""
        Сестра пішла сьогодні до школи пішки. ||| Сестра не пішла сьогодні до школи пішки.
        Лекарят препоръча това лекарство вчера. ||| Лекарят не препоръча това лекарство вчера.
    """),
    "Arabic": _pairs("""
        این دارو برای کودکان خطرناک است. ||| این دارو برای کودکان خطرناک نیست.
        یہ دوا بچوں کے لیے اچھی ہے۔ ||| یہ دوا بچوں کے لیے اچھی نہیں ہے۔
    """),
}

PINYIN = _pairs("""
    Tā zuótiān mǎi le nà liàng chē ||| Tā zuótiān mài le nà liàng chē
    Wǒ zài hé biān kànjiàn yì pǐ mǎ ||| Wǒ zài hē biān kànjiàn yì pǐ mǎ
    Lǎoshī qǐng nǐ bǎ táng gěi tā ||| Lǎoshī qǐng nǐ bǎ tāng gěi tā
    Nǐmen bān lǐ yǒu jǐ ge shūjià ||| Nǐmen bān lǐ yǒu jǐ ge shǔjià
""")
