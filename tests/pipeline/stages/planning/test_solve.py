"""Plans of a request for a supply: totals, caps, quotas and refusals."""

import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.pipeline.stages.planning.solve import make_plan
from outcross.pipeline.stages.planning.supply import DomainSupply, Supply
from outcross.schemas.budget import MaxCopies
from outcross.schemas.config import Config, parse
from outcross.schemas.plan import Plan
from outcross.schemas.user_input import ConfigError
from outcross.transforms.estimators.entropy import entropy, kl
from tests.support.instances import make_budget

SOURCES = [
    {"name": "gpt", "role": "synthetic", "files": ["a"]},
    {"name": "people", "role": "human", "files": ["b"]},
]
NAMES = {0: {"words": ["rivers", "boats"], "texts": ["A river."]}}


def config(**asked: Any) -> Config:
    return parse({"out": "out", "sources": SOURCES} | asked)


def domain(name: str = "*", **changes: Any) -> DomainSupply:
    columns = {"synthetic": (600, 300, 0), "human": (100, 100, 100), "off_support": (0, 0, 0)}
    columns |= {role: changes.pop(role) for role in list(columns) if role in changes}
    arrays = {role: np.array(column, float) for role, column in columns.items()}
    shares = np.arange(1.0, len(arrays["human"]) + 1)[::-1]
    facts = {"shares": shares / shares.sum(), "reference_share": 1.0, "off_support_share": 0.01}
    return DomainSupply(name=name, **arrays, **facts | changes)


def of_domains(*domains: DomainSupply, human_reference: bool = True) -> Supply:
    return Supply(domains, (5.0, 6.0), human_reference, NAMES, "what there is")


def supply(human_reference: bool = True, **changes: Any) -> Supply:
    return of_domains(domain(**changes), human_reference=human_reference)


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
    return supply(
        synthetic=columns[0],
        off_support=columns[1],
        human=columns[2],
        shares=rng.dirichlet(np.ones(C)) * 0.9 + 0.1 / C,
        off_support_share=draw(st.sampled_from([0.0, 0.01, 0.5, 1.0])),
        human_reference=draw(st.booleans()),
    )


MODES = st.sampled_from(["keep", "cap", "drop"])


@settings(max_examples=300, deadline=None)
@given(supplies(), MODES, st.integers(1, 3), st.sampled_from([None, 0.0, 0.1, 0.5, 0.99, 1.0]))
def test_quotas_are_within_what_there_is_and_nothing_asked_is_always_possible(
    stock: Supply, mode: str, cap: int, share: float | None
) -> None:
    asked: dict[str, Any] = {} if share is None else {"human_share": share}
    caps = {"synthetic": cap, "human": cap}
    wanted = config(off_support=mode, max_copies=caps, best_effort=True, **asked)
    if stock.human + stock.writable(mode) == 0:
        with pytest.raises(ConfigError, match="nothing to write"):
            make_plan(wanted, stock)
        return
    plan = make_plan(wanted, stock)
    (only,) = stock.domains
    everything = only.synthetic.sum() + only.off_support.sum()
    for quota in plan.quotas:
        c = quota.cluster
        assert quota.synthetic <= cap * only.synthetic[c] * (1 + 1e-9) + 1e-6
        assert quota.human <= cap * only.human[c] * (1 + 1e-9) + 1e-6
        assert quota.synthetic_off_support <= only.off_support[c] * (1 + 1e-9)
    natural = plan.reached.synthetic_tokens * only.off_support.sum() / max(everything, 1)
    assert off_support(plan) <= natural * (1 + 1e-9) + 1e-6
    if mode == "drop":
        assert off_support(plan) == 0
    if mode == "cap":
        allowed = only.off_support_share * plan.reached.synthetic_tokens
        assert off_support(plan) <= allowed * (1 + 1e-9) + 1e-6
    assert plan.reached.tokens > 0
    assert "best_effort plans" not in says(plan)  # defaults can always be held


