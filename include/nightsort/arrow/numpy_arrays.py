"""NumPy arrays as Arrow arrays that share their memory.

``pyarrow.array`` does the same for plain numbers, but its type stubs know no arrays of NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import numpy.typing as npt


def from_numpy(values: npt.NDArray[Any]) -> Any:
    """Return numbers as an Arrow array that shares their memory.

    :param values: one dimension, int or float, in the machine's byte order.
    """
    buffer: Any = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(buffer)])


def from_records(values: npt.NDArray[Any]) -> Any:
    """Return values of one size, in whatever byte order and structure, as an Arrow array of binary values."""
    width = values.dtype.itemsize
    offsets: Any = np.arange(0, (len(values) + 1) * width, width, dtype=np.int32)
    content: Any = np.ascontiguousarray(values)
    return pa.Array.from_buffers(
        pa.binary(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(content)]
    )
