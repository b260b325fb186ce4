"""The one check of versions: what it lets through, and what it says of the rest."""

import json
from typing import Any

import pytest

from outcross.schemas.documents import TEXT_VERSION
from outcross.schemas.formats import FORMAT, TEXT, check_json, check_versions, versions
from outcross.schemas.user_input import ConfigError

NEEDED = {FORMAT: 5, TEXT: 2}


def refusal(stored: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as error:
        check_versions("reference", "a/reference.json", stored, NEEDED, "build it again")
    return str(error.value)


def test_what_a_file_says_of_itself_is_what_is_needed() -> None:
    assert versions(5) == {FORMAT: 5, TEXT: TEXT_VERSION}
    check_versions("reference", "a", versions(5) | {"other": 1}, versions(5), "")


def test_an_older_file_names_path_versions_and_remedy() -> None:
    assert refusal({FORMAT: 4, TEXT: 2}) == (
        "reference: a/reference.json was written by an older outcross: it has format_version 4, "
        "and format_version 5 is needed; build it again"
    )
    assert "it has format_version 4 and text_version 1, and format_version 5 and" in refusal(
        {FORMAT: 4, TEXT: 1}
    )


def test_without_a_version_it_is_older() -> None:
    assert "an older outcross: it has no text_version, and text_version 2 is needed" in refusal(
        {FORMAT: 5}
    )
    assert "an older outcross or another program: it has no format_version and no " in refusal({})


def test_a_newer_file_needs_a_newer_program() -> None:
    assert refusal({FORMAT: 4, TEXT: 3}).endswith(
        "is needed; install that version, or build it again"
    )
    assert "a newer outcross: it has format_version 6, and" in refusal({FORMAT: 6, TEXT: 2})


@pytest.mark.parametrize("version", ["5", None, [5], 4.5])
def test_what_is_no_version_is_refused(version: Any) -> None:
    assert f"it has format_version {version}, and" in refusal({FORMAT: version, TEXT: 2})


def test_what_is_no_object_is_left_to_its_model() -> None:
    for text in (b"", b"\xff", b"[]", b"5", b'{"format_version"', json.dumps(NEEDED).encode()):
        check_json("plan", "plan.json", text, NEEDED, "")
    with pytest.raises(ConfigError, match=r"plan: plan\.json was written"):
        check_json("plan", "plan.json", b"{}", NEEDED, "")
