"""Totals of synthetic and human tokens that a run asks for, from its request and supply."""

from __future__ import annotations

from typing import NamedTuple

from outcross.pipeline.stages.planning.draw import HumanPart
from outcross.pipeline.stages.planning.parts import Part
from outcross.pipeline.stages.planning.supply import Supply
from outcross.schemas.config import DEFAULT_SYNTHETIC, Config
from outcross.schemas.user_input import ConfigError
from outcross.transforms.estimators.entropy import ROUNDING


class Totals(NamedTuple):
    """Wanted tokens of all domains together.

    Attributes:
        synthetic: synthetic tokens.
        human: human tokens.
        fresh: human tokens that the lineage doesn't have yet; all without a lineage.
        warnings: warnings about these totals.
    """

    synthetic: float
    human: float
    fresh: float
    warnings: list[str]


def totals_asked(config: Config, supply: Supply) -> Totals:
    """Return the totals of a request.

    Args:
        config: configuration of the run.
        supply: tokens that may be written.

    Raises:
        ConfigError: when there is nothing to write, or too little for the request.
    """
    synthetic_supply = supply.writable(config.off_support)
    human_supply = supply.human
    if synthetic_supply + human_supply == 0:
        raise ConfigError(
            f"sources: there is nothing to write: {_without(config, supply, 'synthetic')}; "
            f"{_without(config, supply, 'human')}"
        )
    if supply.part is not None:
        return _with_ledger(config, supply, supply.part, synthetic_supply)
    synthetic, human, warnings = _of_sources(config, supply, synthetic_supply, human_supply)
    return Totals(synthetic, human, human, warnings)


def _of_sources(
    config: Config, supply: Supply, synthetic_supply: float, human_supply: float
) -> tuple[float, float, list[str]]:
    """Return the totals without a lineage.

    Args:
        config: configuration of the run.
        supply: tokens that may be written.
        synthetic_supply: supply of synthetic tokens.
        human_supply: supply of human tokens.

    Returns:
        Synthetic tokens, human tokens and warnings.
    """
    warnings: list[str] = []
    share = config.human_share if config.effective_ratio is None else 0.0
    asked = "human_share" in config.model_fields_set and not config.best_effort
    if human_supply == 0 and config.human_tokens is None:
        if share > 0 and asked:
            raise ConfigError(
                f"human_share: {share} was asked, but {_without(config, supply, 'human')}; add a "
                "source with the role human, or ask for human_share 0"
            )
        warnings.append(f"{_without(config, supply, 'human')}: nothing stops a loop from narrowing")
        share = 0.0
    if synthetic_supply == 0 and config.human_tokens is None:
        if share < 1 and asked:
            raise ConfigError(
                f"human_share: {share} was asked, but {_without(config, supply, 'synthetic')}; add "
                "a source with the role synthetic, or ask for human_share 1"
            )
        warnings.append(f"{_without(config, supply, 'synthetic')}: all that is written is human")
        share = 1.0
    if config.tokens is not None:
        human = share * config.tokens if config.human_tokens is None else config.human_tokens
        return config.tokens - human, float(human), warnings
    synthetic = _by_default(synthetic_supply)
    if config.human_tokens is not None:
        if synthetic + config.human_tokens == 0:
            raise ConfigError(
                "human_tokens: 0 were asked, but there is only human text; ask for more, or add a "
                "source with the role synthetic"
            )
        return synthetic, float(config.human_tokens), warnings
    if share == 1:
        return 0.0, human_supply, warnings
    wanted = synthetic * share / (1 - share)
    most = sum(float(Part.of(config, domain).human_cap.sum()) for domain in supply.domains)
    if wanted > most:
        most_copies = config.max_copies.human
        often = "once" if most_copies == 1 else f"at most {most_copies} times"
        reason = (
            f"there are {human_supply:,.0f} human tokens, each written {often} "
            f"(max_copies.human), and {wanted:,.0f} would be needed; with at most "
            f"{int(most / share):,} tokens the share can be held"
        )
        if asked:
            raise ConfigError(f"human_share: {share} was asked, and {reason}")
        warnings.append(
            f"the human share is {most / (synthetic + most):.1%} of the tokens, not {share:.1%}: "
            + reason
        )
    return synthetic, min(wanted, most), warnings


def _without(config: Config, supply: Supply, role: str) -> str:
    """Say why no text of a role can be written: no document, none with a word, all off-support.

    Args:
        config: configuration of the run.
        supply: tokens that may be written.
        role: "synthetic" or "human".
    """
    lack = f"there is no {role} text"
    if role == "synthetic" and any(domain.off_support.sum() for domain in supply.domains):
        return f"{lack} that may be written: off_support = {config.off_support} leaves out all"
    documents = supply.documents.get(role, 0)
    return lack if documents == 0 else f"{lack}: {documents:,} documents, none has a word"


def _by_default(synthetic_supply: float) -> float:
    """Return the synthetic tokens of a request that names no total."""
    return float(max(int(DEFAULT_SYNTHETIC * synthetic_supply), min(synthetic_supply, 1)))


def _with_ledger(
    config: Config, supply: Supply, part: HumanPart, synthetic_supply: float
) -> Totals:
    """Return the totals with a lineage: fresh human text first, then the ledger.

    Args:
        config: configuration of the run.
        supply: tokens that may be written.
        part: human text that may be drawn.
        synthetic_supply: supply of synthetic tokens.
    """
    fresh_supply, ledger_supply = (
        float(text.by_domain.sum()) for text in (part.fresh, part.ledger)
    )
    share = config.human_share if synthetic_supply > 0 else 1.0
    synthetic = _by_default(min(synthetic_supply, supply.new or synthetic_supply))
    if config.human_tokens is not None:
        wanted = float(config.human_tokens)
    elif config.tokens is not None:
        wanted = share * config.tokens
    else:
        wanted = fresh_supply + ledger_supply if share == 1 else synthetic * share / (1 - share)
    if config.tokens is None and share == 1:
        synthetic = 0.0
    fresh, warnings = _fresh(config, fresh_supply, wanted)
    human = min(wanted, fresh + ledger_supply)
    if human < wanted * (1 - ROUNDING):
        available = (
            f"{human:,.0f} human tokens, where {wanted:,.0f} were asked for: {fresh:,.0f} fresh "
            f"ones, and all {ledger_supply:,.0f} of the ledger"
        )
        if config.human_tokens is not None and not config.best_effort:
            raise ConfigError(f"human_tokens: there are {available}; ask for fewer, or buy more")
        warnings.append(f"the human part is {available}")
    if config.tokens is not None:
        synthetic = config.tokens - human
    return Totals(synthetic, human, fresh, warnings)


def _fresh(config: Config, supply: float, wanted: float) -> tuple[float, list[str]]:
    """Return the fresh tokens to buy, and warnings about them.

    Args:
        config: configuration of the run.
        supply: supply of fresh tokens.
        wanted: human tokens of both origins.
    """
    asked = config.fresh_human_tokens
    if asked is None:
        return min(supply, wanted), []
    misses = []
    if asked > supply:
        misses.append(
            f"fresh_human_tokens: {asked:,} were asked, and the human sources hold {supply:,.0f} "
            "that no earlier generation has bought"
        )
    if asked > wanted * (1 + ROUNDING):
        misses.append(
            f"fresh_human_tokens: {asked:,} were asked, and the human part is to be {wanted:,.0f} "
            "in all; raise human_share"
        )
    if misses and not config.best_effort:
        raise ConfigError(misses[0])
    return min(float(asked), supply, wanted), misses
