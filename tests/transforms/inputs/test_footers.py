"""Faults of Parquet files: the numbers of one file, and the same words for many."""

import pyarrow as pa
import pytest

from outcross.transforms.inputs.footers import broken_parquet, without_numbers


@pytest.mark.parametrize("place", ["", "column 'text2', row group 1: "])
def test_a_fault_keeps_its_numbers_until_faults_of_many_files_are_counted(place):
    reasons = [
        broken_parquet(pa.ArrowInvalid(f"Parquet file size is {size} bytes."), place)
        for size in (0, 17)
    ]
    begin = f"broken Parquet: {place}Parquet file size is"
    assert reasons == [f"{begin} {size} bytes; get the file again" for size in (0, 17)]
    assert {without_numbers(reason) for reason in reasons} == {
        f"{begin} N bytes; get the file again"
    }


def test_other_reasons_keep_their_numbers():
    assert (
        without_numbers("column 'text2' is not valid UTF-8") == "column 'text2' is not valid UTF-8"
    )
