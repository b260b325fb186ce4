"""Curate corpora for training loops: the names that a program uses.

Each name loads its module on first use, so importing the package takes no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outcross.pipeline.commands.audit import AuditResult, audit, build_reference
    from outcross.pipeline.commands.compare import compare
    from outcross.pipeline.commands.export import export
    from outcross.pipeline.commands.requests import requests
    from outcross.pipeline.commands.run import RunResult, dedup, plan, run
    from outcross.pipeline.engine.engines import PipelineError
    from outcross.pipeline.inputs.reports import read_reports
    from outcross.pipeline.stages.context import RunError
    from outcross.schemas.audit import AuditRequest, ReferenceRequest
    from outcross.schemas.budget import DomainPolicy, MaxCopies
    from outcross.schemas.comparison import Comparison
    from outcross.schemas.config import Config
    from outcross.schemas.export import Export, ExportRequest
    from outcross.schemas.gates import Gates
    from outcross.schemas.plan import Plan
    from outcross.schemas.report import Report
    from outcross.schemas.requests import Requests
    from outcross.schemas.sources import Source
    from outcross.schemas.user_input import ConfigError
    from outcross.transforms.reading.pieces import plan_units
    from outcross.transforms.reference.assign_clusters import AssignClusters
    from outcross.transforms.reference.reference import Reference, load_reference
    from outcross.transforms.sketches.sketch_documents import SketchDocuments

    __version__: str

_MODULES = {
    "pipeline.commands.audit": ["AuditResult", "audit", "build_reference"],
    "pipeline.commands.compare": ["compare"],
    "pipeline.commands.export": ["export"],
    "pipeline.commands.requests": ["requests"],
    "pipeline.commands.run": ["RunResult", "dedup", "plan", "run"],
    "pipeline.engine.engines": ["PipelineError"],
    "pipeline.inputs.reports": ["read_reports"],
    "pipeline.stages.context": ["RunError"],
    "schemas.audit": ["AuditRequest", "ReferenceRequest"],
    "schemas.budget": ["DomainPolicy", "MaxCopies"],
    "schemas.comparison": ["Comparison"],
    "schemas.config": ["Config"],
    "schemas.export": ["Export", "ExportRequest"],
    "schemas.gates": ["Gates"],
    "schemas.plan": ["Plan"],
    "schemas.report": ["Report"],
    "schemas.requests": ["Requests"],
    "schemas.sources": ["Source"],
    "schemas.user_input": ["ConfigError"],
    "transforms.reading.pieces": ["plan_units"],
    "transforms.reference.assign_clusters": ["AssignClusters"],
    "transforms.reference.reference": ["Reference", "load_reference"],
    "transforms.sketches.sketch_documents": ["SketchDocuments"],
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "AssignClusters",
    "AuditRequest",
    "AuditResult",
    "Comparison",
    "Config",
    "ConfigError",
    "DomainPolicy",
    "Export",
    "ExportRequest",
    "Gates",
    "MaxCopies",
    "PipelineError",
    "Plan",
    "Reference",
    "ReferenceRequest",
    "Report",
    "Requests",
    "RunError",
    "RunResult",
    "SketchDocuments",
    "Source",
    "__version__",
    "audit",
    "build_reference",
    "compare",
    "dedup",
    "export",
    "load_reference",
    "plan",
    "plan_units",
    "read_reports",
    "requests",
    "run",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module, or the version from the installation."""
    if name == "__version__":
        from importlib.metadata import version

        return version(__name__)
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted(__all__)
