"""Totals of a run with a lineage: bought, repeated and synthetic tokens."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcross.pipeline.stages.planning.draw import HumanPart
from outcross.pipeline.stages.planning.solve import make_plan
from outcross.pipeline.stages.planning.supply import DomainSupply, Supply
from outcross.pipeline.stages.planning.totals import totals_asked
from outcross.schemas.config import Config, parse
from outcross.schemas.user_input import ConfigError
from outcross.transforms.estimators.entropy import entropy
from tests.pipeline.stages.planning.test_draw import human_text, longest

SOURCES = [
    {"name": "gpt", "role": "synthetic", "files": ["a"], "domain_field": "kind"},
    {"name": "people", "role": "human", "files": ["b"], "domain_field": "kind"},
]


def config(**asked: Any) -> Config:
    return parse({"out": "out", "sources": SOURCES, "lineage": "loop"} | asked)


def supply(
    synthetic: float = 900.0, fresh: Any = (10,) * 30, ledger: Any = (10,) * 50, **changes: Any
) -> Supply:
    """Return one domain with one cluster, human documents of these lengths, synthetic tokens."""
    part = HumanPart(human_text(fresh), human_text(ledger, first=1000, origin="ledger"), 2)
    only = DomainSupply(
        name="*",
        synthetic=np.array([synthetic]),
        off_support=np.zeros(1),
        human=part.fresh.by_domain + part.ledger.by_domain,
        shares=np.ones(1),
        reference_share=1.0,
        off_support_share=0.01,
    )
    facts: dict[str, Any] = {"new": synthetic, "part": part} | changes
    return Supply([only], (5.0, 6.0), True, {}, "what there is", **facts)


def asked_for(stock: Supply, **asked: Any) -> tuple[float, float, float, str]:
    totals = totals_asked(config(**asked), stock)
    return totals.synthetic, totals.human, totals.fresh, "\n".join(totals.warnings)


def test_fresh_text_first_then_the_ledger_up_to_the_human_share() -> None:
    # 300 fresh and 500 old tokens, and 900 synthetic ones.
    assert asked_for(supply(), tokens=1000, human_share=0.4) == (600, 400, 300, "")
    assert asked_for(supply(), tokens=1000, human_share=0.2) == (800, 200, 200, "")
    asked = {"tokens": 1000, "human_share": 0.4}
    assert asked_for(supply(), **asked, fresh_human_tokens=100) == (600, 400, 100, "")
    assert asked_for(supply(), **asked, fresh_human_tokens=0) == (600, 400, 0, "")
    assert asked_for(supply(), tokens=1000, human_tokens=500) == (500, 500, 300, "")
    # By default two thirds of the new synthetic tokens, and the human share on top.
    assert asked_for(supply(), human_share=0.5) == (600, 600, 300, "")
    assert asked_for(supply(new=300.0), human_share=0.5) == (200, 200, 200, "")
    assert asked_for(supply(), human_share=1) == (0, 800, 300, "")
    assert asked_for(supply(synthetic=0.0)) == (0, 800, 300, "")


def test_what_the_ledger_does_not_hold_yet_is_synthetic_and_said() -> None:
    """Plan as in a first generation, which has no ledger."""
    first = supply(ledger=())
    synthetic, human, fresh, warnings = asked_for(
        first, tokens=1000, human_share=0.4, fresh_human_tokens=100
    )
    assert (synthetic, human, fresh) == (900, 100, 100)
    assert warnings == (
        "the human part is 100 human tokens, where 400 were asked for: 100 fresh ones, and all 0 "
        "of the ledger"
    )


@pytest.mark.parametrize(
    ("asked", "message", "cut"),
    [
        (
            {"fresh_human_tokens": 301, "human_share": 0.4},
            "fresh_human_tokens: 301 were asked, and the human sources hold 300 that no earlier",
            (600, 400, 300),
        ),
        (
            {"fresh_human_tokens": 250, "human_share": 0.2},
            "250 were asked, and the human part is to be 200 in all; raise human_share",
            (800, 200, 200),
        ),
        (
            {"human_tokens": 900},
            "human_tokens: there are 800 human tokens, where 900 were asked for: 300 fresh ones",
            (200, 800, 300),
        ),
        (
            {"human_tokens": 900, "fresh_human_tokens": 50},
            "there are 550 human tokens, where 900 were asked for: 50 fresh ones, and all 500",
            (450, 550, 50),
        ),
    ],
)
def test_what_there_is_not_is_refused_and_by_best_effort_cut(
    asked: dict[str, Any], message: str, cut: tuple[float, float, float]
) -> None:
    with pytest.raises(ConfigError, match=message):
        asked_for(supply(), tokens=1000, **asked)
    *totals, warnings = asked_for(supply(), tokens=1000, best_effort=True, **asked)
    assert tuple(totals) == cut
    assert warnings


def test_without_a_lineage_all_human_text_is_fresh() -> None:
    stock = supply(part=None, new=None)
    totals = totals_asked(parse({"out": "o", "sources": SOURCES}), stock)
    assert (totals.synthetic, totals.human, totals.fresh) == (600, 150, 150)


@st.composite
def lineages(draw: st.DrawFn) -> tuple[Config, Supply, HumanPart]:
    """Draw domains with documents, and a request that they can meet."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    names = ["*", "a", "b"][: draw(st.integers(1, 3))]
    C = draw(st.integers(1, 6))
    shape = len(names), C
    texts = []
    for number, origin in enumerate(("fresh", "ledger")):
        n = draw(st.integers(0, 80))
        texts.append(
            human_text(
                rng.integers(0, 40, n),
                rng.integers(0, shape[0], n),
                rng.integers(0, C, n),
                shape,
                first=1000 * number,
                origin=origin,
            )
        )
    part = HumanPart(*texts, 2)
    human = np.zeros(shape)
    for text in texts:
        np.add.at(human, (text.domain, text.cluster), text.candidates.tokens)
    domains = []
    for number, name in enumerate(names):
        shares = rng.dirichlet(np.ones(C)) * 0.9 + 0.1 / C
        domains.append(
            DomainSupply(
                name=name,
                synthetic=rng.integers(200, 4000, C).astype(float),
                off_support=np.zeros(C),
                human=human[number],
                shares=shares,
                reference_share=1 / len(names),
                off_support_share=0.01,
            )
        )
    stock = Supply(domains, (5.0, 6.0), True, {}, "what there is", new=5000.0, part=part)
    asked: dict[str, Any] = {"human_share": draw(st.sampled_from([0.0, 0.1, 0.4, 0.7]))}
    if draw(st.booleans()):
        asked["tokens"] = int(rng.integers(50, 400 * len(names)))
    if draw(st.booleans()):
        asked["fresh_human_tokens"] = int(rng.integers(0, 200))
    if len(names) > 1:
        asked["domains"] = {"a": {}}
    return config(best_effort=True, **asked), stock, part