@settings(max_examples=200, deadline=None)
@given(supplies(), MODES, st.integers(1, 10**10), st.floats(0, 1), st.booleans())
def test_tokens_that_are_asked_for_are_exact_or_refused(
    stock: Supply, mode: str, tokens: int, share: float, best_effort: bool
) -> None:
    wanted = config(off_support=mode, tokens=tokens, human_share=share, best_effort=best_effort)
    try:
        plan = make_plan(wanted, stock)
    except ConfigError:
        return
    (only,) = stock.domains
    natural = only.off_support.sum() / max(only.synthetic.sum() + only.off_support.sum(), 1)
    part = {"keep": natural, "drop": 0.0, "cap": min(natural, only.off_support_share)}[mode]
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
    stock = supply(human=(10, 0, 0))
    plan = make_plan(config(), stock)
    assert plan.reached.human_tokens == pytest.approx(10)
    assert "1.6% of the tokens, not 20.0%: there are 10 human tokens, each written" in says(plan)
    assert "150 would be needed" in says(plan)
    plan = make_plan(config(max_copies=2), stock)
    assert plan.reached.human_tokens == pytest.approx(20)
    assert "3.2% of the tokens, not 20.0%" in says(plan)
    assert "at most 2 times (max_copies.human)" in says(plan)


def test_a_human_share_that_was_asked_for_is_refused_where_it_can_not_be_held() -> None:
    stock = supply(human=(10, 0, 0))
    for copies in (1, 2):
        asked = {"human_share": 0.5, "max_copies": copies}
        tokens = 20 * copies
        match = rf"human_share: 0\.5 was asked, .* at most {tokens} tokens"
        with pytest.raises(ConfigError, match=match):
            make_plan(config(**asked), stock)
        plan = make_plan(config(**asked, tokens=tokens), stock)
        assert plan.reached.human_tokens == pytest.approx(10 * copies)
    plan = make_plan(config(human_share=0.5, best_effort=True), stock)
    assert "1.6% of the tokens, not 50.0%" in says(plan)


@settings(max_examples=150, deadline=None)
@given(supplies(), MODES, st.sampled_from(["entropy_floor", "max_kl"]), st.floats(0.01, 0.99))
def test_what_a_refusal_says_would_do_does(
    stock: Supply, mode: str, limit: str, strictness: float
) -> None:
    (only,) = stock.domains
    hardest = {"entropy_floor": math.log(len(only.shares)), "max_kl": 0.0}[limit]
    try:
        free = make_plan(config(off_support=mode, human_share=0.05, best_effort=True), stock)
    except ConfigError:  # there is nothing to write
        return
    reached = {"entropy_floor": free.reached.entropy, "max_kl": free.reached.kl or 0.0}[limit]
    asked = {limit: max(reached + strictness * (hardest - reached), 0.0), "off_support": mode}
    try:
        make_plan(config(human_share=0.05, **asked), stock)
    except ConfigError as refusal:
        match = re.search(r"; ([\d,]+) human tokens in ([\d,]+) would do", str(refusal))
        if match is None:
            return
        human, tokens = (int(number.replace(",", "")) for number in match.groups())
        if tokens < 100:  # a part of a token, which is not said, decides there
            return
        plan = make_plan(config(tokens=tokens, human_tokens=human, **asked), stock)
        assert plan.reached.human_tokens == pytest.approx(human)


@settings(max_examples=100, deadline=None)
@given(supplies(), MODES, st.integers(0, 2))
def test_a_point_of_the_frontier_is_what_asking_for_it_gives(
    stock: Supply, mode: str, first: int
) -> None:
    try:
        plan = make_plan(config(off_support=mode, best_effort=True), stock)
    except ConfigError:  # there is nothing to write
        return
    tokens = round(plan.reached.tokens)
    if tokens == 0:
        return
    plan = make_plan(config(off_support=mode, tokens=tokens, best_effort=True), stock)
    if plan.reached.tokens < tokens:
        return
    for point in plan.frontier[first::3]:
        wanted = config(off_support=mode, tokens=tokens, human_share=point.human_share)
        if not point.reachable:
            with pytest.raises(ConfigError):
                make_plan(wanted, stock)
            continue
        asked = make_plan(wanted, stock).reached
        assert point.entropy == pytest.approx(asked.entropy, abs=1e-6)
        assert point.regime == asked.regime


