"""Write which documents are in the files of a training, so that one can be found there by its id.

The list has the columns of a batch's manifest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from nightsort.arrow.columns import from_numpy
from nightsort.arrow.manifest_schema import MANIFEST_SCHEMA, manifest_writer
from nightsort.layout import TEST_FILE, TRAINING_FILE
from nightsort.training.split_assignment import TEST, TRAINING

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from nightsort.training.labelled_documents import LabelledDocuments

_FILES: Final = {TRAINING: TRAINING_FILE, TEST: TEST_FILE}


def write_document_list(path: Path, documents: LabelledDocuments, roles: npt.NDArray[Any]) -> None:
    """Write the list.

    :param path: a local file.
    :param documents: all labelled documents.
    :param roles: which of them are trained on or tested.
    """
    lines = dict.fromkeys(_FILES, 0)
    with manifest_writer(path) as writer:
        for indices, ids in documents.ids():
            for role, file in _FILES.items():
                chosen = np.flatnonzero(roles[indices] == role)
                first: Any = pa.repeat(pa.scalar(0, pa.int32()), len(chosen))
                columns: list[Any] = [
                    pa.DictionaryArray.from_arrays(first, pa.array([file])),
                    from_numpy(np.arange(lines[role], lines[role] + len(chosen))),
                    ids["document_id"].take(from_numpy(chosen)),
                ]
                lines[role] += len(chosen)
                writer.write_batch(pa.record_batch(columns, schema=MANIFEST_SCHEMA))
