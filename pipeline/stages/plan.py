"""Stage `plan`: what was asked, what can be reached, and the quotas. No Beam, milliseconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from outcross.pipeline.engine.artifacts import Artifact, artifact
from outcross.pipeline.inputs.plans import read_plan
from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.planning.draw import HumanPart
from outcross.pipeline.stages.planning.parts import (
    Drawn,
    Part,
    Solved,
    domain_plan,
    domain_quotas,
    solve_part,
)
from outcross.pipeline.stages.planning.supply import Supply, measure_supply, supply_key
from outcross.pipeline.stages.planning.totals import totals_asked
from outcross.pipeline.stages.rank import Ranking
from outcross.pipeline.stages.sketch import Sketched, judged_and_carried
from outcross.schemas import plan as face
from outcross.schemas.config import PLAN_KEYS, Config, band_threshold, repeat_caps
from outcross.schemas.plan import Plan
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.budget.budget import least_human
from outcross.transforms.budget.domains import (
    Division,
    DomainProblem,
    chained_entropy,
    chained_kl,
    frontier,
    joint_regime,
)
from outcross.transforms.budget.starvation import STARVED_SHOWN
from outcross.transforms.budget.waterfill import Infeasible
from outcross.transforms.estimators.entropy import entropy, exp
from outcross.transforms.text.minhash import lsh_parameters
from outcross.transforms.writing.shards import count_shards


@dataclass
class Planned:
    """After `plan`."""

    artifact: Artifact
    plan: Plan


def plan(
    context: Context,
    sketched: Sketched,
    deduplicated: Deduplicated,
    clustered: Clustered,
    ranking: Ranking,
) -> Planned:
    """Solves the budget.

    Raises:
        ConfigError: when the request can't be met, with the numbers that would do.
    """
    config = context.config
    request = config.model_dump(
        mode="json",
        include={*PLAN_KEYS, "shard_mb", "seed", "near_threshold", "num_perm", "ngram"},
    )
    # A share that was asked for is refused where the same share by default is lowered.
    request["share_was_asked"] = "human_share" in config.model_fields_set
    given = None if config.plan is None else files.read_bytes(config.plan).decode()
    lineage = context.lineage
    if lineage is not None:
        told = [one.model_dump(mode="json") for one in ranking.sources]
        request["lineage"] = [lineage.number, sorted(lineage.ledger), told]
    done = artifact(
        config.out,
        "plan",
        cluster=clustered.artifact.key,
        asked=request,
        given=given,
        format=Plan.model_fields["format_version"].default,
    )
    path = done.path("plan.json")
    if done.finished:
        context.progress.skipped("plan")
        planned = Plan.from_json(files.read_bytes(path))
    else:
        if config.plan is None:
            supply = measure_supply(sketched, deduplicated, clustered, ranking)
            try:
                planned = make_plan(config, supply)
            except ConfigError as refusal:
                raise ConfigError(f"{refusal}{ranking.too_long.hint}") from None
            planned = planned.model_copy(
                update={
                    "length_limits": ranking.too_long.limits,
                    "texts": judged_and_carried(sketched),
                }
            )
        else:
            there = supply_key(sketched, clustered, ranking)
            planned = _given(config.plan, there)
        planned = context.shown(planned)
        files.write_bytes(path, planned.to_json())
        done.finish()
    for warning in planned.warnings:
        context.warn(warning)
    if config.plan is not None:  # what the plan asked for is what the later stages keep to
        asked = planned.asked
        kept: dict[str, Any] = {
            "off_support": asked.off_support,
            "long_documents": asked.long_documents,
            "max_copies": asked.max_copies,
            "copies": asked.copies,
        }
        kept |= {"max_kl": asked.max_kl, "entropy_floor": asked.entropy_floor}
        kept |= {"domains": asked.domains}
        # Of these nothing was asked for by itself, and the manifest tells the request.
        fields = dict(config) | kept
        context.config = Config.model_construct(_fields_set=config.model_fields_set, **fields)
    return Planned(done, planned)


def _given(path: str, made_for: str) -> Plan:
    """A plan that was made before.

    Raises:
        ConfigError: when it is none, or was made for something else.
    """
    given = read_plan(path)
    if given.made_for != made_for:
        raise ConfigError(
            f"plan: {path} was made for other documents, another yardstick or other settings of "
            "deduplication; make it again with `outcross plan` and this configuration"
        )
    return given


def make_plan(config: Config, supply: Supply) -> Plan:
    """The plan of a configuration for what there is.

    Raises:
        ConfigError: when the request can't be met, with the numbers that would do.
    """
    synthetic, human, fresh, warnings = totals_asked(config, supply)
    parts = [Part.of(config, domain) for domain in supply.domains]
    caps = [part.synthetic_caps(synthetic) for part in parts]
    least = None
    if config.effective_ratio is not None:  # which is refused where there are domains
        (part,) = parts
        least = _least_human(config, supply, part, synthetic + human)
        synthetic, human = synthetic + human - least, least
        caps = [part.synthetic_caps(synthetic)]
    division = Division(
        [domain.name for domain in supply.domains],
        np.array([domain.reference_share for domain in supply.domains]),
        np.array([np.nan if p.policy.share is None else p.policy.share for p in parts]),
        np.array([cap.sum() for cap, _ in caps]),
        np.array([part.human_cap.sum() for part in parts]),
    )
    try:
        totals = division.divide(synthetic, human, best_effort=config.best_effort)
        if len(parts) > 1:  # off-support text has a share of its domain's tokens, not of all
            caps = [
                part.synthetic_caps(float(tokens))
                for part, tokens in zip(parts, totals.synthetic, strict=True)
            ]
        drawn: list[Drawn | None] = [None] * len(parts)
        if supply.part is not None:
            human_part = supply.part.draw(totals.human, fresh)
            drawn = [Drawn(*rows) for rows in zip(*human_part, strict=True)]
            warnings += _bought_less(config, float(human_part[0].sum()), fresh, supply.part)
        solved = [
            solve_part(
                config, part, *cap, float(totals.synthetic[d]), float(totals.human[d]), drawn[d]
            )
            for d, (part, cap) in enumerate(zip(parts, caps, strict=True))
        ]
    except Infeasible as refusal:
        raise ConfigError(
            f"the budget can't be met: {refusal}{_lacking(refusal, supply)}; best_effort takes the "
            "nearest there is"
        ) from None
    domains = [
        DomainProblem(
            one.part.supply.shares,
            one.part.synthetic_cap,
            one.part.human_cap,
            one.alpha,
            one.part.policy.kind == "open",
            one.part.split,
        )
        for one in solved
    ]
    points = frontier(domains, division, synthetic + human)
    bands, rows = lsh_parameters(band_threshold(config), config.num_perm)
    x, y = (sum(float(one.amounts[role].sum()) for one in solved) for role in (0, 1))
    quotas = [quota for one in solved for quota in domain_quotas(one)]
    if config.copies == "weights":
        x, y = _once(quotas)
    size = x * supply.bytes_per_token[0] + y * supply.bytes_per_token[1]
    written = sum(one.tokens for one in solved)
    by_share = config.human_tokens is None and config.effective_ratio is None
    return Plan(
        seed=config.seed,
        generation=None if supply.part is None else supply.part.generation,
        made_for=supply.key,
        asked=face.Asked(
            tokens=config.tokens,
            human_share=config.human_share if by_share else None,
            human_tokens=config.human_tokens,
            fresh_human_tokens=config.fresh_human_tokens,
            alpha=config.alpha,
            entropy_floor=config.entropy_floor,
            max_kl=config.max_kl,
            effective_ratio=config.effective_ratio,
            max_copies=repeat_caps(config),
            copies=config.copies,
            domains=dict(sorted(config.domains.items())),
            off_support=config.off_support,
            long_documents=config.long_documents,
        ),
        reached=_reached(solved, supply),
        shards=count_shards(int(size), config.shard_mb),
        near_duplicates=face.NearDuplicates(
            threshold=config.near_threshold,
            bands=bands,
            rows=rows,
            num_perm=config.num_perm,
            ngram=config.ngram,
        ),
        warnings=[*warnings, *supply.warnings, *totals.warnings, *_warnings(solved)],
        least_human_tokens=least,
        domains=[domain_plan(one, supply, written) for one in solved],
        starved=_starved(solved, supply),
        frontier=[
            point
            if supply.human_reference
            else point.model_copy(update={"kl": None, "lowest_kl": None})
            for point in points
        ],
        quotas=quotas,
    )


def _once(quotas: Sequence[face.Quota]) -> tuple[float, float]:
    """Synthetic and human tokens of the documents that fill the quotas, each document once.

    No document is repeated before all of its cell are taken.
    """
    synthetic = math.fsum(
        min(quota.synthetic, quota.synthetic_available) + quota.synthetic_off_support
        for quota in quotas
    )
    return synthetic, math.fsum(min(quota.human, quota.human_available) for quota in quotas)


def _bought_less(config: Config, bought: float, fresh: float, part: HumanPart) -> list[str]:
    """Said where domains have room for less fresh text than is asked for."""
    longest = int(part.fresh.candidates.tokens.max(initial=0))
    if config.fresh_human_tokens is None or bought >= fresh - longest:
        return []
    return [
        f"fresh_human_tokens: {bought:,.0f} are bought, not {fresh:,.0f}: the domains whose text "
        "it is are to have no more human text"
    ]


def _warnings(solved: Sequence[Solved]) -> list[str]:
    """What the domains' budgets say, each under its name where there are several."""
    told = [
        (one.part.supply.name, warning)
        for one in solved
        if one.budget is not None
        for warning in one.budget.warnings
    ]
    return [text if len(solved) == 1 else f"domains.{name}: {text}" for name, text in told]


