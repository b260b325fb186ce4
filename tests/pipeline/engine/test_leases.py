"""A lease keeps a second command out of an object store, and ends some time after its holder."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from outcross.pipeline.engine.leases import Lease, LostLockError
from outcross.schemas.user_input import ConfigError
from outcross.transforms.base.conditional import RefusedWriteError, Stored
from outcross.transforms.base.store_errors import StoreError

PATH = "gs://bucket/out/.outcross/lock"


@dataclass
class Cell:
    """An object in memory, with a clock of its own, which a test can also break.

    Attributes:
        stored: what it holds.
        ahead: seconds by which the store's clock is ahead of this machine's.
        lost_answers: number of writes that succeed without an answer, so that the client tries
            again and is refused.
        is_reachable: False to fail every request.
        tells_time: False for a store whose refusals have no date.
    """

    stored: Stored | None = None
    ahead: float = 0
    lost_answers: int = 0
    is_reachable: bool = True
    tells_time: bool = True
    writes: int = 0
    guard: threading.Lock = field(default_factory=threading.Lock)

    def check(self) -> None:
        if not self.is_reachable:
            raise StoreError(f"{PATH} can't be reached")

    def now(self) -> float:
        return time.time() + self.ahead

    def read(self) -> Stored | None:
        self.check()
        return self.stored

    def write(self, data: bytes, version: str | None) -> str:
        self.check()
        with self.guard:
            if (None if self.stored is None else self.stored.version) != version:
                raise RefusedWriteError(self.now() if self.tells_time else None)
            assert self.stored is None or self.stored.data != data
            self.writes += 1
            self.stored = Stored(data, str(self.writes), self.now())
            if self.lost_answers:
                self.lost_answers -= 1
                raise RefusedWriteError(self.now())
            return self.stored.version

    def delete(self) -> None:
        self.check()
        self.stored = None


@contextmanager
def leased(cell: Cell, said: list[str] | None = None, period: float = 0.05) -> Iterator[Lease]:
    lease = Lease(PATH, cell, period=period, expiry=0.5, poll=0.02)
    say = ([] if said is None else said).append
    with lease.hold("out: another run is at work", "wait for it", say):
        yield lease


def left(cell: Cell) -> None:
    """Leave a lease as a killed command does."""
    lease = Lease(PATH, cell, period=60)
    with suppress(KeyboardInterrupt), lease.hold("busy", "wait", print):
        stored = cell.stored
        raise KeyboardInterrupt
    cell.stored = stored


def test_a_lease_that_is_renewed_is_refused_with_its_holder_and_what_to_do() -> None:
    cell, said = Cell(), list[str]()
    with leased(cell) as lease:
        message = (
            r"^out: another run is at work: process \d+ on .+, since \d{4}-.* UTC "
            rf"\({PATH}\); wait for it$"
        )
        with pytest.raises(ConfigError, match=message), leased(cell, said):
            pass
        lease.confirm()
    assert said[0].startswith(f"note: {PATH} is held by process ")
    assert "the lock is free in 0 s at most" in said[0] or "in 1 s" in said[0]
    assert cell.stored is None


def test_a_lease_ends_with_its_command_however_that_ends() -> None:
    cell = Cell()
    for error in (RuntimeError, KeyboardInterrupt):
        with suppress(error), leased(cell):
            assert cell.stored is not None
            raise error
        assert cell.stored is None


@pytest.mark.parametrize("ahead", [0, 7200, -7200])
def test_a_lease_that_was_left_long_ago_is_taken_at_once_by_the_stores_clock(ahead: float) -> None:
    cell, said = Cell(ahead=ahead), list[str]()
    left(cell)
    assert cell.stored is not None
    cell.stored = Stored(cell.stored.data, cell.stored.version, cell.now() - 60)
    begin = time.monotonic()
    with leased(cell, said) as lease:
        assert time.monotonic() - begin < 0.4
        lease.confirm()
    assert len(said) == 1
    assert "and taken, as it was not renewed for 60 s" in said[0]


@pytest.mark.parametrize("tells_time", [True, False])
def test_a_lease_that_was_just_left_is_taken_when_it_has_expired(tells_time: bool) -> None:
    cell = Cell(tells_time=tells_time)
    left(cell)
    begin = time.monotonic()
    with leased(cell):
        assert 0.3 < time.monotonic() - begin < 5


def test_of_many_commands_that_wait_for_a_left_lease_one_gets_it() -> None:
    cell = Cell()
    left(cell)
    results: list[str] = []
    ends = threading.Event()

    def command() -> None:
        try:
            with leased(cell):
                results.append("held")
                ends.wait(10)
        except ConfigError:
            results.append("refused")

    threads = [threading.Thread(target=command) for _ in range(8)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 10
    while len(results) < 8 and time.monotonic() < deadline:
        time.sleep(0.01)
    ends.set()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["held"] + ["refused"] * 7
    assert cell.stored is None


def test_a_lease_that_another_command_has_taken_is_lost_and_stays_the_others() -> None:
    cell = Cell()
    with leased(cell, period=60) as sleeper:
        time.sleep(0.6)
        with leased(cell) as other:
            with pytest.raises(LostLockError, match=r"is lost: process \d+ on .* has taken it"):
                sleeper.confirm()
            other.confirm()
            taken = cell.stored
        cell.stored = taken
    assert cell.stored == taken  # the end of the sleeper leaves it


def test_a_lease_that_a_person_has_deleted_is_lost() -> None:
    cell = Cell()
    with leased(cell, period=60) as lease:
        cell.stored = None
        with pytest.raises(LostLockError, match="is lost: it was deleted"):
            lease.confirm()
    assert cell.stored is None


def test_a_store_that_does_not_answer_for_a_while_loses_no_lease() -> None:
    cell = Cell()
    with leased(cell) as lease:
        cell.is_reachable = False
        time.sleep(0.2)
        with pytest.raises(StoreError):
            lease.confirm()
        cell.is_reachable = True
        lease.confirm()
        before = cell.writes
        time.sleep(0.3)
        assert cell.writes > before
    assert cell.stored is None


def test_a_write_whose_answer_was_lost_is_no_refusal() -> None:
    cell = Cell(lost_answers=1)
    with leased(cell, period=60) as lease:
        cell.lost_answers = 1
        lease.confirm()
        lease.confirm()
    assert cell.stored is None


def test_an_object_that_is_no_lease_is_refused_until_it_is_old() -> None:
    cell = Cell()
    cell.write(b"something else", None)
    said: list[str] = []
    with leased(cell, said):
        pass
    assert "was left by another program" in said[-1]
