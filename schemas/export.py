"""The request of `outcross export`, and its result: contents of tokens.json."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from outcross.schemas.base import Strict
from outcross.schemas.config import Config
from outcross.schemas.tokens import Tokenizer
from outcross.schemas.user_input import Model

TokenFormat = Literal["megatron", "npy"]
"""Format of files of tokens."""


class ExportRequest(Model):
    """Request to write the rows of a run as tokens for training."""

    run: str = Field(description="output directory of a run or a deduplication")
    format: TokenFormat = Field(
        description="megatron: .bin and .idx files of Megatron's IndexedDataset; npy: tokens "
        "without a header, as np.memmap reads them"
    )
    tokenizer: str | None = Field(
        default=None,
        description="tokenizer that training uses: a directory with tokenizer.json, such a file, "
        "or an id of the Hugging Face Hub with a commit, OWNER/NAME@COMMIT (needs the extra hf); "
        "if absent, the tokenizer that has counted the run's tokens",
    )
    out: str | None = Field(
        default=None,
        description="directory of the files; if absent, the folder tokens/ in the run's directory",
    )
    end_of_text: str | None = Field(
        default=None,
        description="token behind each document, such as '<|endoftext|>'; if absent, the "
        "tokenizer's own: the eos_token of tokenizer_config.json, or a special token with a usual "
        "name",
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="seed of the documents' order")
    workers: int | None = Field(
        default=None, ge=1, description=Config.model_fields["workers"].description
    )


class EndOfText(Strict):
    """The token behind each document."""

    token: str = Field(description="the token")
    id: int = Field(ge=0, description="its number")


class TokenFile(Strict):
    """Tokens of one shard of data/."""

    shard: str = Field(description="name of the shard in data/")
    files: dict[str, str] = Field(description="SHA-256 of each file, by its name")
    bytes: int = Field(ge=0, description="bytes of these files")
    documents: int = Field(ge=0, description="documents written, as often as they are repeated")
    tokens: int = Field(ge=0, description="tokens written, without those of the ends of texts")


class Export(Strict):
    """Contents of tokens.json."""

    format_version: Literal[1] = Field(default=1, description="version of this file's format")
    format: TokenFormat = Field(description="format of the files")
    tokenizer: Tokenizer = Field(description="tokenizer that made the tokens")
    vocabulary: int = Field(ge=1, description="largest number of a token, plus 1")
    dtype: str = Field(description="NumPy's name of the type of a token")
    end_of_text: EndOfText = Field(description="token behind each document")
    seed: int = Field(description="seed of the documents' order")
    documents: int = Field(ge=0, description="documents written, as often as they are repeated")
    tokens: int = Field(ge=0, description="tokens written, without those of the ends of texts")
    without_tokens: int = Field(
        ge=0, description="documents that are left out, as their text has no token"
    )
    agrees: bool | None = Field(
        description="true: each row and the total have as many tokens as the run's report says; "
        "null: the run was not counted with this tokenizer"
    )
    parts: list[TokenFile] = Field(description="files in the order for training")

    @property
    def prefixes(self) -> list[str]:
        """Names of the files without their ends, as Megatron's --data-path takes them."""
        names = [next(iter(part.files)) for part in self.parts]
        return [name.rpartition(".")[0] for name in names]
