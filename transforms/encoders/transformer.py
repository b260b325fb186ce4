"""Encoders of `transformers` in ONNX: texts to tokens, states, and int8 vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Tokenizer

from outcross.transforms.encoders.model_files import ModelFiles
from outcross.transforms.encoders.pooling import pool
from outcross.transforms.encoders.sentence_config import Settings, kept_dims, read_settings
from outcross.transforms.encoders.session import Session, open_session
from outcross.transforms.encoders.static_model import LEAST_DIMS, cut_texts
from outcross.transforms.text.embed import Embedded, Reading
from outcross.transforms.text.known import Known
from outcross.transforms.text.tokens import encode_batch
from outcross.transforms.text.words import Words

ONNX_FILES = ("onnx/model.onnx", "model.onnx")
"""Usual places of a model's ONNX file, in the order in which they are looked for."""

EXPORT = "optimum-cli export onnx --task feature-extraction --model {model} {folder}"
"""Command that exports a model; `pip install 'optimum-onnx[onnxruntime]'` brings it."""


@dataclass
class TransformerEmbedder:
    """Embeds the beginning of each text by an encoder.

    It knows a token that isn't the one for what the vocabulary lacks.

    Args:
        session: the encoder, shared by all threads.
        tokenizer: its tokenizer, without padding and truncation.
        unknown: id of the token for what the vocabulary lacks; None if there is none.
        settings: configuration of the model.
        dims: dimensions of an embedding.
        name: name for people.
        fingerprint: hash of the model's files and settings.
    """

    session: Session
    tokenizer: Tokenizer
    unknown: int | None
    settings: Settings
    dims: int
    name: str
    fingerprint: str

    encodes = True

    def embed(self, words: Words, texts: pa.Array | pa.ChunkedArray) -> Embedded:
        """Embed n documents by their tokens; see `Embedder.embed`."""
        del words
        tokens, known, reading, whole = self._tokens(texts)
        lengths = np.array([len(ids) for ids in tokens], np.int64)
        out = np.zeros((len(tokens), self.dims), np.int8)
        filled = np.flatnonzero(lengths)
        padded = self.session.padded(lengths[filled], self.settings.longest)
        for length in np.unique(padded).tolist():
            rows = filled[padded == length]
            step = self.session.rows(length)
            for start in range(0, len(rows), step):
                batch = rows[start : start + step]
                out[batch] = self._vectors([tokens[row] for row in batch], length)
        return Embedded(out, known, reading, whole)

    def _vectors(self, tokens: list[list[int]], length: int) -> NDArray[np.int8]:
        states = self.session.run(tokens, length)
        pooled = self.session.pooled
        lengths = np.array([1 if pooled else len(ids) for ids in tokens], np.int64)
        return pool(states, lengths, "cls" if pooled else self.settings.pooling, self.dims)

    def _tokens(
        self, texts: pa.Array | pa.ChunkedArray
    ) -> tuple[list[list[int]], Known, Reading, NDArray[np.bool_]]:
        """Tokenise the beginnings of texts; a text without a token of its own has none at all."""
        values, characters = cut_texts(texts, self.settings.characters)
        special = self.tokenizer.num_special_tokens_to_add(False)
        prompt = self.settings.prompt
        lowered = [value.lower() if self.settings.lowercase else value for value in values]
        encodings = encode_batch(
            [prompt + value for value in lowered],
            self.tokenizer.encode_batch,
            "embedder",
            self.name,
        )
        tokens: list[list[int]] = []
        counted = lacking = cut = read = 0
        whole = np.zeros(len(values), bool)
        for place, (encoding, value) in enumerate(zip(encodings, values, strict=True)):
            stop = len(value)
            if encoding.overflowing:
                last = max((end for _, end in encoding.offsets), default=0)
                stop = max(0, min(last - len(prompt), stop))
            ids = encoding.ids if value and len(encoding.ids) > special else []
            counted += max(len(ids) - special, 0)
            unknown = 0 if self.unknown is None else ids.count(self.unknown)
            lacking += unknown
            is_cut = stop < int(characters[place])
            cut += is_cut
            whole[place] = not is_cut and unknown == 0
            read += stop
            tokens.append(ids)
        reading = Reading(len(values), cut, int(characters.sum()), read, counted)
        return tokens, Known(counted, counted - lacking), reading, whole


def load_transformer(files: ModelFiles) -> tuple[Session, Tokenizer, Settings, int]:
    """Load an encoder.

    Args:
        files: the model's files.

    Returns:
        The encoder, its tokenizer, its settings, and the dimensions of an embedding.

    Raises:
        ConfigError: the model can't be used.
    """
    settings = read_settings(files)
    name = _onnx_file(files)
    tokenizer = files.tokenizer()
    special = tokenizer.num_special_tokens_to_add(False)
    if settings.longest <= special:
        raise files.refused(
            f"reads {settings.longest} tokens of a text", "correct its max_seq_length"
        )
    tokenizer.enable_truncation(settings.longest)
    ids = [*tokenizer.get_vocab().values(), *tokenizer.encode("").ids]
    session = open_session(files, name, tokenizer.get_vocab_size(), settings.pad, max(ids))
    dims = kept_dims(files, session.dims, settings)
    if dims < LEAST_DIMS:
        raise files.refused(
            f"has {dims} dimensions", f"at least {LEAST_DIMS} are needed; name another model"
        )
    return session, tokenizer, settings, dims


def _onnx_file(files: ModelFiles) -> str:
    """Return the name of the model's ONNX file, with its weights noted if they lie beside it."""
    names = ONNX_FILES if files.spec.file is None else (files.spec.file,)
    present = sorted(
        path.relative_to(files.folder).as_posix() for path in files.folder.rglob("*.onnx")
    )
    name = next((name for name in names if name in present), None)
    if name is None and files.spec.file is None and len(present) == 1:
        (name,) = present
    if name is None and present:
        raise files.refused(
            f"has no {' or '.join(names)}, but {', '.join(present)}",
            f"name one of them: {files.spec.key.partition('#')[0]}#{present[0]}",
        )
    if name is None:
        model = files.spec.repository or files.spec.folder
        command = EXPORT.format(model=model, folder="DIRECTORY")
        raise files.refused(
            f"has no {' or '.join(names)}",
            f"export the model once, after pip install 'optimum-onnx[onnxruntime]': `{command}`; "
            "then name that directory",
        )
    for weights in (f"{name}_data", f"{name}.data"):
        if (files.folder / weights).is_file():
            files.path(weights)
    return name
