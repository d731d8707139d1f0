"""
Values that a task takes from the XComs of earlier tasks, without an arrow in the graph.

A task that takes an ``XComArg`` as an argument gets an arrow from the ``XComArg``'s task. With values of four
earlier tasks it has four arrows, and the graph no longer shows a chain. The DAG files say the order with
``chain()``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import XComArg

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import BaseOperator


class WithoutArrow(XComArg):
    """A value that is known when the task runs, and names no task. Not for use by itself."""

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        """Name no task, so that no arrow is made."""
        return iter(())


class EarlierXCom(WithoutArrow):
    """
    An XCom of a task that is not mapped; None where there is none, for instance of a skipped task.

    :param task: the earlier task.
    :param key: the XCom's key.
    """

    def __init__(self, task: BaseOperator, key: str) -> None:
        self.task = task
        self.key = key

    def resolve(self, context: Any) -> Any:
        """Pull the XCom. Without ``map_indexes``, Airflow logs no error where there is none."""
        return context["ti"].xcom_pull(task_ids=self.task.task_id, key=self.key)

    def __str__(self) -> str:
        return f"{{{{ ti.xcom_pull('{self.task.task_id}', key='{self.key}') }}}}"


class MappedValue(WithoutArrow):
    """
    An argument of a mapped task group, of the map index of the task.

    :param argument: what the function of the task group was called with.
    """

    def __init__(self, argument: Any) -> None:
        self.argument = argument

    def resolve(self, context: Any) -> Any:
        """Return the value of the task's map index."""
        return self.argument.resolve(context)

    def __str__(self) -> str:
        return str(self.argument)


def xcom_of(task: BaseOperator, key: str = "return_value") -> Any:
    """
    Return a reference to an earlier task's XCom, without an arrow in the graph.

    :param task: the earlier task, which is not mapped.
    :param key: the XCom's key; without it, the task's return value.
    """
    return EarlierXCom(task, key)


def mapped_value(argument: Any) -> Any:
    """
    Return an argument of a mapped task group, without an arrow in the graph.

    It is for the tasks of the group after the first, which alone follows the task that the group is mapped
    over.

    :param argument: what the function of the task group was called with.
    """
    return MappedValue(argument)
