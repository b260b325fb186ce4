"""Figures of a set: the same however it was cut, absent where they can't be said."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from outcross.schemas.figures import Figures
from outcross.schemas.measures import MEASURES
from outcross.transforms.estimators.lexical import first_tokens, lexical
from outcross.transforms.estimators.richness import effective_number, standard_error
from outcross.transforms.estimators.vendi import vendi
from outcross.transforms.measuring.contrast import LEAST_TOKENS, Contrast
from outcross.transforms.measuring.diversity import Diversity, merged
from outcross.transforms.measuring.figures import FigureMaker
from tests.support.references import SECOND_TOPICS, TOPICS, Documents, Population, reference

POPULATION = Population()
AGAINST_HUMAN = ("kl_to_reference", "tail_mass", "off_support")


def measured(documents: Documents) -> Diversity:
    diversity = Diversity.empty(TOPICS, SECOND_TOPICS)
    rows = np.arange(len(documents))
    diversity.add(documents.at(rows), documents.sketch, documents.key, 3, 5)
    return diversity


@pytest.fixture(scope="module")
def maker() -> FigureMaker:
    return FigureMaker(reference(0, 300, POPULATION))


def test_parts_merged_have_the_figures_of_the_whole(maker: FigureMaker) -> None:
    documents = POPULATION.draw(400, 1)
    complete = measured(documents)
    parts = [measured(documents.take(np.arange(start, 400, 4))) for start in (2, 0, 3, 1)]
    joined = merged(parts, TOPICS, SECOND_TOPICS)
    joined.counts.copies, joined.counts.near_duplicates = 3, 5
    assert maker.figures(joined) == maker.figures(complete)
    assert Figures.model_validate_json(maker.figures(complete).model_dump_json()) == maker.figures(
        complete
    )


def test_the_figures_are_those_of_the_accumulators(maker: FigureMaker) -> None:
    documents = POPULATION.draw(400, 2)
    diversity = measured(documents)
    figures = maker.figures(diversity)
    counts = diversity.counts
    assert (figures.documents, figures.tokens) == (400, int(counts.tokens.sum()))
    assert (figures.copies, figures.near_duplicates) == (3, 5)
    assert figures.vendi == vendi(diversity.moments, 1)
    assert figures.vendi_2 == vendi(diversity.moments, 2)
    effective = effective_number(counts.documents)
    assert figures.effective_clusters == effective
    assert figures.effective_clusters_error == effective * standard_error(counts.documents)
    lengths = np.sort(documents.sketch["tokens"].to_numpy())
    assert figures.lengths is not None
    assert figures.lengths.mean == pytest.approx(lengths.mean())
    for share, value in ((0.05, figures.lengths.least), (0.5, figures.lengths.median)):
        assert value <= lengths[int(share * 400)] < 1.1 * value
    assert figures.lengths.least < figures.lengths.median < figures.lengths.most <= lengths[-1]
    assert figures.measures == maker.contrast.measures(diversity.sample)  # type: ignore[union-attr]
    assert figures.tail_mass == pytest.approx(0.2, abs=0.06)
    assert figures.kl_to_reference is not None


def test_words_are_counted_in_a_power_of_two(maker: FigureMaker) -> None:
    documents = POPULATION.draw(400, 3)
    diversity = measured(documents)
    offsets, words = diversity.sample.words
    measures = maker.figures(diversity).lexical
    assert measures is not None
    size = 1 << (len(words).bit_length() - 1)
    assert measures.tokens == size
    assert asdict(lexical(*first_tokens(offsets, words, size))) == measures.model_dump()
    few = documents.take(np.arange(60))
    assert few.sketch["tokens"].to_numpy().sum() < LEAST_TOKENS
    assert maker.figures(measured(few)).lexical is None


def test_only_the_measures_that_are_wanted(maker: FigureMaker) -> None:
    diversity = measured(POPULATION.draw(200, 4))
    names = [measure.name for measure in maker.figures(diversity, ("vocabulary", "js")).measures]
    assert names == ["js", "vocabulary"]
    assert [measure.name for measure in maker.figures(diversity).measures] == list(MEASURES)[:-1]


def test_without_human_text_nothing_is_called_human(maker: FigureMaker) -> None:
    diversity = measured(POPULATION.draw(200, 5))
    figures = FigureMaker(reference(0, 100, POPULATION, human=False)).figures(diversity)
    assert figures.measures == []
    assert [getattr(figures, name) for name in AGAINST_HUMAN] == [None] * 3
    human = maker.figures(diversity)
    same = figures.model_dump(exclude={"measures", *AGAINST_HUMAN})
    assert human.model_dump(exclude={"measures", *AGAINST_HUMAN}) == same
    assert None not in [getattr(human, name) for name in AGAINST_HUMAN]


def test_a_set_of_nothing_has_no_figures(maker: FigureMaker) -> None:
    figures = maker.figures(Diversity.empty(TOPICS, SECOND_TOPICS))
    assert figures.documents == figures.tokens == 0
    assert (figures.vendi, figures.lexical, figures.lengths, figures.measures) == (
        None,
        None,
        None,
        [],
    )


def test_documents_without_words_have_the_figures_that_need_none(maker: FigureMaker) -> None:
    documents = POPULATION.draw(120, 6)
    sketch = documents.sketch.drop_columns(["tokens", "words"])
    sketch = sketch.append_column("tokens", [[0] * 120]).append_column("words", [[b""] * 120])
    schema = documents.sketch.schema
    sketch = sketch.select(schema.names).cast(schema)
    figures = maker.figures(measured(replace(documents, sketch=sketch)))
    assert figures.documents == 120
    assert figures.tokens == 0
    assert figures.lengths is not None
    assert (figures.lengths.mean, figures.lengths.most) == (0, 0)
    assert figures.lexical is None
    by_name = {measure.name: measure.outcome for measure in figures.measures}
    assert (by_name["vocabulary"], by_name["vendi"]) == ("too few", "shown")
    assert isinstance(maker.contrast, Contrast)
