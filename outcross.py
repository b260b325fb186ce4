"""The public face: what a user imports."""

from importlib.metadata import version

from pipeline.audit import AuditResult, audit, build_reference
from pipeline.compare import compare
from pipeline.context import RunError
from pipeline.engines import PipelineError
from pipeline.reports import read_reports
from pipeline.run import RunResult, dedup, plan, run
from schemas.audit import AuditRequest, ReferenceRequest
from schemas.config import Config, ConfigError, DomainPolicy, MaxCopies, Source
from schemas.gates import Gates
from schemas.plan import Plan
from schemas.report import Comparison, Report
from transforms.bands import GroupBands
from transforms.cluster import AssignClusters
from transforms.contain import FindContained
from transforms.diversity import MeasureDiversity
from transforms.select import CountNgrams, ScoreCandidates
from transforms.shards import ShardSet, WriteShards
from transforms.sketch import SketchDocuments

__version__ = version("outcross")

__all__ = [
    "AssignClusters",
    "AuditRequest",
    "AuditResult",
    "Comparison",
    "Config",
    "ConfigError",
    "CountNgrams",
    "DomainPolicy",
    "FindContained",
    "Gates",
    "GroupBands",
    "MaxCopies",
    "MeasureDiversity",
    "PipelineError",
    "Plan",
    "ReferenceRequest",
    "Report",
    "RunError",
    "RunResult",
    "ScoreCandidates",
    "ShardSet",
    "SketchDocuments",
    "Source",
    "WriteShards",
    "__version__",
    "audit",
    "build_reference",
    "compare",
    "dedup",
    "plan",
    "read_reports",
    "run",
]
