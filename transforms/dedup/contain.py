"""Containment: evaluation texts inside longer documents, found by the word n-grams they share.

A question quoted in a long document leaves their Jaccard similarity low, so neither the exact nor
the near rule finds it. What counts is *containment*, the share of the evaluation text's distinct
n-grams that the document holds (Broder 1997); n-grams of 8 words are PaLM's (Chowdhery et al. 2022,
arXiv:2204.02311).

An n-gram is known by 64 bits of hash: between 10**12 n-grams of documents and 10**7 of evaluation
texts half a mistake is to be expected, and most texts take several n-grams to be found.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import types
from numpy.typing import NDArray

from outcross.transforms.base import files
from outcross.transforms.base.hashing import hash_ngrams, leaving_weight
from outcross.transforms.base.kernels import late_kernel
from outcross.transforms.text.ngrams import INT64, UINT32, check_documents

NGRAM = 8
COMMON = 32

_MANY = np.uint64(0x9E3779B97F4A7C15)
_BLOCK = 1024  # n-grams hashed at a time: they stay in the cache, however long a document is
_SPARE_BITS = 4  # of the bitmap beyond one bit an n-gram: 3 to 6 % of other n-grams pass it

_PACKED_INT64 = types.Array(types.int64, 1, "C", readonly=True)
_PACKED_INT32 = types.Array(types.int32, 1, "C", readonly=True)
_PACKED_UINT64 = types.Array(types.uint64, 1, "C", readonly=True)
_PACKED_UINT8 = types.Array(types.uint8, 1, "C", readonly=True)


@dataclass(frozen=True, eq=False)
class ContainIndex:
    """The n-grams of n evaluation texts, the *items*, and which items hold them.

    Attributes:
        ngram: words in an n-gram.
        hashes: uint64[m], the n-grams that are looked for, ascending.
        offsets: int64[m + 1]; n-gram k stands in holders[offsets[k] : offsets[k + 1]].
        holders: int32[total], items, ascending for each n-gram.
        counted: int32[n], n-grams by which each item is looked for; 0 if it is not.
        distinct: int32[n], distinct n-grams of each item; 0 if it is shorter than one.
    """

    ngram: int
    hashes: NDArray[np.uint64]
    offsets: NDArray[np.int64]
    holders: NDArray[np.int32]
    counted: NDArray[np.int32]
    distinct: NDArray[np.int32]

    @property
    def unsought(self) -> NDArray[np.bool_]:
        """Mark the items that no document is said to hold: bool[n].

        Where `distinct` is 0 an item is too short, else nearly all of its n-grams are a template's.
        """
        return np.asarray(self.counted == 0)

    @cached_property
    def prefixes(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return a bitmap of prefixes of the hashes, and the places of shorter prefixes."""
        bits = max(6, len(self.hashes).bit_length())
        starts = np.zeros((1 << bits) + 1, np.int64)
        prefix = (self.hashes >> np.uint64(64 - bits)).astype(np.int64)
        np.cumsum(np.bincount(prefix, minlength=1 << bits), out=starts[1:])
        present = np.zeros(1 << (bits + _SPARE_BITS), np.bool_)
        present[self.hashes >> np.uint64(64 - bits - _SPARE_BITS)] = True
        return np.packbits(present, bitorder="little"), starts

    def save(self, path: str) -> None:
        """Write the index as one file."""
        names = ("hashes", "offsets", "holders", "counted", "distinct")
        arrays = {name: getattr(self, name) for name in names}
        files.write_bytes(path, files.pack_arrays({"ngram": np.array(self.ngram), **arrays}))

    @classmethod
    def load(cls, path: str) -> ContainIndex:
        """Read an index that `save` wrote."""
        arrays = files.read_as(path, files.unpack_arrays)
        names = ("hashes", "offsets", "holders", "counted", "distinct")
        return cls(int(arrays["ngram"]), *(arrays[name] for name in names))


