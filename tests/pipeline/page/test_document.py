"""The page shows what its report holds, omits what is absent, and lets no text become markup."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.pipeline.page.document import page
from outcross.pipeline.page.glossary import TERMS
from outcross.pipeline.page.markup import corpus, cut, el, escape, number, size, visible
from outcross.pipeline.page.shards import deviations
from outcross.pipeline.page.topics import map_data
from outcross.schemas.measures import MEASURES
from outcross.schemas.report import Cluster
from tests.support import reports

MEGABYTES = 6_000_000
_VOID = {"meta", "input"}
_SECTIONS = {
    "run": "verdict asked flow human stages budget clusters shards domains prompts removed "
    "reference manifest glossary",
    "audit": "verdict flow human stages clusters shards domains prompts removed reference glossary",
    "dedup": "verdict flow prompts removed glossary",
}


class Read(HTMLParser):
    """The parsed page: sections, ids, elements, text and data. Elements must be nested."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.sections: list[str] = []
        self.ids: Counter[str] = Counter()
        self.elements: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.data: dict[str, Any] = {}
        self._json = False
        self.feed(markup)
        self.close()
        assert not self.open, self.open
        self.words = " ".join(" ".join(self.text).split())

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements[tag] += 1
        named = {key: value or "" for key, value in attrs}
        self.attributes += named.items()
        if "id" in named:
            self.ids[named["id"]] += 1
        if tag == "section":
            self.sections.append(named["id"])
        self._json = named.get("id") == "data"
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, (tag, self.open)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            if self._json:
                self.data = json.loads(data)
            return
        self.text.append(data)


def read(kind: str = "run", **options: Any) -> Read:
    plan = reports.plan() if kind == "run" else None
    manifest = reports.manifest() if kind == "run" else None
    return Read(page(reports.report(kind, **options), plan, manifest))


@pytest.fixture(scope="module")
def hostile() -> Read:
    report = reports.report(hostile=True, shards=40)
    manifest = reports.manifest(hostile=True)
    return Read(page(report, reports.plan(), manifest, reports.comparison(hostile=True)))


@pytest.fixture(scope="module")
def run() -> Read:
    return read()


@pytest.mark.parametrize("kind", ["run", "audit", "dedup"])
def test_every_section_stands_in_its_order(kind: str) -> None:
    assert read(kind).sections == _SECTIONS[kind].split()


def test_a_comparison_comes_first() -> None:
    markup = Read(page(reports.report("audit"), comparison=reports.comparison(4)))
    assert markup.sections[:2] == ["verdict", "generations"]
    assert "The loop narrows" in markup.words
    assert markup.elements["polyline"] == len(MEASURES) - 1  # one has too few documents
    assert "generation-3" in markup.words
    assert "4.1\u202f%" in "".join(markup.text)


def test_the_verdict_says_what_why_and_what_next(run: Read) -> None:
    report = reports.report()
    assert report.verdict.sentence in run.words
    for reason in [*report.verdict.reasons, *report.verdict.warnings]:
        assert reason in run.words
    assert "What to do next" in run.words
    assert "--human-share" in run.words


@pytest.mark.parametrize(("outcome", "step"), [("go", "Train on"), ("stop", "Write with more")])
def test_the_next_step_depends_on_the_verdict(outcome: str, step: str) -> None:
    ratio = {"go": 0.99, "stop": 0.7}[outcome]
    words = read(outcome=outcome, ratio=ratio).words
    assert step in words
    assert ("Train on" in words) == (outcome == "go")


def test_every_measure_has_value_human_interval_and_outcome(run: Read) -> None:
    words = "".join(run.text)
    judged = reports.report().judged
    assert judged is not None
    for measure in judged.measures:
        info = MEASURES[measure.name]
        assert info.title in words
        assert number(measure.human, info.form, info.unit) in words
        if measure.value is not None:
            assert number(measure.value, info.form) in words
    assert run.elements["rect"] == len(MEASURES)  # the human-human band
    assert "too few" in words


def test_what_is_judged_is_a_column_of_its_own_only_where_it_differs() -> None:
    report = reports.report()
    stage = report.stages[-1]
    quiet = [m.model_copy(update={"outcome": "shown"}) for m in stage.roles["all"].measures]
    written = stage.roles["all"].model_copy(update={"measures": quiet})
    stages = [*report.stages[:-1], stage.model_copy(update={"roles": {"all": written}})]
    assert (
        "! warn" in Read(page(report.model_copy(update={"stages": stages}))).words
    )  # what the gates say stands there all the same
    other = report.judged
    assert other is not None
    measures = [m.model_copy(update={"value": 0.5}) for m in other.measures]
    judged = other.model_copy(update={"measures": measures})
    shown = page(report.model_copy(update={"stages": stages, "judged": judged}))
    assert "mark judged" in shown
    assert "mark judged" not in page(report.model_copy(update={"stages": stages}))


