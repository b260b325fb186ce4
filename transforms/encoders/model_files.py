"""Files of a model: its folder on this machine, their hashes, and its JSON files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from outcross.schemas.user_input import ConfigError
from outcross.transforms.encoders.hub import download
from outcross.transforms.encoders.spec import Spec
from outcross.transforms.text.tokens import find_fault, raising_panics

_BLOCK = 1 << 20


@dataclass(frozen=True)
class ModelFiles:
    """Folder of a model on this machine.

    Attributes:
        spec: the model.
        folder: the folder.
        sha256: hashes of the files that were read so far, by name.
    """

    spec: Spec
    folder: Path
    sha256: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: Spec, patterns: Sequence[str]) -> ModelFiles:
        """Find a model's folder, and download what is missing of a model of the hub.

        Args:
            spec: the model.
            patterns: names and globs of the files to download.

        Raises:
            ConfigError: the files can't be had.
        """
        if spec.folder is not None:
            return cls(spec, Path(spec.folder))
        assert spec.repository is not None
        assert spec.revision is not None
        return cls(spec, Path(download(spec.repository, spec.revision, patterns)))

    def path(self, name: str) -> Path:
        """Return the path of a file, and note its hash.

        Raises:
            ConfigError: the model has no such file.
        """
        path = self.folder / name
        if not path.is_file():
            raise self.refused(
                f"has no {name}", f"{self.spec.kind}: models hold it; name another model"
            )
        if name not in self.sha256:
            state = hashlib.sha256()
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    state.update(block)
            self.sha256[name] = state.hexdigest()
        return path

    def json(self, name: str, default: Any = None) -> Any:
        """Return the content of a JSON file.

        Args:
            name: name of the file.
            default: result where the model has no such file; without one, that is an error.

        Raises:
            ConfigError: the file is missing or damaged.
        """
        if default is not None and not (self.folder / name).is_file():
            return default
        try:
            return json.loads(self.path(name).read_bytes())
        except (ValueError, RecursionError) as error:
            raise self.refused(f"has a damaged {name} ({error})", "get the model again") from None

    def tokenizer(self) -> Tokenizer:
        """Return the tokenizer, without the padding and truncation that its file may ask for.

        Raises:
            ConfigError: the model has no tokenizer.json, or one that can't be read or can't
                encode texts.
        """
        name = "tokenizer.json"
        if not (self.folder / name).is_file():
            raise self.refused(
                f"has no {name}, so its tokenizer is slow or missing",
                "write the fast one with transformers: AutoTokenizer.from_pretrained(MODEL)"
                ".save_pretrained(DIRECTORY)",
            )
        try:
            with raising_panics():
                tokenizer = Tokenizer.from_file(str(self.path(name)))
        except Exception as error:  # tokenizers raises plain exceptions
            raise self.refused(f"has a {name} that can't be read ({error})", ADVICE) from None
        # Threads of its own would work beside those of the engine.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        tokenizer.no_padding()
        tokenizer.no_truncation()
        fault = find_fault(tokenizer)
        if fault is not None:
            raise self.refused(f"has a {name} that {fault}", ADVICE)
        return tokenizer

    def unknown_token(self, tokenizer: Tokenizer) -> int | None:
        """Return the id of the token for what the vocabulary lacks; None if it lacks nothing."""
        # The library would write a tokenizer with every number up to the largest id.
        model = self.json("tokenizer.json")["model"]
        if model.get("unk_id") is not None:
            return int(model["unk_id"])
        named = [model.get("unk_token"), "[UNK]", "<unk>"]
        ids = [tokenizer.token_to_id(token) for token in named if token]
        return next((number for number in ids if number is not None), None)

    def refused(self, fault: str, advice: str) -> ConfigError:
        """Return the error of a model that can't be used.

        Args:
            fault: reason, as the model's predicate.
            advice: remedy.
        """
        return ConfigError(f"embedder: {self.spec.key} {fault}; {advice}")


ADVICE = "get the model again, or name another one"
"""Remedy where a file of a model can't be read."""
