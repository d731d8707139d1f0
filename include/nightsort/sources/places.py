"""Places in the storage: errors that name them, with the key of the spec that holds them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from nightsort.storage import StorageError
from nightsort.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def place_named(uri: str, key: str) -> Iterator[None]:
    """Name the place and the spec's key in errors of the storage, which name neither.

    :param uri: what is read or written.
    :param key: the key of the spec with this URI.
    :raises StorageError: the place does not exist.
    :raises PermissionError: it may not be read or written.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise StorageError(
            f"{uri} cannot be reached ({error}); correct {key} in the spec, or create the bucket"
        ) from error
    except PermissionError as error:
        raise PermissionError(one_line(f"{uri} ({key} in the spec): {error}")) from error
