"""Stage `plan`: make the plan of the run, or take the plan that it was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outcross.pipeline.engine.artifacts import Artifact, artifact
from outcross.pipeline.inputs.plans import read_plan
from outcross.pipeline.stages.cluster import Clustered
from outcross.pipeline.stages.columns import judged_and_carried
from outcross.pipeline.stages.context import Context
from outcross.pipeline.stages.deduplicate import Deduplicated
from outcross.pipeline.stages.planning.gap import planned_gap
from outcross.pipeline.stages.planning.solve import make_plan
from outcross.pipeline.stages.planning.supply import measure_supply, supply_key
from outcross.pipeline.stages.rank import Ranking
from outcross.pipeline.stages.sketched import Sketched
from outcross.schemas.config import PLAN_KEYS, Config, tokenizer_of
from outcross.schemas.plan import Plan
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files


@dataclass(frozen=True)
class Planned:
    """Plan of the run; result of `plan`.

    Attributes:
        ranking: result of `rank`.
        artifact: artifact of the stage.
        plan: contents of plan.json.
    """

    ranking: Ranking
    artifact: Artifact
    plan: Plan

    @property
    def clustered(self) -> Clustered:
        """Result of `cluster`."""
        return self.ranking.clustered

    @property
    def deduplicated(self) -> Deduplicated:
        """Result of `deduplicate`."""
        return self.ranking.deduplicated

    @property
    def sketched(self) -> Sketched:
        """Result of `sketch`."""
        return self.ranking.sketched

    @property
    def context(self) -> Context:
        """Context of the run."""
        return self.ranking.context

    @property
    def config(self) -> Config:
        """Configuration of the run."""
        return self.ranking.config


def plan(ranking: Ranking) -> Planned:
    """Solve the budget, or take the plan that the run was given.

    Raises:
        ConfigError: when the request can't be met, with the numbers that would do; or when the
            given plan was made for something else.
    """
    context, config = ranking.context, ranking.config
    request = config.model_dump(
        mode="json",
        include={*PLAN_KEYS, "shard_mb", "seed", "near_threshold", "num_perm", "ngram"},
    )
    # A requested share is refused where the same share by default is lowered.
    request["share_was_asked"] = "human_share" in config.model_fields_set
    given = None if config.plan is None else files.read_bytes(config.plan).decode()
    if (lineage := context.lineage) is not None:
        sources = [source.model_dump(mode="json") for source in ranking.sources]
        request["lineage"] = [lineage.number, sorted(lineage.ledger), sources]
    done = artifact(
        config.out,
        "plan",
        rank=ranking.artifact.key,
        asked=request,
        given=given,
        format=Plan.model_fields["format_version"].default,
    )
    path = done.path("plan.json")
    if done.finished:
        context.progress.skipped("plan")
        result = files.read_as(path, Plan.from_json)
    else:
        if config.plan is None:
            result = _new_plan(ranking, done)
        else:
            result = _given_plan(config.plan, ranking, done)
        result = context.shown(result)
        files.write_bytes(path, result.to_json())
        done.finish()
    for warning in result.warnings:
        context.warn(warning)
    return Planned(ranking, done, result)


def _new_plan(ranking: Ranking, done: Artifact) -> Plan:
    """Make the plan of a run that was given none."""
    supply = measure_supply(ranking, done)
    try:
        result = make_plan(ranking.config, supply)
    except ConfigError as refusal:
        raise ConfigError(f"{refusal}{ranking.too_long.hint}") from None
    additions = {
        "length_limits": ranking.too_long.limits,
        "gap": planned_gap(ranking, result.reached),
        "texts": judged_and_carried(ranking.sketched),
        "tokenizer": tokenizer_of(ranking.config),
    }
    return result.model_copy(update=additions)


def _given_plan(path: str, ranking: Ranking, done: Artifact) -> Plan:
    """Read the plan that a run was given.

    Raises:
        ConfigError: when the file holds no plan, or it was made for something else.
    """
    result = read_plan(path)
    _check_settings(path, result, ranking.config)
    if result.made_for != supply_key(ranking):
        raise ConfigError(
            f"plan: {path} was made for other documents, another reference or other settings of "
            "deduplication; make it again with `outcross plan` and this configuration"
        )
    planned = [domain.name for domain in result.domains]
    available = [domain.name for domain in measure_supply(ranking, done).domains]
    if planned != available:
        raise ConfigError(
            f"plan: {path} has the domains {_listed(planned)}, and the sources have "
            f"{_listed(available)}; set domain_field as it was for the plan"
        )
    return result


def _check_settings(path: str, plan: Plan, config: Config) -> None:
    """Refuse a plan whose settings of deduplication differ from those of the run.

    Raises:
        ConfigError: naming the key and both values.
    """
    settings = plan.near_duplicates
    pairs = {
        "near_threshold": (settings.threshold, config.near_threshold),
        "num_perm": (settings.num_perm, config.num_perm),
        "ngram": (settings.ngram, config.ngram),
    }
    for key, (planned, asked) in pairs.items():
        if planned != asked:
            raise ConfigError(
                f"plan: {path} was made with {key} = {planned}, and this run has {asked}; "
                f"leave out {key}, or make the plan again with `outcross plan`"
            )


def _listed(names: Sequence[str | None]) -> str:
    """Return the first names of domains, in quotes."""
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return ", ".join(map(repr, names[:5])) + more
