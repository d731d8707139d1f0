"""What overwriting lines promises: these lines say nothing, and every other byte is where it was."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.forgetting import lines as lines_module
from nightsort.forgetting.lines import LineMissingError, filler, overwrite_lines

TEXT = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=30)


@given(st.lists(TEXT, min_size=1, max_size=40), st.data())
def test_only_the_chosen_lines_change_and_nothing_moves(texts: list[str], data: st.DataObject) -> None:
    chosen = sorted(data.draw(st.sets(st.integers(0, len(texts) - 1))))
    lines_module._CHUNK_BYTES = data.draw(st.integers(1, 64))  # type: ignore[misc]
    before = [text.encode() for text in texts]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "input.txt"
        path.write_bytes(b"".join(line + b"\n" for line in before))
        positions = np.array(chosen, np.int64)
        overwrite_lines(path, positions, lambda line: filler(len(line)))
        after = path.read_bytes().split(b"\n")[:-1]
        assert after == [filler(len(line)) if n in chosen else line for n, line in enumerate(before)]
        assert not overwrite_lines(path, positions, lambda line: filler(len(line)))


def test_a_file_that_is_too_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / "input.txt"
    path.write_bytes(b"one\ntwo\n")
    with pytest.raises(LineMissingError, match=r"input\.txt has no line 2"):
        overwrite_lines(path, np.array([2]), lambda line: line)


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 10_000])
def test_the_filler_has_the_size_of_what_it_replaces(size: int) -> None:
    assert len(filler(size)) == size
    assert b"\n" not in filler(size)