@late_kernel(types.void(INT64, UINT32, types.int64, types.uint64, INT64, types.uint64[::1]))
def _hash_items(offsets, words, ngram, leaving, places, out):  # type: ignore[no-untyped-def]
    for d in range(len(offsets) - 1):
        if places[d] < places[d + 1]:
            begin, end = offsets[d], offsets[d + 1]
            hash_ngrams(words, begin, end, ngram, leaving, out[places[d] : places[d + 1]])


def build_index(
    offsets: NDArray[np.int64],
    words: NDArray[np.uint32],
    ngram: int = NGRAM,
    common: int = COMMON,
) -> ContainIndex:
    """Index the n-grams of evaluation texts.

    N-grams in many items are phrases of the evaluation set: instructions, answer formats, examples
    of few-shot prompts. Other documents in the same format hold them too. So they are not looked
    for, and an item's share counts its other n-grams alone. Items with the same set of n-grams
    count as one item, else a set that is given often enough would hide itself. Documents are said
    to hold the first of them.

    An item is looked for if at least half of its n-grams are left, or at least `ngram`. A single
    word within a template is part of `ngram` n-grams. With fewer, a phrase at the template's edge
    would count as the item. Such items, and those shorter than `ngram`, are `unsought`.

    Args:
        offsets: int64[n + 1], where each item's words begin and end in `words`.
        words: uint32[total], 32-bit word hashes.
        ngram: words in an n-gram.
        common: largest number of different items that an n-gram may stand in.

    Raises:
        ValueError: `ngram` or `common` is less than 1; shapes, types or offsets don't fit.
    """
    check_documents(offsets, words)
    if ngram < 1:
        raise ValueError(f"ngram is {ngram}; it must be at least 1")
    if common < 1:
        raise ValueError(f"common is {common}; it must be at least 1")
    n = len(offsets) - 1
    places = np.zeros(n + 1, np.int64)
    np.cumsum(np.maximum(np.diff(offsets) - ngram + 1, 0), out=places[1:])
    hashes = np.empty(places[-1], np.uint64)
    _hash_items(offsets, words, ngram, leaving_weight(ngram), places, hashes)
    item = np.repeat(np.arange(n, dtype=np.int32), np.diff(places))

    order = np.lexsort((item, hashes))
    hashes, item = hashes[order], item[order]
    first = np.ones(len(hashes), np.bool_)
    first[1:] = (hashes[1:] != hashes[:-1]) | (item[1:] != item[:-1])
    hashes, item = hashes[first], item[first]
    distinct = np.bincount(item, minlength=n)

    # A sum doesn't depend on order. The number of n-grams separates sets that differ by hash 0.
    sums = distinct.astype(np.uint64) * _MANY
    np.add.at(sums, item, hashes)
    _, earliest, same = np.unique(sums, return_index=True, return_inverse=True)
    model = earliest[same]
    is_model = model[item] == item
    hashes, item = hashes[is_model], item[is_model]

    _, which, often = np.unique(hashes, return_inverse=True, return_counts=True)
    rare = often[which] <= common
    hashes, item = hashes[rare], item[rare]
    counted = np.bincount(item, minlength=n)
    counted[(counted < ngram) & (2 * counted < distinct)] = 0
    sought = counted[item] > 0
    hashes, item = hashes[sought], item[sought]

    hashes, starts = np.unique(hashes, return_index=True)
    return ContainIndex(
        ngram,
        hashes,
        np.append(starts, len(item)).astype(np.int64),
        item,
        counted[model].astype(np.int32),
        distinct.astype(np.int32),
    )


