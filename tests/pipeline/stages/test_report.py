"""The report's promises: no row is lost, the human budget was met, and shards sum to the corpus."""

from collections import Counter
from collections.abc import Iterator
from copy import copy as shallow_copy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from outcross.pipeline.engine.artifacts import artifact
from outcross.pipeline.engine.progress import StageProgress
from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context, RunError
from outcross.pipeline.stages.lengths import TooLong
from outcross.pipeline.stages.measure import Measured, measure
from outcross.pipeline.stages.rank import Ranking
from outcross.pipeline.stages.report import (
    Rows,
    conservation,
    reasons_not_selected,
    run_gates,
    run_report,
)
from outcross.pipeline.stages.sketch import Sketched
from outcross.schemas.budget import MaxCopies
from outcross.schemas.config import Config, parse
from outcross.schemas.gates import Gates
from outcross.schemas.report import Conservation, Report
from outcross.transforms.dedup.decide import CONTAINED, EXACT, NEAR, Verdicts
from outcross.transforms.estimators.entropy import entropy
from outcross.transforms.estimators.richness import HEAD, OFF_SUPPORT, TAIL
from outcross.transforms.reference.codebook import ASSIGNMENTS
from outcross.transforms.sketches.aligned import save_aligned
from outcross.transforms.sketches.store import fixed_matrix
from outcross.transforms.writing.shards import shard_of
from tests.support.references import Population, reference

K, SHARDS = 3, 2
ROLES = ("synthetic", "human", "exclude")
YARDSTICKS = {human: reference(human=human) for human in (True, False)}


POPULATION = Population()


def config(out: Path) -> Config:
    return parse(
        {
            "out": str(out),
            "workers": 1,
            "sources": [{"name": f"of-{role}", "role": role, "files": ["x"]} for role in ROLES],
        }
    )


ENGINE = Context(config(Path("out")), progress=StageProgress(quiet=True))


