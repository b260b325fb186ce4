"""Gates for the provenance of a corpus."""

from __future__ import annotations

from outcross.pipeline.stages.context import Context
from outcross.schemas.gates import Gates
from outcross.schemas.sources import agreed_provenance


def gates_for_sources(gates: Gates, context: Context) -> Gates:
    """Return gates with the limits for the provenance that all synthetic sources have.

    Warn where gates have limits by provenance, and the sources don't agree on one.

    Args:
        gates: gates of the request.
        context: context of the run or audit.
    """
    sources = [source for source in context.config.sources if source.role == "synthetic"]
    provenance = agreed_provenance(sources)
    if gates.provenance and sources and provenance is None:
        stated = (f"{source.name}: {source.provenance or 'not said'}" for source in sources[:5])
        more = f" and {len(sources) - 5:,} more" if len(sources) > 5 else ""
        context.warn(
            f"gates: no limits by provenance hold, as not all synthetic sources say the same "
            f"({', '.join(stated)}{more}); set provenance of each, or audit them one by one"
        )
    return gates.of_provenance(provenance)
