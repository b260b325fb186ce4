"""Decide from groups of candidates which documents are kept and which are removed.

Documents are numbered by their position in the total order of the corpus. A document is removed
only if it is similar enough to a *kept* document before it. So document 0 always stays, and
similarity is never passed on: if A ~ B and B ~ C but not A ~ C, then A and C stay.

Memory, besides the arguments: an entry takes about 36 bytes at the peak (while sorting, or for the
first star), later 4. A group takes 8 bytes. A distinct pair takes 12 bytes, or 24 while new pairs
are merged. Each position up to the largest takes one byte.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from outcross.transforms.base.kernels import late_kernel, lower_bound

Positions = NDArray[np.int64]
Similarity = Callable[[Positions, Positions], NDArray[np.float32]]
Pairs = tuple[NDArray[np.uint64], NDArray[np.float32]]
"""Pairs as child << 32 | parent, ascending, and their similarities."""

# Number of kept documents that a document tries in each group and round. A group of up to 17 is
# searched completely in one round; a larger one costs at most 16 pairs per member and round. The
# first documents are tried first, because in a group of copies the others were removed for them.
CANDIDATES_A_ROUND = 16

PAIRS_A_CALL = 1 << 14
"""Most pairs in a call of `similarity`: it reads 16 MB, two signatures of 512 bytes a pair."""

_THREADS = min(os.cpu_count() or 1, 8)
_ENTRIES_A_SLICE = 1 << 18

NO_PAIRS: Pairs = (np.zeros(0, np.uint64), np.zeros(0, np.float32))
"""Pairs of no documents."""

_KEPT, _REMOVED, _ORPHAN = 0, 1, 2  # an orphan is kept: all that it repeats were removed


@dataclass(frozen=True)
class Counts:
    """Counts of the work of a resolution.

    Attributes:
        proposed: number of proposed edges. An edge that several bands propose counts several times.
        verified: number of distinct pairs that were compared.
        agreed: number of verified pairs that reach the threshold.
        stars: largest number of stars in any group.
        rounds: number of rounds in which documents proposed again.
        orphans: number of kept documents that repeat only removed documents, as far as is known.
    """

    proposed: int
    verified: int
    agreed: int
    stars: int
    rounds: int
    orphans: int


@dataclass(frozen=True)
class Resolution:
    """Kept and removed documents, by their positions.

    Attributes:
        removed: int64[r], removed documents, ascending.
        partner: int64[r], most similar kept document of each removed one, among the verified
            pairs; the first one if several are equally similar. Pairs of groups come before pairs
            that were given.
        similarity: float32[r], similarity to the partner.
        given: bool[r], documents whose pair with the partner was given.
        open: int64[], ascending, kept documents that still had candidates to try after the last
            round.
        left_over: int64[], ascending, kept documents that still had members of a group to try after
            its last star.
        counts: counts of the work.
        pairs: pairs that were verified.
        agreed: uint64[a], verified pairs that agree and pairs that were given, ascending.
    """

    removed: Positions
    partner: Positions
    similarity: NDArray[np.float32]
    given: NDArray[np.bool_]
    open: Positions
    left_over: Positions
    counts: Counts
    pairs: Pairs
    agreed: NDArray[np.uint64]


@late_kernel("uint64[:](int64[:], uint32[:], int64)")
def _star(starts, members, fixed):  # type: ignore[no-untyped-def]
    """Propose an edge from every other member of a group to its first: child << 32 | hub."""
    out = np.empty(len(members) - len(starts) + 1, np.uint64)
    k = 0
    for g in range(len(starts) - 1):
        hub = np.uint64(members[starts[g]])
        for i in range(starts[g] + 1, starts[g + 1]):
            if members[i] >= fixed:
                out[k] = np.uint64(members[i]) << np.uint64(32) | hub
                k += 1
    return out[:k].copy()


@late_kernel("Tuple((int64[:], uint32[:]))(int64[:], uint32[:], boolean[:], int64)")
def _failed(starts, members, agreed, fixed):  # type: ignore[no-untyped-def]
    """Group again the members that had no edge or whose edge failed; drop groups of one.

    `agreed` is in the order of the edges of `_star`. Groups of fixed members alone are dropped too.
    """
    new_starts = np.zeros(len(starts), np.int64)
    new_members = np.empty(len(members), np.uint32)
    groups = k = filled = 0
    for g in range(len(starts) - 1):
        begin = filled
        for i in range(starts[g] + 1, starts[g + 1]):
            if members[i] < fixed:
                new_members[filled] = members[i]
                filled += 1
                continue
            if not agreed[k]:
                new_members[filled] = members[i]
                filled += 1
            k += 1
        if filled - begin < 2 or new_members[filled - 1] < fixed:
            filled = begin
        else:
            groups += 1
            new_starts[groups] = filled
    return new_starts[: groups + 1].copy(), new_members[:filled].copy()


@late_kernel("boolean[:](uint64[:], float32[:], float32, uint64[:])")
def _agreed(keys, similarity, threshold, proposals):  # type: ignore[no-untyped-def]
    out = np.empty(len(proposals), np.bool_)
    for i in range(len(proposals)):
        out[i] = similarity[lower_bound(keys, proposals[i])] >= threshold
    return out


@late_kernel("void(uint64[:], uint8[:])")
def _walk(agreed, state):  # type: ignore[no-untyped-def]
    """Decide on each document in order. Keys ascend by child, so its parents are decided before."""
    state[:] = _KEPT
    for i in range(len(agreed)):
        child = agreed[i] >> np.uint64(32)
        if state[child] != _REMOVED:
            parent = agreed[i] & np.uint64(0xFFFFFFFF)
            state[child] = _ORPHAN if state[parent] == _REMOVED else _REMOVED


@late_kernel("void(uint64[:], float32[:], float32, uint8[:], int64[:], int64[:], float32[:])")
def _partners(keys, similarity, least, state, removed, partner, best):  # type: ignore[no-untyped-def]
    """Find the most similar kept parent of each removed document; the documents ascend."""
    at = 0
    for i in range(len(keys)):
        child = np.int64(keys[i] >> np.uint64(32))
        if state[child] != _REMOVED:
            continue
        while removed[at] < child:
            at += 1
        parent = np.int64(keys[i] & np.uint64(0xFFFFFFFF))
        # Parents ascend: the strict comparison leaves ties to the first.
        if state[parent] != _REMOVED and similarity[i] >= least and similarity[i] > best[at]:
            partner[at], best[at] = parent, similarity[i]


@late_kernel("uint64[:](int64[:], uint32[:], uint8[:], uint64[:], int64)")
def _second_choices(starts, members, state, keys, limit):  # type: ignore[no-untyped-def]
    """Propose to each kept member of a group the first `limit` members that it has not tried yet.

    An orphan tries all kept members before it. Other kept members try only the orphans before them.
    An orphan had agreed with a hub that was removed, so later members were never compared with it.
    """
    children = 0
    for i in range(starts[0], starts[-1]):
        children += state[members[i]] != _REMOVED
    out = np.empty(children * limit, np.uint64)
    filled = 0
    for g in range(len(starts) - 1):
        kept = np.empty(starts[g + 1] - starts[g], np.uint64)
        orphans = np.empty(len(kept), np.uint64)
        n_kept = n_orphans = 0
        for i in range(starts[g], starts[g + 1]):
            member = state[members[i]]
            if member == _REMOVED:
                continue
            choices, n_choices = (kept, n_kept) if member == _ORPHAN else (orphans, n_orphans)
            if n_choices:
                child = np.uint64(members[i]) << np.uint64(32)
                tried = lower_bound(keys, child)
                count = 0
                for j in range(n_choices):
                    key = child | choices[j]
                    while tried < len(keys) and keys[tried] < key:
                        tried += 1
                    if tried == len(keys) or keys[tried] != key:
                        out[filled + count] = key
                        count += 1
                        if count == limit:
                            break
                filled += count
            kept[n_kept] = np.uint64(members[i])
            n_kept += 1
            if member == _ORPHAN:
                orphans[n_orphans] = np.uint64(members[i])
                n_orphans += 1
    return out[:filled].copy()


def _differs(values: NDArray[np.uint64] | NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether each value differs from the one before it; the first does."""
    out = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=out[1:])
    return out