# Each n-gram of a document costs one look at the bitmap. What passes is looked up among about one
# hash, and its postings, `common` at most, are walked once a document: where an n-gram is repeated,
# `seen` ends it there. So a document costs its words plus the postings of the n-grams it matches.
@late_kernel(
    types.void(
        *(INT64, UINT32, types.int64, types.uint64, types.float64),
        *(_PACKED_UINT8, types.uint64, _PACKED_INT64, types.uint64),
        *(_PACKED_UINT64, _PACKED_INT64, _PACKED_INT32, _PACKED_INT32),
        *(types.int32[::1], types.int64[::1], types.int32[::1], types.float32[::1]),
        types.int64[::1],
    )
)
def _find(  # type: ignore[no-untyped-def]
    offsets,
    words,
    ngram,
    leaving,
    least,
    bitmap,
    bitmap_shift,
    starts,
    starts_shift,
    hashes,
    postings,
    holders,
    counted,
    seen,
    hits,
    touched,
    share,
    item,
):
    block = np.empty(_BLOCK, np.uint64)
    for d in range(len(offsets) - 1):
        reached = 0
        end = offsets[d + 1] - ngram + 1
        for begin in range(offsets[d], end, _BLOCK):
            count = min(end - begin, _BLOCK)
            hash_ngrams(words, begin, begin + count + ngram - 1, ngram, leaving, block)
            # A loop of its own, without branches: so its many looks at the memory overlap.
            passed = 0
            for k in range(count):
                bit = block[k] >> bitmap_shift
                byte = bitmap[bit >> np.uint64(3)]
                block[passed] = block[k]
                passed += (byte >> np.uint8(bit & np.uint64(7))) & 1
            for k in range(passed):
                prefix = block[k] >> starts_shift
                place = starts[prefix]
                stop = starts[prefix + np.uint64(1)]
                while place < stop and hashes[place] != block[k]:
                    place += 1
                if place == stop or seen[place] == d + 1:
                    continue
                seen[place] = d + 1
                for p in range(postings[place], postings[place + 1]):
                    holder = holders[p]
                    if hits[holder] == 0:
                        touched[reached] = holder
                        reached += 1
                    hits[holder] += 1
        best = np.int64(-1)
        shared = np.int64(0)
        total = np.int64(1)
        for t in range(reached):
            other = np.int64(touched[t])
            # Shares are compared as fractions, so that ties are ties.
            best_share, other_share = shared * np.int64(counted[other]), hits[other] * total
            if other_share > best_share or (other_share == best_share and other < best):
                best, shared, total = other, hits[other], np.int64(counted[other])
            hits[other] = 0
        if best >= 0 and np.float64(shared) / np.float64(total) >= least:
            item[d] = best
            share[d] = np.float32(np.float64(shared) / np.float64(total))


def find_items(
    index: ContainIndex,
    offsets: NDArray[np.int64],
    words: NDArray[np.uint32],
    least: float,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find the item of which each document holds the largest share, if it is large enough.

    Args:
        index: index of the evaluation texts.
        offsets: int64[n + 1], where each document's words begin and end in `words`.
        words: uint32[total], 32-bit word hashes.
        least: least share of an item's counted n-grams, above 0 and up to 1.

    Returns:
        item int64[n], the first of those with the same share, and share float32[n]; -1 and 0
        where no item reaches `least`.

    Raises:
        ValueError: `least` is out of range; shapes, types or offsets don't fit.
    """
    check_documents(offsets, words)
    if not 0 < least <= 1:
        raise ValueError(f"least is {least}; it must be above 0 and at most 1")
    n = len(offsets) - 1
    item = np.full(n, -1, np.int64)
    share = np.zeros(n, np.float32)
    bitmap, starts = index.prefixes
    bits = len(starts).bit_length() - 1
    _find(
        offsets,
        words,
        index.ngram,
        leaving_weight(index.ngram),
        least,
        bitmap,
        np.uint64(64 - bits - _SPARE_BITS),
        starts,
        np.uint64(64 - bits),
        index.hashes,
        index.offsets,
        index.holders,
        index.counted,
        np.zeros(len(index.hashes), np.int32),
        np.zeros(len(index.counted), np.int64),
        np.empty(len(index.counted), np.int32),
        share,
        item,
    )
    return item, share
