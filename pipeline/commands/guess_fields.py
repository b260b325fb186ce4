"""Guesses of the text, id, prompt and domain columns, from names and first values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from outcross.pipeline.commands.commented_config import short
from outcross.schemas.guess import FieldGuess, FieldGuesses
from outcross.schemas.text_field import is_template

Columns = Mapping[str, Sequence[Any]]
"""First values of each column by its name; None where a row has none."""

CONVERSATION_NAMES = ("messages", "conversations", "conversation", "chat", "dialog", "dialogue")
INSTRUCTION_NAMES = ("instruction", "input", "output")
TEXT_NAMES = (
    *("text", "content", "response", "output", "completion", "answer", "document", "body"),
    *("generated_text", "generation", "chosen", "article", "story", "abstract", "raw_content"),
)
ID_NAMES = ("id", "uuid", "_id", "guid", "doc_id", "document_id", "row_id", "uid", "key")
PROMPT_NAMES = ("prompt", "instruction", "question", "query", "problem", "input")
DOMAIN_NAMES = (
    *("domain", "category", "topic", "subject", "source", "subset", "set", "label"),
    *("lang", "language"),
)

MOST_DOMAINS = 50
"""Most distinct values of a domain in the first rows."""

LIST_OF_STRINGS = (
    "a list of strings is joined into one text; to judge each string, write a row for each first"
)
"""Remark on a column that holds lists of strings."""

_CONTENTS = ("content", "value")
_ASSISTANTS = ("assistant", "gpt", "model")


def guess_fields(columns: Columns) -> FieldGuesses:
    """Guess which columns hold the text, the id, the prompt and the domain.

    Names are compared without regard to case. A column whose name holds braces is never the text,
    because it can't be told from a template.

    Args:
        columns: first values of each column, in the order of the columns.
    """
    paths = _with_members(columns)
    text, roles = _guess_text(paths)
    taken: list[object] = [] if text is None else [text.value]
    identity = _guess_id(_without(paths, taken))
    taken += [] if identity is None else [identity.value]
    prompt = _guess_prompt(_without(paths, taken), paths, text)
    taken += [] if prompt is None else [prompt.value]
    return FieldGuesses(
        text_field=text,
        roles=roles,
        id_field=identity,
        prompt_field=prompt,
        domain_field=_guess_domain(_without(paths, taken)),
    )


def _with_members(columns: Columns) -> dict[str, Sequence[Any]]:
    """Return the columns, and the members of those that hold objects as dotted paths."""
    paths: dict[str, Sequence[Any]] = dict(columns)
    for name, values in columns.items():
        if not any(isinstance(value, dict) for value in values):
            continue
        members = {key for value in values if isinstance(value, dict) for key in value}
        for member in sorted(key for key in members if key and "." not in key):
            path = f"{name}.{member}"
            if path not in columns:  # a column with dots in its name wins over a path
                paths[path] = [
                    value.get(member) if isinstance(value, dict) else None for value in values
                ]
    return {path: values for path, values in paths.items() if path}


def _without(columns: Columns, names: Collection[object]) -> Columns:
    return {name: values for name, values in columns.items() if name not in names}


def _named(columns: Columns, names: Sequence[str]) -> list[str]:
    """Return the columns with one of the names, the first name first; members come last."""

    def position(column: str) -> tuple[bool, int]:
        name = _last_part(column, columns)
        return column != name, names.index(name.lower())

    return sorted(
        (column for column in columns if _last_part(column, columns).lower() in names),
        key=position,
    )


def _last_part(path: str, columns: Columns) -> str:
    """Return the member's name of a path, and the name of a column as it is."""
    parent, _, member = path.rpartition(".")
    return member if parent in columns else path


def _guess_text(columns: Columns) -> tuple[FieldGuess | None, FieldGuess | None]:
    """Return the text field, and the roles if it is a conversation."""
    usable = {name: values for name, values in columns.items() if not is_template(name)}
    texts = [name for name, values in usable.items() if _holds(values, _is_text)]
    talks = [name for name, values in usable.items() if _holds(values, _is_conversation)]
    named = [name for name in _named(usable, TEXT_NAMES) if name in texts]
    if talks:
        usual = _named({name: usable[name] for name in talks}, (*CONVERSATION_NAMES, *TEXT_NAMES))
        best, *alternatives = dict.fromkeys([*usual, *talks, *named])
        reason = "lists of turns with a role and a content"
        return _guess(best, reason, alternatives), _guess_roles(usable[best])
    instruction = [
        name for name in INSTRUCTION_NAMES if name in usable and _holds(usable[name], _is_string)
    ]
    if len(instruction) == len(INSTRUCTION_NAMES) and {"instruction", "output"} <= set(texts):
        reason = "columns of an instruction data set, joined by blank lines"
        return _guess(instruction, reason, ["output"]), None
    if named:
        best, *alternatives = sorted(named, key=lambda name: -_length(usable[name]))
        reason = "longest text with a usual name" if alternatives else "text with a usual name"
        return _guess(best, reason, alternatives), None
    return _guess_longest(usable), None


