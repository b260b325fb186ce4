"""Rows of a run as files of tokens, for training."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from outcross.pipeline.commands.explain import run_config
from outcross.pipeline.commands.job import job
from outcross.pipeline.engine.artifacts import EXPORT, MANIFEST, TOKENS, WORK, Artifact, artifact
from outcross.pipeline.engine.progress import StageProgress
from outcross.pipeline.inputs.corpus import data_files
from outcross.pipeline.inputs.tokenizer import end_of_text, tokenizer_of_run
from outcross.pipeline.page.dataset import shards_of
from outcross.pipeline.stages.context import Context, RunError
from outcross.schemas.config import Config
from outcross.schemas.documents import FORMAT_VERSION, Piece, Unit
from outcross.schemas.export import EndOfText, Export, ExportRequest, TokenFile
from outcross.schemas.formats import versions
from outcross.schemas.report import Report
from outcross.schemas.sources import WRITABLE, Source
from outcross.schemas.tokens import Tokenizer, named
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.base.damage import DamagedError, reading
from outcross.transforms.base.stores import use_options
from outcross.transforms.base.visible import visible_name
from outcross.transforms.exchange.per_unit import PerUnit
from outcross.transforms.exchange.units import unit_file
from outcross.transforms.text.tokens import load_tokenizer
from outcross.transforms.writing.export_units import ExportUnits
from outcross.transforms.writing.shards import SHARD_CURE, changed_shards
from outcross.transforms.writing.token_files import part_names, token_type


def export(
    request: ExportRequest, beam_args: Sequence[str] = (), progress: StageProgress | None = None
) -> tuple[str, Export]:
    """Write the rows of a run as tokens, in a seeded order, each as often as its weight says.

    Args:
        request: the run, the tokenizer and the format.
        beam_args: Beam's own options.
        progress: output that shows the stages.

    Returns:
        The directory of the files, and the contents of its tokens.json.

    Raises:
        ConfigError: when the request is wrong, or there is no such run.
        DamagedError: when a file of the run is damaged, changed or gone.
        RunError: when the tokens are not those that the run's report says.
    """
    progress = progress or StageProgress()
    use_options(beam_args)
    source = _source(request.run)
    manifest = files.read_json(files.join(request.run, MANIFEST))
    place = request.tokenizer
    counted: Tokenizer | None = None
    if place is None:
        place, counted = tokenizer_of_run(request.run, manifest)
        progress.say(f"note: tokenizer is that of the run, {place}")
    config = Config(
        out=request.out or files.join(request.run, EXPORT),
        seed=request.seed,
        workers=request.workers,
        tokenizer=place,
        sources=[source],
    )
    report = files.read_as(files.join(request.run, "report.json"), Report.model_validate_json)
    shards = _shards(request.run, request.workers)
    with job(config, beam_args, progress, "export") as context:
        source = context.config.sources[0]
        assert source.tokenizer is not None
        tokenizer = load_tokenizer(source.tokenizer)
        vocabulary = 1 + max(tokenizer.get_vocab().values())
        end = EndOfText(**end_of_text(place, request.end_of_text, tokenizer))
        facts: dict[str, Any] = {
            "format": request.format,
            "tokenizer": counted or source.tokenizer.tokenizer,
            "vocabulary": vocabulary,
            "dtype": token_type(request.format, vocabulary),
            "end_of_text": end,
            "seed": request.seed,
        }
        done = artifact(
            config.out,
            "export",
            shards=[shard["sha256"] for shard in shards],
            text=source.model_dump(mode="json", include={"text_field", "roles"}),
            **facts | {"tokenizer": source.tokenizer.tokenizer.sha256, "end_of_text": end.id},
        )
        _note_replaced(context, facts)
        reports = _written(context, done, request.run, shards, facts)
        result = _result(request.run, report, shards, reports, facts)
        _finish(context, result)
        return config.out, result


def _source(run: str) -> Source:
    """Return the source that reads the judged texts of a run's data/.

    Args:
        run: output directory of the run.
    """
    config = run_config(run, "export")
    judged = files.read_json(files.join(run, MANIFEST))["text_out"]
    if not data_files(run):
        raise ConfigError(f"export: {run} has no files in data/; run again, or choose another run")
    first = next(source for source in config.sources if source.role in WRITABLE)
    return Source(
        name="data",
        role="synthetic",
        files=[files.join(glob.escape(run), "data", "*.parquet")],
        text_field=judged or first.text_field,
        roles=None if judged else first.roles,
    )


def _note_replaced(context: Context, facts: dict[str, Any]) -> None:
    """Print a note where an export with another format, tokenizer or seed will be replaced."""
    path = files.join(context.config.out, TOKENS)
    if not files.exists(path):
        return
    try:
        earlier = Export.model_validate_json(files.read_bytes(path))
    except ValidationError:  # of another version, or damaged; it is replaced all the same
        context.progress.say(f"note: {path}, which can't be read, and its export are replaced")
        return
    before, now = _request_of(vars(earlier)), _request_of(facts)
    if before != now:
        out = context.config.out
        context.progress.say(f"note: the export in {out} ({before}) is replaced by another ({now})")


def _request_of(facts: Mapping[str, Any]) -> str:
    """Return format, tokenizer, end of texts and seed of an export, for messages."""
    return (
        f"{facts['format']}, {named(facts['tokenizer'])}, end of texts "
        f"{visible_name(facts['end_of_text'].token)}, seed {facts['seed']}"
    )


def _shards(run: str, workers: int | None) -> list[dict[str, Any]]:
    """Return the shards of data/: file, rows, bytes and sha256 of each.

    Args:
        run: output directory of the run.
        workers: number of threads that compare the shards with their checksums.

    Raises:
        DamagedError: a shard isn't as the run wrote it.
    """
    with reading(files.join(run, MANIFEST)):
        shards = shards_of(files.read_json(files.join(run, MANIFEST)), "data")
        changed = changed_shards(run, shards, workers)
    for path, fault in changed.items():
        more = f" (and {len(changed) - 1:,} more)" if len(changed) > 1 else ""
        raise DamagedError(f"{visible_name(path)} {fault}{more}; {SHARD_CURE}")
    return shards


def _written(
    context: Context,
    done: Artifact,
    run: str,
    shards: Sequence[dict[str, Any]],
    facts: dict[str, Any],
) -> list[dict[str, Any]]:
    """Write the files of all shards that are not written yet; return the shards' reports."""
    config, folder = context.config, done.subfolder("reports")
    source = config.sources[0]
    # Files of another request get the same names, so its reports no longer hold.
    reports = files.list_files(files.join(config.out, WORK, "export-*", "reports", "*.json"))
    others = [path for path in reports if not path.startswith(files.join(folder, ""))]
    stale = [*others, files.join(config.out, MANIFEST)] if others else []
    files.delete_files([path for path in stale if files.exists(path)])
    units = [
        Unit(n, 0, (Piece(files.join(run, shard["file"]), "parquet", 0, -1, shard["bytes"]),))
        for n, shard in enumerate(shards)
    ]
    names = part_names(facts["format"], len(units), config.seed)
    rows = [shard["rows"] for shard in shards]
    work = ExportUnits(
        source,
        config.out,
        folder,
        names,
        rows,
        facts["dtype"],
        facts["end_of_text"].id,
        config.seed,
    )
    with context.progress.stage("export", documents=sum(rows)):
        context.over_units(units, lambda lanes: lanes | PerUnit(work), reading=True)
    return [files.read_json(unit_file(folder, unit.index, "json")) for unit in units]


