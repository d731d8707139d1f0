"""moto's objects as bytes, with all their attributes: moto has no form of its own to store them in."""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

from nightsort_local.local_aws.settings import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable

_MODULES = (
    "collections", "datetime", "requests.structures",
    "moto.core", "moto.iam", "moto.moto_api", "moto.s3", "moto.sts", "moto.utilities",
    "nightsort_local.local_aws.s3",
)  # fmt: skip
"""Where the classes in a pickle may come from: these modules, and modules below them."""

_BUILTINS = ("bytearray", "set", "frozenset")


def dump(value: Any, name_of: Callable[[Any], str | None] = lambda _: None) -> bytes:
    """Return a value as bytes.

    :param value: any object of the allowed modules.
    :param name_of: returns the name by which an object is stored instead of its content, or None.
    """
    stream = io.BytesIO()
    pickler = _Pickler(stream, protocol=5)
    pickler.name_of = name_of
    pickler.dump(value)
    return stream.getvalue()


def load(content: bytes, named: Callable[[str], Any] | None = None) -> Any:
    """Return the value of :func:`dump`.

    :param content: the bytes.
    :param named: returns the object of a name.
    :raises SettingError: it cannot be read. It may hold only instances of the allowed modules' classes:
        whoever can replace a file of the data folder must not be able to run code.
    """
    unpickler = _Unpickler(io.BytesIO(content))
    unpickler.named = named
    try:
        return unpickler.load()
    except Exception as error:
        # The documentation of pickle names several types, "not necessarily limited to" them.
        raise SettingError(
            f"The state in the data folder cannot be read ({error}): it is damaged, or was written with "
            "another version of moto. Install that version, restore the folder, or use another --data."
        ) from error


class _Pickler(pickle.Pickler):
    name_of: Callable[[Any], str | None]

    def persistent_id(self, obj: Any) -> str | None:
        return self.name_of(obj)


class _Unpickler(pickle.Unpickler):
    named: Callable[[str], Any] | None

    def persistent_load(self, pid: str) -> Any:
        if self.named is None:
            raise pickle.UnpicklingError(f"no object is called {pid}")
        return self.named(pid)

    def find_class(self, module_name: str, global_name: str) -> Any:
        allowed = any(module_name == name or module_name.startswith(f"{name}.") for name in _MODULES)
        # A dotted name could lead out of its module.
        if (allowed or (module_name == "builtins" and global_name in _BUILTINS)) and "." not in global_name:
            found = super().find_class(module_name, global_name)
            if isinstance(found, type):
                return found
        raise pickle.UnpicklingError(f"{module_name}.{global_name} does not belong into a stored state")
