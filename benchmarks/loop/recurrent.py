"""A recurrent network over symbols, with its gradient: the inside of neural.py.

One layer of gated recurrent units (Cho et al. 2014, arXiv:1406.1078, the reset gate behind the
matrix), tied embeddings (Press & Wolf 2017, arXiv:1608.05859) and a softmax of a head and a tail
(Grave et al. 2017, arXiv:1609.04309). A document's topic enters the gates and the output. By hand
in NumPy: matrix products are most of the time, and they run at the core's peak.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from documents import END, Documents
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.signedinteger]


@dataclass(frozen=True)
class Batch:
    """Documents side by side, the longest first, tokens ordered by time, without padding."""

    row: Ints  # [documents] which they are
    place: Ints  # [tokens] of which of these a token is
    steps: Ints  # [longest + 1] where the tokens of each step begin
    read: Ints  # [tokens] words read
    due: Ints  # [tokens] words to predict

    @staticmethod
    def of(documents: Documents, chosen: Ints) -> Batch:
        length = documents.lengths[chosen]
        order = np.argsort(-length, kind="stable")
        row, length = chosen[order], length[order]
        time, place = np.nonzero(np.arange(length[0])[:, None] < length)
        at = documents.off[row][place] + time
        read = np.where(time == 0, END, documents.tok[at - 1])
        steps = np.searchsorted(time, np.arange(length[0] + 1))
        return Batch(row, place, steps, read, documents.tok[at].astype(np.int64))


class Network:
    """Weights, predictions and gradient.

    Symbols are numbered by falling frequency. Those below `head` are the softmax's first level,
    which also leads to the others.
    """

    def __init__(self, symbols: int, head: int, topics: int, width: int, hidden: int) -> None:
        self.head, self.hidden = head, hidden
        self.shapes = {
            "word": (symbols + 1, width),  # the last is the way from the head to the tail
            "bias": (symbols + 1,),
            "gates_word": (width, 3 * hidden),
            "gates_state": (hidden, 3 * hidden),
            "gates_topic": (topics, 3 * hidden),
            "out_state": (hidden, width),
            "out_topic": (topics, width),
        }
        self.flat: Floats = np.zeros(
            sum(int(np.prod(shape)) for shape in self.shapes.values()), np.float32
        )
        self.weights = self.views(self.flat)

    def views(self, flat: Floats) -> dict[str, Floats]:
        parts = np.split(flat, np.cumsum([int(np.prod(s)) for s in self.shapes.values()])[:-1])
        return {
            name: part.reshape(shape)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def start(self, frequency: Floats, rng: np.random.Generator) -> None:
        """Random matrices, and the biases of a model that knows `frequency` [symbols] only."""
        w = self.weights
        w["word"][...] = rng.normal(0, 0.1, w["word"].shape)
        for name in ("gates_word", "gates_state", "out_state"):
            w[name][...] = rng.normal(0, len(w[name]) ** -0.5, w[name].shape)
        w["bias"][:-1] = np.log(frequency)
        w["bias"][-1] = np.log(frequency[self.head :].sum())

    def step(self, x: Floats, h: Floats) -> tuple[Floats, Floats, Floats]:
        """Take one step of `x` [documents, 3·hidden] from states `h` [documents, hidden].

        Returns:
            the gates (reset, update, candidate), the state's part of the candidate, and the state.
        """
        H = self.hidden
        a = h @ self.weights["gates_state"]
        part = a[:, 2 * H :].copy()
        gates, c = a[:, : 2 * H], a[:, 2 * H :]
        gates += x[:, : 2 * H]
        gates *= 0.5  # σ(a) = (1 + tanh(a/2)) / 2
        np.tanh(gates, out=gates)
        gates += 1
        gates *= 0.5
        np.multiply(a[:, :H], part, out=c)
        c += x[:, 2 * H :]
        np.tanh(c, out=c)
        return a, part, c + a[:, H : 2 * H] * (h - c)

    def states(self, x: Floats, steps: Ints) -> tuple[Floats, Floats, Floats]:
        """Return the results of `step` for all tokens of a batch."""
        H = self.hidden
        gates, part, state = np.empty_like(x), np.empty_like(x[:, :H]), np.empty_like(x[:, :H])
        h = np.zeros((steps[1], H), x.dtype)
        for begin, end in pairwise(steps):
            at = slice(begin, end)
            gates[at], part[at], state[at] = self.step(x[at], h[: end - begin])
            h = state[at]
        return gates, part, state

    def scores(self, out: Floats) -> Floats:
        """Ln p(symbol) [tokens, symbols] of outputs [tokens, width]."""
        t = out @ self.weights["word"].T
        t += self.weights["bias"]
        head, tail, way = t[:, : self.head], t[:, self.head : -1], t[:, -1:]
        total = np.logaddexp(log_sum(head), way)
        tail += way - total - log_sum(tail)
        head -= total
        return np.asarray(t[:, :-1])

    def outputs(self, batch: Batch, read: Ints, topic: Ints) -> Floats:
        """Return the outputs [tokens, width] of a batch that reads the symbols `read` [tokens]."""
        w, topic = self.weights, topic[batch.place]
        x = w["word"][read] @ w["gates_word"]
        x += w["gates_topic"][topic]
        _, _, state = self.states(x, batch.steps)
        return np.asarray(state @ w["out_state"] + w["out_topic"][topic])

    def levels(self, due: Ints) -> Iterator[tuple[slice | Ints, Ints, Ints]]:
        """Head and tail: tokens that concern it, its rows of `word`, the target of each token."""
        last = len(self.weights["word"]) - 1
        yield slice(None), np.r_[: self.head, last], np.minimum(due, self.head)
        far = np.flatnonzero(due >= self.head)
        if len(far):
            yield far, np.arange(self.head, last), due[far] - self.head

    def nats(self, out: Floats, due: Ints) -> NDArray[np.float64]:
        """Return −ln p(due) [tokens] of outputs [tokens, width]."""
        nats = np.zeros(len(out))
        for tokens, rows, target in self.levels(due):
            t = out[tokens] @ self.weights["word"][rows].T + self.weights["bias"][rows]
            nats[tokens] += log_sum(t)[:, 0] - t[np.arange(len(t)), target]
        return nats

    def loss(
        self, batch: Batch, read: Ints, due: Ints, topic: Ints, keep_in: Floats, keep_out: Floats
    ) -> tuple[float, Floats]:
        """Return the loss of a batch in nats, and its gradient in the layout of `flat`.

        Args:
            batch: documents side by side.
            read: [tokens], symbols that are read.
            due: [tokens], symbols to predict.
            topic: [documents], topic of each document.
            keep_in, keep_out: [documents, width], inputs and outputs that dropout leaves.
        """
        w, H, steps = self.weights, self.hidden, batch.steps
        flat = np.zeros_like(self.flat)
        g = self.views(flat)
        topic = topic[batch.place]
        keep_in, keep_out = keep_in[batch.place], keep_out[batch.place]
        e = w["word"][read] * keep_in
        x = e @ w["gates_word"]
        x += w["gates_topic"][topic]
        gates, part, state = self.states(x, steps)
        out = state @ w["out_state"]
        out += w["out_topic"][topic]
        out *= keep_out

        d_out = np.zeros_like(out)
        nats = 0.0
        for tokens, rows, target in self.levels(due):
            o, matrix = out[tokens], w["word"][rows]
            t = o @ matrix.T
            t += w["bias"][rows]
            t -= log_sum(t)
            nats -= float(t[np.arange(len(t)), target].sum(dtype=np.float64))
            np.exp(t, out=t)
            t[np.arange(len(t)), target] -= 1
            g["word"][rows] += t.T @ o
            g["bias"][rows] += t.sum(0)
            d_out[tokens] += t @ matrix
        d_out *= keep_out
        _add(g["out_topic"], topic, d_out)
        g["out_state"][...] = state.T @ d_out

        d_state = d_out @ w["out_state"].T
        before = np.zeros_like(state)
        for begin, middle, end in zip(steps[:-2], steps[1:-1], steps[2:], strict=True):
            before[middle:end] = state[begin : begin + end - middle]
        r, z, c = gates[:, :H], gates[:, H : 2 * H], gates[:, 2 * H :]
        by_c, by_z = (1 - z) * (1 - c * c), (before - c) * z * (1 - z)
        by_r = part * r * (1 - r)
        d_x, d_a = np.empty_like(x), np.empty_like(x)
        back = np.ascontiguousarray(w["gates_state"].T)
        carry = np.zeros_like(state[:0])
        for begin, end in zip(steps[-2::-1], steps[:0:-1], strict=True):
            at = slice(begin, end)
            d, dx, da = d_state[at], d_x[at], d_a[at]
            d[: len(carry)] += carry
            np.multiply(d, by_c[at], out=dx[:, 2 * H :])
            np.multiply(d, by_z[at], out=dx[:, H : 2 * H])
            np.multiply(dx[:, 2 * H :], by_r[at], out=dx[:, :H])
            da[:, : 2 * H] = dx[:, : 2 * H]
            np.multiply(dx[:, 2 * H :], r[at], out=da[:, 2 * H :])
            carry = da @ back
            carry += d * z[at]
        g["gates_state"][...] = before.T @ d_a
        g["gates_word"][...] = e.T @ d_x
        _add(g["gates_topic"], topic, d_x)
        _add(g["word"], read, d_x @ w["gates_word"].T * keep_in)
        return nats, flat


def log_sum(scores: Floats) -> Floats:
    """Ln Σ exp over each row, [rows, 1]."""
    top = scores.max(1, keepdims=True)
    return np.asarray(np.log(np.exp(scores - top).sum(1, keepdims=True)) + top)


@njit(nogil=True, cache=True)
def _add(into: Floats, index: Ints, rows: Floats) -> None:
    for i in range(len(index)):
        for j in range(rows.shape[1]):
            into[index[i], j] += rows[i, j]


@njit(nogil=True, cache=True)
def adam(flat: Floats, gradient: Floats, mean: Floats, square: Floats, rate: float, t: int) -> None:
    a, b = np.float32(0.9), np.float32(0.999)
    unit = np.float32(1)
    step = np.float32(rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t))
    tiny = np.float32(1e-8)
    for i in range(len(flat)):
        g = gradient[i]
        mean[i] = a * mean[i] + (unit - a) * g
        square[i] = b * square[i] + (unit - b) * g * g
        flat[i] -= step * mean[i] / (np.sqrt(square[i]) + tiny)
