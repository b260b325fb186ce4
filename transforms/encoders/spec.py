"""Value of the key `embedder`: kind of the model, and where its files are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from outcross.schemas.user_input import ConfigError

Kind = Literal["static", "transformers"]

_KINDS = ("static", "transformers")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_REVISION = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Spec:
    """A model that is named by the key `embedder`.

    Attributes:
        key: the value of the key.
        kind: static (the format of model2vec) or transformers (an encoder in ONNX).
        folder: directory of the model; None for a model of the hub.
        repository: hub id, such as OWNER/NAME; None for a directory.
        revision: commit that the hub id is pinned to, 40 hexadecimal digits; None for a directory.
        file: ONNX file in the model's folder; None for the usual one.
    """

    key: str
    kind: Kind
    folder: str | None
    repository: str | None
    revision: str | None
    file: str | None

    @property
    def name(self) -> str:
        """Name of the model in reports, without the place of a directory on this machine."""
        place = f"{self.repository}@{self.revision}"
        if self.folder is not None:
            place = Path(self.folder).resolve().name
        return f"{self.kind}:{place}" + ("" if self.file is None else f"#{self.file}")


def parse_spec(key: str) -> Spec:
    """Read the value of the key `embedder`.

    A directory that exists is one; anything else has to be a hub id with a revision.

    Args:
        key: `static:PLACE` or `transformers:PLACE`. PLACE is a directory or OWNER/NAME@REVISION.
            `#FILE` after the place of an encoder names its ONNX file.

    Raises:
        ConfigError: the value has another form, names no directory, or isn't pinned.
    """
    kind, colon, place = key.partition(":")
    if kind not in _KINDS or not colon or not place:
        raise ConfigError(
            f"embedder: found {key!r}; write static:PLACE or transformers:PLACE, where PLACE is a "
            "directory or OWNER/NAME@REVISION, or leave it out for the packaged table"
        )
    file = None
    if not Path(place).is_dir() and "#" in place:
        place, _, file = place.rpartition("#")
        if kind == "static":
            raise ConfigError(f"embedder: {key!r} names a file, which only encoders have; drop it")
        if not file.endswith(".onnx") or ".." in Path(file).parts or Path(file).is_absolute():
            raise ConfigError(
                f"embedder: {file!r} after # is not the name of an .onnx file in the model's "
                "folder; write it as onnx/model.onnx"
            )
    named = cast(Kind, kind)
    if Path(place).is_dir():
        return Spec(key, named, place, None, None, file)
    repository, _, revision = place.partition("@")
    if not _HUB_ID.fullmatch(repository):
        raise ConfigError(
            f"embedder: {place!r} is no directory, nor a hub id such as OWNER/NAME@REVISION; make "
            "the directory, or correct the name"
        )
    if not _REVISION.fullmatch(revision):
        raise ConfigError(_unpinned(kind, repository, revision))
    return Spec(key, named, None, repository, revision, file)


def _unpinned(kind: str, repository: str, revision: str) -> str:
    """Return why a hub id is refused, with its current commit if the hub can be asked."""
    from outcross.transforms.encoders.hub import current_revision

    fault = f"has the revision {revision!r}, which can move" if revision else "has no revision"
    current = current_revision(repository, revision or None)
    advice = (
        f"write {kind}:{repository}@{current}, which is the current one"
        if current
        else "write the 40 digits of a commit after @, as the page of the model's files shows"
    )
    return f"embedder: {repository} is no directory, and as a hub id it {fault}; {advice}"