def _distinct(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Sort values and drop repeats. NumPy's `unique` uses hashing here, which is slower."""
    ordered = np.sort(values)
    return ordered[_differs(ordered)]


def _group(
    group: NDArray[np.uint64] | NDArray[np.int64], position: NDArray[np.uint32]
) -> tuple[Positions, NDArray[np.uint32]]:
    """Group entries: starts int64[g + 1]; members uint32[], ascending, distinct in each group."""
    order = np.argsort(group)
    values = group[order]
    first = _differs(values)
    del values
    packed = np.cumsum(first, dtype=np.uint64)
    packed <<= np.uint64(32)
    packed |= position[order]
    del order, first
    packed.sort()
    distinct = _differs(packed)
    if not distinct.all():
        packed = packed[distinct]
    members = packed.astype(np.uint32)
    packed >>= np.uint64(32)
    return np.append(np.flatnonzero(_differs(packed)), len(members)).astype(np.int64), members


class _Pairs:
    """Pairs verified so far, including failed ones, so that none is verified twice."""

    def __init__(self, similarity: Similarity, threshold: float, given: NDArray[np.uint64]) -> None:
        self._verify = similarity
        self._given = given
        self.threshold = np.float32(threshold)
        self.keys = np.empty(0, np.uint64)  # child << 32 | parent, ascending
        self.similarity = np.empty(0, np.float32)
        self.proposed = 0

    def add(self, proposals: NDArray[np.uint64]) -> None:
        new = _distinct(proposals)
        at = np.searchsorted(self.keys, new)
        if len(self.keys):
            fresh = self.keys[np.minimum(at, len(self.keys) - 1)] != new
            new, at = new[fresh], at[fresh]
        similarity = self._similarities(new)
        self.keys = np.insert(self.keys, at, new)
        self.similarity = np.insert(self.similarity, at, similarity)

    def _similarities(self, keys: NDArray[np.uint64]) -> NDArray[np.float32]:
        """Verify pairs, batch by batch in several threads."""
        similarity = np.empty(len(keys), np.float32)

        def verify(begin: int) -> None:
            batch = keys[begin : begin + PAIRS_A_CALL]
            child = (batch >> np.uint64(32)).astype(np.int64)
            parent = (batch & np.uint64(0xFFFFFFFF)).astype(np.int64)
            answer = self._verify(child, parent)
            if answer.shape != batch.shape:
                raise ValueError(
                    f"similarity of {len(batch)} pairs returned shape {answer.shape}; "
                    f"it must be ({len(batch)},)"
                )
            similarity[begin : begin + len(batch)] = answer

        batches = range(0, len(keys), PAIRS_A_CALL)
        if len(batches) < 2:
            list(map(verify, batches))
        else:
            with ThreadPoolExecutor(min(len(batches), _THREADS)) as pool:
                list(pool.map(verify, batches))
        return similarity

    def agreed(self, proposals: NDArray[np.uint64]) -> NDArray[np.bool_]:
        out: NDArray[np.bool_] = _agreed(self.keys, self.similarity, self.threshold, proposals)
        return out

    @property
    def all_agreed(self) -> NDArray[np.uint64]:
        """Return the pairs that agree and those that were given, ascending."""
        agreed = self.keys[self.similarity >= self.threshold]
        return _distinct(np.concatenate([agreed, self._given])) if len(self._given) else agreed


def _propose_again(
    starts: Positions, members: NDArray[np.uint32], state: NDArray[np.uint8], pairs: _Pairs
) -> NDArray[np.uint64]:
    """Propose each untried pair once. All slices of the groups are checked against `pairs`."""
    cuts = np.searchsorted(starts, np.arange(0, len(members), _ENTRIES_A_SLICE))
    cuts = np.unique(np.append(cuts, len(starts) - 1))
    parts = [np.empty(0, np.uint64)]
    for begin, end in pairwise(cuts):
        part = _second_choices(
            starts[begin : end + 1], members, state, pairs.keys, CANDIDATES_A_ROUND
        )
        pairs.proposed += len(part)
        parts.append(_distinct(part))
    return _distinct(np.concatenate(parts))


def resolve(
    group: NDArray[np.uint64] | NDArray[np.int64],
    position: NDArray[np.uint32],
    similarity: Similarity,
    threshold: float,
    *,
    given: Pairs = NO_PAIRS,
    fixed: int = 0,
    stars: int = 8,
    rounds: int = 8,
) -> Resolution:
    """Decide which documents repeat a kept one.

    In each group, every member proposes an edge to the group's first member: a star. Members whose
    edge fails form the next star, `stars` times at most. So a group of a million costs a million
    pairs, not its square.

    Then a walk in total order decides on each document, from all verified edges. A document that
    repeats only removed ones is an orphan. Orphans propose to kept members before them, and kept
    members propose to orphans before them (see `CANDIDATES_A_ROUND`). The walk is then repeated
    from the start, `rounds` times at most.

    Args:
        group: 64-bit integers[m], band and value of each entry; equal numbers are one group.
        position: uint32[m], document of each entry. Entries may be in any order, and may repeat.
        similarity: verifies pairs: (child int64[k], parent int64[k]) -> float32[k], parent <
            child, each pair at most once, at most `PAIRS_A_CALL` a call. Several threads call it.
        threshold: least similarity at which a document is removed. It is compared as float32, so
            that 9 of 10 reaches 0.9.
        given: pairs that another rule has verified; all of them agree. No child is fixed.
        fixed: documents before this position are never removed, so they propose no edge.
        stars: number of stars of a group, at least 1.
        rounds: number of rounds of proposing again, 0 or more.

    Returns:
        The resolution. It depends on the set of entries, not on their order or the groups' numbers.

    Raises:
        ValueError: the arrays don't match, `position` isn't uint32, or `stars` or `rounds` is too
            small.
    """
    if group.ndim != 1 or group.shape != position.shape:
        raise ValueError(
            f"group has shape {group.shape} and position {position.shape}; both must be (m,)"
        )
    if position.dtype != np.uint32:
        raise ValueError(f"position is {position.dtype}; it must be uint32")
    if stars < 1 or rounds < 0:
        raise ValueError(f"stars={stars}, rounds={rounds}; set stars >= 1 and rounds >= 0")

    pairs = _Pairs(similarity, threshold, given[0])
    all_starts, all_members = _group(group, position)
    starts, members = all_starts, all_members
    stars_used = 0
    while stars_used < stars and len(members) > len(starts) - 1:
        edges = _star(starts, members, fixed)
        pairs.proposed += len(edges)
        pairs.add(edges)
        starts, members = _failed(starts, members, pairs.agreed(edges), fixed)
        stars_used += 1
    untried = np.ones(len(members), np.bool_)
    untried[starts[:-1]] = False
    untried &= members >= fixed
    left_over = np.unique(members[untried])
    del starts, members, untried

    last = max(int(all_members.max(initial=0)), int(given[0].max(initial=0) >> np.uint64(32)))
    state = np.zeros(last + 1, np.uint8)
    rounds_used = 0
    while True:
        agreed = pairs.all_agreed
        _walk(agreed, state)
        again = _propose_again(all_starts, all_members, state, pairs)
        if rounds_used == rounds or not len(again):
            break
        pairs.add(again)
        rounds_used += 1

    removed = np.flatnonzero(state == _REMOVED).astype(np.int64)
    partner, best = _best(pairs.keys, pairs.similarity, pairs.threshold, state, removed)
    from_given = partner < 0
    if from_given.any():
        partners, similarities = _best(*given, np.float32(0), state, removed)
        partner[from_given], best[from_given] = partners[from_given], similarities[from_given]
    return Resolution(
        removed=removed,
        partner=partner,
        similarity=best,
        given=from_given,
        open=np.unique(again >> np.uint64(32)).astype(np.int64),
        left_over=left_over[state[left_over] != _REMOVED].astype(np.int64),
        counts=Counts(
            proposed=pairs.proposed,
            verified=len(pairs.keys),
            agreed=int((pairs.similarity >= pairs.threshold).sum()),
            stars=stars_used,
            rounds=rounds_used,
            orphans=int((state == _ORPHAN).sum()),
        ),
        pairs=(pairs.keys, pairs.similarity),
        agreed=agreed,
    )


def _best(
    keys: NDArray[np.uint64],
    similarity: NDArray[np.float32],
    least: np.float32,
    state: NDArray[np.uint8],
    removed: Positions,
) -> tuple[Positions, NDArray[np.float32]]:
    """Return the most similar kept parent of each removed document, -1 for none, and how much."""
    partner = np.full(len(removed), -1, np.int64)
    best = np.full(len(removed), -np.inf, np.float32)
    _partners(keys, similarity, least, state, removed, partner, best)
    return partner, best
