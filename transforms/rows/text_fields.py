"""Texts of documents: from one field, several, a template, or the turns of a conversation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from outcross.schemas.sources import Fields
from outcross.schemas.text_field import JOINT, listed, paths_of, segments
from outcross.transforms.rows.fields import find, is_blank, is_text, kind_of, kind_of_type, mask_of

_SAME_ROLE = (("user", "human"), ("assistant", "gpt", "model"))
"""Equivalent names of a role: in chat messages, ShareGPT and other tools."""
_TEXT_PARTS = ("text", "input_text", "output_text")
_NO_TURNS = "holds a list that isn't of strings, or of turns with text"
_NO_ROLES = "holds a list of strings, which have no roles"
_NOWHERE = np.zeros(0, np.int64)


def text_of(batch: pa.RecordBatch, fields: Fields) -> tuple[pa.Array, dict[int, str]]:
    """Return the texts of rows, and a reason for each row without text.

    A string is a text. The strings of a list, or of turns (`role` and `content`, or `from` and
    `value`), are joined by blank lines. A turn's content may be a list of parts; parts of type
    text count. Null and blank strings are left out. Several fields are joined in the same way. In
    a template a field without text is the empty string.

    Args:
        batch: n rows.
        fields: configuration of the columns that hold the text, and of a conversation's roles.

    Returns:
        n texts, string or large_string, null where invalid; the reason of each invalid row. A
        text has at least one character that isn't white space.
    """
    paths = paths_of(fields.text_field)
    parts = [_part(batch, path, fields.roles) for path in paths]
    if fields.text_field == paths[0]:
        return parts[0].text, parts[0].reasons
    texts = [part.text.cast(pa.large_string()) for part in parts]
    reasons: dict[int, str] = {}
    for part in parts:
        for row in np.flatnonzero(part.fault).tolist():
            reasons.setdefault(row, part.reasons[row])
    empty = np.logical_and.reduce([mask_of(text.is_null()) for text in texts])
    why = f"text fields {listed(fields.text_field)} hold no text: missing, null or empty"
    for row in np.flatnonzero(empty).tolist():
        reasons.setdefault(row, why)
    if isinstance(fields.text_field, tuple):
        text = _joined(_merged([_strings(text) for text in texts]), batch.num_rows)
    else:
        filled = dict(zip(paths, texts, strict=True))
        pieces: list[Any] = []
        for literal, path in segments(fields.text_field):
            pieces += [_text(literal)] if path is None else [_text(literal), filled[path]]
        text = pc.binary_join_element_wise(*pieces, _text(""), null_handling="replace")
    return _without(text, reasons), reasons


def is_composed(schema: pa.Schema, fields: Fields) -> bool:
    """Return whether texts are composed of several values, so that no column holds them.

    Args:
        schema: schema of the rows.
        fields: configuration of the columns that hold the text.
    """
    if isinstance(fields.text_field, tuple) or paths_of(fields.text_field) != [fields.text_field]:
        return True
    values = find(pa.RecordBatch.from_pylist([], schema=schema), fields.text_field)
    if isinstance(values, list):  # the column holds JSON, which may hold lists
        return True
    type_ = values.type
    return bool(pa.types.is_nested(type_) and not pa.types.is_struct(type_))


def _text(value: str) -> pa.Scalar:
    return pa.scalar(value, pa.large_string())


@dataclass
class _Part:
    """The texts at one path.

    Attributes:
        text: n texts, null where a row has none.
        reasons: reason of each row without text.
        fault: bool[n], True for rows with a value of a wrong type.
    """

    text: pa.Array
    reasons: dict[int, str]
    fault: NDArray[np.bool_]


@dataclass
class _Strings:
    """Strings gathered from nested values, in their order.

    Attributes:
        texts: large_string[k], without null.
        rows: int64[k], ascending: the row, or the element, of each string.
        faults: rows with a value of a wrong type, by reason.
    """

    texts: pa.Array
    rows: NDArray[np.int64] = field(default_factory=lambda: _NOWHERE)
    faults: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def below(self, rows: NDArray[np.int64]) -> _Strings:
        """Return the same strings with rows instead of elements.

        Args:
            rows: int64[elements], row of each element.
        """
        faults = {why: rows[at] for why, at in self.faults.items()}
        return _Strings(self.texts, rows[self.rows], faults)


def _part(batch: pa.RecordBatch, path: str, roles: tuple[str, ...] | None) -> _Part:
    values = find(batch, path)
    rows = batch.num_rows
    missing = _missing(values)
    if isinstance(values, list):
        text, faults = _of_values(values, roles)
    else:
        text, faults = _of_array(values, roles)
    blank = is_blank(text)
    reasons: dict[int, str] = {}

    def wrong(at: Iterable[int], fault: str) -> None:
        for row in at:
            reasons.setdefault(int(row), f"text field {path!r} {fault}")

    wrong(np.flatnonzero(missing), "is missing or null")
    for why in sorted(faults):
        wrong(faults[why], why)
    fault = np.zeros(rows, bool)
    fault[[row for row in reasons if not missing[row]]] = True
    wrong(np.flatnonzero(mask_of(pc.equal(pc.binary_length(text), 0))), "is empty")
    wrong(np.flatnonzero(blank), "holds only white space")
    of_roles = "" if roles is None else f" of the roles {', '.join(roles)}"
    wrong(np.flatnonzero(mask_of(text.is_null())), f"holds no text{of_roles}")
    return _Part(_without(text, reasons), reasons, fault)


def _missing(values: pa.Array | list[Any]) -> NDArray[np.bool_]:
    if isinstance(values, list):
        return np.array([value is None for value in values], bool)
    return mask_of(values.is_null())


def _without(text: pa.Array, reasons: dict[int, str]) -> pa.Array:
    """Return the texts with null in the rows that have a reason."""
    if not reasons:
        return text
    invalid = np.zeros(len(text), bool)
    invalid[list(reasons)] = True
    return pc.if_else(pa.array(invalid), pa.scalar(None, text.type), text)


def _of_array(
    values: pa.Array, roles: tuple[str, ...] | None
) -> tuple[pa.Array, dict[str, NDArray[np.int64]]]:
    """Return the text of each value, null without any, and the rows with faults, by reason."""
    values = _decoded(values)
    if is_text(values.type):
        return values, {}
    if _is_list(values.type):
        elements, rows = _elements(values)
        strings = _turns(elements, roles).below(rows)
        return _joined(strings, len(values)), strings.faults
    faults = {}
    if not pa.types.is_null(values.type):
        why = f"holds {kind_of_type(values.type)}; a string is expected"
        faults = {why: np.flatnonzero(mask_of(values.is_valid()))}
    return pa.nulls(len(values), pa.string()), faults


def _decoded(values: pa.Array) -> pa.Array:
    """Decode dictionaries, and turn views into strings; few kernels take either."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return values.cast(pa.large_string()) if str(values.type) == "string_view" else values


