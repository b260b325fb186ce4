"""The second generator: a small recurrent language model with topics, trained on one core.

So that no finding hangs on n-grams. The network is in recurrent.py; it learns with dropout masks
fixed over a document (Gal & Ghahramani 2016, arXiv:1512.05287) and Adam (Kingma & Ba 2015,
arXiv:1412.6980) whose rate falls to 0.

Every word of the vocabulary has a probability, whether training saw it or not, and the vocabulary
is the world's: likelihoods of models trained on different texts are comparable. Words of three
documents or more have a symbol of their own in the softmax; rarer ones share one, *few* (one or two
documents) or *none*. Seen from its own document, a word that no other holds is one of *none*, and
is learned as such, one of two documents as one of *few*: Good and Turing's estimate of the unseen,
in context.

A regime is how a model is sampled, as language models are today: p(word)^(1/temperature), cut to
the nucleus (Holtzman et al. 2020, arXiv:1904.09751). A sample has no word that training had not:
for *few* and *none* it takes words that were learned as these, as often as they stood there. Topics
are drawn by a power of their shares, as a model prefers common subjects that is asked for nothing
in particular.

Results are the same bits for the same seed, machine and number of BLAS threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from documents import END, LONGEST, SHORTEST, Documents, borders, joined
from numba import njit
from numpy.typing import NDArray
from recurrent import Batch, Floats, Ints, Network, adam, log_sum


@dataclass(frozen=True)
class Regime:
    """Powers by which probabilities are sharpened.

    Word probabilities get the power 1/temperature, within the nucleus; topic shares get `prior`.
    """

    temperature: float
    nucleus: float
    prior: float


# A temperature below 1 as well leaves a tenth of the words after three generations: nothing that a
# curator could choose from.
REGIMES = {
    "sharp": Regime(1.0, 0.95, 1.25),
    "mid": Regime(1.0, 0.98, 1.1),
    "faithful": Regime(1.0, 1.0, 1.0),
}


@dataclass(frozen=True)
class Recipe:
    """Sizes of the network, and the course of its training."""

    width: int = 128  # of embeddings
    hidden: int = 128
    head: int = 800  # words of the softmax's first level
    batch: int = 16  # documents
    epochs: int = 3  # at least, and at least so many updates: small corpora are read more often
    updates: int = 300
    warm: int = 50  # updates in which the rate rises
    rate: float = 0.01
    drop_in: float = 0.1
    drop_out: float = 0.2
    clip: float = 1.0  # norm of the gradient of a token's mean loss
    held_out: float = 0.05  # of the distinct documents


RECIPE = Recipe()
_JITTER = 12  # tokens: batches are of about the same length, but not the same ones every epoch
_BATCH = 512  # documents sampled side by side
_READ = 64  # documents read side by side
TRIES = 8  # draws until one is in the nucleus, then the likeliest word
_ADDED = 0.1  # documents of each topic, so that none is impossible


@dataclass(frozen=True)
class Symbols:
    """Symbols of the softmax: frequent words by falling count, then *few* and *none*."""

    of: Ints  # [vocabulary] the symbol that a word is
    trained: Ints  # [vocabulary] the symbol that it is learned as: what it is to other documents
    within: Floats  # [vocabulary] ln p(word | symbol that it is)
    written: Floats  # [vocabulary] p(word | symbol that it was learned as); 0 of unseen words
    frequency: Floats  # [symbols] share of the tokens, as learned
    head: int

    @property
    def count(self) -> int:
        return len(self.frequency)

    @staticmethod
    def fit(documents: Documents, vocabulary: int, head: int) -> Symbols:
        """Choose the symbols from distinct documents."""
        document = np.repeat(np.arange(documents.n), documents.lengths)
        seen = np.unique(document * vocabulary + documents.tok)
        among = np.bincount(seen % vocabulary, minlength=vocabulary)
        among[END] = max(among[END], 3)
        count = np.bincount(documents.tok, minlength=vocabulary)
        frequent = np.flatnonzero(among >= 3)
        frequent = frequent[np.lexsort((frequent, -count[frequent]))]
        few, none = len(frequent), len(frequent) + 1
        of = np.where(among > 0, few, none)
        trained = np.where(among > 1, few, none)
        of[frequent] = trained[frequent] = np.arange(len(frequent))
        weight = np.maximum(among, 1)
        within = np.log(weight / np.bincount(of, weight)[of])
        learned = np.bincount(trained, count, none + 1)
        written = count / np.maximum(learned, 1)[trained]
        frequency = (learned + 0.5) / (learned + 0.5).sum()
        head = max(1, min(head, len(frequent) - 1))
        return Symbols(of, trained, within, written, frequency, head)


@dataclass(frozen=True)
class Recurrent:
    """A trained model."""

    network: Network
    symbols: Symbols
    topic_share: NDArray[np.float64]
    regime: Regime

    def nll(self, documents: Documents) -> NDArray[np.float64]:
        """Return the negative log-likelihood in nats, the topic's included, float64[n]."""
        return self.surprisal(documents) - np.log(self.topic_share[documents.topic])

    def surprisal(self, documents: Documents) -> NDArray[np.float64]:
        """Return −ln p(document | topic), float64[n]."""
        of, within = self.symbols.of, self.symbols.within
        nats = np.zeros(documents.n)
        order = np.argsort(documents.lengths, kind="stable")
        for begin in range(0, documents.n, _READ):
            batch = Batch.of(documents, order[begin : begin + _READ])
            out = self.network.outputs(batch, of[batch.read], documents.topic[batch.row])
            nats_ = self.network.nats(out, of[batch.due]) - within[batch.due]
            nats[batch.row] = np.bincount(batch.place, nats_)
        return nats

    def sample(self, tokens: int, seed: int, asked: NDArray[np.float64] | None = None) -> Documents:
        """Sample documents of 12 to 130 tokens, the same ones for a seed.

        Raises:
            RuntimeError: if the model ends its documents too early.
        """
        rng = np.random.default_rng(seed)
        share = self.topic_share**self.regime.prior if asked is None else asked
        draw = Draw.of(self.symbols, self.regime)
        parts: list[Documents] = []
        have = 0
        while have < tokens:
            topics = rng.choice(len(share), _BATCH, p=share / share.sum())
            some = self._sample_batch(topics, draw, rng)
            parts.append(some.take(np.flatnonzero(some.lengths >= SHORTEST)))
            if not parts[-1].n:
                raise RuntimeError(
                    f"none of {_BATCH} sampled documents has {SHORTEST} tokens; "
                    f"the longest has {some.lengths.max()}"
                )
            have += len(parts[-1].tok)
        drawn = joined(parts)
        return drawn.take(np.arange(np.searchsorted(drawn.off, tokens)))

    def _sample_batch(self, topics: Ints, draw: Draw, rng: np.random.Generator) -> Documents:
        w = self.network.weights
        words = np.full((len(topics), LONGEST), END, np.int32)
        lengths = np.full(len(topics), LONGEST)
        alive = np.arange(len(topics))
        h = np.zeros((len(topics), self.network.hidden), w["word"].dtype)
        read = np.full(len(topics), END)
        for time in range(LONGEST - 1):
            x = w["word"][self.symbols.trained[read]] @ w["gates_word"]
            x += w["gates_topic"][topics[alive]]
            _, _, h = self.network.step(x, h)
            out = h @ w["out_state"] + w["out_topic"][topics[alive]]
            read = draw.words(self.network.scores(out), rng)
            words[alive, time] = read
            lengths[alive[read == END]] = time + 1
            on = read != END
            alive, h, read = alive[on], h[on], read[on]
            if not len(alive):
                break
        kept = np.arange(LONGEST) < lengths[:, None]
        return Documents(words[kept], borders(lengths), topics.astype(np.int32))


