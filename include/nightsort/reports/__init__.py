"""What people read: runs, predictions, rejects, label distributions and confusion matrices as DataFrames.

:mod:`~nightsort.reports.from_tables` reads PostgreSQL, :mod:`~nightsort.reports.from_files` reads
the files of an export, a run or a training. Both return the same columns and types.
"""
