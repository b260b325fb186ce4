"""Fields that quote a corpus, and models with these fields emptied."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel

ModelT = TypeVar("ModelT", bound=BaseModel)


class _Quote:
    """Mark of a field that holds words of a corpus."""


_QUOTE = _Quote()

QuotedText = Annotated[str | None, _QUOTE]
"""The beginning of a text or a prompt."""

QuotedWords = Annotated[list[str], _QUOTE]
"""Single words of texts."""


def without_quotes(model: ModelT) -> ModelT:
    """Return the model without words of the corpus: texts are null, and lists of words empty.

    Args:
        model: any model; the models within it are treated alike.
    """
    changed: dict[str, Any] = {}
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if _QUOTE in field.metadata:
            changed[name] = [] if isinstance(value, list) else None
        else:
            changed[name] = _within(value)
    return model.model_copy(update=changed)


def _within(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return without_quotes(value)
    if isinstance(value, list):
        return [_within(item) for item in value]
    if isinstance(value, dict):
        return {key: _within(item) for key, item in value.items()}
    return value
