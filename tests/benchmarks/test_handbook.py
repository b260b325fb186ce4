"""Passages of a translated book are aligned, and only those that are translated count."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.embedders.handbook import passages, written_in
from benchmarks.embedders.multilingual import agreement, nearest

PAGE = """<html><head><title>2.1. X</title></head><body><div class="section">
<h2 class="title"><a id="x"></a>2.1. {title}</h2><div class="para">{first} <code>apt</code><br/>
</div><div class="para"><div class="note"><div class="para">{second}</div></div>
<pre>ls -l</pre></div></div></body></html>"""


def write(folder: Path, name: str, **texts: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(PAGE.format(**texts), "utf-8")


def test_translated_passages_are_aligned_by_page_and_place(tmp_path: Path) -> None:
    english = "The package manager installs what a program needs to work."
    other = "A second paragraph of the same page, long enough to be counted."
    german = "Die Paketverwaltung installiert, was ein Programm zum Arbeiten braucht."
    write(tmp_path / "en-US", "sect.a.html", title="X", first=english, second=other)
    write(tmp_path / "de-DE", "sect.a.html", title="X", first=german, second=other)  # a half
    (tmp_path / "en-US" / "preface.html").write_text(f'<div class="para">{english}</div>')
    chapters, texts = passages(tmp_path, ["English", "German"])
    assert chapters == ["2"]
    assert texts == {"English": [f"{english} apt"], "German": [f"{german} apt"]}


def test_a_text_belongs_to_the_script_of_half_of_its_letters() -> None:
    assert written_in("ARABIC", "يستخدم الملف apt")
    assert not written_in("ARABIC", "apt-get install الملف")
    assert not written_in("CJK", "1.2.3")


def test_agreement_is_the_share_of_common_neighbours() -> None:
    vectors = np.array([[100, 0], [99, 10], [0, 100], [10, 99]], np.int8)
    neighbours = nearest(vectors, 2)
    assert neighbours[:, 0].tolist() == [1, 0, 3, 2]
    assert agreement(neighbours, neighbours) == 1
    assert agreement(neighbours, neighbours[::-1]) == 0.5
