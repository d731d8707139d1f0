"""Nothing of the unit tests stays in the folder that the user's real stacks share."""

from __future__ import annotations

import shutil
import tempfile
from typing import TYPE_CHECKING

import pytest

from nightsort_local import home

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _own_shared_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Provide each test with a shared folder of its own, as short as the real one."""
    folder = tempfile.mkdtemp(prefix="ns-", dir="/tmp")
    monkeypatch.setattr(home, "SHARED_FOLDER", folder)
    yield
    shutil.rmtree(folder)
