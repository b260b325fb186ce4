"""How a model makes one vector of a text: its own sentence-transformers configuration.

The files are those of https://sbert.net: modules.json, sentence_bert_config.json,
config_sentence_transformers.json, and config.json of the pooling. Without them the mean of the
tokens' states is taken, as sentence-transformers does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

from outcross.transforms.encoders.model_files import ModelFiles
from outcross.transforms.text.embed import MAX_DIMS

Pooling = Literal["mean", "cls", "max", "lasttoken"]

SETTINGS_FILES = ("*.json", "*_Pooling/config.json")
"""Globs of the files that are read."""

CHARACTERS_A_TOKEN = 16
"""Characters of a text that are tokenised for each token that the model reads."""

_MODULES = ("Transformer", "Pooling", "Normalize")
_DEFAULT_LONGEST = 512
_POOLINGS = {
    "cls_token": "cls",
    "mean_tokens": "mean",
    "max_tokens": "max",
    "lasttoken": "lasttoken",
    # The sum over the square root of the length has the direction of the mean.
    "mean_sqrt_len_tokens": "mean",
}


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
    config = _table(files, "config.json", None)
    modules = files.json("modules.json", [])
    pooling: Pooling = "mean"
    try:
        kinds = {str(m["type"]).rpartition(".")[2]: str(m.get("path", "")) for m in modules}
    except (TypeError, KeyError, AttributeError):
        raise files.refused("has a modules.json of another form", "get the model again") from None
    strange = [kind for kind in kinds if kind not in _MODULES]
    if strange:
        raise files.refused(
            f"has the modules {', '.join(kinds)}",
            f"{strange[0]} can't be run, as only {', '.join(_MODULES)} can; name another model",
        )
    described: dict[str, Any] = {}
    if "Pooling" in kinds:
        described = _table(files, f"{kinds['Pooling']}/config.json", None)
        pooling = _pooling(files, described)
    sentences = _table(files, "sentence_bert_config.json", {})
    tokenizer = _table(files, "tokenizer_config.json", {})
    extra = _table(files, "config_sentence_transformers.json", {})
    name = extra.get("default_prompt_name")
    prompt = str((extra.get("prompts") or {}).get(name, "")) if name else ""
    if prompt and not described.get("include_prompt", True):
        raise files.refused(
            f"leaves its prompt {prompt!r} out of the pooling", "name a model that doesn't"
        )
    sizes = config.get("matryoshka_dimensions") or extra.get("matryoshka_dimensions") or ()
    return Settings(
        pooling=pooling,
        longest=_longest(config, sentences, tokenizer),
        prompt=prompt,
        lowercase=bool(sentences.get("do_lower_case", False)),
        pad=int(config.get("pad_token_id") or 0),
        sizes=tuple(sorted(int(size) for size in sizes)),
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
            f"name a model of at most {MAX_DIMS:,}, up to which products stay exact",
        )
    return fitting[-1]


def _table(files: ModelFiles, name: str, default: dict[str, Any] | None) -> dict[str, Any]:
    content = files.json(name, default)
    if not isinstance(content, dict):
        raise files.refused(f"has a {name} of another form", "get the model again")
    return content


def _pooling(files: ModelFiles, described: dict[str, Any]) -> Pooling:
    """Return the pooling that a configuration names, by flags or, in later versions, by name."""
    prefix = "pooling_mode_"
    named = described.get("pooling_mode")
    if isinstance(named, str):
        modes = named.split("+")
    else:
        modes = [key.removeprefix(prefix) for key in described if described[key] is True]
        modes = [mode for mode in modes if prefix + mode in described]
    known = [_POOLINGS.get(mode, mode if mode in _POOLINGS.values() else None) for mode in modes]
    if len(known) != 1 or known[0] is None:
        raise files.refused(
            f"pools by {', '.join(modes) or 'nothing'}",
            f"one of {', '.join(dict.fromkeys(_POOLINGS.values()))} works; name another model",
        )
    return cast(Pooling, known[0])


def _longest(*configurations: dict[str, Any]) -> int:
    """Return the most tokens of a text, by the configuration of model, sentences and tokenizer."""
    config, sentences, tokenizer = configurations
    limits = [sentences.get("max_seq_length"), tokenizer.get("model_max_length")]
    positions = config.get("max_position_embeddings")
    if isinstance(positions, int) and config.get("model_type") in _OFFSET_POSITIONS:
        positions -= int(config.get("pad_token_id") or 0) + 1
    stated = [int(limit) for limit in limits if isinstance(limit, (int, float)) and limit < 1e6]
    longest = stated[0] if stated else _DEFAULT_LONGEST
    return min(longest, positions) if isinstance(positions, int) else longest


_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl", "longformer")
"""Models whose positions begin after the padding token's id."""
