"""The driver sees each count of a worker once, with any number of threads."""

from concurrent.futures import ThreadPoolExecutor

import apache_beam as beam

from outcross.transforms.base.progress import TALLY, Tally, count
from tests.support.corpora import over


def test_threads_do_not_lose_counts():
    tally = Tally()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: tally.add("even" if i % 2 == 0 else "odd", i), range(4000)))
    assert tally.get("even") == sum(range(0, 4000, 2))
    assert tally.get("odd") == sum(range(1, 4000, 2))
    assert tally.get("never") == 0
    tally.reset()
    assert tally.get("even") == 0


def _counted(amount):
    count("bytes", amount)
    return amount


def test_a_count_reaches_beam_and_the_driver():
    TALLY.reset()
    counters = over([1, 20, 300], beam.Map(_counted))
    assert counters == {"bytes": 321}
    assert TALLY.get("bytes") == 321
    TALLY.reset()
