"""The report's promises: no row is lost, the human budget was met, and shards sum to the corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context, RunError
from outcross.pipeline.stages.measure import Measured
from outcross.pipeline.stages.plan import Planned
from outcross.pipeline.stages.report import run_gates, run_report
from outcross.pipeline.stages.reporting.conservation import reasons_not_selected
from outcross.pipeline.stages.selected import Selected
from outcross.pipeline.stages.sketched import Sketched
from outcross.pipeline.stages.texts import TextList, TextLookup, beginning
from outcross.pipeline.stages.write import Written
from outcross.schemas.budget import MaxCopies
from outcross.schemas.gates import Gates
from outcross.schemas.report import Conservation, Report
from outcross.transforms.dedup.decide import CONTAINED, EXACT, NEAR, Verdicts
from outcross.transforms.estimators.entropy import entropy
from outcross.transforms.estimators.richness import HEAD, OFF_SUPPORT, TAIL
from outcross.transforms.writing.shards import shard_of
from tests.pipeline.stages.chain import changed
from tests.pipeline.stages.conftest import ROLES, SHARDS
from tests.support import columns

Run = Measured[Written[Selected]]
ROWS = {"of-synthetic": 360, "of-human": 480, "of-exclude": 40}


@pytest.fixture
def run(measured: Run) -> Run:
    """Return the run with a list of warnings for one test."""
    return changed(measured, Context, warnings=[])


def selected(run: Run) -> Selected:
    return run.corpus.selected


def corpus(run: Run) -> columns.Corpus:
    return columns.Corpus(run.sketched)


def copies(run: Run) -> NDArray[np.int32]:
    return columns.copies(selected(run))


def clusters(run: Run) -> NDArray[np.int32]:
    return columns.clusters(selected(run).clustered)


def classes(run: Run) -> NDArray[np.int8]:
    return columns.classes(selected(run).clustered)


def verdicts(run: Run) -> Verdicts:
    return columns.verdicts(selected(run).deduplicated)


def report(run: Run) -> Report:
    return run_report(run, None)


def tokens(run: Run, role: str) -> int:
    chosen = corpus(run).of_role(role)
    return int((copies(run) * corpus(run).tokens)[chosen].sum())


def planned(run: Run, human_tokens: float, planned_entropy: float) -> Run:
    """Return the run with a plan of so many human tokens and such an entropy."""
    plan = selected(run).planned.plan
    update = {
        "tokens": human_tokens + tokens(run, "synthetic"),
        "human_tokens": human_tokens,
        "entropy": planned_entropy,
    }
    reached = plan.reached.model_copy(update=update)
    return changed(run, Planned, plan=plan.model_copy(update={"reached": reached}))


def as_planned(run: Run) -> Run:
    """Return the run with a plan of exactly what was written."""
    achieved = report(run).achieved
    assert achieved is not None
    assert achieved.entropy is not None
    return changed(
        planned(run, achieved.human_tokens, achieved.entropy), Context, warnings=list[str]()
    )


def without_human_text(run: Run) -> Run:
    reference = replace(selected(run).clustered.reference, human=False)
    return changed(run, Clustered, reference=reference)


def appearances(run: Run, number: int) -> list[tuple[int, int]]:
    """Return document and copy of all that stands in a shard."""
    hi, lo = corpus(run).fingerprints
    rows = np.repeat(np.arange(len(hi)), copies(run))
    copy_numbers = np.concatenate([np.arange(often) + 1 for often in copies(run)])
    inside = shard_of(hi[rows], lo[rows], copy_numbers, 0, SHARDS) == number
    return list(zip(rows[inside].tolist(), copy_numbers[inside].tolist(), strict=True))


def test_the_run_has_some_of_everything(run: Run) -> None:
    assert set(verdicts(run).stage.tolist()) == {0, EXACT, NEAR, CONTAINED}
    assert set(copies(run).tolist()) == {0, 1, 2}
    assert set(classes(run).tolist()) == {HEAD, TAIL, OFF_SUPPORT}


def test_every_row_is_accounted_for_by_source_and_in_all(run: Run) -> None:
    result = report(run)
    assert [line.source for line in result.conservation] == [f"of-{role}" for role in ROLES]
    for line in result.conservation:
        assert line.holds()
        assert (line.filtered, line.read, line.rejected) == (3, ROWS[line.source] + 2, 2)
    kept = sum(line.kept for line in result.conservation)
    assert kept == verdicts(run).kept.sum()
    assert sum(line.written for line in result.conservation) == (copies(run) > 0).sum()
    assert sum(line.copies for line in result.conservation) == (copies(run) > 1).sum()
    synthetic, human, excluded = result.conservation
    assert excluded.not_selected == {"role exclude": excluded.kept}
    assert "off-support" in synthetic.not_selected
    assert set(human.not_selected) == {"quota"}  # human text is never off-support
    assert excluded.removed == 0
    removed = result.deduplication
    assert removed.contained == 2
    assert removed.exact + removed.near + removed.contained == sum(ROWS.values()) - kept


def test_losses_share_out_what_was_removed_by_role_and_class(run: Run) -> None:
    lines = report(run).deduplication.losses
    assert [(line.role, line.kind) for line in lines] == [
        (role, document_class)
        for role in ("synthetic", "human", "all")
        for document_class in ("head", "tail", "off-support")
    ]
    stage = verdicts(run).stage
    for line in lines:
        number = {"head": HEAD, "tail": TAIL, "off-support": OFF_SUPPORT}[line.kind]
        roles = ROLES[:2] if line.role == "all" else (line.role,)
        rows = corpus(run).of_role(*roles) & (classes(run) == number)
        assert line.documents == rows.sum()
        assert (line.exact, line.near, line.contained) == tuple(
            (stage[rows] == number).sum() for number in (EXACT, NEAR, CONTAINED)
        )
        # What an evaluation set or the same words took was no question of the threshold.
        compared = (stage[rows] == 0).sum() + line.near
        assert line.near_share == (line.near / compared if compared else None)
    assert sum(line.contained for line in lines) == 4  # each in its role and in all


def test_without_human_text_there_is_no_tail_to_be_lost(run: Run) -> None:
    assert report(without_human_text(run)).deduplication.losses == []


def fewer_in_data(run: Run) -> Run:
    files: Any = deepcopy(run.corpus.files)
    files[1]["measures"]["documents"]["of-human"] -= 1
    return changed(run, Written, files=files)


def more_in_removed(run: Run) -> Run:
    removed: Any = deepcopy(run.corpus.removed)
    removed[0]["measures"]["documents"]["of-synthetic"] += 1
    return changed(run, Written, removed=removed)


def fewer_rejected(run: Run) -> Run:
    sketches = copy(run.sketched.sketches)
    sketches.reports = [*sketches.reports[:2], replace(sketches.reports[2], rejected=1)]
    return changed(run, Sketched, sketches=sketches)


def fewer_shards(run: Run) -> Run:
    return changed(run, Written, files=run.corpus.files[:1])


LOSSES: dict[str, Callable[[Run], Run]] = {
    "a document missing from data/": fewer_in_data,
    "a document twice in removed/": more_in_removed,
    "a row neither read nor rejected": fewer_rejected,
    "a shard lost": fewer_shards,
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_run_that_loses_a_row_fails_and_names_the_source(run: Run, loss: str) -> None:
    with pytest.raises(RunError, match="conservation does not hold for source 'of-"):
        report(LOSSES[loss](run))


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
    counted = deepcopy(run.counted.totals)
    counted.sources.unselected[:] = [1, 2, 4, 8, 16, 32, 64]
    counted.sources.unselected[2, 1:] = 0  # text of evaluation sets has no use
    totals = replace(run.counted, totals=counted)
    reasons = {"too long": 32, "archive": 64, "off-support": 16, "quota": 15}
    assert reasons_not_selected(totals, 0) == reasons_not_selected(totals, 1) == reasons
    assert reasons_not_selected(totals, 2) == {"role exclude": 1}


def test_human_tokens_off_by_more_than_half_of_the_longest_document_fail_the_run(run: Run) -> None:
    written = tokens(run, "human")
    longest = int(corpus(run).tokens[copies(run) > 0].max())
    for distance in (-longest / 2, 0, longest / 2):
        achieved = report(planned(run, written + distance, 1.0)).achieved
        assert achieved is not None
        assert achieved.human_tokens == written
    for distance in (-longest / 2 - 1, longest / 2 + 1):
        with pytest.raises(RunError, match="tokens are written where"):
            report(planned(run, written + distance, 1.0))


def test_an_entropy_that_was_missed_is_a_warning_with_its_cause(run: Run) -> None:
    written, achieved = tokens(run, "human"), report(run).achieved
    assert achieved is not None
    assert achieved.entropy is not None
    run = changed(run, Context, warnings=[])
    assert report(planned(run, written, achieved.entropy * 1.005)).verdict.warnings == []
    (warning,) = report(planned(run, written, achieved.entropy * 1.05)).verdict.warnings
    assert "off the plan's" in warning
    rows = np.flatnonzero(copies(run))
    mean = copies(run).sum() / len(np.unique(clusters(run)[rows]))
    assert mean > 20
    assert "too unequal in length" in warning


def test_the_shards_merged_are_the_stage_write(run: Run) -> None:
    result = report(run)
    figures = result.figures("write")
    assert figures == result.stages[-1].roles["all"]
    assert figures.documents == sum(shard.rows for shard in result.shards)
    for name in ("documents", "tokens", "copies", "near_duplicates"):
        assert getattr(figures, name) == sum(getattr(s.figures, name) for s in result.shards)
    for part in ("documents", "tokens", "classes"):
        total = getattr(run.last["all"].counts, part)
        parts = (run.roles(f"shard/{n}")["all"].counts for n in range(SHARDS))
        assert (total == sum(getattr(counts, part) for counts in parts)).all()
    assert result.achieved is not None
    assert result.achieved.tokens == figures.tokens
    assert result.achieved.human_share == pytest.approx(tokens(run, "human") / figures.tokens)
    assert result.figures("write", "human").tokens == tokens(run, "human")
    # Excluded text is not part of the corpus.
    assert result.figures("read").documents == ROWS["of-synthetic"] + ROWS["of-human"]
    with pytest.raises(KeyError, match="no figures of 'human' after 'shuffle'"):
        result.figures("shuffle", "human")


@pytest.mark.parametrize("number", range(SHARDS))
def test_a_shard_shows_what_stands_in_it(run: Run, number: int) -> None:
    inside = appearances(run, number)
    rows = [row for row, _ in inside]
    lengths, human = corpus(run).tokens[rows], corpus(run).of_role("human")[rows]
    shard = report(run).shards[number]
    assert (shard.rows, shard.figures.documents) == (len(inside), len(inside))
    assert shard.figures.tokens == lengths.sum()
    assert shard.human_share == pytest.approx(lengths[human].sum() / lengths.sum())
    assert shard.figures.copies == sum(copy > 1 for _, copy in inside)
    clustered = selected(run).clustered
    by_cluster = np.zeros(clustered.reference.codebook.size)
    np.add.at(by_cluster, clusters(run)[rows], lengths)
    assert shard.figures.token_entropy == pytest.approx(entropy(by_cluster))
    tail: NDArray[np.bool_] = classes(run)[rows] == TAIL
    assert shard.figures.tail_mass == pytest.approx(tail.mean())


def test_what_deduplication_removed_is_the_near_duplicates_of_read(run: Run) -> None:
    result = report(run)
    for role in ("synthetic", "human"):
        kept = verdicts(run).kept[corpus(run).of_role(role)]
        before, after = (result.figures(stage, role) for stage in ("read", "deduplicate"))
        assert (before.documents, before.near_duplicates) == (len(kept), (~kept).sum())
        assert (after.documents, after.near_duplicates) == (kept.sum(), 0)


def test_clusters_are_shared_out_and_the_extreme_ones_have_a_text(run: Run) -> None:
    lines, cluster_of = report(run).clusters, clusters(run)
    clustered = selected(run).clustered
    rows = [row for number in range(SHARDS) for row, _ in appearances(run, number)]
    often = Counter(cluster_of[rows].tolist())
    everything = TextList(np.arange(len(copies(run))))
    texts = TextLookup(run.sketched, {"all": everything}).texts()["all"]
    by_cluster: dict[str, dict[int, set[str]]] = {"written": {}, "human": {}}
    human = corpus(run).of_role("human")
    for document, text in texts.items():
        for name, mask in (("written", copies(run) > 0), ("human", human)):
            if mask[document]:
                cluster = int(cluster_of[document])
                by_cluster[name].setdefault(cluster, set()).add(beginning(text))
    assert len(lines) == clustered.reference.codebook.size
    for line in lines:
        assert line.share == pytest.approx(often[line.cluster] / len(rows))
        assert line.text is None or line.text in by_cluster["written"][line.cluster]
        assert line.human_text in by_cluster["human"][line.cluster]
    assert {line.cluster for line in lines if line.text} == set(often)
    assert sum(line.human_share for line in lines) == pytest.approx(1)


def test_without_human_text_no_figure_is_against_it(run: Run) -> None:
    result = report(without_human_text(run))
    figures = [
        *(f for s in result.stages for f in s.roles.values()),
        *(s.figures for s in result.shards),
    ]
    for figure in figures:
        assert figure.kl_to_reference is None
        assert figure.tail_mass is None
        assert figure.off_support is None
        assert figure.effective_clusters is not None
    assert result.achieved is not None
    assert result.achieved.kl is None
    assert result.reference is not None
    assert result.reference.tail_mass is None


def test_a_shard_without_tokens_has_no_human_share(run: Run) -> None:
    measures = {"documents": dict.fromkeys(ROWS, 0), "rows": dict.fromkeys(ROWS, 0)}
    empty = {"file": "train-2.parquet", "rows": 0, "bytes": 100, "measures": measures}
    result = report(changed(run, Written, files=[*run.corpus.files, empty]))
    assert result.shards[SHARDS].human_share is None
    assert result.shards[SHARDS].figures.effective_clusters is None


def test_the_report_reads_back_as_it_was_written_and_describes_every_field(run: Run) -> None:
    result = report(run)
    assert Report.model_validate_json(result.model_dump_json()) == result
    schema = Report.model_json_schema()
    for model in [schema, *schema["$defs"].values()]:
        for name, field in model["properties"].items():
            assert field.get("description"), name


def test_limits_that_whole_documents_do_not_keep_to_are_said(run: Run) -> None:
    run = as_planned(run)
    assert not report(run).verdict.warnings
    config = selected(run).config.model_copy(update={"max_kl": 1e-12, "entropy_floor": 99.0})
    above, below = report(changed(run, Context, config=config)).verdict.warnings
    assert "above max_kl" in above
    assert "below entropy_floor" in below


def test_a_document_above_its_cap_fails_the_run(run: Run) -> None:
    plan = selected(run).planned.plan
    (domain,) = plan.domains
    caps = MaxCopies(synthetic=1, human=1).model_dump()
    domains = [domain.model_copy(update={"max_copies": MaxCopies(**caps)})]
    with pytest.raises(RunError, match="document was written 2 times; its cap is 1"):
        report(changed(run, Planned, plan=plan.model_copy(update={"domains": domains})))


def test_a_run_is_not_judged_for_its_planned_copies() -> None:
    def ungated(*copies: int) -> set[str]:
        gates = run_gates(Gates(), max(copies, default=0))
        return {name for name, limits in gates if limits is None}

    assert ungated(0, 1, 1) == ungated() == {"js", "near_duplicates"}
    assert ungated(0, 2) == {"js", "near_duplicates", "self_repetition", "openings"}
