"""Leases: locks of folders on object stores, held by objects that are written conditionally.

An object store has no locks that end with a process. So the holder rewrites a small object every
PERIOD seconds, and one that was not rewritten for EXPIRY seconds is free for the next command.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from outcross.schemas.user_input import ConfigError
from outcross.transforms.base.conditional import ConditionalObject, RefusedWriteError, Stored
from outcross.transforms.base.store_errors import StoreError

PERIOD = 10.0
"""Seconds between two renewals."""
EXPIRY = 60.0
"""Seconds without a renewal after which another command takes a lease."""
_POLL = 2.0


class LostLockError(RuntimeError):
    """Another command has taken the lock, because it was not renewed in time."""


class Lease:
    """A lock of a folder, which another command can take when it is no longer renewed.

    Args:
        path: address of the lock object, for messages.
        stored: the lock object.
        period: seconds between two renewals.
        expiry: seconds without a renewal after which a lease is free.
        poll: seconds between two looks at a lease that another command holds.
    """

    def __init__(
        self,
        path: str,
        stored: ConditionalObject,
        period: float = PERIOD,
        expiry: float = EXPIRY,
        poll: float = _POLL,
    ) -> None:
        self._path, self._stored = path, stored
        self._period, self._expiry, self._poll = period, expiry, poll
        self._owner = {
            "host": platform.node(),
            "process": os.getpid(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
            "token": uuid.uuid4().hex,
        }
        self._renewals = 0
        self._version = ""
        self._at_work = threading.Lock()
        self._ended = threading.Event()

    @contextmanager
    def hold(
        self, busy: str, advice: str, say: Callable[[str], None]
    ) -> Iterator[Callable[[], None]]:
        """Hold the lease while the body of the `with` statement runs.

        Args:
            busy: beginning of the error if another command holds it.
            advice: what to do then.
            say: function that prints a line, where the wait for a lease takes seconds.

        Yields:
            A function that renews the lease at once, and raises LostLockError if it is lost.

        Raises:
            ConfigError: another command holds the lease.
            StoreError: the store doesn't answer or refuses.
        """
        self._acquire(busy, advice, say)
        renewing = threading.Thread(target=self._keep, name="lease", daemon=True)
        renewing.start()
        try:
            yield self.confirm
        finally:
            self._ended.set()
            self._release()

    def confirm(self) -> None:
        """Renew the lease now.

        Raises:
            LostLockError: another command has taken it.
            StoreError: the store doesn't answer or refuses.
        """
        with self._at_work:
            self._renew()

    def _acquire(self, busy: str, advice: str, say: Callable[[str], None]) -> None:
        """Create the object, or take it from a command that no longer renews it."""
        first: Stored | None = None
        begin = 0.0
        while True:
            text = self._text()
            now = None
            try:
                self._version = self._stored.write(text, None)
                return
            except RefusedWriteError as refused:
                now = refused.now
            lease = self._stored.read()
            if lease is None:  # it was released or renewed meanwhile
                time.sleep(self._poll / 10)
                continue
            if lease.data == text:  # the client wrote it, and tried again
                self._version = lease.version
                return
            if first is None:
                first, begin = lease, time.monotonic()
            elif lease.version != first.version:
                raise ConfigError(f"{busy}: {_holder(lease)} ({self._path}); {advice}")
            # By the store's clock alone, or by the time that passes here.
            idle = max((now or lease.written) - lease.written, time.monotonic() - begin)
            if idle >= self._expiry:
                with suppress(RefusedWriteError):  # another command was quicker
                    text = self._text()
                    self._version = self._stored.write(text, lease.version)
                    say(
                        f"note: the lock {self._path} was left by {_holder(lease)}, and taken, as "
                        f"it was not renewed for {idle:,.0f} s"
                    )
                    return
                first = None
                continue
            if lease is first:
                say(
                    f"note: {self._path} is held by {_holder(lease)}; if that command was killed, "
                    f"the lock is free in {self._expiry - idle:.0f} s at most"
                )
            time.sleep(min(self._poll, self._expiry - idle))

    def _keep(self) -> None:
        """Renew the lease until it ends or is lost."""
        while not self._ended.wait(self._period):
            with self._at_work:
                if self._ended.is_set():
                    return
                with suppress(StoreError):  # the next renewal may reach the store
                    try:
                        self._renew()
                    except LostLockError:  # `confirm` says so to the command
                        return

    def _renew(self) -> None:
        text = self._text()
        try:
            self._version = self._stored.write(text, self._version)
        except RefusedWriteError:
            lease = self._stored.read()
            if lease is None or lease.data != text:  # else the client wrote it, and tried again
                taken = "it was deleted" if lease is None else f"{_holder(lease)} has taken it"
                raise LostLockError(
                    f"the lock {self._path} is lost: {taken}, as it was not renewed for "
                    f"{self._expiry:.0f} s (was this machine asleep or cut off?). This command "
                    "has stopped; start it again when no other one is at work there"
                ) from None
            self._version = lease.version

    def _release(self) -> None:
        """Delete the object, if it is still this command's."""
        # Where the store can't be reached, the lease ends by itself.
        with self._at_work, suppress(StoreError, LostLockError):
            self._renew()  # nobody takes it in the next seconds
            self._stored.delete()

    def _text(self) -> bytes:
        """Return new contents of the object, which differ from all before."""
        self._renewals += 1
        return (json.dumps({**self._owner, "renewals": self._renewals}) + "\n").encode()


def _holder(lease: Stored) -> str:
    """Return who has written a lock object."""
    try:
        owner = json.loads(lease.data)
        return f"process {owner['process']} on {owner['host']}, since {owner['since']}"
    except (ValueError, KeyError, TypeError):
        return "another program"