@dataclass(frozen=True)
class Draw:
    """Draw of words by the scores of symbols: a symbol, then one of its words, under a regime."""

    regime: Regime
    spread: Floats  # [symbols] ln Σ p(word | symbol)^(1/temperature); -∞ without words
    best: Floats  # [symbols] the likeliest word's share of a symbol, after that power
    order: Ints  # [vocabulary] words by symbol
    shares: Floats  # [vocabulary + 1] running sum of the words' shares of their symbols, in order
    first: Ints  # [symbols + 1] where a symbol's words begin in that order

    @staticmethod
    def of(symbols: Symbols, regime: Regime) -> Draw:
        of, n = symbols.trained, symbols.count
        power = symbols.written ** (1 / regime.temperature)
        size = np.bincount(of, power, n)
        best = np.zeros(n)
        some = size > 0
        power /= np.where(some, size, 1)[of]
        np.maximum.at(best, of, power)
        order = np.lexsort((power, of))
        first = np.searchsorted(of[order], np.arange(n + 1))
        shares = np.r_[0, np.cumsum(power[order])]
        spread = np.where(some, np.log(np.where(some, size, 1)), -np.inf)
        return Draw(
            regime, spread.astype(np.float32), best.astype(np.float32), order, shares, first
        )

    def words(self, scores: Floats, rng: np.random.Generator) -> Ints:
        """Draw one word per row of ln p(symbol) [rows, symbols], which is overwritten."""
        scores /= np.float32(self.regime.temperature)
        scores += self.spread
        scores -= log_sum(scores)
        np.exp(scores, out=scores)
        uniform = rng.random((len(scores), TRIES + 1))
        symbol = nucleus_draws(scores, self.best, uniform, self.regime.nucleus)
        low, high = self.first[symbol], self.first[symbol + 1]
        begin, end = self.shares[low], self.shares[high]
        at = np.searchsorted(self.shares, begin + uniform[:, -1] * (end - begin), "right") - 1
        return np.asarray(self.order[np.clip(at, low, high - 1)])


