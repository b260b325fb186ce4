"""Definition of a source's ids in plain Python."""

from collections import Counter


def repeated_ids(ids, places):
    """Return which documents of a source need their place in their names.

    Args:
        ids: id of each document, None for none.
        places: name of each document's place.
    """
    often = Counter(ids)
    repeated = [name is not None and often[name] > 1 for name in ids]
    while True:
        names = {
            place if name is None else f"{name}@{place}"
            for name, place, again in zip(ids, places, repeated, strict=True)
            if name is None or again
        }
        taken = [again or name in names for name, again in zip(ids, repeated, strict=True)]
        if taken == repeated:
            return repeated
        repeated = taken
