"""Rules that keys of a configuration must meet together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from outcross.schemas.budget import OTHERS
from outcross.schemas.sources import WRITABLE, Source
from outcross.schemas.text_field import is_template, listed

if TYPE_CHECKING:
    from outcross.schemas.config import Config

ENCODER = "transformers:"
"""Beginning of an `embedder` that reads whole texts, with the order of their words."""


def check_keys(config: Config) -> None:
    """Check that the keys of a configuration agree.

    Args:
        config: configuration whose keys are valid by themselves.

    Raises:
        ValueError: naming the key, what was found and the remedy.
    """
    check_sources(config)
    check_deduplication(config)
    check_amounts(config)
    check_domains(config)
    check_lineage(config)
    check_human_text(config)


def check_sources(config: Config) -> None:
    """Check names, roles and pieces of sources, whom they may remove, and `text_out`."""
    names = [source.name for source in config.sources]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"sources: the name {name!r} is used twice; names must differ")
    if all(source.role in ("reference", "exclude") for source in config.sources):
        raise ValueError(
            "sources: no source has the role synthetic or human, so there is nothing to write"
        )
    for source in config.sources:
        check_pieces(source)
        for name in source.removed_by or []:
            if name not in names:
                raise ValueError(
                    f"sources: removed_by of {source.name!r} names {name!r}, which is no "
                    f"source; the sources are {', '.join(names)}"
                )
    if config.text_out == "outcross":
        raise ValueError("text_out: the column 'outcross' is taken; choose another name")


def check_pieces(source: Source) -> None:
    """Check that the documents of a source can be cut into pieces, if they shall be."""
    if source.pieces is None:
        if source.piece_tokens is not None:
            raise ValueError(f"piece_tokens: only works with pieces; set pieces of {source.name!r}")
        return
    if source.role != "synthetic":
        raise ValueError(
            f"pieces: {source.name!r} has the role {source.role}; only synthetic documents are "
            "chosen in pieces, so leave it out"
        )
    if source.roles is not None:
        raise ValueError(
            f"roles: {source.name!r} has roles and pieces, and a piece takes the place of a column "
            "of plain text, not of a conversation; leave one of them out"
        )
    field = source.text_field
    if isinstance(field, tuple) or is_template(field) or "." in field:
        raise ValueError(
            f"pieces: the text of {source.name!r} is {listed(field)}, and a piece takes the text's "
            "place in its row; name one column of plain text as text_field"
        )
    if source.prompt_field is not None:
        raise ValueError(
            f"pieces: {source.name!r} has a prompt_field, and a piece of an answer is no answer to "
            "its prompt; leave one of them out"
        )


def check_deduplication(config: Config) -> None:
    """Check the keys that decide which documents are removed."""
    if (config.band_threshold or 0) > config.near_threshold:
        raise ValueError(
            f"band_threshold: {config.band_threshold} is above near_threshold = "
            f"{config.near_threshold}; lower it, as bands must find what is removed"
        )
    if config.semantic_threshold is not None and not config.encodes:
        embedder = "the packaged table" if config.embedder is None else config.embedder
        raise ValueError(
            f"semantic_threshold: only works with an encoder, but the embedder is {embedder}, "
            "which doesn't see the order of words; set `embedder` to "
            f"{ENCODER}DIRECTORY or {ENCODER}OWNER/NAME@REVISION, or leave "
            "semantic_threshold out"
        )
    if config.boilerplate is not None and config.verify != "exact":
        raise ValueError(
            "boilerplate: only works with verify: exact, as signatures hold no shingles"
        )
    if config.max_same_answers is not None and all(
        source.prompt_field is None for source in config.sources
    ):
        raise ValueError("max_same_answers: no source has a prompt_field; set one")


def check_amounts(config: Config) -> None:
    """Check that the amount of human text is asked for in one way."""
    if config.human_tokens is not None and "human_share" in config.model_fields_set:
        raise ValueError("human_tokens: set human_tokens or human_share, not both")
    if config.effective_ratio is not None and (
        config.human_tokens is not None or "human_share" in config.model_fields_set
    ):
        raise ValueError(
            "effective_ratio: set only one of effective_ratio, human_share and human_tokens; "
            "each decides how much human text is mixed in"
        )


def check_domains(config: Config) -> None:
    """Check policies of domains, and keys that don't work with them."""
    if not config.domains:
        return
    if "" in config.domains:
        raise ValueError(f"domains: a name is empty; use {OTHERS!r} for documents without a domain")
    if all(source.domain_field is None for source in config.sources if source.role in WRITABLE):
        raise ValueError("domains: no source has a domain_field; set one")
    shares = sum(policy.share or 0.0 for policy in config.domains.values())
    if shares > 1 + 1e-9:
        raise ValueError(f"domains: the shares sum to {shares:g}; lower them to 1 at most")
    over_all = {
        "entropy_floor": "set entropy_floor of each domain",
        "max_kl": "raise alpha of the run or of a domain towards 1",
        "effective_ratio": "set human_share or human_tokens",
    }
    for key, instead in over_all.items():
        if getattr(config, key) is not None:
            raise ValueError(
                f"{key}: doesn't work with domains, which have budgets of their own; {instead}"
            )


def check_lineage(config: Config) -> None:
    """Check keys that only work with a lineage, and keys that don't work with one."""
    asked = config.model_fields_set
    if config.lineage is None:
        for key in ("fresh_human_tokens", "archive", "archive_source"):
            if key in asked:
                raise ValueError(f"{key}: only works with a lineage; set lineage too")
        return
    if config.effective_ratio is not None:
        raise ValueError(
            "effective_ratio: doesn't work with a lineage, whose human part is drawn from all "
            "human text, whatever its clusters; set human_share instead"
        )
    if "human" in config.max_copies.model_fields_set and config.max_copies.human > 1:
        raise ValueError(
            f"max_copies.human: is {config.max_copies.human}, but with a lineage human documents "
            "appear once per run, as later runs use them again; leave it out or set it to 1"
        )
    if (config.fresh_human_tokens or 0) > (config.human_tokens or math.inf):
        raise ValueError(
            f"fresh_human_tokens: {config.fresh_human_tokens:,} is more than human_tokens = "
            f"{config.human_tokens:,}, of which it is a part; lower it"
        )


def check_human_text(config: Config) -> None:
    """Check that there is human text where a key needs some."""
    if (config.human_tokens or 0) > (config.tokens or math.inf):
        raise ValueError(
            f"human_tokens: {config.human_tokens:,} is more than tokens = {config.tokens:,}; "
            "lower human_tokens or raise tokens"
        )
    roles = {source.role for source in config.sources}
    remembered = config.lineage is not None  # its ledger may hold human text
    if config.human_tokens and not ("human" in roles or remembered or config.best_effort):
        raise ValueError(
            f"human_tokens: is {config.human_tokens:,}, but no source has the role human; add one"
        )
    if (
        config.max_kl is not None
        and config.reference is None
        and not (roles & {"human", "reference"} or remembered)
    ):
        raise ValueError(
            "max_kl: there is no human text to compare with; add a source with the role human "
            "or reference, or set reference to that of an earlier run"
        )