class Run:
    """A run's stages as far as the report looks at them: 40 documents a source, some of them
    removed, some not selected, in two shards and three clusters; and a file without any.
    """

    def __init__(self, out: Path) -> None:
        rng = np.random.default_rng(0)
        self.config = config(out)
        documents = POPULATION.draw(40 * len(ROLES), 1)
        sketches = documents.write(out / "sketches", len(ROLES) + 1, range(len(ROLES)))
        n = len(sketches)
        # 40 valid rows, 2 rejected, 3 that the filter left out before.
        sketches.reports[: len(ROLES)] = [
            replace(report, filtered=3, read=42, rejected=2)
            for report in sketches.reports[: len(ROLES)]
        ]
        nothing = pa.schema([])
        self.sketched = Sketched(
            artifact(str(out), "sketch"), sketches, nothing, nothing, self.context(), {}, None
        )
        partner, stage = np.full(n, -1), np.zeros(n, np.int8)
        removed = (rng.random(n) < 0.1) & ~self.sketched.of_role("exclude")
        partner[removed], stage[removed] = 0, np.where(rng.random(removed.sum()) < 0.5, EXACT, NEAR)
        partner[0] = -1
        stage[0] = 0
        partner[[38, 78]], stage[[38, 78]] = 100, CONTAINED
        is_open = np.zeros(n, bool)
        is_open[1:3] = partner[1:3] < 0
        verdicts = Verdicts(partner, stage, np.zeros(n, np.float32), is_open, {"stars": 1})
        self.deduplicated: Any = SimpleNamespace(verdicts=verdicts, found=[], bands=14, rows=9)
        # Densities and dots on either side of the yardstick's thresholds make the classes.
        documents.cells["dot"] = np.where(rng.random(n) < 0.2, 0, 500).astype(np.int32)
        documents.cells["cluster"] = rng.integers(0, K, n).astype(np.int32)
        done = artifact(str(out), "cluster")
        columns = {field.name: documents.cells[field.name] for field in ASSIGNMENTS}
        save_aligned(done.subfolder("assignments"), sketches, columns)
        self.clustered = Clustered(
            done,
            YARDSTICKS[True],
            documents.cells["cluster"],
            YARDSTICKS[True].thresholds.classify(
                documents.cells["dot"],
                columns["density"],
                fixed_matrix(documents.sketch["surface"], np.uint32),
            ),
            documents.cells["audit_cluster"],
        )
        copies = np.where(verdicts.kept, rng.integers(0, 3, n), 0).astype(np.int32)
        copies[self.sketched.of_role("exclude")] = 0
        self.selected: Any = SimpleNamespace(copies=copies)
        self.removed = [{"measures": {"documents": self.by_source(~verdicts.kept)}}]
        self.written = [self.shard(number) for number in range(SHARDS)]
        self.measured = self.measure()
        self.plan(self.tokens("human"))

    def by_source(self, rows: Any, weight: Any = None) -> dict[str, int]:
        weight = np.ones(len(rows), int) if weight is None else weight
        return {
            f"of-{role}": int(weight[rows & self.sketched.of_role(role)].sum()) for role in ROLES
        }

    def tokens(self, role: str) -> int:
        chosen = self.sketched.of_role(role)
        return int((self.selected.copies * self.sketched.tokens)[chosen].sum())

    def appearances(self, number: int) -> list[tuple[int, int]]:
        """Document and copy of all that stands in a shard."""
        hi, lo = self.sketched.fingerprints
        rows = np.repeat(np.arange(len(hi)), self.selected.copies)
        copy = np.concatenate([np.arange(often) + 1 for often in self.selected.copies])
        own = shard_of(hi[rows], lo[rows], copy, self.config.seed, SHARDS) == number
        return list(zip(rows[own].tolist(), copy[own].tolist(), strict=True))

    def shard(self, number: int) -> dict[str, Any]:
        """What the stage `write` says of a shard; a document counts where its first copy stands."""
        held = self.appearances(number)
        firsts = [row for row, copy in held if copy == 1]
        copies = np.bincount([row for row, _ in held], minlength=len(self.selected.copies))
        return {
            "file": f"train-{number}.parquet",
            "rows": len(held),
            "bytes": 1000,
            "measures": {
                "documents": self.by_source(np.isin(np.arange(len(copies)), firsts)),
                "rows": self.by_source(copies > 0, copies),
            },
        }

    def measure(self) -> Measured:
        return measure(
            self.context(),
            self.sketched,
            self.deduplicated,
            self.clustered,
            self.selected.copies,
            Gates(),
            None,
            SHARDS,
        )

    def plan(self, human_tokens: float, token_entropy: float | None = None) -> None:
        """What was written, where nothing else is said."""
        by_cluster = np.bincount(
            self.clustered.cluster, self.selected.copies * self.sketched.tokens, K
        )
        planned = entropy(by_cluster) if token_entropy is None else token_entropy
        caps = self.config.max_copies
        one = {"kind": "open", "tokens": 1.0, "human_tokens": human_tokens, "entropy": planned}
        self.planned: Any = SimpleNamespace(
            plan=SimpleNamespace(
                reached=SimpleNamespace(
                    tokens=human_tokens + self.tokens("synthetic"),
                    human_tokens=human_tokens,
                    entropy=planned,
                ),
                asked=None,
                domains=[SimpleNamespace(name="*", max_copies=caps, **one)],
                quotas=[
                    SimpleNamespace(reference_share=share)
                    for share in YARDSTICKS[True].shares.tolist()
                ],
            )
        )

    def context(self) -> Context:
        fresh = shallow_copy(ENGINE)
        fresh.config, fresh.warnings = self.config, []
        return fresh

    def ranking(self) -> Ranking:
        synthetic, human = (
            self.deduplicated.verdicts.kept & self.sketched.of_role(role) for role in ROLES[:2]
        )
        return Ranking(synthetic, human, TooLong(np.zeros_like(human), None, None), 0, [], {})

    def report(self, context: Context | None = None) -> Report:
        return run_report(
            context or self.context(),
            self.sketched,
            self.deduplicated,
            self.clustered,
            self.ranking(),
            self.planned,
            self.selected,
            self.measured,
            Gates(),
            self.removed,
            self.written,
            None,
        )


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all, so that documents are measured once."""
    return tmp_path_factory.mktemp("out")


@pytest.fixture
def run(out: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    # Texts are read from sources, which these stages have none of.
    for name in ("least_similar", "most_repeated"):
        monkeypatch.setattr(f"outcross.pipeline.stages.reporting.removals.{name}", lambda *_: [])
    monkeypatch.setattr("outcross.pipeline.stages.reporting.figures.texts_by_hash", lambda *_: [])
    monkeypatch.setattr(
        "outcross.pipeline.stages.reporting.figures.texts_of_documents",
        lambda context, sketched, documents: {row: f"text {row}" for row in documents.tolist()},
    )
    return Run(out)


def test_every_row_is_accounted_for_by_source_and_in_all(run: Run) -> None:
    report = run.report()
    assert [line.source for line in report.conservation] == [f"of-{role}" for role in ROLES]
    for line in report.conservation:
        assert line.holds()
        assert (line.filtered, line.read, line.rejected) == (3, 42, 2)
    kept = sum(line.kept for line in report.conservation)
    assert kept == run.deduplicated.verdicts.kept.sum()
    copies = run.selected.copies
    assert sum(line.written for line in report.conservation) == (copies > 0).sum()
    assert sum(line.copies for line in report.conservation) == (copies - (copies > 0)).sum()
    excluded = report.conservation[2]
    assert excluded.not_selected == {"role exclude": excluded.kept}
    assert "off-support" in report.conservation[0].not_selected
    assert set(report.conservation[1].not_selected) == {"quota"}  # human text is never off-support
    assert excluded.removed == 0
    told = report.deduplication
    assert told.contained == 2
    assert told.exact + told.near + told.contained == 120 - kept


def test_losses_share_out_what_was_removed_by_role_and_class(run: Run) -> None:
    lines = run.report().deduplication.losses
    assert [(line.role, line.kind) for line in lines] == [
        (role, kind)
        for role in ("synthetic", "human", "all")
        for kind in ("head", "tail", "off-support")
    ]
    stage = run.deduplicated.verdicts.stage
    for line in lines:
        number = {"head": HEAD, "tail": TAIL, "off-support": OFF_SUPPORT}[line.kind]
        roles = ROLES[:2] if line.role == "all" else (line.role,)
        own = stage[run.sketched.of_role(*roles) & (run.clustered.kind == number)]
        assert line.documents == len(own)
        assert (line.exact, line.near, line.contained) == tuple(
            (own == number).sum() for number in (EXACT, NEAR, CONTAINED)
        )
        # What an evaluation set or the same words took was no question of the threshold.
        assert line.near_share == line.near / ((own == 0).sum() + line.near)
    assert sum(line.contained for line in lines) == 4  # each in its role and in all


def test_without_human_text_there_is_no_tail_to_be_lost(run: Run) -> None:
    run.clustered.reference = YARDSTICKS[False]
    assert run.report().deduplication.losses == []


LOSSES = {
    "a document missing from data/": lambda run: run.written[1]["measures"]["documents"].update(
        {"of-human": run.written[1]["measures"]["documents"]["of-human"] - 1}
    ),
    "a document twice in removed/": lambda run: run.removed[0]["measures"]["documents"].update(
        {"of-synthetic": run.removed[0]["measures"]["documents"]["of-synthetic"] + 1}
    ),
    "a row neither read nor rejected": lambda run: run.sketched.sketches.reports.__setitem__(
        2, replace(run.sketched.sketches.reports[2], rejected=1)
    ),
    "a shard lost": lambda run: run.written.pop(),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_run_that_loses_a_row_fails_and_names_the_source(run: Run, loss: str) -> None:
    LOSSES[loss](run)
    with pytest.raises(RunError, match="conservation does not hold for source 'of-"):
        run.report()


def test_conservation_holds_only_if_both_sums_do() -> None:
    line = Conservation(
        source="a",
        role="human",
        filtered=9,
        read=10,
        rejected=1,
        removed=2,
        distinct=8,
        kept=7,
        written=4,
        not_selected={"quota": 2, "off-support": 1},
        copies=3,
    )
    assert line.holds()
    for change in ({"read": 11}, {"rejected": 0}, {"removed": 3}, {"kept": 6}, {"written": 5}):
        assert not line.model_copy(update=change).holds()
    assert not line.model_copy(update={"not_selected": {"quota": 2}}).holds()
    assert line.model_copy(update={"filtered": 0, "copies": 0}).holds()


def test_reasons_share_out_what_is_not_written(run: Run) -> None:
    kept = run.deduplicated.verdicts.kept
    off = run.clustered.kind == OFF_SUPPORT
    human, synthetic = (run.sketched.of_role(role) for role in ("human", "synthetic"))
    beyond = synthetic & kept & (run.selected.copies == 0) & (np.arange(len(kept)) % 2 == 0)
    assert (beyond & off).any()
    copies = run.selected.copies
    long = human & kept & (copies == 0) & (np.arange(len(kept)) % 3 == 0)
    assert long.any()
    reasons = reasons_not_selected(run.sketched, run.deduplicated, copies, off, beyond, long)
    together = np.sum(list(reasons.values()), axis=0)
    assert (together == (kept & (copies == 0))).all()  # each once
    assert not (reasons["off-support"] & human).any()
    assert (reasons["archive"] == beyond).all()
    assert (reasons["too long"] == long).all()


def test_conservation_counts_what_stands_in_files_not_what_was_meant(run: Run) -> None:
    everything = np.ones(120, bool) & run.deduplicated.verdicts.kept & (run.selected.copies == 0)
    counted = Rows.of_files(run.removed, run.written)
    lines = conservation(
        run.context(), run.sketched, run.deduplicated, {"quota": everything}, counted
    )
    assert [line.removed for line in lines] == list(
        run.removed[0]["measures"]["documents"].values()
    )


def test_human_tokens_off_by_more_than_half_of_the_longest_document_fail_the_run(run: Run) -> None:
    written = run.tokens("human")
    longest = int(run.sketched.tokens[run.selected.copies > 0].max())
    for apart in (-longest / 2, 0, longest / 2):
        run.plan(written + apart)
        assert run.report().achieved.human_tokens == written
    for apart in (-longest / 2 - 1, longest / 2 + 1):
        run.plan(written + apart)
        with pytest.raises(RunError, match="tokens are written where"):
            run.report()


def test_an_entropy_that_was_missed_is_a_warning_with_its_cause(run: Run) -> None:
    context = run.context()
    reached = run.report(context).achieved.entropy
    assert reached is not None
    run.plan(run.tokens("human"), reached * 1.005)
    assert run.report(context).verdict.warnings == []
    run.plan(run.tokens("human"), reached * 1.05)
    (warning,) = run.report(context).verdict.warnings
    assert "off the plan's" in warning
    assert "too unequal in length" in warning  # 25 documents a cluster or so


def test_the_shards_merged_are_the_stage_write(run: Run) -> None:
    report = run.report()
    figures = report.figures("write")
    assert figures == report.stages[-1].roles["all"]
    assert figures.documents == sum(shard.rows for shard in report.shards)
    for name in ("documents", "tokens", "copies", "near_duplicates"):
        assert getattr(figures, name) == sum(getattr(s.figures, name) for s in report.shards)
    for part in ("documents", "tokens", "classes"):
        whole = getattr(run.measured.last["all"].counts, part)
        parts = (run.measured.roles(f"shard/{n}")["all"].counts for n in range(SHARDS))
        assert (whole == sum(getattr(counts, part) for counts in parts)).all()
    assert report.achieved is not None
    assert report.achieved.tokens == figures.tokens
    assert report.achieved.human_share == pytest.approx(run.tokens("human") / figures.tokens)
    assert report.figures("write", "human").tokens == run.tokens("human")
    assert report.figures("read").documents == 80  # excluded text is not part of the corpus
    with pytest.raises(KeyError, match="no figures of 'human' after 'shuffle'"):
        report.figures("shuffle", "human")


@pytest.mark.parametrize("number", range(SHARDS))
def test_a_shard_shows_what_stands_in_it(run: Run, number: int) -> None:
    held = run.appearances(number)
    rows = [row for row, _ in held]
    tokens = run.sketched.tokens[rows]
    human = run.sketched.of_role("human")[rows]
    shard = run.report().shards[number]
    assert (shard.rows, shard.figures.documents) == (len(held), len(held))
    assert shard.figures.tokens == tokens.sum()
    assert shard.human_share == pytest.approx(tokens[human].sum() / tokens.sum())
    assert shard.figures.copies == sum(copy > 1 for _, copy in held)
    by_cluster = np.zeros(K)
    np.add.at(by_cluster, run.clustered.cluster[rows], tokens)
    assert shard.figures.token_entropy == pytest.approx(entropy(by_cluster))
    tail = run.clustered.kind[rows] == TAIL
    assert shard.figures.tail_mass == pytest.approx(tail.mean())


def test_what_deduplication_removed_is_the_near_duplicates_of_read(run: Run) -> None:
    report = run.report()
    for role in ROLES[:2]:
        own = run.sketched.of_role(role)
        kept = run.deduplicated.verdicts.kept[own]
        read, left = (report.figures(stage, role) for stage in ("read", "deduplicate"))
        assert (read.documents, read.near_duplicates) == (len(kept), (~kept).sum())
        assert (left.documents, left.near_duplicates) == (kept.sum(), 0)


def test_clusters_are_shared_out_and_the_extreme_ones_have_a_text(run: Run) -> None:
    report = run.report()
    rows = [row for number in range(SHARDS) for row, _ in run.appearances(number)]
    often = Counter(run.clustered.cluster[rows].tolist())
    assert len(report.clusters) == YARDSTICKS[True].codebook.size
    for line in report.clusters:
        assert line.share == pytest.approx(often[line.cluster] / len(rows))
        if line.text is not None:
            row = int(line.text.removeprefix("text "))
            assert run.clustered.cluster[row] == line.cluster
            assert run.selected.copies[row] > 0
    assert {line.cluster for line in report.clusters if line.text} == set(often)
    assert sum(line.human_share for line in report.clusters) == pytest.approx(1)
    assert {line.human_text for line in report.clusters} == {None, "b"}  # of the yardstick


def test_without_human_text_no_figure_is_against_it(run: Run) -> None:
    run.clustered.reference = YARDSTICKS[False]
    report = run.report()
    figures = [
        *(f for s in report.stages for f in s.roles.values()),
        *(s.figures for s in report.shards),
    ]
    for figure in figures:
        assert figure.kl_to_reference is None
        assert figure.tail_mass is None
        assert figure.off_support is None
        assert figure.effective_clusters is not None
    assert report.achieved.kl is None
    assert report.reference is not None
    assert report.reference.tail_mass is None


def test_a_shard_without_tokens_has_no_human_share(run: Run) -> None:
    nothing = {f"of-{role}": 0 for role in ROLES}
    measures = {"documents": nothing, "rows": nothing}
    run.written.append({"file": "train-2.parquet", "rows": 0, "bytes": 100, "measures": measures})
    report = run.report()
    assert report.shards[SHARDS].human_share is None
    assert report.shards[SHARDS].figures.effective_clusters is None


def test_the_report_reads_back_as_it_was_written_and_describes_every_field(run: Run) -> None:
    report = run.report()
    assert Report.model_validate_json(report.model_dump_json()) == report
    schema = Report.model_json_schema()
    for model in [schema, *schema["$defs"].values()]:
        for name, field in model["properties"].items():
            assert field.get("description"), name


def test_limits_that_whole_documents_do_not_keep_to_are_said(run: Run) -> None:
    assert not run.report().verdict.warnings
    run.config = run.config.model_copy(update={"max_kl": 1e-12, "entropy_floor": 99.0})
    above, below = run.report().verdict.warnings
    assert "above max_kl" in above
    assert "below entropy_floor" in below


def test_a_document_above_its_cap_fails_the_run(run: Run) -> None:
    run.planned.plan.domains[0].max_copies = MaxCopies(synthetic=1, human=1)
    with pytest.raises(RunError, match="document was written 2 times; its cap is 1"):
        run.report()


def test_a_run_is_not_judged_for_its_planned_copies() -> None:
    def ungated(*copies: int) -> set[str]:
        gates = run_gates(Gates(), np.array(copies, np.int32))
        return {name for name, limits in gates if limits is None}

    assert ungated(0, 1, 1) == ungated() == {"js", "near_duplicates"}
    assert ungated(0, 2) == {"js", "near_duplicates", "self_repetition", "openings"}
