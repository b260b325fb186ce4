"""The tokenizer that a request names: its file, or an id of the Hugging Face Hub."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as FastTokenizer

from outcross.pipeline.engine.artifacts import WORK
from outcross.schemas.config import Config
from outcross.schemas.tokens import Tokenizer, TokenizerFile, named
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base import files
from outcross.transforms.reference.reference import Reference
from outcross.transforms.text.tokens import read_tokenizer

NAME = "tokenizer.json"
_SETTINGS = "tokenizer_config.json"
_ENDS = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|eos|>", "[EOS]")
_HUB_ID = r"[\w.-]+(?:/[\w.-]+)?"


@dataclass(frozen=True)
class Given:
    """Tokenizer as a request gives it.

    Attributes:
        tokenizer: name and content.
        data: contents of tokenizer.json.
    """

    tokenizer: Tokenizer
    data: bytes

    def file(self, out: str) -> TokenizerFile:
        """Return the place of the copy that workers read.

        Args:
            out: output directory of the job.
        """
        return TokenizerFile(self.tokenizer, _copy(self.tokenizer, out))

    def save(self, out: str) -> None:
        """Write the copy that workers read, if it is not there.

        Args:
            out: output directory of the job.
        """
        path = self.file(out).path
        if not files.exists(path):
            files.write_bytes(path, self.data)


def read_given(value: str | None) -> Given | None:
    """Read the tokenizer that a request names; None if it names none.

    Args:
        value: directory, file, or id on the hub with a commit.

    Raises:
        ConfigError: there is no such tokenizer, or it can't be read.
    """
    if value is None:
        return None
    names_file = value.endswith(".json") and not Path(value).is_dir()
    path = value if names_file else files.join(value, NAME)
    if files.exists(path):
        data, name = files.read_bytes(path), _name(path, is_folder=path != value)
    elif Path(value).is_file() if files.is_local(value) else files.exists(value):
        raise ConfigError(
            f"tokenizer: {value} is a file, but no {NAME} (JSON of the tokenizers library, whose "
            f"name ends in .json); give that file, or the directory that holds {NAME}"
        )
    elif files.is_local(value) and re.fullmatch(f"{_HUB_ID}(@.*)?", value):
        name, data = value, _from_hub(value)
    else:
        raise ConfigError(
            f"tokenizer: {value} holds no {NAME}; give a directory with one, such a file, or an id "
            "on the hub as OWNER/NAME@COMMIT"
        )
    read_tokenizer(data, value)
    return Given(Tokenizer(name=name, sha256=hashlib.sha256(data).hexdigest()), data)


def tokenizer_of_run(run: str, manifest: Mapping[str, Any]) -> tuple[str, Tokenizer]:
    """Return the place of the tokenizer that has counted a run's tokens, and its name.

    The place is that of the run's request, if the same tokenizer is still there; its settings name
    the end of a text. Else it is the copy in the run's work folder.

    Args:
        run: output directory of the run.
        manifest: contents of its manifest.json.

    Raises:
        ConfigError: the run has counted words, or its tokenizer is gone.
    """
    if "tokenizer" not in manifest:
        raise ConfigError(
            f"tokenizer: {run} has counted words, so it names no tokenizer; name the one that "
            "training uses: --tokenizer DIRECTORY, FILE or OWNER/NAME@COMMIT"
        )
    stored = Tokenizer.model_validate(manifest["tokenizer"])
    asked, copy = manifest["configuration"]["tokenizer"], _copy(stored, run)
    for place in (asked, copy):
        with suppress(ConfigError):
            given = read_given(place)
            if given is not None and given.tokenizer.sha256 == stored.sha256:
                return place, stored
    raise ConfigError(
        f"tokenizer: {run} has counted {named(stored)}, which is neither {asked} nor {copy} any "
        "more; name it, or the one that training uses: --tokenizer DIRECTORY, FILE or "
        "OWNER/NAME@COMMIT"
    )


def _copy(tokenizer: Tokenizer, out: str) -> str:
    """Return the path of a job's own copy of a tokenizer.

    Args:
        tokenizer: name and content.
        out: output directory of the job.
    """
    return files.join(out, WORK, f"tokenizer-{tokenizer.sha256[:16]}.json")


def _name(path: str, is_folder: bool) -> str:
    """Return a name that readers recognise: FOLDER, FOLDER/tokenizer.json, or that of the file.

    Args:
        path: path of the file.
        is_folder: True if its folder was given; it names a model then.
    """
    parts = path.replace("\\", "/").split("/")
    if parts[-1] != NAME or len(parts) < 2 or not parts[-2].strip("."):
        return parts[-1]
    return parts[-2] if is_folder else "/".join(parts[-2:])


def _from_hub(value: str) -> bytes:
    """Fetch tokenizer.json of a commit.

    Args:
        value: id on the hub with a commit.
    """
    name, _, commit = value.partition("@")
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        fault = f"its revision is {commit!r}" if commit else "it names no revision"
        raise ConfigError(
            f"tokenizer: {value} is no directory with {NAME}. If it is an id on the hub, {fault}: "
            f"branches and tags move, so give the 40 digits of a commit, as {name}@COMMIT"
        )
    try:
        return _fetched(value, NAME)
    except ImportError:
        raise ConfigError(
            f"tokenizer: {value} is an id on the hub, which needs `pip install 'outcross[hf]'`; or "
            f"give a directory with {NAME}"
        ) from None
    except Exception as error:  # of the network, the hub, or its cache
        raise ConfigError(
            f"tokenizer: the hub gave no {NAME} for {value} ({type(error).__name__}: {error}); "
            f"give a directory with {NAME}"
        ) from None


def _fetched(value: str, file: str) -> bytes:
    from huggingface_hub import hf_hub_download

    name, _, commit = value.partition("@")
    return files.read_bytes(hf_hub_download(name, file, revision=commit))


def end_of_text(value: str, asked: str | None, tokenizer: FastTokenizer) -> dict[str, Any]:
    """Return the token behind each document, and its number.

    Args:
        value: tokenizer as the request gives it.
        asked: the token; None for the tokenizer's own.
        tokenizer: the tokenizer.

    Raises:
        ConfigError: the tokenizer has no such token, or none of its own.
    """
    token = _stated_end(value) if asked is None else asked
    if token is None:
        special = {t.content for t in tokenizer.get_added_tokens_decoder().values() if t.special}
        usual = [name for name in _ENDS if name in special]
        if len(usual) != 1:
            specials = f"it has {', '.join(sorted(special)[:10])}" if special else "it has none"
            raise ConfigError(
                f"end_of_text: {value} doesn't say which special token ends a text ({specials}); "
                "name it with --end-of-text"
            )
        token = usual[0]
    number = tokenizer.token_to_id(token)
    if number is None:
        raise ConfigError(f"end_of_text: {value} has no token {token!r}; name one that it has")
    return {"token": token, "id": number}


def _stated_end(value: str) -> str | None:
    """Return the eos_token of tokenizer_config.json; None without such a file or token."""
    folder = value.rpartition("/")[0] if value.endswith(".json") else value
    path = files.join(folder, _SETTINGS) if folder else _SETTINGS
    try:
        if files.exists(path):
            data = files.read_bytes(path)
        elif files.exists(value):
            return None
        else:
            data = _fetched(value, _SETTINGS)
        end = json.loads(data).get("eos_token")
    except Exception:  # a file that is not there, or is no JSON object, says nothing
        return None
    token = end.get("content") if isinstance(end, dict) else end
    return token if isinstance(token, str) else None


def with_tokenizer(config: Config, given: Given | None) -> Config:
    """Return a configuration whose sources know what counts their tokens.

    Args:
        config: configuration of the job, with all its sources.
        given: tokenizer of the job; None where tokens are words.
    """
    file = None if given is None else given.file(config.out)
    sources = [source.with_tokenizer(file) for source in config.sources]
    return config.model_copy(update={"sources": sources})


def check_counts(key: str, path: str, stored: Tokenizer | None, given: Tokenizer | None) -> None:
    """Refuse a stored file whose tokens are not those of the job.

    Args:
        key: key of the request that names the file.
        path: path of the file or folder.
        stored: what counted the file's tokens; None for words.
        given: what counts the job's tokens; None for words.

    Raises:
        ConfigError: naming both, and what to do.
    """
    ours, theirs = (None if t is None else t.sha256 for t in (given, stored))
    if ours == theirs:
        return
    cure = "leave `tokenizer` out" if stored is None else f"set `tokenizer` to that of {stored}"
    again = {
        "reference": "build the reference again with this `tokenizer`",
        "lineage": "begin a new lineage",
        "plan": "make the plan again with `outcross plan`",
    }[key]
    raise ConfigError(
        f"tokenizer: {path} ({key}) counts {named(stored)}, and this command counts "
        f"{named(given)}; {cure}, or {again}"
    )


def check_reference(path: str, reference: Reference, given: Tokenizer | None) -> None:
    """Refuse a reference whose tokens are not those of the job.

    Args:
        path: folder of the reference.
        reference: the reference.
        given: what counts the job's tokens; None for words.
    """
    check_counts("reference", path, reference.tokenizer, given)