def test_missing_rows_are_said() -> None:
    report = reports.report()
    lines = [line.model_copy(update={"kept": line.kept - 1}) for line in report.conservation]
    markup = Read(page(report.model_copy(update={"conservation": lines})))
    assert "Rows are missing" in markup.words


@pytest.mark.parametrize(
    ("regime", "price", "says"),
    [
        ("human-bound", 1.83, "would lower the"),
        ("synthetic-bound", -0.4, "would raise the"),
        ("slack", 0.0, "would not change"),
        ("human-bound", None, "no finite price"),
    ],
)
def test_the_price_is_said_in_words(regime: str, price: float | None, says: str) -> None:
    markup = Read(page(reports.report(), reports.plan(regime=regime, price=price)))
    assert says in markup.words


def test_the_frontier_holds_this_run_and_what_was_asked(run: Read) -> None:
    data = run.data["frontier"]
    assert data["run"] == {"human_share": 0.19998, "entropy": 4.8312, "kl": 0.0214}
    assert data["entropy_floor"] == 4.8
    assert len(data["entropy"]) == 7  # what is out of reach is in the table alone
    assert "out of reach: human text holds 410,000 tokens" in run.words


def test_the_gain_stands_beside_what_a_blind_mix_has(run: Read) -> None:
    assert "Gap to human text, before and after the selection" in run.words
    assert "drawn blindly" in run.words
    assert "0.0793" in run.words
    assert "20.0 % fresh human text in every generation" in run.words.replace("\u202f", " ")
    assert "ends at 2.78 times that of all human text" in run.words


def test_weights_are_named_where_copies_are_some(run: Read) -> None:
    assert "outcross.weight" not in run.words
    plan = reports.plan()
    weighed = plan.asked.model_copy(update={"copies": "weights"})
    report = reports.report().model_copy(update={"asked": weighed})
    markup = Read(page(report, plan.model_copy(update={"asked": weighed}), reports.manifest()))
    assert "Copies are weights: every document is one row of data/" in markup.words
    assert "≤ 2 synthetic, ≤ 2 human, as weights" in markup.words


def test_without_human_text_nothing_is_compared() -> None:
    markup = Read(page(reports.report(human=False), reports.plan()))
    assert "clusters" not in markup.sections
    assert "There is no human text to compare with" in markup.words
    assert "name human text with --human" in markup.words
    assert markup.elements["rect"] == 0


def test_what_is_absent_is_absent() -> None:
    report = reports.report()
    bare = report.model_copy(
        update={
            "clusters": [], "shards": [], "prompts": [], "domains": [], "stages": [],
            "judged": None, "reference": None, "achieved": None, "asked": None,
        }
    )  # fmt: skip
    markup = Read(page(bare))
    assert markup.sections == ["verdict", "flow", "human", "removed", "glossary"]
    assert markup.data == {}
    assert "plotly" not in markup.ids
    assert not re.search(r"\b(nan|None|null|inf)\b", markup.words)


def test_numbers_that_are_none_are_dashes_and_never_zero() -> None:
    assert number(None) == number(float("nan")) == number(float("inf")) == "–"
    assert number(-0.5, ".1%") == "−50.0\u202f%"
    assert number(-0.00001, "+.2%") == "0.00\u202f%"
    assert size(2_390_000) == "2.39\u202fMB"
    assert size(999) == "999\u202fB"


def test_every_term_that_is_used_is_explained(run: Read) -> None:
    used = {value for key, value in run.attributes if key == "data-term"}
    assert used
    for term in used:
        assert run.ids[term] == 1, term
    assert all(meaning.endswith(".") for _, meaning in TERMS.values())


def test_ids_are_unique_and_links_lead_somewhere(run: Read) -> None:
    assert max(run.ids.values()) == 1
    for key, value in run.attributes:
        if key == "href":
            assert value.startswith("#")
            assert run.ids[value[1:]] == 1, value


def test_no_corpus_text_becomes_markup(hostile: Read) -> None:
    assert hostile.elements["script"] == 3  # data, library, page
    assert hostile.elements["style"] == 1
    for element in ("img", "iframe"):
        assert hostile.elements[element] == 0
    assert not [key for key, _ in hostile.attributes if key.startswith("on")]
    assert {value for key, value in hostile.attributes if key == "src"} == set()
    assert "<script>window.broken = 1</script>" in hostile.words  # shown, not run


def test_the_data_can_not_end_their_element(hostile: Read) -> None:
    report = reports.report(hostile=True)
    markup = page(report)
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', markup, re.S)
    assert block is not None
    assert not re.search("[<>&\u2028\u2029]", block[1])
    assert any("<script>" in words for words in hostile.data["clusters"]["words"])


