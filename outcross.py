"""The public face: what a user imports."""

from pipeline.context import RunError
from pipeline.engines import PipelineError
from pipeline.run import RunResult, dedup, plan, run
from schemas.config import Config, ConfigError, MaxCopies, Source
from schemas.plan import Plan
from schemas.report import Report
from transforms.bands import GroupBands
from transforms.cluster import AssignClusters
from transforms.contain import FindContained
from transforms.select import CountNgrams, ScoreCandidates
from transforms.shards import ShardSet, WriteShards
from transforms.sketch import SketchDocuments

__all__ = [
    "AssignClusters",
    "Config",
    "ConfigError",
    "CountNgrams",
    "FindContained",
    "GroupBands",
    "MaxCopies",
    "PipelineError",
    "Plan",
    "Report",
    "RunError",
    "RunResult",
    "ScoreCandidates",
    "ShardSet",
    "SketchDocuments",
    "Source",
    "WriteShards",
    "dedup",
    "plan",
    "run",
]