def _least_human(
    config: Config,
    supply: Supply,
    part: Part,
    tokens: float,
) -> float:
    """The least human tokens for the effective clusters that are asked for.

    Raises:
        ConfigError: when no human share reaches them, or there is nothing human to compare with.
    """
    ratio = config.effective_ratio
    assert ratio is not None
    if not supply.human_reference:
        raise ConfigError(
            "effective_ratio: there is no human text to compare with; add a source with the role "
            "human or reference, or give the reference of an earlier run"
        )
    shares = part.supply.shares
    wanted = entropy(shares) + math.log(ratio)
    least = least_human(
        shares,
        part.synthetic_cap(tokens),
        part.human_cap,
        tokens,
        wanted,
        alpha=config.alpha,
        cap_of=part.synthetic_cap,
    )
    if least is None:
        raise ConfigError(
            f"effective_ratio: {ratio} of the human clusters is {math.exp(wanted):,.1f} effective "
            f"ones, which no human share of {tokens:,.0f} tokens reaches at alpha = "
            f"{config.alpha}; ask for fewer tokens, a lower ratio or a lower alpha, or raise "
            "max_copies"
        )
    return least


def _lacking(refusal: Infeasible, supply: Supply) -> str:
    """What the most starved clusters are about, as a refusal names them by number."""
    told = []
    for cluster in refusal.detail.get("starved", [])[:3]:
        words = supply.about(cluster["cluster"])["words"]
        if words:
            told.append(f"{cluster['cluster']} is about {', '.join(words)}")
    return f" ({'; '.join(told)})" if told else ""


