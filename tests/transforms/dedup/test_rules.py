"""Who may be removed in favour of whom."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcross.transforms.dedup.rules import Party, may_stand_for
from tests.support.corpora import HeldSketches, rules_of, source

ROLES = ("exclude", "human", "synthetic", "reference")
PAIRS = list(product(ROLES, ROLES))

# Of documents of this run, who may be removed by whom: kept role, removed role.
ALLOWED = {
    ("exclude", "human"),
    ("exclude", "synthetic"),
    ("human", "human"),
    ("human", "synthetic"),
    ("synthetic", "synthetic"),
    ("reference", "reference"),
}


def party(name, role, run=None, removed_by=None):
    return Party(source(name, role, "x", removed_by=removed_by), run)


@pytest.mark.parametrize(("kept", "removed"), PAIRS)
@pytest.mark.parametrize("run", [None, "old"])
def test_roles(kept, removed, run):
    allowed = (kept, removed) in ALLOWED
    assert may_stand_for(party("k", kept, run), party("r", removed)) == allowed
    # What an earlier run has written is not this run's to change.
    assert not may_stand_for(party("k", kept, run), party("r", removed, "old"))
    assert not may_stand_for(party("k", kept, run), party("r", removed, "other"))


@pytest.mark.parametrize(("kept", "removed"), PAIRS)
@pytest.mark.parametrize("run", [None, "old"])
def test_removed_by_restricts_and_never_permits(kept, removed, run):
    allowed = (kept, removed) in ALLOWED
    named = may_stand_for(party("k", kept, run), party("r", removed, removed_by=["x", "k"]))
    other = may_stand_for(party("k", kept, run), party("r", removed, removed_by=["x", "r"]))
    nobody = may_stand_for(party("k", kept, run), party("r", removed, removed_by=[]))
    assert named == allowed
    assert other == nobody == (allowed and kept == "exclude")
    # Whom the kept one may be removed by says nothing of whom it removes.
    assert may_stand_for(party("k", kept, run, []), party("r", removed)) == allowed


@pytest.mark.parametrize("role", ["human", "synthetic", "reference"])
def test_a_source_may_repeat_itself_if_it_is_not_named(role):
    for names, allowed in ((None, True), ([], False), (["other"], False), (["own"], True)):
        own = party("own", role, removed_by=names)
        assert may_stand_for(own, own) == allowed


def test_what_is_never_removed():
    fixed = [party("a", role, run).fixed for role in ROLES for run in (None, "old")]
    assert fixed == [True, True, False, True, False, True, False, True]
    assert party("a", "human").name == "a"
    assert party("a", "human", "old").name == "old/a"


PARTIES = [
    party("tests", "exclude"),
    party("people", "human"),
    party("gpt", "synthetic"),
    party("own", "synthetic", removed_by=["people"]),
    party("self", "synthetic", removed_by=["self", "gpt"]),
    party("yard", "reference"),
    party("gpt", "synthetic", "old"),
    party("people", "human", "old", ["people"]),
    party("tests", "exclude", "old"),
]


def every_document(by_prompt):
    """Make a document without a prompt and one with each of two, for each party."""
    rows = [{"text": "x", "prompt": prompt} for prompt in (None, "one", "two")]
    sketches = HeldSketches([(number, rows) for number in range(len(PARTIES))])
    rules = rules_of(sketches, PARTIES, by_prompt)
    n = len(sketches)
    kept, removed = (side.ravel() for side in np.mgrid[:n, :n])
    return rules, kept, removed, rules.may(kept, removed)


@pytest.mark.parametrize("by_prompt", [False, True])
def test_prompts_tell_apart_all_but_evaluation_texts(by_prompt):
    rules, kept, removed, may = every_document(by_prompt)
    prompts = [None, "one", "two"] * len(PARTIES)
    for k, r, found in zip(kept.tolist(), removed.tolist(), may.tolist(), strict=True):
        one, other = PARTIES[rules.party[k]], PARTIES[rules.party[r]]
        differ = prompts[k] and prompts[r] and prompts[k] != prompts[r]
        if "exclude" in (one.source.role, other.source.role):
            differ = False
        assert found == (may_stand_for(one, other) and not (by_prompt and differ))


@pytest.mark.parametrize("by_prompt", [False, True])
def test_pools_part_only_what_is_not_compared(by_prompt):
    rules, kept, removed, may = every_document(by_prompt)
    pool, common = rules.pool, rules.common
    assert (pool[kept] == pool[removed])[may & (rules.prompt[kept] == rules.prompt[removed])].all()
    # One without a prompt meets those that have one where they would be without it.
    bare = rules.prompt == 0
    assert (pool[bare] == common[bare]).all()
    assert (common[kept] == common[removed])[may].all()
    yard = rules.of_parties([made.source.role == "reference" for made in PARTIES])
    assert (pool[kept] != pool[removed])[yard[kept] != yard[removed]].all()
    two = (rules.prompt[kept] != rules.prompt[removed]) & ~bare[kept] & ~bare[removed]
    assert (pool[kept] != pool[removed])[two].all()
    assert two.any() == by_prompt


@pytest.mark.parametrize("by_prompt", [False, True])
def test_a_partner_can_be_inherited_within_a_removal_group(by_prompt):
    rules, _, _, may = every_document(by_prompt)
    n = len(rules.party)
    may, removal_group = may.reshape(n, n), rules.removal_group
    inherited = 0
    for first in range(n):
        for repeat in range(n):
            if removal_group[first] == removal_group[repeat] and may[first, repeat]:
                assert (may[:, repeat] | ~may[:, first]).all()
                inherited += first != repeat
    assert inherited > 10


@given(st.lists(st.integers(0, len(PARTIES) - 1), max_size=6))
def test_documents_have_the_party_of_their_unit(numbers):
    units = [(number, [{"text": "a"}] * (i % 3)) for i, number in enumerate(numbers)]
    rules = rules_of(HeldSketches(units), PARTIES, False)
    assert rules.party.tolist() == [n for i, n in enumerate(numbers) for _ in range(i % 3)]
    flags = [made.fixed for made in PARTIES]
    assert rules.of_parties(flags).tolist() == [flags[n] for n in rules.party]
