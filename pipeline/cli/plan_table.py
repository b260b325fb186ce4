"""Tables of a plan: domains, frontier, and human text to gather."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from outcross.pipeline.cli.preview_table import show_source_texts
from outcross.pipeline.terminal.streams import print_json
from outcross.pipeline.terminal.tables import (
    PlainConsole,
    counted,
    new_table,
    number_or_dash,
    print_line,
    show_table,
    times_form,
)
from outcross.schemas.budget import OTHERS
from outcross.schemas.plan import Plan, Starved
from outcross.transforms.base.visible import visible_name

_BAR = 24  # characters of the longest bar


def show_plan(plan: Plan, as_json: bool, shopping_list: bool) -> None:
    """Print the budget and the frontier.

    Args:
        plan: the plan.
        as_json: print JSON instead of tables.
        shopping_list: also print which human text to gather.
    """
    if as_json:
        print_json(plan.to_json().decode().rstrip("\n"))
        return
    console = PlainConsole()
    _show_reached(console, plan)
    for texts in plan.texts:
        show_source_texts(console, texts)
    if len(plan.domains) > 1:
        show_table(console, _domain_table(plan))
    show_table(console, _frontier_table(plan))
    if shopping_list:
        starved = [line for line in plan.starved if line.price != 0]
        if starved:
            show_table(console, _shopping_table(starved))
        else:
            print_line(console, "no cluster lacks text: ask for more of what the sources have")


def _show_reached(console: Console, plan: Plan) -> None:
    """Print the tokens, the human share and the entropy of a plan."""
    reached = plan.reached
    print_line(
        console,
        f"{reached.tokens:,.0f} tokens: {reached.synthetic_tokens:,.0f} synthetic, "
        f"{reached.human_tokens:,.0f} human ({reached.human_share:.2%}), "
        f"α = {number_or_dash(reached.alpha, '.3f')}, {reached.regime}, "
        f"{counted(plan.shards, 'shard')}"
        f"{', copies as weights' if plan.asked.copies == 'weights' else ''}\n"
        f"entropy {reached.entropy:.4f} nats (worth {reached.effective_number:.1f} "
        f"{'clusters' if len(plan.domains) < 2 else 'cells of domain and cluster'}), "
        f"KL to human {number_or_dash(reached.kl, '.4f')}, shadow price of a human token "
        f"{number_or_dash(reached.shadow_price, '.4f')}",
    )
    if plan.tokenizer is not None:
        print_line(console, f"tokens are those of {visible_name(str(plan.tokenizer))}")
    if plan.gap is not None:
        blind, human = plan.gap.blind, plan.gap.human
        print_line(
            console,
            f"gap to human text of as much text drawn blindly: {blind.words:.4f} nats a human "
            f"token in words, {blind.pairs:.4f} in pairs of words"
            + ("" if human is None else f"; human text: {human.words:.4f} and {human.pairs:.4f}"),
        )
    if reached.lasting_error is not None and reached.human_share > 0:
        print_line(
            console,
            f"with {reached.human_share:.1%} fresh human text in every generation, the sampling "
            f"error ends at {reached.lasting_error:,.2f} times that of all human text",
        )
    if plan.least_human_tokens is not None and plan.asked.effective_ratio is not None:
        share = plan.least_human_tokens / reached.tokens
        percent = f"{100 * plan.asked.effective_ratio:.6g}%"
        print_line(
            console,
            f"the least human text for {percent} of the human effective clusters: "
            f"{plan.least_human_tokens:,.0f} tokens ({share:.2%})",
        )


def _domain_table(plan: Plan) -> Table:
    table = new_table(
        "domains, each a budget of its own",
        ["domain", "kind"],
        ["tokens", "share", "of human", "human tokens", "α", "entropy", "KL"],
    )
    for domain in plan.domains:
        table.add_row(
            visible_name(domain.name),
            domain.kind,
            f"{domain.tokens:,.0f}",
            f"{domain.share:.1%}",
            f"{domain.reference_share:.1%}",
            f"{domain.human_tokens:,.0f}",
            f"{domain.alpha:.3f}",
            number_or_dash(domain.entropy, ".4f"),
            number_or_dash(domain.kl, ".4f"),
        )
    table.add_row("between them", *[""] * 6, f"{plan.reached.domain_entropy:.4f}", "")
    return table


def _frontier_table(plan: Plan) -> Table:
    table = new_table(
        "frontier: the same tokens at other human shares (errors: times those of human text)",
        [],
        [
            "human share",
            "human tokens",
            "entropy",
            "KL",
            "regime",
            "shadow price",
            "sampling error after\nmany generations",
        ],
    )
    cells = "clusters" if len(plan.domains) < 2 else "cells"
    table.add_column(f"effective {cells}, by tokens")
    worth = [None if p.entropy is None else math.exp(p.entropy) for p in plan.frontier]
    reached = plan.reached.reference_entropy
    human = math.exp(reached) if reached is not None else 0.0
    most = max([human, *(value for value in worth if value is not None)], default=1.0)
    for point, value in zip(plan.frontier, worth, strict=True):
        table.add_row(
            f"{point.human_share:.0%}",
            f"{point.human_tokens:,.0f}",
            number_or_dash(point.entropy, ".4f") if point.reachable else "out of reach",
            number_or_dash(point.kl, ".4f"),
            point.regime or "",
            number_or_dash(point.shadow_price, ".4f"),
            number_or_dash(point.lasting_error, times_form(point.lasting_error or 0.0)),
            "" if value is None else f"{_bar(value / most)} {value:,.1f}",
        )
    if human:
        table.add_row("human text", *[""] * 5, "1.00", f"{_bar(human / most)} {human:,.1f}")
    return table


def _bar(share: float) -> str:
    """Return a bar of a terminal plot, drawn to an eighth of a character."""
    eighths = round(share * _BAR * 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def _shopping_table(starved: Sequence[Starved]) -> Table:
    table = new_table(
        "which human text to gather: what one more token there is worth (nats × tokens)",
        [],
        ["cluster", "worth", "wanted", "available", "short of"],
    )
    table.add_column("about", overflow="fold", max_width=40)
    table.add_column("such as", overflow="fold", max_width=60)
    dearest = sorted(
        starved, key=lambda line: (-math.inf if line.price is None else -line.price, -line.wanted)
    )
    for line in dearest:
        table.add_row(
            str(line.cluster)
            if line.domain == OTHERS
            else f"{visible_name(line.domain)} {line.cluster}",
            "without bound" if line.price is None else f"{line.price:.3f}",
            f"{line.wanted:,.0f}",
            f"{line.available:,.0f}",
            f"{line.wanted - line.planned:,.0f}",
            visible_name(", ".join(line.words)),
            visible_name(line.text or "")[:120],
        )
    return table