def _reached(solved: Sequence[Solved], supply: Supply) -> face.Reached:
    filled = [one for one in solved if one.budget is not None]
    budgets = [one.budget for one in solved if one.budget is not None]
    tokens = np.array([one.tokens for one in solved])
    natural = np.array([domain.reference_share for domain in supply.domains])
    synthetic = sum(one.synthetic_tokens for one in solved)
    human = sum(one.human_tokens for one in solved)
    reached = chained_entropy(tokens, [budget.entropy for budget in budgets])
    regime, price = joint_regime([b.solution for b in budgets], [one.tokens for one in filled])
    alphas = {budget.alpha for budget in budgets}
    return face.Reached(
        tokens=synthetic + human,
        synthetic_tokens=synthetic,
        human_tokens=human,
        human_share=human / (synthetic + human),
        ledger_tokens=sum(float(one.ledger.sum()) for one in solved),
        alpha=alphas.pop() if len(alphas) == 1 else None,
        entropy=reached,
        domain_entropy=entropy(tokens),
        effective_number=max(float(exp(reached)), 1.0),
        kl=chained_kl(tokens, natural, [budget.kl for budget in budgets])
        if supply.human_reference
        else None,
        reference_entropy=_reference_entropy(supply) if supply.human_reference else None,
        regime=regime,
        shadow_price=price,
    )


def _reference_entropy(supply: Supply) -> float:
    natural = np.array([domain.reference_share for domain in supply.domains])
    within = [entropy(d.shares) for d in supply.domains if d.reference_share > 0]
    return chained_entropy(natural, within)


def _starved(solved: Sequence[Solved], supply: Supply) -> list[face.Starved]:
    """The clusters that lack most, the worst first; in domains that converge none does."""
    lacking = [
        (cluster, one.part.supply.name)
        for one in solved
        if one.budget is not None and one.part.policy.kind == "open"
        for cluster in one.budget.starved
    ]
    lacking.sort(key=lambda one: one[0].planned - one[0].wanted)
    return [
        face.Starved(domain=name, **asdict(cluster), **supply.about(cluster.cluster))
        for cluster, name in lacking[:STARVED_SHOWN]
    ]