def test_token_counts_that_can_not_be_held_are_refused_with_the_numbers_that_would_do() -> None:
    with pytest.raises(
        ConfigError, match=r"tokens: found 10,000; .* hold at most 600 with .*max_copies.human 1"
    ):
        make_plan(config(tokens=10_000, human_share=0.5), supply())
    for copies in (1, 2):
        asked = {"human_tokens": 700, "max_copies": copies}
        allowed = 300 * copies
        with pytest.raises(
            ConfigError,
            match=rf"human_tokens: found 700; .* at most {allowed} with max_copies",
        ):
            make_plan(config(**asked), supply())
        plan = make_plan(config(**asked, best_effort=True), supply())
        assert plan.reached.human_tokens == pytest.approx(allowed)
    assert "human_tokens: found 700; " in says(plan)
    assert "best_effort plans 1,200 tokens, 600 of them human (50.0%)" in says(plan)


def test_human_tokens_stand_beside_the_default_or_the_total() -> None:
    plan = make_plan(config(human_tokens=50), supply())
    assert (plan.reached.synthetic_tokens, plan.reached.human_tokens) == (600, 50)
    assert plan.asked.human_share is None
    plan = make_plan(config(human_tokens=50, tokens=400), supply())
    assert plan.reached.synthetic_tokens == pytest.approx(350)
    assert plan.reached.human_tokens == pytest.approx(50)


def test_an_entropy_out_of_reach_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"entropy_floor: found 1\.5 nats; at most .* can be met"):
        make_plan(config(entropy_floor=1.5), supply())  # ln 3 is 1.0986
    plan = make_plan(config(entropy_floor=0.9, human_share=0.3), supply())
    assert plan.reached.entropy >= 0.9 - 1e-6


def test_without_human_text() -> None:
    stock = supply(human=(0, 0, 0), human_reference=False)
    plan = make_plan(config(), stock)
    assert plan.reached.human_tokens == 0
    assert plan.reached.synthetic_tokens == 600
    assert "there is no human text" in says(plan)
    # No figure may call the corpus itself human.
    assert plan.reached.kl is None
    assert plan.reached.reference_entropy is None
    assert all(point.kl is None and point.lowest_kl is None for point in plan.frontier)
    assert make_plan(config(tokens=500), stock).reached.tokens == pytest.approx(500)
    with pytest.raises(ConfigError, match=r"human_share: 0\.2 was asked, but there is no human"):
        make_plan(config(human_share=0.2), stock)
    assert make_plan(config(human_share=0), stock).reached.human_share == 0
    assert make_plan(config(human_share=0.2, best_effort=True), stock).reached.human_share == 0
    with pytest.raises(
        ConfigError, match=r"human_tokens: found 9; .* at most 0 with .*; add human text"
    ):
        make_plan(config(human_tokens=9), stock)


def test_without_synthetic_text() -> None:
    stock = supply(synthetic=(0, 0, 0))
    plan = make_plan(config(), stock)
    assert (plan.reached.synthetic_tokens, plan.reached.human_tokens) == (0, 300)
    assert "there is no synthetic text" in says(plan)
    repeated = make_plan(config(tokens=450, max_copies=2), stock)
    assert repeated.reached.human_tokens == pytest.approx(450)
    with pytest.raises(
        ConfigError, match=r"tokens: found 450; .* at most 300 with human_share 1 and"
    ):
        make_plan(config(tokens=450), stock)
    with pytest.raises(ConfigError, match=r"human_share: 0\.2 was asked, but there is no synth"):
        make_plan(config(human_share=0.2), stock)
    with pytest.raises(ConfigError, match="human_tokens: 0 were asked"):
        make_plan(config(human_tokens=0), stock)
    assert make_plan(config(human_tokens=7), stock).reached.tokens == pytest.approx(7)


