"""The process with the models says what it cannot do, and goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nightsort_local.local_aws.work.real_time import RealTimeError, RealTimeProcess

if TYPE_CHECKING:
    from pathlib import Path


def test_a_model_that_is_gone_is_told_each_time(tmp_path: Path) -> None:
    process = RealTimeProcess()
    try:
        for _ in range(2):
            with pytest.raises(RealTimeError, match="cannot be read"):
                process.classify(str(tmp_path / "gone.npz"), None).result(timeout=60)
    finally:
        process.close()