def _guess_longest(columns: Columns) -> FieldGuess | None:
    """Return the longest text or list of strings, where no column of texts has a usual name.

    The prompt, the id and columns of a few values that repeat come after all others.
    """
    lists = [name for name, values in columns.items() if _holds(values, _is_strings)]
    texts = [name for name, values in columns.items() if _holds(values, _is_text)]
    others = {
        *_named(columns, (*PROMPT_NAMES, *ID_NAMES, *DOMAIN_NAMES)),
        *(name for name in texts if _is_domain(columns[name])),
    }
    longest = sorted([*texts, *lists], key=lambda name: (name in others, -_length(columns[name])))
    if not longest:
        return None
    best, *alternatives = longest
    average = f"{_length(columns[best]):,.0f} characters on average"
    if best in lists:
        reason = f"{LIST_OF_STRINGS}; {average}"
    else:
        reason = f"longest text, {average}"
        reason += "".join(f"; {short(name)}: {LIST_OF_STRINGS}" for name in lists[:1])
    return _guess(best, reason, alternatives)


def _guess_roles(values: Sequence[Any]) -> FieldGuess | None:
    """Return the assistant's role, if a conversation has turns of it."""
    turns = [turn for value in values if isinstance(value, list) for turn in value]
    speakers = [turn.get("role", turn.get("from")) for turn in turns if isinstance(turn, dict)]
    if not any(role in speakers for role in _ASSISTANTS):
        return None
    return _guess(["assistant"], "the answers only; without this key all turns are judged", [])


def _guess_id(columns: Columns) -> FieldGuess | None:
    """Return a column with the name of an id whose values are all there and all different."""
    fitting = [name for name in _named(columns, ID_NAMES) if _is_unique(columns[name])]
    if not fitting:
        return None
    count = len(columns[fitting[0]])
    reason = f"{count:,} first values, all different"
    return _guess(fitting[0], reason, fitting[1:])


def _guess_prompt(columns: Columns, every: Columns, text: FieldGuess | None) -> FieldGuess | None:
    """Return the column of the prompt: by its name, else the first turn of a conversation."""
    fitting = [name for name in _named(columns, PROMPT_NAMES) if _holds(columns[name], _is_text)]
    if fitting:
        return _guess(fitting[0], "text with a usual name", fitting[1:])
    if text is None or not isinstance(text.value, str):
        return None
    values = every[text.value]
    if not _holds(values, _is_conversation):
        return None
    position = 1 if _holds(values, _begins_with_system) else 0
    member = "content" if _holds(values, _begins_with_content) else "value"
    reason = "first turn of the conversation" + (" after the system's" if position else "")
    return _guess(f"{text.value}.{position}.{member}", reason, [])


def _guess_domain(columns: Columns) -> FieldGuess | None:
    """Return a column with the name of a domain that has few distinct values."""
    fitting = [name for name in _named(columns, DOMAIN_NAMES) if _is_domain(columns[name])]
    if not fitting:
        return None
    count = len(set(_present(columns[fitting[0]])))
    reason = f"{count} distinct values in the first rows"
    return _guess(fitting[0], reason, fitting[1:])


def _guess(value: str | list[str], reason: str, alternatives: Sequence[str]) -> FieldGuess:
    return FieldGuess(value=value, reason=reason, alternatives=list(dict.fromkeys(alternatives)))


def _present(values: Sequence[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def _holds(values: Sequence[Any], test: Callable[[Any], bool]) -> bool:
    """Return whether a column has values, and most of them pass a test."""
    present = _present(values)
    return bool(present) and 2 * sum(map(test, present)) > len(present)


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and any(map(_is_text, value)) and all(map(_is_string, value))


def _is_conversation(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(turn, dict)
            and ("role" in turn or "from" in turn)
            and any(name in turn for name in _CONTENTS)
            for turn in value
        )
    )


def _begins_with_system(value: Any) -> bool:
    return _is_conversation(value) and value[0].get("role", value[0].get("from")) == "system"


def _begins_with_content(value: Any) -> bool:
    return _is_conversation(value) and "content" in value[0]


def _length(values: Sequence[Any]) -> float:
    """Return the mean number of characters of a column's texts, or lists of strings."""
    texts = [value for value in values if isinstance(value, str)]
    texts += ["".join(value) for value in values if _is_strings(value)]
    return sum(map(len, texts)) / len(texts)


def _is_unique(values: Sequence[Any]) -> bool:
    kinds = {type(value) for value in values}
    return kinds in ({str}, {int}) and len(set(values)) == len(values)


def _is_domain(values: Sequence[Any]) -> bool:
    """Return whether a column has two values or more, each of which is there twice on average."""
    present = _present(values)
    if not present or not all(isinstance(value, str) and value for value in present):
        return False
    distinct = len(set(present))
    return 2 <= distinct <= MOST_DOMAINS and 2 * distinct <= len(present)