def _is_list(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_nested(type_) and hasattr(type_, "value_type") and not pa.types.is_map(type_)
    )


def _elements(lists: pa.Array) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return the elements of n lists, and int64[elements], the list of each."""
    lengths = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
    return _decoded(lists.flatten()), np.repeat(np.arange(len(lists)), lengths.astype(np.int64))


def _strings(values: pa.Array) -> _Strings:
    rows = np.flatnonzero(mask_of(values.is_valid()))
    return _Strings(values.take(pa.array(rows)).cast(pa.large_string()), rows)


def _nothing(wrong: pa.Array | None = None, why: str = _NO_TURNS) -> _Strings:
    """Return no strings, and faults for values of a wrong type."""
    faults = {}
    if wrong is not None and wrong.null_count < len(wrong):
        faults = {why: np.flatnonzero(mask_of(wrong.is_valid()))}
    return _Strings(pa.array([], pa.large_string()), faults=faults)


def _turns(turns: pa.Array, roles: tuple[str, ...] | None) -> _Strings:
    """Gather the strings of list elements, which are strings or turns of a conversation."""
    if pa.types.is_null(turns.type):
        return _nothing()
    if is_text(turns.type):
        return _strings(turns) if roles is None else _nothing(turns, _NO_ROLES)
    if not pa.types.is_struct(turns.type):
        return _nothing(turns)
    chosen = np.ones(len(turns), bool) if roles is None else _has_role(turns, roles)
    gathered = []
    for values in (_member(turns, "content"), _member(turns, "value"), _part_text(turns)):
        mask = chosen & mask_of(values.is_valid())
        chosen &= ~mask
        at = np.flatnonzero(mask)
        gathered.append(_content(values.take(pa.array(at))).below(at))
    return _merged(gathered)


def _content(values: pa.Array) -> _Strings:
    """Gather the strings of turns' contents: each a string, or a list of parts."""
    if pa.types.is_null(values.type):
        return _nothing()
    if is_text(values.type):
        return _strings(values)
    if not _is_list(values.type):
        return _nothing(values)
    parts, rows = _elements(values)
    if pa.types.is_null(parts.type):
        return _nothing()
    if is_text(parts.type):
        return _strings(parts).below(rows)
    if not pa.types.is_struct(parts.type):
        return _nothing(parts).below(rows)
    text = _part_text(parts)
    strings = _strings(text) if is_text(text.type) else _nothing(text)
    return strings.below(rows)


def _part_text(parts: pa.Array) -> pa.Array:
    """Return the texts of a content's parts, null where a part is of another type."""
    kind, text = _member(parts, "type"), _member(parts, "text")
    is_part = mask_of(kind.is_null()) | mask_of(pc.is_in(_as_text(kind), pa.array(_TEXT_PARTS)))
    places = np.arange(len(parts))
    return text.take(pa.array(places, mask=~is_part))