def test_without_any_text() -> None:
    with pytest.raises(ConfigError, match="nothing to write"):
        make_plan(config(), supply(synthetic=(0, 0, 0), human=(0, 0, 0)))
    only_strange = supply(synthetic=(0, 0, 0), human=(0, 0, 0), off_support=(5, 0, 0))
    assert make_plan(config(), only_strange).reached.tokens == pytest.approx(3)
    with pytest.raises(ConfigError, match="off_support = drop leaves out all"):
        make_plan(config(off_support="drop"), only_strange)


def test_a_single_token_is_a_plan() -> None:
    plan = make_plan(config(), supply(synthetic=(1, 0, 0), human=(0, 0, 0), human_reference=False))
    assert plan.reached.tokens == pytest.approx(1)


def test_all_human() -> None:
    plan = make_plan(config(human_share=1), supply())
    assert (plan.reached.synthetic_tokens, plan.reached.human_tokens) == (0, 300)
    assert plan.reached.human_share == 1


def test_off_support_is_kept_at_its_natural_share_capped_or_dropped() -> None:
    stock = supply(synthetic=(600, 300, 0), off_support=(100, 0, 200))
    plan = make_plan(config(human_share=0.1), stock)
    assert plan.reached.synthetic_tokens == 800
    assert off_support(plan) <= 800 * 300 / 1200 + 1e-6
    assert off_support(plan) > 0
    capped = make_plan(config(off_support="cap"), stock)
    assert 0 < off_support(capped) <= 0.01 * capped.reached.synthetic_tokens + 1e-6
    dropped = make_plan(config(off_support="drop"), stock)
    assert off_support(dropped) == 0
    assert dropped.reached.synthetic_tokens == 600


def test_off_support_is_not_copied_to_meet_a_total() -> None:
    stock = supply(synthetic=(600, 300, 0), off_support=(100, 0, 200))
    asked = {"human_share": 0, "max_copies": 2}
    plan = make_plan(config(tokens=2100, **asked), stock)  # everything, as often as it may
    assert off_support(plan) == pytest.approx(300)
    assert plan.reached.synthetic_tokens == pytest.approx(2100)
    with pytest.raises(ConfigError, match=r"tokens: found 2,101; .* at most 2,100 with"):
        make_plan(config(tokens=2101, **asked), stock)


def test_a_corpus_that_is_mostly_off_support_has_a_default_under_every_mode() -> None:
    stock = supply(synthetic=(100, 0, 0), off_support=(500, 300, 100))
    assert make_plan(config(off_support="keep"), stock).reached.synthetic_tokens == 666
    capped = make_plan(config(off_support="cap"), stock)
    assert capped.reached.synthetic_tokens == pytest.approx(int(2 / 3 * 100 / 0.99))
    assert off_support(capped) <= 0.01 * capped.reached.synthetic_tokens + 1e-9


def test_the_shards_are_as_many_as_the_planned_bytes_fill() -> None:
    stock = supply(synthetic=(6e8, 3e8, 0), human=(1e8, 1e8, 1e8))
    plan = make_plan(config(shard_mb=100), stock)
    size = 5 * plan.reached.synthetic_tokens + 6 * plan.reached.human_tokens
    assert plan.shards == math.ceil(size / (100 << 20))


def test_with_weights_the_shards_hold_every_document_once() -> None:
    stock = supply(synthetic=(6e8, 3e8, 0), human=(1e7, 1e7, 1e7), off_support=(1e7, 0, 0))
    asked = {"tokens": 1_500_000_000, "human_share": 0.04, "shard_mb": 100, "max_copies": 2}
    rows = make_plan(config(**asked), stock)
    weights = make_plan(config(copies="weights", **asked), stock)
    assert weights.quotas == rows.quotas
    assert weights.reached == rows.reached
    assert weights.asked.copies == "weights"
    size = 6 * stock.human  # each human document is taken twice
    for quota in rows.quotas:
        assert quota.human > quota.human_available
        once = min(quota.synthetic, quota.synthetic_available) + quota.synthetic_off_support
        size += 5 * once
    assert weights.shards == math.ceil(size / (100 << 20))
    assert weights.shards < 0.8 * rows.shards


