"""How a model makes one vector of a text: its own sentence-transformers configuration.

The files are those of https://sbert.net: modules.json, sentence_bert_config.json,
config_sentence_transformers.json, and config.json of the pooling. Without them the mean of the
tokens' states is taken, as sentence-transformers does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, model_validator

from outcross.transforms.encoders.model_files import ModelFiles
from outcross.transforms.text.embed import MAX_DIMS

Pooling = Literal["mean", "cls", "max", "lasttoken"]

SETTINGS_FILES = ("*.json", "*_Pooling/config.json")
"""Globs of the files that are read."""

CHARACTERS_A_TOKEN = 16
"""Characters of a text that are tokenised for each token that the model reads."""

_MODULES = ("Transformer", "Pooling", "Normalize")
_DEFAULT_LONGEST = 512
_NO_LIMIT = 1_000_000  # tokens; a tokenizer without a limit says 10**30
_SHOWN = 60  # characters of a value that a message shows
_POOLINGS = {
    "cls_token": "cls",
    "mean_tokens": "mean",
    "max_tokens": "max",
    "lasttoken": "lasttoken",
    # The sum over the square root of the length has the direction of the mean.
    "mean_sqrt_len_tokens": "mean",
}


_Positive = Annotated[int, Field(gt=0)]
_Number = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Checked(BaseModel):
    """Keys of a model's file that are read; other keys are left out."""

    model_config = ConfigDict(strict=True, protected_namespaces=())


class _Model(_Checked):
    """Keys of config.json."""

    model_type: str | None = None
    pad_token_id: int | None = None
    max_position_embeddings: int | None = None
    matryoshka_dimensions: list[_Positive] | None = None


class _Module(_Checked):
    """An entry of modules.json."""

    type: str
    path: str = ""


class _Modules(RootModel[list[_Module]]):
    """Content of modules.json."""

    model_config = ConfigDict(strict=True)


class _PoolingConfig(_Checked):
    """Keys of the pooling's config.json, and its flags `pooling_mode_…`."""

    model_config = ConfigDict(extra="allow")

    include_prompt: bool = True
    pooling_mode: str | None = None

    @model_validator(mode="after")
    def _flags(self) -> _PoolingConfig:
        for key, value in (self.model_extra or {}).items():
            if key.startswith("pooling_mode_") and not isinstance(value, bool):
                raise ValueError(f"{key} is not true or false")
        return self


class _Sentences(_Checked):
    """Keys of sentence_bert_config.json."""

    max_seq_length: _Positive | None = None
    do_lower_case: bool | None = None


class _TokenizerConfig(_Checked):
    """Keys of tokenizer_config.json."""

    model_max_length: _Number | None = None


class _Extra(_Checked):
    """Keys of config_sentence_transformers.json."""

    prompts: dict[str, str | None] | None = None
    default_prompt_name: str | None = None
    matryoshka_dimensions: list[_Positive] | None = None


_File = TypeVar("_File", bound=BaseModel)


@dataclass(frozen=True)
class Settings:
    """What a model's configuration says.

    Attributes:
        pooling: how the states of the tokens become one vector.
        longest: most tokens of a text, special ones included.
        prompt: text that is put before every text.
        lowercase: True if texts are lower-cased first.
        pad: id of the token that fills up a text.
        sizes: dimensions to which vectors may be cut (Matryoshka), ascending; empty if they
            may not.
    """

    pooling: Pooling
    longest: int
    prompt: str
    lowercase: bool
    pad: int
    sizes: tuple[int, ...]

    @property
    def characters(self) -> int:
        """Most characters of a text that are tokenised."""
        return CHARACTERS_A_TOKEN * self.longest


