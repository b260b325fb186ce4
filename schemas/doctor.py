"""Result of `outcross doctor`: what this machine can run."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

State = Literal["ready", "downloads", "missing", "failed"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Check(_Model):
    """One thing that a run may need, and its state."""

    name: str = Field(description="name of an engine, a file system or a program")
    state: State = Field(
        description="ready; downloads (it works once Beam has downloaded something); missing; or "
        "failed (it is there, and did not work)"
    )
    detail: str = Field(description="what was found")
    remedy: str | None = Field(description="what to do where it is not ready; null if it is")


class Machine(_Model):
    """Resources of the machine that this process may use."""

    system: str = Field(description="operating system and processor")
    cores: int = Field(ge=1, description="cores that this process may use")
    memory_bytes: int | None = Field(description="memory, or the container's limit if it is less")
    available_bytes: int | None = Field(description="memory that is free now; null if unknown")


class Disk(_Model):
    """A folder that outcross writes into."""

    purpose: str = Field(description="what is written there")
    folder: str = Field(description="path of the folder")
    free_bytes: int = Field(ge=0, description="free space of its disk")


class Kernels(_Model):
    """Compiled kernels, which are kept between runs."""

    folder: str = Field(description="folder that holds them")
    files: int = Field(ge=0, description="kernels that are kept there")
    compiled: bool = Field(description="whether the next run finds its largest kernels compiled")
    remedy: str | None = Field(description="what to do if they can't be kept; null if they can")


class DoctorReport(_Model):
    """State of an installation and its machine."""

    can_run: bool = Field(description="whether the local engine works")
    versions: dict[str, str | None] = Field(description="version by package; null if missing")
    machine: Machine = Field(description="cores and memory")
    disks: list[Disk] = Field(description="free space where outcross writes")
    kernels: Kernels = Field(description="compiled kernels")
    extras: list[Check] = Field(description="file systems beyond the local one")
    programs: list[Check] = Field(description="programs that other engines need")
    engines: list[Check] = Field(description="engines that can carry out a run")
