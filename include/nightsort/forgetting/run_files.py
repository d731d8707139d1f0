"""Find documents in the files of a run, and take them out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from nightsort.batches.manifest import ManifestError
from nightsort.forgetting.lines import LineMissingError, filler, overwrite_lines
from nightsort.forgetting.manifests import Found, erase_from_manifest, find_in_manifest
from nightsort.forgetting.outputs import Places, drop_results
from nightsort.forgetting.rejects import FoundRejects, erase_from_rejects, find_in_rejects
from nightsort.forgetting.reused import erase_from_reused, find_in_reused
from nightsort.layout import REJECTS_FILE, REUSED_FILE, batch_file, forgotten_file
from nightsort.results.archive import ArchiveError
from nightsort.reuse.store import erase_from_store
from nightsort.sources.source_files import list_files
from nightsort.storage import download, names_below, remove_file, upload_whole

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from nightsort.arrow.columns import Column
    from nightsort.layout import WorkLayout
    from nightsort.storage import Access

_MANIFEST: Final = ".parquet"
_OUTPUT: Final = "output.tar.gz"


@dataclass(frozen=True)
class FoundInRun:
    """Documents in the files of a run.

    :param batches: in the manifests of batches and retries, by name, with what :class:`Found` has besides.
    :param rejects: among its rejects.
    :param reused: among those that it has reused, by the name of the file.
    :param strays: inputs without a manifest, by name: a crashed attempt left them, and nothing says which
        documents they hold.
    :param damaged: what cannot be read.
    :param documents: how many documents were looked through.
    """

    batches: dict[str, Found]
    rejects: FoundRejects
    reused: dict[str, Counter[str]] = field(default_factory=dict)
    strays: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    documents: int = 0

    @property
    def ids(self) -> Counter[str]:
        """How often each id is there."""
        of_batches = (found.ids for found in self.batches.values())
        return sum((*of_batches, *self.reused.values()), self.rejects.ids + Counter())

    @property
    def lost(self) -> int:
        """How many texts there are whose documents the source has lost."""
        return sum(found.lost for found in self.batches.values())


class RunFiles:
    """The files of one run. Its manifests say whether its batches have a document per line or per file.

    :param layout: of the spec.
    :param run_key: the run.
    :param access: storage.
    :param scratch: a local folder.
    """

    def __init__(self, layout: WorkLayout, run_key: str, access: Access, scratch: Path) -> None:
        self._layout = layout
        self._run_key = run_key
        self._folder = layout.run(run_key)
        self._access = access
        self._scratch = scratch

    def find(self, ids: Column, named: Collection[str]) -> FoundInRun:
        """Find documents.

        :param ids: their ids.
        :param named: the same ids.
        """
        damaged: list[str] = []
        batches = {}
        documents = 0
        manifests = [
            name.removesuffix(_MANIFEST)
            for name in names_below(self._folder.manifests, self._access)
            if name.endswith(_MANIFEST)
        ]
        for batch in manifests:
            try:
                found = find_in_manifest(self._folder.manifest(batch), ids, self._access)
            except ManifestError as error:
                damaged.append(str(error))
                continue
            documents += found.documents
            if found.ids or found.lost:
                batches[batch] = found
        inputs = [
            {
                self._folder.input(batch, per_file=form).removeprefix(self._folder.inputs)
                for batch in manifests
            }
            for form in (True, False)
        ]
        strays = set(names_below(self._folder.inputs, self._access)).difference(*inputs)
        rejects = find_in_rejects(self._folder.file(REJECTS_FILE), named, self._access)
        reused = self._find_reused(ids, damaged)
        return FoundInRun(batches, rejects, reused, sorted(strays), damaged, documents)

    def erase(self, found: FoundInRun, ids: Column, named: Collection[str]) -> Iterator[str]:
        """Take documents out: of all else first, last of the manifests, which say where they are.

        :param found: the documents.
        :param ids: their ids.
        :param named: the same ids.
        :returns: what could not be done, one after the other.
        """
        for batch, documents in found.batches.items():
            if problem := self._erase_from_input(batch, documents):
                yield problem
        if found.batches:
            yield from self._drop_results(found.batches)
        for batch, documents in found.batches.items():
            if hashes := documents.text_hashes:
                erase_from_store(self._access, self._layout, self._run_key, batch, hashes)
        for name in found.reused:
            erase_from_reused(self._folder.file(name), ids, self._access, self._scratch)
        for batch, documents in found.batches.items():
            uri = self._folder.manifest(batch)
            per_file = _per_file(batch, documents)
            erase_from_manifest(uri, documents, self._access, self._scratch, per_file=per_file)
        if found.rejects.ids:
            erase_from_rejects(self._folder.file(REJECTS_FILE), named, self._access, self._scratch)

    def remove_strays(self, found: FoundInRun) -> None:
        """Remove the inputs without a manifest."""
        for name in found.strays:
            uri = self._folder.inputs + name
            files = [uri + file for file in names_below(uri, self._access)] if name.endswith("/") else [uri]
            for file in files:
                remove_file(file, self._access)

    def _find_reused(self, ids: Column, damaged: list[str]) -> dict[str, Counter[str]]:
        found = {}
        for name in names_below(self._folder.file(""), self._access):
            if not REUSED_FILE.fullmatch(name):
                continue
            try:
                if here := find_in_reused(self._folder.file(name), ids, self._access):
                    found[name] = here
            except ManifestError as error:
                damaged.append(str(error))
        return found

    def _erase_from_input(self, batch: str, found: Found) -> str | None:
        """Put a text that says nothing in the place of documents; return what could not be done."""
        per_file = _per_file(batch, found)
        uri = self._folder.input(batch, per_file=per_file)
        try:
            if per_file:
                self._replace_files(uri, found)
                self._rename_files(uri, found)
            else:
                self._overwrite_lines(uri, found)
        except FileNotFoundError:
            # A lifecycle rule has removed the input.
            return None
        except LineMissingError as error:
            return f"{uri}: {error}"
        return None

    def _overwrite_lines(self, uri: str, found: Found) -> None:
        local = self._scratch / "input.txt"
        download(uri, local, self._access)
        if overwrite_lines(local, found.texts, lambda line: filler(len(line))):
            upload_whole(local, uri, self._access)

    def _replace_files(self, prefix: str, found: Found) -> None:
        """Put a file that says nothing in the place of each document's; the old one goes last."""
        local = self._scratch / "document"
        for (name, _), position in zip(found.places, found.texts.tolist(), strict=True):
            fs, path = self._access.file(prefix + name)
            try:
                local.write_bytes(filler(fs.info(path)["size"]))
            except FileNotFoundError:
                continue
            upload_whole(local, prefix + forgotten_file(position), self._access)
            remove_file(prefix + name, self._access)

    def _rename_files(self, prefix: str, found: Found) -> None:
        """Name a file that is passed on after the document that has it now; the old one goes last."""
        local = self._scratch / "document"
        for old, new in found.renamed.items():
            try:
                download(prefix + old, local, self._access)
            except FileNotFoundError:
                continue
            upload_whole(local, prefix + new, self._access)
            remove_file(prefix + old, self._access)

    def _drop_results(self, batches: Mapping[str, Found]) -> Iterator[str]:
        places: Places = {}
        renamed: dict[str, str] = {}
        for batch, found in batches.items():
            if _per_file(batch, found):
                places.update(dict.fromkeys(file for file, _ in found.places))
                renamed |= found.renamed
            else:
                places[batch_file(batch)] = frozenset(line for _, line in found.places)
        for output in list_files(self._folder.output, self._access):
            if output.name.rpartition("/")[2] != _OUTPUT:
                continue
            if problem := self._drop_from_output(output.uri, places, renamed):
                yield problem

    def _drop_from_output(self, uri: str, places: Places, renamed: Mapping[str, str]) -> str | None:
        try:
            drop_results(uri, places, self._access, self._scratch, renamed)
        except ArchiveError as error:
            return str(error)
        return None


def _per_file(batch: str, found: Found) -> bool:
    """Whether each document of a batch has a file of its own, which is named after it."""
    return next(iter((*found.files, *found.passed_on.values()))) != batch_file(batch)