def test_the_same_request_gives_the_same_bytes() -> None:
    stock = supply(off_support=(7, 0, 9))
    assert make_plan(config(), stock).to_json() == make_plan(config(), stock).to_json()
    assert Plan.from_json(make_plan(config(), stock).to_json()) == make_plan(config(), stock)


DOMAINS = [{**source, "domain_field": "kind"} for source in SOURCES]


def asks(domains: Any, **asked: Any) -> Config:
    return config(sources=DOMAINS, domains=domains, **asked)


@st.composite
def many_domains(draw: st.DrawFn) -> Supply:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    C, names = draw(st.integers(1, 12)), "*abcd"[: draw(st.integers(2, 5))]
    natural = rng.dirichlet(np.ones(len(names)))
    strange = draw(st.sampled_from([0.0, 0.01, 0.5]))
    domains = []
    for name, share in zip(names, natural, strict=True):
        columns = {
            role: rng.integers(0, 1000, C) * (rng.random(C) < draw(st.sampled_from([0.3, 1.0])))
            for role in ("synthetic", "off_support", "human")
        }
        shares = rng.dirichlet(np.ones(C)) * 0.9 + 0.1 / C
        domains.append(
            domain(
                name,
                **columns,
                shares=shares,
                reference_share=float(share),
                off_support_share=strange,
            )
        )
    return of_domains(*domains)


POLICIES = {
    "a": {"kind": "converge"},
    "b": {"alpha": 0.2},
    "c": {"kind": "converge"},
}


@settings(max_examples=150, deadline=None)
@given(many_domains(), MODES, st.integers(1, 3))
def test_each_domain_is_planned_as_if_it_were_alone(stock: Supply, mode: str, cap: int) -> None:
    wanted = asks(POLICIES, off_support=mode, max_copies={"synthetic": cap, "human": cap})
    if stock.human == 0 or stock.writable(mode) == 0:
        return
    plan = make_plan(wanted, stock)  # nothing that is asked for is out of reach
    cells = {(quota.domain, quota.cluster): quota for quota in plan.quotas}
    assert list(cells) == sorted(cells)
    for domain_supply, planned in zip(stock.domains, plan.domains, strict=True):
        policy = POLICIES.get(domain_supply.name, {})
        converges = policy.get("kind") == "converge"
        copies = 1 if converges else cap
        assert planned.kind == ("converge" if converges else "open")
        assert planned.alpha == (1.0 if converges else policy.get("alpha", 0.7))
        assert planned.max_copies == MaxCopies(synthetic=copies, human=copies)
        quotas = [cells[domain_supply.name, c] for c in range(len(domain_supply.shares))]
        taken = np.array([quota.synthetic + quota.synthetic_off_support for quota in quotas])
        human = np.array([quota.human for quota in quotas])
        assert taken.sum() == pytest.approx(planned.synthetic_tokens, abs=1e-6)
        assert human.sum() == pytest.approx(planned.human_tokens, abs=1e-6)
        clean = np.array([quota.synthetic for quota in quotas])
        assert (clean <= copies * domain_supply.synthetic * (1 + 1e-9) + 1e-6).all()
        assert (human <= copies * domain_supply.human * (1 + 1e-9) + 1e-6).all()
        if planned.tokens == 0:
            assert planned.entropy is None
            continue
        off = domain_supply.off_support_cap(mode, planned.synthetic_tokens, copies)
        alone = make_budget(
            domain_supply.shares,
            copies * domain_supply.synthetic + off,
            copies * domain_supply.human,
            planned.synthetic_tokens,
            planned.human_tokens,
            alpha=planned.alpha,
            best_effort=True,  # of the totals' rounding
        )
        np.testing.assert_allclose(taken + human, alone.solution.total, rtol=1e-6, atol=1e-6)
        assert planned.entropy == pytest.approx(alone.entropy, abs=1e-6)
    tokens = np.array([q.synthetic + q.synthetic_off_support + q.human for q in plan.quotas])
    assert plan.reached.entropy == pytest.approx(entropy(tokens), abs=1e-6)
    reference = [quota.reference_share for quota in plan.quotas]
    assert sum(reference) == pytest.approx(1)
    assert plan.reached.kl == pytest.approx(kl(tokens, reference), abs=1e-6)
    assert all(cluster.domain not in ("a", "c") for cluster in plan.starved)
    assert Plan.from_json(plan.to_json()) == plan


