"""Remove documents from everything that Nightsort holds.

A forgotten document leaves its line: of the same size, with a text that says nothing, and without an id. So
all other documents keep their lines, and a batch its name; its job is found again and not paid for again
(``docs/adr/0035-forgotten-documents-leave-their-line.md``).
"""
