"""The report's promises: no row is lost, the human budget was met, and shards sum to the corpus."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.context import Context, RunError
from pipeline.stages.report import conservation, reasons_not_selected, run_report
from schemas.config import Config, MaxCopies, parse
from schemas.documents import Unit
from schemas.report import Conservation, Report
from transforms.deduplicate import CONTAINED, EXACT, NEAR, Verdicts
from transforms.measures import HEAD, OFF_SUPPORT, TAIL, ClusterCounts

K, K2 = 3, 2
ROLES = ("synthetic", "human", "exclude")


def config(out: Any) -> Config:
    return parse(
        {
            "out": str(out),
            "sources": [{"name": f"of-{role}", "role": role, "files": ["x"]} for role in ROLES],
        }
    )


class Run:
    """A run's stages as far as the report looks at them: 40 documents a source, some of them
    removed, some not selected, in two shards.
    """

    def __init__(self, out: Any) -> None:
        rng = np.random.default_rng(0)
        n = 40 * len(ROLES)
        self.config = config(out)
        units = [Unit(i, i, f"{i}", "jsonl", 0, -1, 1) for i in range(len(ROLES))]
        self.sketched: Any = SimpleNamespace(
            of_role=lambda *roles: np.isin(np.repeat(np.array(ROLES), 40), roles),
            fingerprints=(np.zeros(n, np.uint64), np.arange(n, dtype=np.uint64) // 2),
            tokens=rng.integers(10, 20, n),
            sketches=SimpleNamespace(
                units=units,
                offsets=np.arange(len(ROLES) + 1) * 40,
                # 40 valid rows, 2 rejected, 3 that the filter left out before.
                reports=[SimpleNamespace(filtered=3, read=42, rejected=2) for _ in units],
            ),
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
        cells = rng.integers(0, K, n)
        kind = rng.choice([HEAD, TAIL, OFF_SUPPORT], n).astype(np.int8)
        audit = rng.integers(0, K2, n)
        whole = ClusterCounts.empty(K, K2)
        whole.add(cells, self.sketched.tokens, kind, audit)
        reference = SimpleNamespace(
            human=True,
            shares=np.full(K, 1 / K),
            codebook=SimpleNamespace(size=K),
            audit=SimpleNamespace(size=K2),
            counts=whole,
            held_out=whole,
            fingerprint=lambda: "f",
        )
        self.clustered: Any = SimpleNamespace(
            reference=reference, cluster=cells, kind=kind, audit=audit
        )
        copies = np.where(verdicts.kept, rng.integers(0, 3, n), 0).astype(np.int32)
        copies[self.sketched.of_role("exclude")] = 0
        self.selected: Any = SimpleNamespace(copies=copies)
        self.removed = [{"measures": {"documents": self.by_source(~verdicts.kept)}}]
        shard = rng.integers(0, 2, n)
        self.written = [self.shard(i, shard == i) for i in range(2)]
        self.plan(self.tokens("human"))

    def by_source(self, rows: Any, weight: Any = None) -> dict[str, int]:
        weight = np.ones(len(rows), int) if weight is None else weight
        return {
            f"of-{role}": int(weight[rows & self.sketched.of_role(role)].sum()) for role in ROLES
        }

    def tokens(self, role: str) -> int:
        chosen = self.sketched.of_role(role)
        return int((self.selected.copies * self.sketched.tokens)[chosen].sum())

    def shard(self, number: int, rows: Any) -> dict[str, Any]:
        copies = self.selected.copies
        roles = {}
        for role in ("synthetic", "human"):
            at = np.repeat(np.arange(len(copies)), copies * (rows & self.sketched.of_role(role)))
            counts = ClusterCounts.empty(K, K2)
            clustered = self.clustered
            counts.add(
                clustered.cluster[at],
                self.sketched.tokens[at],
                clustered.kind[at],
                clustered.audit[at],
                copies=len(at) - len(np.unique(at)),
            )
            roles[role] = counts.to_json()
        return {
            "file": f"train-{number}.parquet",
            "rows": int(copies[rows].sum()),
            "bytes": 1000,
            "measures": {
                "roles": roles,
                "documents": self.by_source(rows & (copies > 0)),
                "rows": self.by_source(rows, copies),
                "domains": {"": int(copies[rows].sum())},
            },
        }

    def plan(self, human_tokens: float, entropy: float = math.log(K)) -> None:
        reached = SimpleNamespace(human_tokens=human_tokens, entropy=entropy)
        self.planned: Any = SimpleNamespace(plan=SimpleNamespace(reached=reached, asked=None))

    def context(self) -> Context:
        return Context(self.config)

    def report(self, context: Context | None = None) -> Report:
        return run_report(
            context or self.context(),
            self.sketched,
            self.deduplicated,
            self.clustered,
            self.planned,
            self.selected,
            self.removed,
            self.written,
        )


@pytest.fixture
def run(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    # Texts are read from sources, which these stages have none of.
    monkeypatch.setattr("pipeline.removals.least_similar", lambda *_: [])
    return Run(tmp_path)


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
    run.clustered.reference.human = False
    assert run.report().deduplication.losses == []


LOSSES = {
    "a document missing from data/": lambda run: run.written[1]["measures"]["documents"].update(
        {"of-human": run.written[1]["measures"]["documents"]["of-human"] - 1}
    ),
    "a document twice in removed/": lambda run: run.removed[0]["measures"]["documents"].update(
        {"of-synthetic": run.removed[0]["measures"]["documents"]["of-synthetic"] + 1}
    ),
    "a row neither read nor rejected": lambda run: setattr(
        run.sketched.sketches.reports[2], "rejected", 1
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
    reasons = reasons_not_selected(run.sketched, run.deduplicated, run.selected.copies, off)
    together = np.sum(list(reasons.values()), axis=0)
    assert (together == (kept & (run.selected.copies == 0))).all()  # each once
    human = run.sketched.of_role("human")
    assert not (reasons["off-support"] & human).any()


def test_conservation_counts_what_stands_in_files_not_what_was_meant(run: Run) -> None:
    everything = np.ones(120, bool) & run.deduplicated.verdicts.kept & (run.selected.copies == 0)
    lines = conservation(
        run.context(),
        run.sketched,
        run.deduplicated,
        {"quota": everything},
        run.removed,
        run.written,
    )
    assert [line.removed for line in lines] == list(
        run.removed[0]["measures"]["documents"].values()
    )


def test_human_tokens_off_by_more_than_half_of_the_longest_document_fail_the_run(run: Run) -> None:
    written = run.tokens("human")
    longest = int(run.sketched.tokens[:80].max())
    for apart in (-longest / 2, 0, longest / 2):
        run.plan(written + apart)
        assert run.report().achieved.human_tokens == written
    for apart in (-longest / 2 - 1, longest / 2 + 1):
        run.plan(written + apart)
        with pytest.raises(RunError, match=f"{written:,} human tokens were written where"):
            run.report()


def test_an_entropy_that_was_missed_is_a_warning_with_its_cause(run: Run) -> None:
    context = run.context()
    reached = run.report(context).achieved.entropy
    assert reached is not None
    run.plan(run.tokens("human"), reached * 1.005)
    assert run.report(context).verdict.outcome == "done"
    run.plan(run.tokens("human"), reached * 1.05)
    report = run.report(context)
    assert report.verdict.outcome == "done with warnings"
    assert "off the plan's" in report.verdict.reasons[0]
    assert "too unequal in length" in report.verdict.reasons[0]  # 27 documents a cluster


def test_the_shards_merged_are_the_stage_write(run: Run) -> None:
    report = run.report()
    counts = [
        ClusterCounts.from_json(roles)
        for shard in run.written
        for roles in shard["measures"]["roles"].values()
    ]
    whole = ClusterCounts.empty(K, K2)
    for part in counts:
        whole = whole.merge(part)
    figures = report.figures("write")
    expected = whole.extract(run.clustered.reference.shares)
    assert {name: getattr(figures, name) for name in expected} == expected
    assert figures.documents == sum(shard.rows for shard in report.shards)
    assert figures.tokens == sum(shard.figures.tokens for shard in report.shards)
    assert report.achieved.tokens == figures.tokens
    assert report.achieved.human_share == pytest.approx(run.tokens("human") / figures.tokens)
    assert report.figures("write", "human").tokens == run.tokens("human")
    assert report.figures("read").documents == 80  # excluded text is not part of the corpus
    with pytest.raises(KeyError, match="no figures of 'human' after 'shuffle'"):
        report.figures("shuffle", "human")


def test_without_human_text_no_figure_is_against_it(run: Run) -> None:
    run.clustered.reference.human = False
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
    empty = ClusterCounts.empty(K, K2).to_json()
    nothing = {f"of-{role}": 0 for role in ROLES}
    run.written.append(
        {
            "file": "train-2.parquet",
            "rows": 0,
            "bytes": 100,
            "measures": {
                "roles": {"synthetic": empty, "human": empty},
                "documents": nothing,
                "rows": nothing,
                "domains": {},
            },
        }
    )
    report = run.report()
    assert report.shards[2].human_share is None
    assert report.shards[2].figures.effective_clusters is None


def test_the_report_reads_back_as_it_was_written_and_describes_every_field(run: Run) -> None:
    report = run.report()
    assert Report.model_validate_json(report.model_dump_json()) == report
    schema = Report.model_json_schema()
    for model in [schema, *schema["$defs"].values()]:
        for name, field in model["properties"].items():
            assert field.get("description"), name


def test_limits_that_whole_documents_do_not_keep_to_are_said(run: Run) -> None:
    assert not run.report().verdict.reasons
    run.config = run.config.model_copy(update={"max_kl": 1e-12, "entropy_floor": 99.0})
    above, below = run.report().verdict.reasons
    assert "above max_kl" in above
    assert "below entropy_floor" in below


def test_a_document_above_its_cap_fails_the_run(run: Run) -> None:
    run.config = run.config.model_copy(update={"max_copies": MaxCopies(synthetic=1, human=1)})
    with pytest.raises(RunError, match="document was written 2 times; its cap is 1"):
        run.report()