def _result(
    run: str,
    report: Report,
    shards: Sequence[dict[str, Any]],
    reports: Sequence[dict[str, Any]],
    facts: dict[str, Any],
) -> Export:
    """Describe the files, and compare their tokens with the run's report.

    Raises:
        RunError: the numbers differ, though the run was counted with the same tokenizer.
    """
    parts = [
        TokenFile(
            shard=shard["file"].rpartition("/")[2],
            **{name: report[name] for name in ("files", "bytes", "documents", "tokens")},
        )
        for shard, report in zip(shards, reports, strict=True)
    ]
    tokens = sum(part.tokens for part in parts)
    agrees = None
    if report.tokenizer is not None and report.tokenizer.sha256 == facts["tokenizer"].sha256:
        expected = None if report.achieved is None else report.achieved.tokens
        differing = sum(entry["differing"] for entry in reports)
        agrees = differing == 0 and tokens == expected
        if not agrees:
            raise RunError(
                f"export: {run} says that its rows have {expected:,} tokens, and they have "
                f"{tokens:,} ({differing:,} rows differ), so data/ or report.json has changed "
                "since; run again"
            )
    return Export(
        **facts,
        documents=sum(part.documents for part in parts),
        tokens=tokens,
        without_tokens=sum(entry["without_tokens"] for entry in reports),
        agrees=agrees,
        parts=sorted(parts, key=lambda part: min(part.files)),
    )


def _finish(context: Context, result: Export) -> None:
    """Delete files of an earlier export, and write tokens.json and, last, manifest.json."""
    config = context.config
    context.confirm_locks()
    kept = {files.join(config.out, name) for part in result.parts for name in part.files}
    present = files.list_files(files.join(config.out, "train-*-of-*"))
    files.delete_files([path for path in present if path not in kept])
    text = result.model_dump_json(indent=2) + "\n"
    files.write_bytes(files.join(config.out, TOKENS), text.encode())
    manifest = {
        **versions(FORMAT_VERSION),
        "kind": "export",
        "configuration": config.model_dump(mode="json", exclude_unset=True),
        "stage_seconds": context.progress.seconds,
    }
    files.write_json(files.join(config.out, MANIFEST), manifest)
