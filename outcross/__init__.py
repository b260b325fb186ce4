"""Curate corpora for training loops: the names that a program uses.

Each name loads its module on first use, so importing the package takes no time.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outcross.pipeline.commands.audit import AuditResult, audit, build_reference
    from outcross.pipeline.commands.compare import compare
    from outcross.pipeline.commands.run import RunResult, dedup, plan, run
    from outcross.pipeline.engine.engines import PipelineError
    from outcross.pipeline.inputs.reports import read_reports
    from outcross.pipeline.stages.context import RunError
    from outcross.schemas.audit import AuditRequest, ReferenceRequest
    from outcross.schemas.budget import DomainPolicy, MaxCopies
    from outcross.schemas.comparison import Comparison
    from outcross.schemas.config import Config
    from outcross.schemas.gates import Gates
    from outcross.schemas.plan import Plan
    from outcross.schemas.report import Report
    from outcross.schemas.sources import Source
    from outcross.schemas.user_input import ConfigError

_MODULES = {
    "pipeline.commands.audit": ["AuditResult", "audit", "build_reference"],
    "pipeline.commands.compare": ["compare"],
    "pipeline.commands.run": ["RunResult", "dedup", "plan", "run"],
    "pipeline.engine.engines": ["PipelineError"],
    "pipeline.inputs.reports": ["read_reports"],
    "pipeline.stages.context": ["RunError"],
    "schemas.audit": ["AuditRequest", "ReferenceRequest"],
    "schemas.comparison": ["Comparison"],
    "schemas.budget": ["DomainPolicy", "MaxCopies"],
    "schemas.config": ["Config"],
    "schemas.gates": ["Gates"],
    "schemas.plan": ["Plan"],
    "schemas.report": ["Report"],
    "schemas.sources": ["Source"],
    "schemas.user_input": ["ConfigError"],
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__version__ = version("outcross")

__all__ = [
    "AuditRequest",
    "AuditResult",
    "Comparison",
    "Config",
    "ConfigError",
    "DomainPolicy",
    "Gates",
    "MaxCopies",
    "PipelineError",
    "Plan",
    "ReferenceRequest",
    "Report",
    "RunError",
    "RunResult",
    "Source",
    "__version__",
    "audit",
    "build_reference",
    "compare",
    "dedup",
    "plan",
    "read_reports",
    "run",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
