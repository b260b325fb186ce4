"""Warnings of human text that the reference hardly covers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from outcross.pipeline.stages.cluster import reference_roles
from outcross.pipeline.stages.rank import Ranking
from outcross.transforms.reference.gaps import Gaps, find_gaps

_SHOWN = 3  # clusters and sources that a warning names


def warnings_of_gaps(ranking: Ranking) -> list[str]:
    """Return a warning for each origin of human text that the reference hardly covers in parts.

    A reference of the run's own human sources covers them, so there is none.

    Args:
        ranking: result of `rank`.
    """
    if ranking.config.reference is None and "human" in reference_roles(ranking.sketched):
        return []
    reference, ledger = ranking.clustered.reference, ranking.columns.ledger
    words = {row["cluster"]: row["words"] for row in reference.names.to_pylist()}
    sources = ranking.config.sources
    human = [number for number, source in enumerate(sources) if source.role == "human"]
    warnings = []
    for of_ledger in (False, True):
        places = [place for place, number in enumerate(human) if (number in ledger) == of_ledger]
        gaps = find_gaps(ranking.sums.human[places], reference.counts, reference.held_out)
        if gaps.lacking:
            names = [sources[human[place]].name for place in places]
            warnings.append(_warning(names, of_ledger, gaps, words))
    return warnings


def _warning(
    names: Sequence[str], of_ledger: bool, gaps: Gaps, words: Mapping[int, Sequence[str]]
) -> str:
    """Say how much of which sources lies in gaps, near which clusters, and what to do.

    Args:
        names: names of the sources.
        of_ledger: True if they are sources of the ledger.
        gaps: gaps of the reference in these sources.
        words: distinctive words of the clusters.
    """
    tokens, total = gaps.tokens.sum(axis=1), int(gaps.totals.sum())
    lacking = int(tokens[gaps.lacking].sum())
    shares = [
        f"{tokens[place] / gaps.totals[place]:.1%} of the human text of {names[place]}"
        for place in gaps.lacking
    ]
    topics = [
        f"cluster {cluster}" + (f" ({', '.join(words[cluster])})" if words.get(cluster) else "")
        for cluster in gaps.clusters[:_SHOWN]
    ]
    amount = f"{lacking:,} tokens"
    if len(names) > 1:
        whole = "the ledger" if of_ledger else "all human text of the run"
        amount += f", {lacking / total:.1%} of {whole}"
    advice = (
        "If you want such text, build a reference that has it: `outcross reference build --human "
        "FILES --out FOLDER`, and set reference to that folder"
    )
    if not of_ledger:
        advice += ". If you don't, leave it out of the human sources"
    return (
        f"reference: {_joined(shares)} {'is' if len(shares) == 1 else 'are'} of a kind that the "
        f"reference has little of ({amount}). A run that follows this reference makes such text "
        f"rare. The nearest that the reference has: {_joined(topics)}. {advice}"
    )


def _joined(parts: Sequence[str]) -> str:
    """Join the first parts, and count the others."""
    shown = list(parts[:_SHOWN])
    if len(parts) > _SHOWN:
        shown.append(f"{len(parts) - _SHOWN} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
