"""Tables of `outcross doctor`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from outcross.pipeline.commands.estimate import amount
from outcross.pipeline.terminal.streams import print_json
from outcross.pipeline.terminal.tables import (
    PlainConsole,
    counted,
    new_table,
    print_line,
    show_table,
)
from outcross.schemas.doctor import Check, DoctorReport
from outcross.transforms.base.visible import visible_name


def show_doctor(report: DoctorReport, as_json: bool) -> None:
    """Print the state of an installation, and what to do where something is missing.

    Args:
        report: the state.
        as_json: print JSON instead of tables.
    """
    if as_json:
        print_json(report.model_dump_json(indent=2))
        return
    console = PlainConsole()
    versions = (f"{name} {number or 'missing'}" for name, number in report.versions.items())
    print_line(console, ", ".join(versions))
    machine = report.machine
    memory = "unknown memory" if machine.memory_bytes is None else amount(machine.memory_bytes)
    free = "" if machine.available_bytes is None else f" ({amount(machine.available_bytes)} free)"
    print_line(console, f"{machine.system}, {counted(machine.cores, 'core')}, {memory}{free}")
    for disk in report.disks:
        print_line(console, f"{disk.purpose}: {disk.folder}, {amount(disk.free_bytes)} free")
    _show_kernels(console, report)
    for title, checks in (
        ("engines", report.engines),
        ("file systems beyond the local one", report.extras),
        ("programs", report.programs),
    ):
        show_table(console, _table(title, checks))
    for check in (*report.engines, *report.extras, *report.programs):
        if check.remedy is not None:
            print_line(console, f"{check.name}: {check.remedy}")


def _show_kernels(console: Console, report: DoctorReport) -> None:
    kernels = report.kernels
    state = "" if kernels.compiled else "; the first run compiles them, which takes up to a minute"
    count = counted(kernels.files, "compiled kernel")
    print_line(console, f"{count} in {kernels.folder}{state}")
    if kernels.remedy is not None:
        print_line(console, f"warning: {kernels.remedy}")


def _table(title: str, checks: Sequence[Check]) -> Table:
    table = new_table(title, ["name", "state", "found"], [])
    for check in checks:
        table.add_row(visible_name(check.name), check.state, visible_name(check.detail))
    return table