def _member(structs: pa.Array, name: str) -> pa.Array:
    at = structs.type.get_field_index(name)
    return pa.nulls(len(structs)) if at < 0 else _decoded(pc.struct_field(structs, [at]))


def _as_text(values: pa.Array) -> pa.Array:
    """Return texts as string, values of other types as null."""
    return values.cast(pa.string()) if is_text(values.type) else pa.nulls(len(values), pa.string())


def _has_role(turns: pa.Array, roles: tuple[str, ...]) -> NDArray[np.bool_]:
    role, speaker = _member(turns, "role"), _member(turns, "from")
    named = pc.if_else(role.is_valid(), _as_text(role), _as_text(speaker))
    return mask_of(pc.is_in(named, pa.array(sorted(_names(roles)))))


def _names(roles: tuple[str, ...]) -> set[str]:
    """Return all equivalent names of some roles."""
    names = set(roles)
    for same in _SAME_ROLE:
        if names & set(same):
            names |= set(same)
    return names


def _merged(gathered: list[_Strings]) -> _Strings:
    texts = pa.concat_arrays([strings.texts for strings in gathered])
    rows = np.concatenate([strings.rows for strings in gathered])
    order = np.argsort(rows, kind="stable")
    faults: dict[str, NDArray[np.int64]] = {}
    for strings in gathered:
        for why, at in strings.faults.items():
            faults[why] = np.union1d(faults.get(why, _NOWHERE), at)
    return _Strings(texts.take(pa.array(order)), rows[order], faults)


def _joined(strings: _Strings, n: int) -> pa.Array:
    """Join the strings of each row, except blank ones: large_string[n], null without any.

    All strings are concatenated once, with the joints between strings of the same row. A row's
    text is then a slice of the result.
    """
    kept = np.flatnonzero(~is_blank(strings.texts))
    rows = strings.rows[kept]
    counts = np.bincount(rows, minlength=n)
    inner = np.zeros(len(rows), bool)
    inner[1:] = rows[1:] == rows[:-1]  # a joint precedes it
    order = np.full(len(rows) + int(inner.sum()), len(strings.texts), np.int64)
    order[np.arange(len(rows)) + np.cumsum(inner)] = kept
    pieces = pa.concat_arrays([strings.texts, pa.array([JOINT], pa.large_string())])
    laid = pieces.take(pa.array(order))
    ends = np.concatenate([[0], np.cumsum(np.maximum(2 * counts - 1, 0))])
    offsets = np.zeros(1, np.int64)
    _, starts, data = laid.buffers()
    if len(laid):
        offsets = np.frombuffer(starts, np.int64)[: len(laid) + 1]
    valid = pa.array(counts > 0).buffers()[1]
    return pa.Array.from_buffers(
        pa.large_string(), n, [valid, pa.py_buffer(offsets[ends]), data or pa.py_buffer(b"")]
    )


def _of_values(
    values: list[Any], roles: tuple[str, ...] | None
) -> tuple[pa.Array, dict[str, NDArray[np.int64]]]:
    """Return the result of `_of_array` for Python values of a column that holds JSON."""
    names = None if roles is None else _names(roles)
    texts: list[str | None] = []
    faults: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        why = None
        text = value if isinstance(value, str) else None
        if isinstance(value, list):
            strings: list[str] = []
            why = next(filter(None, [_of_turn(turn, names, strings) for turn in value]), None)
            strings = [string for string in strings if string and not string.isspace()]
            text = JOINT.join(strings) if strings else None
        elif value is not None and text is None:
            why = f"holds {kind_of(value)}; a string is expected"
        texts.append(text)
        if why is not None:
            faults.setdefault(why, []).append(row)
    return pa.array(texts, pa.string()), {w: np.array(at, np.int64) for w, at in faults.items()}


def _of_turn(turn: Any, names: set[str] | None, strings: list[str]) -> str | None:
    """Append the strings of a turn to a list, and return the turn's fault, if any."""
    if turn is None:
        return None
    if isinstance(turn, str):
        if names is not None:
            return _NO_ROLES
        strings.append(turn)
        return None
    if not isinstance(turn, dict):
        return _NO_TURNS
    role = turn.get("role") if turn.get("role") is not None else turn.get("from")
    if names is not None and not (isinstance(role, str) and role in names):
        return None
    content = turn.get("content")
    content = turn.get("value") if content is None else content
    content = _of_part(turn) if content is None else content
    texts = [_of_part(part) for part in content] if isinstance(content, list) else [content]
    texts = [text for text in texts if text is not None]
    strings += [text for text in texts if isinstance(text, str)]
    return _NO_TURNS if any(not isinstance(text, str) for text in texts) else None


def _of_part(part: Any) -> Any:
    """Return the text of a part of a turn's content; None for a part of another type."""
    if not isinstance(part, dict):
        return part
    return part.get("text") if part.get("type") in (None, *_TEXT_PARTS) else None
