"""The plan of a configuration for a supply: the budget of each domain, solved and described."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from outcross.pipeline.stages.planning.draw import HumanPart
from outcross.pipeline.stages.planning.parts import (
    Drawn,
    Part,
    Solved,
    domain_plan,
    domain_quotas,
    solve_part,
)
from outcross.pipeline.stages.planning.refusals import totals_message
from outcross.pipeline.stages.planning.supply import Supply
from outcross.pipeline.stages.planning.totals import totals_asked
from outcross.schemas import plan as face
from outcross.schemas.config import Config, band_threshold, repeat_caps
from outcross.schemas.plan import Plan
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base.visible import visible_name
from outcross.transforms.budget.budget import least_human
from outcross.transforms.budget.domains import (
    Division,
    DomainProblem,
    Totals,
    chained_entropy,
    chained_kl,
    frontier,
    joint_regime,
)
from outcross.transforms.budget.generations import lasting_error
from outcross.transforms.budget.starvation import STARVED_SHOWN
from outcross.transforms.budget.waterfill import Infeasible
from outcross.transforms.estimators.entropy import entropy, exp
from outcross.transforms.text.minhash import lsh_parameters
from outcross.transforms.writing.shards import count_shards


def make_plan(config: Config, supply: Supply) -> Plan:
    """Make the plan of a configuration for a supply.

    Args:
        config: configuration of the run.
        supply: documents that may be written.

    Raises:
        ConfigError: when the request can't be met, with the numbers that would do.
    """
    try:
        solution = _solve(config, supply)
    except Infeasible as refusal:
        raise ConfigError(
            f"{_in_keys(refusal, config, supply)}{_lacking(refusal, supply)}; --best-effort takes "
            "the nearest there is"
        ) from None
    solved, division, totals = solution.domains, solution.division, solution.totals
    warnings, least = solution.warnings, solution.least
    domains = [
        DomainProblem(
            domain.part.supply.shares,
            domain.part.synthetic_cap,
            domain.part.human_cap,
            domain.alpha,
            domain.part.policy.kind == "open",
            domain.part.split,
        )
        for domain in solved
    ]
    fresh = not any(domain.ledger.any() for domain in solved)
    points = frontier(domains, division, solution.tokens, fresh=fresh)
    bands, rows = lsh_parameters(band_threshold(config), config.num_perm)
    x, y = (sum(float(domain.amounts[role].sum()) for domain in solved) for role in (0, 1))
    quotas = [quota for domain in solved for quota in domain_quotas(domain)]
    if config.copies == "weights":
        x, y = _once(quotas)
    size = x * supply.bytes_per_token[0] + y * supply.bytes_per_token[1]
    written = sum(domain.tokens for domain in solved)
    if totals.refusal is not None:
        warnings = [_cut(config, supply, totals.refusal, solved), *warnings]
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
        domains=[domain_plan(domain, supply, written) for domain in solved],
        starved=_starved(solved, supply),
        frontier=[
            point
            if supply.human_reference
            else point.model_copy(update={"kl": None, "lowest_kl": None})
            for point in points
        ],
        quotas=quotas,
    )


@dataclass(frozen=True)
class _Solution:
    """Solution of a request.

    Attributes:
        domains: solution of each domain.
        division: shares and supply of the domains.
        totals: tokens of each domain.
        tokens: tokens that were asked for.
        least: least human tokens, where the request asks for effective clusters.
        warnings: warnings about the totals.
    """

    domains: Sequence[Solved]
    division: Division
    totals: Totals
    tokens: float
    least: float | None
    warnings: list[str]


def _solve(config: Config, supply: Supply) -> _Solution:
    """Solve the budgets of a request.

    Args:
        config: configuration of the run.
        supply: documents that may be written.

    Raises:
        ConfigError: when there is nothing to write, or too little human text.
        Infeasible: when a total or a limit can't be met.
    """
    synthetic, human, fresh, warnings = totals_asked(config, supply)
    parts = [Part.of(config, domain) for domain in supply.domains]
    caps = [part.synthetic_caps(synthetic) for part in parts]
    least = None
    if config.effective_ratio is not None:  # a configuration with domains can't have it
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
        solve_part(config, part, *cap, float(totals.synthetic[d]), float(totals.human[d]), drawn[d])
        for d, (part, cap) in enumerate(zip(parts, caps, strict=True))
    ]
    return _Solution(solved, division, totals, synthetic + human, least, warnings)


def _in_keys(refusal: Infeasible, config: Config, supply: Supply) -> str:
    """Describe a refusal in keys of the configuration, with values that are accepted."""

    def accepts(other: Config) -> bool:
        if supply.part is not None:  # what is drawn depends on documents
            return True
        try:
            _solve(other.model_copy(update={"best_effort": False}), supply)
        except (Infeasible, ConfigError):
            return False
        return True

    named = config.tokens is not None or config.human_tokens is not None
    if refusal.detail["reason"] == "caps" and named:
        return totals_message(config.model_copy(update={"best_effort": False}), supply, accepts)
    least, tokens = (refusal.detail.get(key) for key in ("least_human_tokens", "tokens"))
    if (
        least is None or tokens is None or config.domains
    ):  # a domain's own tokens can't be asked for
        return str(refusal)
    totals = {"tokens": math.floor(tokens), "human_tokens": math.ceil(least)}
    if not accepts(config.model_copy(update=totals)):
        return str(refusal)
    return f"{refusal}: --tokens {totals['tokens']} --human-tokens {totals['human_tokens']}"


def _cut(config: Config, supply: Supply, refusal: Infeasible, solved: Sequence[Solved]) -> str:
    """Warn of totals that were cut to what the caps on copies hold."""
    human = sum(domain.human_tokens for domain in solved)
    tokens = human + sum(domain.synthetic_tokens for domain in solved)
    asked = f", not {config.human_share:.1%}" if config.human_tokens is None else ""
    return (
        f"{_in_keys(refusal, config, supply)}; best_effort plans {tokens:,.0f} tokens, "
        f"{human:,.0f} of them human ({human / tokens:.1%}{asked})"
    )


def _once(quotas: Sequence[face.Quota]) -> tuple[float, float]:
    """Count the tokens of the documents that fill the quotas, each document once.

    A document is only repeated when all documents of its cell are taken.

    Returns:
        Synthetic and human tokens.
    """
    synthetic = math.fsum(
        min(quota.synthetic, quota.synthetic_available) + quota.synthetic_off_support
        for quota in quotas
    )
    return synthetic, math.fsum(min(quota.human, quota.human_available) for quota in quotas)


def _bought_less(config: Config, bought: float, fresh: float, part: HumanPart) -> list[str]:
    """Warn where domains have room for less fresh text than is asked for."""
    if config.fresh_human_tokens is None or bought >= fresh - part.fresh.longest:
        return []
    return [
        f"fresh_human_tokens: {bought:,.0f} are bought, not {fresh:,.0f}: the domains whose text "
        "it is are to have no more human text"
    ]


def _warnings(solved: Sequence[Solved]) -> list[str]:
    """Return the warnings of the budgets, with the domain's name where there are several."""
    warnings = [
        (domain.part.supply.name, warning)
        for domain in solved
        if domain.budget is not None
        for warning in domain.budget.warnings
    ]
    return [
        text if len(solved) == 1 else f"domains.{visible_name(name)}: {text}"
        for name, text in warnings
    ]


