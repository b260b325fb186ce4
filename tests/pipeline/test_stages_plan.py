"""What is asked against what there is: totals, caps, quotas, and what is refused."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stages.plan import Supply, make_plan
from schemas.config import Config, ConfigError, parse
from schemas.plan import Plan

SOURCES = [
    {"name": "gpt", "role": "synthetic", "files": ["a"]},
    {"name": "people", "role": "human", "files": ["b"]},
]


def config(**asked: Any) -> Config:
    return parse({"out": "out", "sources": SOURCES} | asked)


def supply(
    synthetic: Any = (600, 300, 0),
    human: Any = (100, 100, 100),
    off_support: Any = (0, 0, 0),
    off_support_share: float = 0.01,
    human_reference: bool = True,
) -> Supply:
    columns = [np.array(column, float) for column in (synthetic, off_support, human)]
    shares = np.arange(1.0, len(columns[0]) + 1)[::-1]
    return Supply(
        *columns,
        shares=shares / shares.sum(),
        bytes_per_token=(5.0, 6.0),
        off_support_share=off_support_share,
        human_reference=human_reference,
    )


def says(plan: Plan) -> str:
    return "\n".join(plan.warnings)


def off_support(plan: Plan) -> float:
    return math.fsum(quota.synthetic_off_support for quota in plan.quotas)


@st.composite
def supplies(draw: st.DrawFn) -> Supply:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    C = draw(st.integers(1, 30))
    largest = draw(st.sampled_from([3, 1000, 10**9]))
    columns = [
        rng.integers(0, largest, C) * (rng.random(C) < draw(st.sampled_from([0.0, 0.3, 1.0])))
        for _ in range(3)
    ]
    return Supply(
        *(column.astype(float) for column in columns),
        shares=rng.dirichlet(np.ones(C)) * 0.9 + 0.1 / C,
        bytes_per_token=(5.0, 6.0),
        off_support_share=draw(st.sampled_from([0.0, 0.01, 0.5, 1.0])),
        human_reference=draw(st.booleans()),
    )


MODES = st.sampled_from(["keep", "cap", "drop"])


@settings(max_examples=300, deadline=None)
@given(supplies(), MODES, st.integers(1, 3), st.sampled_from([None, 0.0, 0.1, 0.5, 0.99, 1.0]))
def test_quotas_are_within_what_there_is_and_nothing_asked_is_always_possible(
    there: Supply, mode: str, cap: int, share: float | None
) -> None:
    asked: dict[str, Any] = {} if share is None else {"human_share": share}
    caps = {"synthetic": cap, "human": cap}
    wanted = config(off_support=mode, max_copies=caps, best_effort=True, **asked)
    if there.human.sum() + there.writable(mode) == 0:
        with pytest.raises(ConfigError, match="nothing to write"):
            make_plan(wanted, there)
        return
    plan = make_plan(wanted, there)
    everything = there.synthetic.sum() + there.off_support.sum()
    for quota in plan.quotas:
        c = quota.cluster
        assert quota.synthetic <= cap * there.synthetic[c] * (1 + 1e-9) + 1e-6
        assert quota.human <= cap * there.human[c] * (1 + 1e-9) + 1e-6
        assert quota.synthetic_off_support <= there.off_support[c] * (1 + 1e-9)
    natural = plan.reached.synthetic_tokens * there.off_support.sum() / max(everything, 1)
    assert off_support(plan) <= natural * (1 + 1e-9) + 1e-6
    if mode == "drop":
        assert off_support(plan) == 0
    if mode == "cap":
        allowed = there.off_support_share * plan.reached.synthetic_tokens
        assert off_support(plan) <= allowed * (1 + 1e-9) + 1e-6
    assert plan.reached.tokens > 0
    assert "asked and the repeat caps allow" not in says(plan)  # defaults can always be held


@settings(max_examples=200, deadline=None)
@given(supplies(), MODES, st.integers(1, 10**10), st.floats(0, 1), st.booleans())
def test_tokens_that_are_asked_for_are_exact_or_refused(
    there: Supply, mode: str, tokens: int, share: float, best_effort: bool
) -> None:
    wanted = config(off_support=mode, tokens=tokens, human_share=share, best_effort=best_effort)
    try:
        plan = make_plan(wanted, there)
    except ConfigError:
        return
    natural = there.off_support.sum() / max(there.synthetic.sum() + there.off_support.sum(), 1)
    part = {"keep": natural, "drop": 0.0, "cap": min(natural, there.off_support_share)}[mode]
    assert off_support(plan) <= part * plan.reached.synthetic_tokens * (1 + 1e-9) + 1e-3
    if best_effort:
        assert plan.reached.tokens <= tokens * (1 + 1e-9) + 1e-3
    else:
        assert plan.reached.tokens == pytest.approx(tokens, abs=1e-3)
        assert plan.reached.human_tokens == pytest.approx(share * tokens, abs=1e-3)


def test_by_default_two_thirds_of_the_synthetic_tokens_and_the_human_share_on_top() -> None:
    plan = make_plan(config(), supply())
    assert plan.reached.synthetic_tokens == 600
    assert plan.reached.human_tokens == pytest.approx(150)
    assert plan.reached.human_share == pytest.approx(0.2)
    assert plan.asked.tokens is None
    assert plan.asked.human_share == 0.2
    assert plan.asked.human_tokens is None
    assert plan.warnings == []
    assert plan.reached.kl is not None


def test_a_human_share_that_can_not_be_held_is_lowered_and_said() -> None:
    plan = make_plan(config(), supply(human=(10, 0, 0)))
    assert plan.reached.human_tokens == pytest.approx(20)  # each document twice
    assert "3.2% of the tokens, not 20.0%: there are 10 human tokens" in says(plan)
    assert "150 would be needed" in says(plan)


def test_token_counts_that_can_not_be_held_are_refused_with_the_numbers_that_would_do() -> None:
    with pytest.raises(ConfigError, match=r"repeat caps allow 600.*would do"):
        make_plan(config(tokens=10_000, human_share=0.5), supply())
    with pytest.raises(ConfigError, match=r"700 human tokens were asked .* caps allow 600"):
        make_plan(config(human_tokens=700), supply())
    plan = make_plan(config(human_tokens=700, best_effort=True), supply())
    assert plan.reached.human_tokens == pytest.approx(600)
    assert "700 human tokens were asked" in says(plan)


def test_human_tokens_stand_beside_the_default_or_the_total() -> None:
    plan = make_plan(config(human_tokens=50), supply())
    assert (plan.reached.synthetic_tokens, plan.reached.human_tokens) == (600, 50)
    assert plan.asked.human_share is None
    plan = make_plan(config(human_tokens=50, tokens=400), supply())
    assert plan.reached.synthetic_tokens == pytest.approx(350)
    assert plan.reached.human_tokens == pytest.approx(50)


def test_an_entropy_out_of_reach_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"entropy of 1\.5 nats can't be reached"):
        make_plan(config(entropy_floor=1.5), supply())  # ln 3 is 1.0986
    plan = make_plan(config(entropy_floor=0.9, human_share=0.3), supply())
    assert plan.reached.entropy >= 0.9 - 1e-6


def test_without_human_text() -> None:
    there = supply(human=(0, 0, 0), human_reference=False)
    plan = make_plan(config(), there)
    assert plan.reached.human_tokens == 0
    assert plan.reached.synthetic_tokens == 600
    assert "there is no human text" in says(plan)
    # No figure may call the corpus itself human.
    assert plan.reached.kl is None
    assert plan.reached.reference_entropy is None
    assert all(point.kl is None and point.lowest_kl is None for point in plan.frontier)
    assert make_plan(config(tokens=500), there).reached.tokens == pytest.approx(500)
    with pytest.raises(ConfigError, match=r"human_share: 0\.2 was asked, but there is no human"):
        make_plan(config(human_share=0.2), there)
    assert make_plan(config(human_share=0), there).reached.human_share == 0
    assert make_plan(config(human_share=0.2, best_effort=True), there).reached.human_share == 0
    with pytest.raises(ConfigError, match=r"9 human tokens were asked .* caps allow 0"):
        make_plan(config(human_tokens=9), there)


def test_without_synthetic_text() -> None:
    there = supply(synthetic=(0, 0, 0))
    plan = make_plan(config(), there)
    assert (plan.reached.synthetic_tokens, plan.reached.human_tokens) == (0, 300)
    assert "there is no synthetic text" in says(plan)
    assert make_plan(config(tokens=450), there).reached.human_tokens == pytest.approx(450)
    with pytest.raises(ConfigError, match=r"human_share: 0\.2 was asked, but there is no synth"):
        make_plan(config(human_share=0.2), there)
    with pytest.raises(ConfigError, match="human_tokens: 0 were asked"):
        make_plan(config(human_tokens=0), there)
    assert make_plan(config(human_tokens=7), there).reached.tokens == pytest.approx(7)


def test_without_any_text() -> None:
    with pytest.raises(ConfigError, match="nothing to write"):
        make_plan(config(), supply(synthetic=(0, 0, 0), human=(0, 0, 0)))
    only_strange = supply((0, 0, 0), (0, 0, 0), (5, 0, 0))
    assert make_plan(config(), only_strange).reached.tokens == pytest.approx(3)
    with pytest.raises(ConfigError, match="off_support = drop leaves out all"):
        make_plan(config(off_support="drop"), only_strange)


def test_a_single_token_is_a_plan() -> None:
    plan = make_plan(config(), supply((1, 0, 0), (0, 0, 0), human_reference=False))
    assert plan.reached.tokens == pytest.approx(1)


def test_all_human() -> None:
    plan = make_plan(config(human_share=1), supply())
    assert (plan.reached.synthetic_tokens, plan.reached.human_tokens) == (0, 300)
    assert plan.reached.human_share == 1


def test_off_support_is_kept_at_its_natural_share_capped_or_dropped() -> None:
    there = supply((600, 300, 0), off_support=(100, 0, 200))
    plan = make_plan(config(human_share=0.1), there)
    assert plan.reached.synthetic_tokens == 800
    assert off_support(plan) <= 800 * 300 / 1200 + 1e-6
    assert off_support(plan) > 0
    capped = make_plan(config(off_support="cap"), there)
    assert 0 < off_support(capped) <= 0.01 * capped.reached.synthetic_tokens + 1e-6
    dropped = make_plan(config(off_support="drop"), there)
    assert off_support(dropped) == 0
    assert dropped.reached.synthetic_tokens == 600


def test_off_support_is_not_copied_to_meet_a_total() -> None:
    there = supply((600, 300, 0), off_support=(100, 0, 200))
    plan = make_plan(config(tokens=2100, human_share=0), there)  # everything, as often as it may
    assert off_support(plan) == pytest.approx(300)
    assert plan.reached.synthetic_tokens == pytest.approx(2100)
    with pytest.raises(ConfigError, match="caps allow 2,100"):
        make_plan(config(tokens=2101, human_share=0), there)


def test_a_corpus_that_is_mostly_off_support_has_a_default_under_every_mode() -> None:
    there = supply((100, 0, 0), off_support=(500, 300, 100))
    assert make_plan(config(off_support="keep"), there).reached.synthetic_tokens == 666
    capped = make_plan(config(off_support="cap"), there)
    assert capped.reached.synthetic_tokens == pytest.approx(int(2 / 3 * 100 / 0.99))
    assert off_support(capped) <= 0.01 * capped.reached.synthetic_tokens + 1e-9


def test_the_shards_are_as_many_as_the_planned_bytes_fill() -> None:
    there = supply((6e8, 3e8, 0), (1e8, 1e8, 1e8))
    plan = make_plan(config(shard_mb=100), there)
    size = 5 * plan.reached.synthetic_tokens + 6 * plan.reached.human_tokens
    assert plan.shards == math.ceil(size / (100 << 20))


def test_the_same_request_gives_the_same_bytes() -> None:
    there = supply(off_support=(7, 0, 9))
    assert make_plan(config(), there).to_json() == make_plan(config(), there).to_json()
    assert Plan.from_json(make_plan(config(), there).to_json()) == make_plan(config(), there)
