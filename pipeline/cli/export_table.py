"""Lines of `outcross export`."""

from __future__ import annotations

from outcross.pipeline.terminal.streams import print_json
from outcross.pipeline.terminal.tables import PlainConsole, counted, print_line
from outcross.schemas.export import Export
from outcross.transforms.base.visible import visible_name


def show_export(out: str, result: Export, as_json: bool) -> None:
    """Print what was written, and how to read it.

    Args:
        out: directory of the files.
        result: contents of tokens.json.
        as_json: print JSON instead.
    """
    if as_json:
        print_json(result.model_dump_json())
        return
    console = PlainConsole()
    end = f"{visible_name(result.end_of_text.token)} ({result.end_of_text.id})"
    print_line(
        console,
        f"{result.tokens:,} tokens of {visible_name(str(result.tokenizer))} in "
        f"{counted(result.documents, 'document')}, each with {end} behind it; {result.dtype}, "
        f"{counted(len(result.parts), 'part')} in {visible_name(out)}",
    )
    if result.without_tokens:
        print_line(console, f"{counted(result.without_tokens, 'row')} without tokens left out")
    agreement = {
        True: "the run's report says as many",
        None: "the run's report counts otherwise, so its numbers differ (set `tokenizer` for runs)",
    }
    print_line(console, agreement[result.agrees])
    if result.format == "megatron":
        first = visible_name(f"{out}/{result.prefixes[0]}") if result.parts else ""
        print_line(console, f"next: --data-path {first}{' ...' if len(result.parts) > 1 else ''}")
    elif result.parts:
        path = visible_name(f"{out}/{result.prefixes[0]}.npy")
        print_line(console, f"next: np.memmap({path!r}, dtype={result.dtype!r}, mode='r')")
