"""Small tokenizers, as `save_pretrained` of a fast tokenizer leaves them."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors

END = "<|endoftext|>"


def bytes_tokenizer(merges: int = 3) -> Tokenizer:
    """Return a byte-level BPE: a token for each byte, but for a few pairs of letters.

    Args:
        merges: number of pairs, up to 5.
    """
    pairs = [("t", "h"), ("th", "e"), ("i", "n"), ("e", "r"), ("a", "n")][:merges]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *("".join(pair) for pair in pairs), END]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END])
    return tokenizer


PANIC = f"in\nit {'a' * 40}b"
"""Text at which the tokenizer of `panicking_tokenizer` gives up: its rule tries all partitions."""


def panicking_tokenizer() -> Tokenizer:
    """Return a tokenizer of words with a rule by which the library panics on `PANIC`."""
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "the": 4}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex("(a|aa)+$"), "isolated")]
    )
    return tokenizer


def write_tokenizer(folder: Path, merges: int = 3) -> Path:
    """Write a tokenizer with settings that must not count: padding, truncation, an end of text."""
    tokenizer = bytes_tokenizer(merges)
    number = tokenizer.token_to_id(END)
    tokenizer.enable_truncation(7)
    tokenizer.enable_padding(length=9, pad_id=number, pad_token=END)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, number)]
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def write_wide_tokenizer(folder: Path, size: int) -> int:
    """Write a tokenizer of words whose last tokens are common words, and return the end of a text.

    Args:
        folder: folder to make.
        size: number of tokens.
    """
    common = ["the", "of", "and", "to", "is", "a", END]
    tokens = ["[UNK]", *(f"unused{n}" for n in range(size - 1 - len(common))), *common]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([END])
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return size - 1
