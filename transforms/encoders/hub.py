"""Models of the Hugging Face Hub, pinned to a commit."""

from __future__ import annotations

from collections.abc import Sequence

from outcross.schemas.user_input import ConfigError

EXTRA = "in the clone of outcross: pip install '.[transformers]'"
"""Advice that installs what encoders and static models need."""

_SECONDS = 10.0  # to wait for the hub where only a message depends on it


def current_revision(repository: str, revision: str | None = None) -> str | None:
    """Ask the hub for a model's current commit.

    Args:
        repository: hub id.
        revision: branch or tag; None for the main branch.

    Returns:
        The commit; None where the hub can't be asked, or doesn't know it.
    """
    try:
        from huggingface_hub import HfApi

        info = HfApi().model_info(repository, revision=revision, timeout=_SECONDS)
        return str(info.sha)
    except Exception:  # only advice depends on it: no package, no network, no such model
        return None


def download(repository: str, revision: str, patterns: Sequence[str]) -> str:
    """Download files of a model, but for those that are here already.

    Args:
        repository: hub id.
        revision: commit.
        patterns: names and globs of the files.

    Returns:
        The folder with the files.

    Raises:
        ConfigError: huggingface_hub is missing, or the files can't be had.
    """
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise ConfigError(
            f"embedder: {repository} is a model of the hub, and huggingface_hub is not installed; "
            f"{EXTRA}"
        ) from None
    wanted = list(patterns)
    try:
        return str(snapshot_download(repository, revision=revision, allow_patterns=wanted))
    except Exception as error:  # of the network, of the hub's answers, of the disk
        first = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"embedder: {repository}@{revision} can't be downloaded ({type(error).__name__}: "
            f"{first}); correct the name, log in by `hf auth login` if the model is gated, or copy "
            "the model into a directory and name that"
        ) from None