@settings(max_examples=150, deadline=None)
@given(lineages())
def test_a_plan_draws_what_is_asked_once_and_buys_no_more(
    asked: tuple[Config, Supply, HumanPart],
) -> None:
    request, stock, part = asked
    wanted = totals_asked(request, stock)
    plan = make_plan(request, stock)
    half = longest(part) / 2 + 1e-6
    human = np.array([quota.human for quota in plan.quotas])
    again = np.array([quota.human_ledger for quota in plan.quotas])
    assert abs(human.sum() - plan.reached.human_tokens) < 1e-6
    assert abs(again.sum() - plan.reached.ledger_tokens) < 1e-6
    assert (human == human.round()).all()  # whole documents, so that `select` takes the same
    assert (again == again.round()).all()
    assert (again <= human).all()
    assert (human <= np.array([quota.human_available for quota in plan.quotas])).all()
    assert (human - again).sum() <= wanted.fresh + half
    if len(stock.domains) == 1:
        assert abs(human.sum() - wanted.human) <= half
        assert abs((human - again).sum() - wanted.fresh) <= half
    assert plan.generation == 2
    assert plan.reached.regime == "drawn"
    assert plan.asked.max_copies.human == 1
    assert plan.reached.entropy <= entropy(np.ones(len(plan.quotas))) + 1e-9


def test_a_floor_that_the_drawn_part_does_not_reach_is_refused_without_other_advice() -> None:
    stock = supply()
    with pytest.raises(ConfigError, match="ask for more human tokens, or fewer in all") as refused:
        make_plan(config(tokens=1000, human_share=0.2, entropy_floor=1.0), stock)
    assert "human share of this total" not in str(refused.value)


def test_domains_that_have_no_use_for_fresh_text_are_said() -> None:
    """Buy text of one domain alone, which is to have a tenth of the tokens."""
    shape = (2, 1)
    fresh = human_text((10,) * 30, domain=1, shape=shape)
    ledger = human_text((10,) * 50, first=1000, origin="ledger", shape=shape)
    part = HumanPart(fresh, ledger, 2)
    domains = [
        DomainSupply(
            name=name,
            synthetic=np.array([900.0]),
            off_support=np.zeros(1),
            human=np.array([part.fresh.by_domain[d] + part.ledger.by_domain[d]]),
            shares=np.ones(1),
            reference_share=0.5,
            off_support_share=0.01,
        )
        for d, name in enumerate(("*", "a"))
    ]
    stock = Supply(domains, (5.0, 6.0), True, {}, "what there is", new=1800.0, part=part)
    asked = {"tokens": 1000, "human_share": 0.4, "fresh_human_tokens": 300}
    plan = make_plan(config(**asked, domains={"a": {"share": 0.1}}), stock)
    bought = plan.reached.human_tokens - plan.reached.ledger_tokens
    assert bought <= 100
    assert any(f"fresh_human_tokens: {bought:,.0f} are bought, not 300" in w for w in plan.warnings)
    plan = make_plan(config(**asked, domains={"a": {"share": 0.8}}), stock)
    assert not any("are bought" in warning for warning in plan.warnings)
