"""Stored objects come back as they were; code does not."""

from __future__ import annotations

import os
import pickle
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from moto.s3.models import FakeBucket

from nightsort_local.local_aws import pickles
from nightsort_local.local_aws.settings import SettingError


def test_an_object_of_moto_comes_back() -> None:
    bucket = FakeBucket("kept", "123456789012", "eu-west-1")  # type: ignore[abstract]
    bucket.creation_date = datetime(2026, 1, 1, tzinfo=timezone.utc)
    again = pickles.load(pickles.dump(bucket))
    assert (again.name, again.region_name, again.creation_date) == ("kept", "eu-west-1", bucket.creation_date)


def test_a_named_object_is_stored_by_its_name() -> None:
    path = Path("file")
    content = pickles.dump([path, 1], lambda value: "name" if value is path else None)
    assert pickles.load(content, lambda name: f"found {name}") == ["found name", 1]


class Bomb:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    "bomb",
    [
        Bomb(os.system, "true"),
        Bomb(eval, "1"),
        Bomb(getattr, "text", "upper"),
        Bomb(partial, os.getpid),
        Bomb(Path, "/"),
        partial(os.getpid),
    ],
)
def test_code_is_refused(bomb: Any) -> None:
    with pytest.raises(SettingError, match="does not belong"):
        pickles.load(pickle.dumps(bomb))


def test_a_function_of_an_allowed_module_and_a_way_out_of_one_are_refused() -> None:
    for name in (b"utcnow", b"datetime.sys"):
        with pytest.raises(SettingError, match="does not belong"):
            pickles.load(b"\x80\x04\x8c\x0fmoto.core.utils\x8c" + bytes([len(name)]) + name + b"\x93.")