@njit(nogil=True, cache=True)
def nucleus_draws(p: Floats, best: Floats, uniform: Floats, nucleus: float) -> Ints:
    """Draw a symbol for each row of `p` [rows, symbols].

    A draw is in the nucleus if all likelier words together have less than its mass. Repeating a
    draw until it is, is drawing from the nucleus. No sorting is needed.
    """
    rows, n = p.shape
    out = np.empty(rows, np.int64)
    for row in range(rows):
        symbol = -1
        for attempt in range(TRIES):
            remaining, s = uniform[row, attempt], 0
            while s < n - 1 and (remaining >= p[row, s] or p[row, s] == 0):
                remaining -= p[row, s]
                s += 1
            while p[row, s] == 0:  # rounding left something over, and the last have nothing
                s -= 1
            likelier = 0.0
            if p[row, s] <= 1 - nucleus:
                bar = p[row, s] * best[s]
                for other in range(n):
                    if p[row, other] * best[other] > bar:
                        likelier += p[row, other]
            if likelier < nucleus:
                symbol = s
                break
        if symbol < 0:
            symbol = 0
            for s in range(n):
                if p[row, s] * best[s] > p[row, symbol] * best[symbol]:
                    symbol = s
        out[row] = symbol
    return out


def train(documents: Documents, vocabulary: int, topics: int, seed: int, regime: str) -> Recurrent:
    """Learn `documents`, except a few that show when they have been learned.

    Args:
        documents: documents to learn from; copies of a document are on the same side.
        vocabulary: words of the world, above all of `tok`; the same for models to be compared.
        topics: number of topics.
        seed: seed of the weights, batches, dropout and the documents held out.
        regime: one of `REGIMES`.

    Raises:
        ValueError: if there are fewer than two distinct documents, or words or topics out of range.
    """
    for name, values, bound in (
        ("word", documents.tok, vocabulary),
        ("topic", documents.topic, topics),
    ):
        wrong = np.flatnonzero((values < 0) | (values >= bound))
        if len(wrong):
            raise ValueError(f"{name} {values[wrong[0]]} at place {wrong[0]} is not below {bound}")
    rng = np.random.default_rng(seed)
    content: dict[tuple[int, bytes], int] = {}
    first = np.array(
        [
            content.setdefault((int(topic), documents.tok[begin:end].tobytes()), row)
            for row, (topic, begin, end) in enumerate(
                zip(documents.topic, documents.off[:-1], documents.off[1:], strict=True)
            )
        ]
    )
    distinct = np.unique(first)
    if len(distinct) < 2:
        raise ValueError(f"{len(distinct)} distinct documents; one is held out, one learned")
    held_out = rng.permutation(distinct)[: max(1, round(RECIPE.held_out * len(distinct)))]
    symbols = Symbols.fit(documents.take(np.setdiff1d(distinct, held_out)), vocabulary, RECIPE.head)
    network = Network(symbols.count, symbols.head, topics, RECIPE.width, RECIPE.hidden)
    share = np.bincount(documents.topic, minlength=topics) + _ADDED
    model = Recurrent(network, symbols, share / share.sum(), REGIMES[regime])
    learned = documents.take(np.flatnonzero(~np.isin(first, held_out)))
    learn(model, learned, documents.take(held_out), rng)
    return model


def learn(
    model: Recurrent, learned: Documents, held_out: Documents, rng: np.random.Generator
) -> list[float]:
    """Train `model` until `held` is not predicted better, or the rate is 0.

    The weights are those of the epoch that predicted it best. Returns nats a token of `held` after
    each epoch.
    """
    network, symbols = model.network, model.symbols
    network.start(symbols.frequency, rng)
    empty = np.flatnonzero(np.bincount(symbols.of, minlength=symbols.count) == 0)
    mean, square = np.zeros_like(network.flat), np.zeros_like(network.flat)
    batches = -(-learned.n // RECIPE.batch)
    epochs = max(RECIPE.epochs, -(-RECIPE.updates // batches))
    best, kept, course, t = np.inf, network.flat.copy(), [], 0
    for _ in range(epochs):
        order = np.argsort(learned.lengths + _JITTER * rng.random(learned.n))
        for i in rng.permutation(batches):
            batch = Batch.of(learned, order[i * RECIPE.batch : (i + 1) * RECIPE.batch])
            keep_in, keep_out = (
                (rng.random((len(batch.row), RECIPE.width), np.float32) >= drop)
                / np.float32(1 - drop)
                for drop in (RECIPE.drop_in, RECIPE.drop_out)
            )
            read, due = symbols.trained[batch.read], symbols.trained[batch.due]
            _, gradient = network.loss(
                batch, read, due, learned.topic[batch.row], keep_in, keep_out
            )
            gradient /= len(due)
            gradient *= min(1.0, RECIPE.clip / float(np.sqrt(gradient @ gradient) + 1e-12))
            t += 1
            rate = RECIPE.rate * min(1, t / RECIPE.warm) * (1 - t / (epochs * batches))
            adam(network.flat, gradient, mean, square, rate, t)
        course.append(float(model.surprisal(held_out).sum() / len(held_out.tok)))
        if not course[-1] < best:
            break
        best, kept = course[-1], network.flat.copy()
    network.flat[:] = kept
    network.weights["bias"][empty] = -np.inf  # nothing is left for words that there are not
    return course