def _least_human(config: Config, supply: Supply, part: Part, tokens: float) -> float:
    """Return the least human tokens that give the requested effective clusters.

    Args:
        config: configuration of the run.
        supply: documents that may be written.
        part: the only domain.
        tokens: tokens of both roles.

    Raises:
        ConfigError: when no human share gives them, or there is no human reference.
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
    """Describe the most starved clusters of a refusal."""
    clusters = []
    for cluster in refusal.detail.get("starved", [])[:3]:
        words = ", ".join(supply.about(cluster["cluster"])["words"])
        clusters.append(
            f"{cluster['cluster']} ({f'{words}: ' if words else ''}{cluster['planned']:,.0f} of "
            f"{cluster['wanted']:,.0f} tokens, {cluster['available']:,.0f} available)"
        )
    return f"; the most starved clusters are {', '.join(clusters)}" if clusters else ""


def _reached(solved: Sequence[Solved], supply: Supply) -> face.Reached:
    filled = [domain for domain in solved if domain.budget is not None]
    budgets = [domain.budget for domain in solved if domain.budget is not None]
    tokens = np.array([domain.tokens for domain in solved])
    natural = np.array([domain.reference_share for domain in supply.domains])
    synthetic = sum(domain.synthetic_tokens for domain in solved)
    human = sum(domain.human_tokens for domain in solved)
    ledger = sum(float(domain.ledger.sum()) for domain in solved)
    reached = chained_entropy(tokens, [budget.entropy for budget in budgets])
    regime, price = joint_regime(
        [b.solution for b in budgets], [domain.tokens for domain in filled]
    )
    alphas = {budget.alpha for budget in budgets}
    return face.Reached(
        tokens=synthetic + human,
        synthetic_tokens=synthetic,
        human_tokens=human,
        human_share=human / (synthetic + human),
        ledger_tokens=ledger,
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
        lasting_error=None
        if ledger
        else lasting_error(human / (synthetic + human), max(synthetic + human, 1.0)),
    )


def _reference_entropy(supply: Supply) -> float:
    natural = np.array([domain.reference_share for domain in supply.domains])
    within = [entropy(d.shares) for d in supply.domains if d.reference_share > 0]
    return chained_entropy(natural, within)


def _starved(solved: Sequence[Solved], supply: Supply) -> list[face.Starved]:
    """Return the clusters of open domains that lack most, the worst first."""
    starved = [
        (cluster, domain.part.supply.name)
        for domain in solved
        if domain.budget is not None and domain.part.policy.kind == "open"
        for cluster in domain.budget.starved
    ]
    starved.sort(key=lambda pair: pair[0].planned - pair[0].wanted)
    return [
        face.Starved(domain=name, **asdict(cluster), **supply.about(cluster.cluster))
        for cluster, name in starved[:STARVED_SHOWN]
    ]
