"""Load embedders by the configuration's key `embedder`; a process holds one copy of a model."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from outcross.schemas.documents import EMBEDDING_DIMS
from outcross.transforms.encoders.model_files import ModelFiles
from outcross.transforms.encoders.sentence_config import SETTINGS_FILES
from outcross.transforms.encoders.spec import Spec, parse_spec
from outcross.transforms.encoders.static_model import STATIC_FILES, load_static
from outcross.transforms.encoders.transformer import (
    ONNX_FILES,
    TransformerEmbedder,
    load_transformer,
)
from outcross.transforms.text.characters import unicode_version
from outcross.transforms.text.embed import (
    DEFAULT_NAME,
    SCALE,
    Embedder,
    default_fingerprint,
    load_default,
)

_MOST_MODELS = 2  # that a process keeps

_LOCK = threading.Lock()
_MODELS: dict[tuple[object, ...], Model] = {}


@dataclass(frozen=True)
class Model:
    """A loaded model, shared by the threads of a process.

    Attributes:
        name: name of the model in reports.
        revision: commit of a model of the hub; None for others.
        fingerprint: hash of all of the model that decides embeddings. Embeddings of one
            fingerprint are comparable.
        build: what else decides their last bits, such as the kind of CPU; empty where nothing does.
        dims: dimensions of an embedding.
        embedder: function that makes an embedder for one thread.
        sha256: hashes of the model's files by name; empty for the packaged table.
    """

    name: str
    revision: str | None
    fingerprint: str
    build: str
    dims: int
    embedder: Callable[[], Embedder]
    sha256: dict[str, str] = field(default_factory=dict)

    @property
    def work_key(self) -> str:
        """Return what a key of work names: embeddings with one key have the same bytes."""
        return self.fingerprint if not self.build else f"{self.fingerprint} {self.build}"


def load_model(key: str | None) -> Model:
    """Load the model of the key `embedder`, unless this process has it already.

    Args:
        key: value of the key; None for the packaged table, which is only read when it is used.

    Raises:
        ConfigError: the model can't be loaded.
    """
    if key is None:
        return Model(DEFAULT_NAME, None, default_fingerprint(), "", EMBEDDING_DIMS, load_default)
    with _LOCK:
        spec = parse_spec(key)
        state = _state(spec)
        model = _MODELS.pop(state, None)
        if model is None:
            model = _load(spec)
        while len(_MODELS) >= _MOST_MODELS:
            del _MODELS[next(iter(_MODELS))]
        _MODELS[state] = model
        return model


def load_embedder(key: str | None) -> Embedder:
    """Return an embedder for one thread.

    Args:
        key: value of the key `embedder`; None for the packaged table.

    Raises:
        ConfigError: the model can't be loaded.
    """
    return load_model(key).embedder()


def _state(spec: Spec) -> tuple[object, ...]:
    """Return what tells that a model has changed: for a directory, times and sizes of its files."""
    if spec.folder is None:
        return (spec.key,)
    paths = [path for path in sorted(Path(spec.folder).rglob("*")) if path.is_file()]
    states = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in paths]
    return (spec.key, Path(spec.folder).resolve(), *states)


def _load(spec: Spec) -> Model:
    if spec.kind == "static":
        files = ModelFiles.of(spec, STATIC_FILES)
        dims, make = load_static(files)
        fingerprint = _fingerprint(files, [unicode_version()])
        return Model(
            spec.name,
            spec.revision,
            fingerprint,
            "",
            dims,
            partial(make, fingerprint),
            dict(files.sha256),
        )
    names = ONNX_FILES if spec.file is None else (spec.file,)
    weights = [f"{name}{end}" for name in names for end in ("_data", ".data")]
    files = ModelFiles.of(spec, [*SETTINGS_FILES, *names, *weights])
    session, tokenizer, settings, dims = load_transformer(files)
    fingerprint = _fingerprint(files, [asdict(settings), dims])
    unknown = files.unknown_token(tokenizer)
    embedder = partial(
        TransformerEmbedder, session, tokenizer, unknown, settings, dims, spec.name, fingerprint
    )
    return Model(
        spec.name,
        spec.revision,
        fingerprint,
        session.build,
        dims,
        embedder,
        dict(files.sha256),
    )


def _fingerprint(files: ModelFiles, settings: list[object]) -> str:
    """Hash a model's files and settings; its name and place don't count."""
    decides = [files.spec.kind, sorted(files.sha256.values()), settings, SCALE]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:32]
