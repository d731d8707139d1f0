from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, BaseOperator, XComArg
from airflow.serialization.serialized_objects import DagSerialization

from nightsort_airflow.earlier_xcoms import MappedValue, mapped_value, xcom_of


class Reader(BaseOperator):
    template_fields = ("value", "deep")

    def __init__(self, *, value: Any, deep: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value = value
        self.deep = deep


class Pulled:
    """A task instance whose XComs are there only where they were pushed."""

    def __init__(self, **xcoms: Any) -> None:
        self.xcoms = xcoms

    def xcom_pull(self, task_ids: str, key: str, **how: Any) -> Any:
        assert not how, "with map_indexes, Airflow logs an error for an XCom that is not there"
        return self.xcoms.get(f"{task_ids}_{key}")


def test_a_task_gets_an_earlier_value_as_it_is_and_the_graph_no_arrow() -> None:
    with DAG("dag") as dag:
        first = BaseOperator(task_id="first")
        reader = Reader(task_id="reader", value=xcom_of(first), deep={"uri": [xcom_of(first, "uri")]})
    assert not reader.upstream_task_ids
    back = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert not back.task_dict["reader"].upstream_task_ids
    context: Any = {"ti": Pulled(first_return_value={"a": 1}, first_uri="s3://bucket/a")}
    reader.render_template_fields(context)
    assert reader.value == {"a": 1}
    assert reader.deep == {"uri": ["s3://bucket/a"]}


def test_what_a_skipped_task_did_not_push_is_none() -> None:
    with DAG("dag"):
        first = BaseOperator(task_id="first")
        reader = Reader(task_id="reader", value=xcom_of(first, "scores"))
    context: Any = {"ti": Pulled()}
    reader.render_template_fields(context)
    assert reader.value is None


def test_the_ui_shows_where_a_value_comes_from() -> None:
    with DAG("dag"):
        first = BaseOperator(task_id="first")
    assert str(xcom_of(first, "uri")) == "{{ ti.xcom_pull('first', key='uri') }}"


def test_a_value_of_a_mapped_group_is_that_of_the_map_index_without_an_arrow() -> None:
    class Argument(XComArg):
        def resolve(self, context: Any) -> Any:
            return context["batches"][context["index"]]

        def iter_references(self) -> Any:
            raise AssertionError("an arrow")

    with DAG("dag"):
        reader = Reader(task_id="reader", value=mapped_value(Argument()))
    assert isinstance(reader.value, MappedValue)
    assert reader.value.resolve({"batches": ["a", "b"], "index": 1}) == "b"