def read_settings(files: ModelFiles) -> Settings:
    """Read a model's configuration.

    Args:
        files: the model's files.

    Raises:
        ConfigError: the configuration is missing or damaged, or asks for what can't be done.
    """
    config = _read(files, "config.json", _Model, None)
    modules = _read(files, "modules.json", _Modules, []).root
    pooling: Pooling = "mean"
    kinds = {module.type.rpartition(".")[2]: module.path for module in modules}
    unsupported = [kind for kind in kinds if kind not in _MODULES]
    if unsupported:
        raise files.refused(
            f"has the modules {', '.join(kinds)}",
            f"{unsupported[0]} can't be run, as only {', '.join(_MODULES)} can; name another model",
        )
    described = _PoolingConfig()
    if "Pooling" in kinds:
        described = _read(files, f"{kinds['Pooling']}/config.json", _PoolingConfig, None)
        pooling = _pooling(files, described)
    sentences = _read(files, "sentence_bert_config.json", _Sentences, {})
    tokenizer = _read(files, "tokenizer_config.json", _TokenizerConfig, {})
    extra = _read(files, "config_sentence_transformers.json", _Extra, {})
    name = extra.default_prompt_name
    prompt = ((extra.prompts or {}).get(name) or "") if name else ""
    if prompt and not described.include_prompt:
        raise files.refused(
            f"leaves its prompt {prompt!r} out of the pooling", "name a model that doesn't"
        )
    sizes = config.matryoshka_dimensions or extra.matryoshka_dimensions or ()
    return Settings(
        pooling=pooling,
        longest=_longest(config, sentences, tokenizer),
        prompt=prompt,
        lowercase=bool(sentences.do_lower_case),
        pad=max(0, config.pad_token_id or 0),
        sizes=tuple(sorted(sizes)),
    )


def kept_dims(files: ModelFiles, dims: int, settings: Settings) -> int:
    """Return how many dimensions of a vector are kept.

    Args:
        files: the model's files.
        dims: dimensions of its vectors.
        settings: its settings.

    Raises:
        ConfigError: there are more than `MAX_DIMS`, and they may not be cut.
    """
    if dims <= MAX_DIMS:
        return dims
    fitting = [size for size in settings.sizes if size <= MAX_DIMS]
    if not fitting:
        raise files.refused(
            f"has {dims:,} dimensions, and its config.json names no matryoshka_dimensions",
            f"name a model of at most {MAX_DIMS:,}, up to which vectors are exact",
        )
    return fitting[-1]


def _read(files: ModelFiles, name: str, content: type[_File], default: Any) -> _File:
    """Read a JSON file and check the types of its values.

    Args:
        files: the model's files.
        name: name of the file.
        content: pydantic model of the keys that are read.
        default: content of a missing file; None where the file is needed.

    Raises:
        ConfigError: the file is missing or damaged, or a value has another type.
    """
    try:
        return content.model_validate(files.json(name, default))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        value = repr(first["input"])[:_SHOWN]
        place = f"{value} as {key}" if key else value
        reason = "an object is needed" if first["type"] == "model_type" else first["msg"]
        raise files.refused(
            f"has a {name} of another form: {place} ({reason})", "get the model again"
        ) from None


def _pooling(files: ModelFiles, described: _PoolingConfig) -> Pooling:
    """Return the pooling that a configuration names, by flags or, in later versions, by name."""
    prefix = "pooling_mode_"
    if described.pooling_mode is not None:
        modes = described.pooling_mode.split("+")
    else:
        flags = described.model_extra or {}
        modes = [key.removeprefix(prefix) for key in flags if key.startswith(prefix) and flags[key]]
    known = [_POOLINGS.get(mode, mode if mode in _POOLINGS.values() else None) for mode in modes]
    if len(known) != 1 or known[0] is None:
        raise files.refused(
            f"pools by {', '.join(modes) or 'nothing'}",
            f"one of {', '.join(dict.fromkeys(_POOLINGS.values()))} works; name another model",
        )
    return cast(Pooling, known[0])


def _longest(config: _Model, sentences: _Sentences, tokenizer: _TokenizerConfig) -> int:
    """Return the most tokens of a text, by the configuration of model, sentences and tokenizer."""
    limits = [sentences.max_seq_length, tokenizer.model_max_length]
    positions = config.max_position_embeddings
    if positions is not None and config.model_type in _OFFSET_POSITIONS:
        positions -= (config.pad_token_id or 0) + 1
    stated = [int(limit) for limit in limits if limit is not None and limit < _NO_LIMIT]
    longest = stated[0] if stated else _DEFAULT_LONGEST
    return longest if positions is None else min(longest, positions)


_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl", "longformer")
"""Models whose positions begin after the padding token's id."""