def test_what_steers_unseen_is_seen(hostile: Read) -> None:
    everything = "".join(hostile.text) + json.dumps(hostile.data, ensure_ascii=False)
    assert not re.search("[\u0000-\u0008\u200b\u202a-\u202e\u2066-\u2069\ufeff]", everything)
    assert "⟨U+202E⟩" in everything
    assert "\u06cc\u200c\u0645" in everything  # a joiner inside of a word belongs to it
    assert visible("a\u200cb\ud800") == "a⟨U+200C⟩b⟨U+D800⟩"


def test_texts_of_any_length_are_cut(hostile: Read) -> None:
    assert not re.search("m{400}", "".join(hostile.text))
    assert len(cut("m" * 1_000_000)) == 300
    assert cut("short") == "short"


@given(st.text(), st.text())
def test_whatever_a_text_is_it_stays_text(text: str, value: str) -> None:
    shown = Read(str(el("div", corpus(text), el("p", value), title=value)))
    assert shown.elements == {"div": 1, "span": 1, "p": 1}
    assert "".join(shown.text) == cut(text) + visible(value)
    assert ("title", visible(value)) in shown.attributes
    escape(text).encode()


@pytest.mark.parametrize("bad", [False, True])
def test_a_large_report_stays_small(bad: bool) -> None:
    report = reports.report(shards=1000, clusters=4096, hostile=bad)
    markup = page(report, reports.plan(4096), reports.manifest(1000), reports.comparison(20))
    assert len(markup.encode()) < MEGABYTES
    assert markup.count("<td>1,000</td>") + markup.count('<td class="n">1,000</td>') >= 1000


def test_the_largest_page_stays_small() -> None:
    report = reports.report(shards=2400, clusters=4096, hostile=True)
    shards = [shard.model_copy(update={"file": "&" * 200}) for shard in report.shards]
    report = report.model_copy(update={"shards": shards})
    manifest = reports.manifest(3000, hostile=True)
    markup = page(report, reports.plan(4096), manifest, reports.comparison(20, hostile=True))
    assert len(markup.encode()) < MEGABYTES


def test_texts_that_take_most_room_stay_within_it() -> None:
    text = "<\U0001f980&" * 100
    clusters = [
        Cluster(
            cluster=c, x=0.1, y=0.2, human_share=(c + 1) / 8_400_000, share=1 / 4096,
            words=[text] * 20, human_text=text, text=text,
        )
        for c in range(4096)
    ]  # fmt: skip
    data = map_data(clusters)
    written = json.dumps(data, ensure_ascii=False).encode()
    assert len(written) + 5 * sum(map(written.count, (b"<", b"&"))) < 1_500_000
    assert data["dropped"]
    shown = {n for n, text in zip(data["number"], data["human_text"], strict=True) if text}
    missing = set(range(4096)) - shown
    assert not shown or min(shown) > max(missing)  # the small ones go first


def test_thousands_of_files_are_cut_to_those_out_of_line() -> None:
    report = reports.report("audit", shards=2400)
    markup = Read(page(report))
    assert "1,500 of 2,400 files are shown" in markup.words
    assert "train-00007-of-02400" in markup.words


def test_starved_and_swollen_clusters_are_ranked_by_what_they_add() -> None:
    def cluster(human: float, share: float) -> Cluster:
        return Cluster(
            cluster=0, x=0, y=0, human_share=human, share=share, words=[], human_text=None,
            text=None,
        )  # fmt: skip

    assert cluster(0.2, 0.2).excess == 0
    assert cluster(0.2, 0.0).excess == pytest.approx(-0.1 * 0.6931471805599453)
    assert cluster(0.0, 0.2).excess == pytest.approx(0.1 * 0.6931471805599453)
    assert cluster(0.2, 0.1).excess < cluster(0.02, 0.01).excess < 0


def test_deviations_are_robust_and_need_eight_shards() -> None:
    assert deviations([1.0] * 7) == [None] * 7
    assert deviations([1.0] * 9) == [0.0] * 9
    values = [1.0, 1.1, 0.9, 1.05, 0.95, 1.0, 1.02, 9.0, None]
    distances = deviations(values)
    assert distances[-1] is None
    assert [z is not None and abs(z) > 3.5 for z in distances] == [False] * 7 + [True, False]


def test_an_outlier_is_marked_by_a_sign(run: Read) -> None:
    assert "1 of 16 shards is an outlier in at least one column" in run.words
    assert re.search(r"▼ \d+\.\d", run.words)


def test_nothing_is_fetched(run: Read) -> None:
    markup = page(reports.report(), reports.plan())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', markup)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert "http:" not in policy[1]
    assert "https:" not in policy[1]
    assert not [value for key, value in run.attributes if key in ("src", "srcset", "action")]
    without = re.sub(r'<script type="text/plain" id="plotly">.*?</script>', "", markup, flags=re.S)
    assert not re.findall(r"https?://", without)


def test_the_same_report_gives_the_same_bytes() -> None:
    pages = [page(reports.report(), reports.plan(), reports.manifest()) for _ in range(2)]
    assert pages[0] == pages[1]
