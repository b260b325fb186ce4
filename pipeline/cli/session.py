"""One call of the command line: options for Beam, the voice, and slow imports."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from outcross.pipeline.terminal.voice import OPTIONS, Voice

if TYPE_CHECKING:
    from outcross.pipeline.engine.progress import StageProgress


@dataclass
class Session:
    """State of one call of the command line.

    Attributes:
        beam_args: options after `--`, which are passed on to Beam.
        voice: prints messages beside the result.
    """

    beam_args: Sequence[str] = ()
    voice: Voice = field(default_factory=Voice)

    def open_voice(self, options: dict[str, Any], quiet: bool = False) -> None:
        """Take the options of a voice out of a command's options, and open the voice.

        Args:
            options: options of the command, by name.
            quiet: print nothing but errors and the result, as `--json` asks.

        Raises:
            ConfigError: when both quiet and verbose are given, or the log can't be written.
        """
        given = {name: options.pop(name) for name in OPTIONS if name in options}
        if given.get("quiet") and given.get("verbose"):
            from outcross.schemas.user_input import ConfigError

            raise ConfigError("quiet: given together with verbose; leave one of them out")
        self.voice = Voice(**{**given, "quiet": quiet or given.get("quiet", False)})

    def open_progress(self) -> StageProgress:
        """Return the display of the stages' progress."""
        from outcross.pipeline.engine.progress import StageProgress

        voice = self.voice
        return StageProgress(quiet=voice.quiet, verbose=voice.verbose, keep=voice.keep)

    @contextmanager
    def loading(self, beam: bool = True, kernels: bool = False) -> Iterator[None]:
        """Import what the block imports, without garbage collection, and Beam without its warnings.

        What is imported stays until the end. Looking through it would take a fifth of the start,
        and the same time again at the end.

        Args:
            beam: import Beam first.
            kernels: compile the kernels that work on a corpus, if no earlier run has.
        """
        gc.disable()
        try:
            if beam:
                from outcross.pipeline.engine.engines import load_beam

                load_beam(connectors=False)
            self._announce_kernels()
            with _compiling() if kernels else nullcontext():
                yield
            gc.freeze()
        finally:
            gc.enable()

    def _announce_kernels(self) -> None:
        """Print a note when kernels are compiled, or kept in a temporary folder."""
        from outcross.transforms.base.cache import TEMPORARY
        from outcross.transforms.base.kernels import announce

        say = self.voice.say
        if TEMPORARY is not None:
            say(
                "note: neither the installation nor the home directory can be written; "
                f"compiled kernels are kept in {TEMPORARY} (NUMBA_CACHE_DIR names another folder)"
            )
        announce(
            lambda: say(
                "note: kernels that no command has used yet are compiled for this machine; "
                "that takes up to a minute"
            )
        )


@contextmanager
def _compiling() -> Iterator[None]:
    """Compile kernels in a second process while the block imports."""
    from outcross.pipeline.engine.warm_up import compile_beside, compile_meanwhile

    compiler = compile_beside()
    yield
    if compiler is not None:
        atexit.register(compiler.kill)
        compile_meanwhile()