def two_domains(**changes: Any) -> Supply:
    return of_domains(
        domain("maths", reference_share=0.25, human=(40, 0, 0), synthetic=(300, 0, 0)),
        domain("stories", **{"reference_share": 0.75, "human": (200, 200, 200)} | changes),
    )


def test_policies_that_ask_for_nothing_plan_as_without_any() -> None:
    for stock in (supply(), supply(off_support=(100, 0, 200)), supply(human=(10, 0, 0))):
        plain, asked = make_plan(config(), stock), make_plan(asks({"*": {}}), stock)
        same = plain.asked.model_copy(update={"domains": asked.asked.domains})
        assert asked.to_json() == plain.model_copy(update={"asked": same}).to_json()


def test_shares_are_met_or_refused_with_the_numbers_that_would_do() -> None:
    plan = make_plan(asks({"maths": {"share": 0.1}, "stories": {}}, tokens=800), two_domains())
    assert [part.name for part in plan.domains] == ["maths", "stories"]
    assert [part.tokens for part in plan.domains] == pytest.approx([80, 720])
    assert [part.human_tokens for part in plan.domains] == pytest.approx([16, 144])
    plan = make_plan(asks({"maths": {}}, tokens=800), two_domains())
    assert [part.share for part in plan.domains] == pytest.approx([0.25, 0.75])
    assert plan.domains[0].reference_share == 0.25
    wrong = asks({"maths": {"kind": "converge", "share": 0.9}}, tokens=800)
    with pytest.raises(ConfigError, match=r"domains\.maths\.share: 0\.9 of 800 tokens is 720, .*"
                       r"hold 340, .*share of 0\.425 would do"):  # fmt: skip
        make_plan(wrong, two_domains())
    cut = make_plan(wrong.model_copy(update={"best_effort": True}), two_domains())
    assert cut.domains[0].tokens == pytest.approx(340)
    assert "share of 0.425 would do" in says(cut)


def test_a_domain_with_less_text_than_its_share_of_human_text_is_named() -> None:
    stock = two_domains(synthetic=(3000, 1500, 900))
    plan = make_plan(asks({"maths": {"kind": "converge"}}), stock)
    assert plan.domains[0].tokens == pytest.approx(340)
    assert "'maths' gets" in says(plan)
    assert "as in the reference: it holds 300 synthetic and 40 human tokens" in says(plan)


def test_a_floor_is_of_its_domain_alone() -> None:
    stock = of_domains(domain("a", reference_share=0.5), domain("b", reference_share=0.5))
    free = make_plan(asks({"a": {}, "b": {}}), stock)
    low = (free.domains[0].entropy or 0.0) + 0.005
    plan = make_plan(asks({"a": {"entropy_floor": low}, "b": {}}), stock)
    assert plan.domains[0].entropy == pytest.approx(low, abs=1e-6)
    assert plan.domains[0].alpha < 0.7
    assert plan.domains[1] == free.domains[1]
    assert plan.reached.alpha is None
    assert free.reached.alpha == 0.7
    with pytest.raises(ConfigError, match=r"domains\.a: entropy_floor: found 1\.5 nats; at most"):
        make_plan(asks({"a": {"entropy_floor": 1.5}, "b": {}}), stock)


def test_the_order_of_the_policies_does_not_matter() -> None:
    stock = two_domains()
    part = {"maths": {"kind": "converge"}, "stories": {"alpha": 0.5}}
    other = dict(reversed(part.items()))
    assert make_plan(asks(part), stock).to_json() == make_plan(asks(other), stock).to_json()
