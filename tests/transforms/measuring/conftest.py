"""A corpus that is larger than a sample."""

import pytest

from outcross.transforms.reference.sample import DOCUMENTS, TOKENS
from tests.support.references import Documents, Population


@pytest.fixture(scope="session")
def large() -> Documents:
    """Draw more documents and words than a sample holds."""
    documents = Population().draw(DOCUMENTS + 1500, 1)
    assert documents.sketch["tokens"].to_numpy().sum() > 3 * TOKENS
    return documents
