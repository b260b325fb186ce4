"""Base of the models of files and results."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A model whose values never change and in which unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)
