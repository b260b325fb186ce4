"""The tokenizer that counts the tokens of a run; without one, tokens are words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import Field, model_serializer

from outcross.schemas.base import Strict

TOKENIZER_HELP = (
    "tokenizer that counts tokens as training will: a directory with tokenizer.json, such a file, "
    "or an id of the Hugging Face Hub with a commit, OWNER/NAME@COMMIT (needs the extra hf). All "
    "budgets, caps and reports are then in its tokens; if absent, tokens are words"
)
"""Description of the key `tokenizer`."""


class Tokenizer(Strict):
    """A tokenizer by name and content."""

    name: str = Field(
        description="id on the hub with its commit, the name of the directory that was given, or "
        "that of the file, with its folder if it is tokenizer.json"
    )
    sha256: str = Field(description="SHA-256 of its tokenizer.json")

    def __str__(self) -> str:
        return f"{self.name} (sha256 {self.sha256[:12]})"


@dataclass(frozen=True)
class TokenizerFile:
    """A tokenizer and the file that workers read it from.

    Attributes:
        tokenizer: name and content.
        path: path of tokenizer.json, on any Beam filesystem.
    """

    tokenizer: Tokenizer
    path: str

    @property
    def place(self) -> str:
        """Name of the tokenizer and path of its file, for messages."""
        return f"{self.tokenizer.name} ({self.path})"


class CountsTokens(Strict):
    """A file in tokens: it has the key `tokenizer` where a tokenizer has counted them."""

    @model_serializer(mode="wrap")
    def _without_default(self, dump: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        values = dump(self)
        if values.get("tokenizer", self) is None:
            del values["tokenizer"]
        return values


def tokenizer_field() -> Any:
    """Return the field `tokenizer` of a model that `CountsTokens` is the base of."""
    return Field(
        default=None,
        description="tokenizer that has counted the tokens; absent where tokens are words",
    )


def named(tokenizer: Tokenizer | None) -> str:
    """Return the name of what counts tokens, for messages."""
    return "words" if tokenizer is None else f"tokens of {tokenizer}"
