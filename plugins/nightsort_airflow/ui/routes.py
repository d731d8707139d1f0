"""The pages' addresses. Every function here runs in a thread of the API server, never in its event loop."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.responses import RedirectResponse

from nightsort.tables.classifier_history import classifier_history
from nightsort.tables.drift_series import drift_series
from nightsort.tables.endpoint_hours import openings_between
from nightsort.tables.overview import classifier_names
from nightsort.tables.overview import overview as read_overview
from nightsort.tables.run_rows import AirflowRun
from nightsort.tables.run_summaries import run_of_dag_run, runs_of_dag_runs
from nightsort.tables.versions import find_version
from nightsort.wording import one_line
from nightsort_airflow.ui import rights
from nightsort_airflow.ui.addresses import Addresses
from nightsort_airflow.ui.guard import USER
from nightsort_airflow.ui.night_values import night_values, read_night
from nightsort_airflow.ui.rendering import page
from nightsort_airflow.ui.rights import CLASSIFY, TRAIN, dag_id
from nightsort_airflow.ui.site import NotFoundError, TablesError, noting_trouble
from nightsort_airflow.ui.views import classifier as classifier_view
from nightsort_airflow.ui.views import drift as drift_view
from nightsort_airflow.ui.views import endpoint as endpoint_view
from nightsort_airflow.ui.views import overview as overview_view
from nightsort_airflow.ui.views.last_night import Rows
from nightsort_airflow.ui.views.spec import spec_text
from nightsort_airflow.ui.views.verdict import judge

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from nightsort.classifier_spec.model import SpecError
    from nightsort.tables.overview import ClassifierOverview
    from nightsort.tables.run_summaries import RunSummary
    from nightsort_airflow.ui.airflow_state import AirflowFacts
    from nightsort_airflow.ui.site import Site


def overview(request: Request) -> Response:
    """Answer with all classifiers that the reader may see."""
    site, user, addresses = _asked(request)
    loaded, broken, now = site.loaded(), site.broken(), site.clock()
    known: dict[str, ClassifierOverview] = {}
    names = {*loaded.specs, *broken}
    troubles: dict[str, TablesError] = {}
    for conn_id in site.connections():
        with noting_trouble(troubles), site.reading(conn_id) as connection:
            found = {*classifier_names(connection), *names}
            here = [name for name in found if site.may_be_in(conn_id, name)]
            names.update(here)
            for each in read_overview(connection, here, now=now):
                # A classifier without a spec has its rows in one of the databases.
                if each.nights or each.active or each.classifier not in known:
                    known[each.classifier] = each
    seen = rights.readable(user, names)
    if not rights.may_read_import_errors(user):
        broken = {name: error for name, error in broken.items() if name in seen}
    # A spec that never made a DAG has none that could be read; who may see import errors sees it.
    seen |= {*broken}
    latest = [known[name].nights[0] for name in seen if name in known and known[name].nights]
    airflow = _facts(site, seen, latest, kinds=(CLASSIFY,))
    view = overview_view.Known(
        specs=loaded.specs,
        problems={name: _problems(error) for name, error in broken.items()},
        classifiers=known,
        airflow=airflow,
        starts_schedules=site.airflow.starts_schedules,
        rows=_rows_of(site, airflow, troubles),
        unread={
            name: f"The tables of the connection {spec.db_conn_id} cannot be read: see above."
            for name, spec in loaded.specs.items()
            if spec.db_conn_id in troubles
        },
    )
    rows = overview_view.rows(sorted(seen), view, addresses, now)
    nothing_read = all(conn_id in troubles and not troubles[conn_id].is_new for conn_id in site.connections())
    return page(
        request,
        "overview",
        503 if nothing_read else 200,
        title="Nights",
        rows=rows,
        attention=sum(row.needs_attention for row in rows),
        troubles=_seen_troubles(site, troubles, seen),
        now=now,
    )


def _facts(
    site: Site, names: Collection[str], nights: Iterable[RunSummary], kinds: Sequence[str] = (CLASSIFY, TRAIN)
) -> AirflowFacts:
    """Return what Airflow knows of the DAGs of some classifiers, and of the runs of some nights."""
    specs = site.loaded().specs
    return site.airflow.facts(
        [dag_id(kind, name) for name in names for kind in kinds],
        [(run.dag_id, run.run_id) for run in nights if run.dag_id and run.run_id],
        {dag_id(CLASSIFY, name): specs[name].timezone for name in names if name in specs},
    )


def _rows_of(site: Site, airflow: AirflowFacts, troubles: dict[str, TablesError]) -> Rows:
    """Return the rows of the nightly runs that go on or have failed, as far as there are any."""
    asked: dict[str, list[tuple[str, AirflowRun, str | None]]] = {}
    for dag, runs in airflow.unsettled.items():
        name = rights.classifier_of(dag)
        if name and dag == dag_id(CLASSIFY, name):
            for conn_id in site.connections():
                if conn_id not in troubles and site.may_be_in(conn_id, name):
                    of_one = [(name, AirflowRun(dag, run.run_id), run.run_key) for run in runs]
                    asked.setdefault(conn_id, []).extend(of_one)
    rows = Rows()
    for conn_id, dag_runs in asked.items():
        with noting_trouble(troubles), site.reading(conn_id) as connection:
            rows.add(runs_of_dag_runs(connection, dag_runs))
    return rows


def _seen_troubles(
    site: Site, troubles: Mapping[str, TablesError], seen: Collection[str]
) -> list[TablesError]:
    """Return the broken connections that a reader may know of: those of classifiers that they see."""
    return [
        error for conn_id, error in troubles.items() if any(site.may_be_in(conn_id, name) for name in seen)
    ]


def night(request: Request) -> Response:
    """Answer with one night."""
    site, user, addresses = _asked(request)
    name, run_key = request.path_params["classifier"], request.path_params["run_key"]
    site.require(user, name)
    with site.reading(site.connection_of(name)) as connection:
        found = read_night(connection, name, run_key)
    if found is None:
        raise site.missing("night", name)
    run = found.report.run
    key = (run.dag_id or "", run.run_id or "")
    facts = site.airflow.facts([dag_id(CLASSIFY, name)], [key]).runs.get(key)
    spec = site.loaded().specs.get(name)
    return page(request, "night", **night_values(found, spec, facts, addresses))


def classifier(request: Request) -> Response:
    """Answer with one classifier, and one of its versions: the one of the address, else the active one."""
    site, user, addresses = _asked(request)
    name, wanted = request.path_params["classifier"], request.path_params.get("version")
    site.require(user, name)
    now = site.clock()
    with site.reading(site.connection_of(name)) as connection:
        (known,) = read_overview(connection, [name], now=now)
        versions = classifier_view.version_rows(classifier_history(connection, name))
        by_name = {row.version.version: row for row in versions}
        chosen = (
            by_name.get(wanted) if wanted else next((row for row in versions if row.version.active), None)
        )
        chosen = chosen or (None if wanted else next(iter(versions), None))
        whole = find_version(connection, name, chosen.version.version) if chosen else None
        openings = openings_between(connection, name, now - timedelta(days=endpoint_view.DAYS_SHOWN), now)
    if wanted and chosen is None:
        raise site.missing("version", name)
    loaded, error = site.loaded(), site.broken().get(name)
    if name not in loaded.specs and error is None and not versions and not known.nights:
        raise NotFoundError
    airflow = _facts(site, [name], known.nights[:1])
    view = overview_view.Known(
        specs=loaded.specs,
        problems={name: _problems(error)} if error else {},
        classifiers={name: known},
        airflow=airflow,
        starts_schedules=site.airflow.starts_schedules,
        rows=_rows_of(site, airflow, {}),
    )
    (row,) = overview_view.rows([name], view, addresses, now)
    return page(
        request,
        "classifier",
        title=name,
        name=name,
        row=row,
        spec=row.spec,
        spec_text=spec_text(loaded.files.get(name), error) if rights.may_read_spec(user, name) else None,
        problems=error.problems if error else (),
        runs=known.nights,
        versions=versions,
        chosen=chosen,
        evaluation=classifier_view.evaluation(whole) if whole else None,
        training=classifier_view.training_data(whole) if whole else None,
        metrics_chart=classifier_view.metrics_chart(versions),
        documents_chart=classifier_view.documents_chart(chosen.version) if chosen else None,
        training_run=airflow.latest_runs.get(dag_id(TRAIN, name)),
        verdict_of=partial(judge, no_files=row.spec.no_files if row.spec else "warn"),
        endpoint=endpoint_view.endpoint(openings, row.spec.timezone if row.spec else "UTC", now),
        dags={kind: dag_id(kind, name) for kind in (CLASSIFY, TRAIN)},
    )


def drift(request: Request) -> Response:
    """Answer with the drift of one classifier."""
    site, user, _ = _asked(request)
    name = request.path_params["classifier"]
    site.require(user, name)
    with site.reading(site.connection_of(name)) as connection:
        shown = drift_view.drift(drift_series(connection, name))
    if shown is None and not site.knows(name):
        raise NotFoundError
    return page(request, "drift", title=f"{name}: drift", name=name, drift=shown, rule=drift_view.RULE)


def of_run(request: Request) -> Response:
    """Lead the tab of a DAG run to its night, or say that it has none."""
    site, user, addresses = _asked(request)
    dag, run_id = request.query_params.get("dag_id", ""), request.query_params.get("run_id", "")
    name = rights.classifier_of(dag)
    if name is None or not _is_ours(site, user, name):
        return page(request, "foreign", title="Not a Nightsort DAG", dag=dag)
    if dag != dag_id(CLASSIFY, name):
        return RedirectResponse(addresses.classifier(name), 302)
    with site.reading(site.connection_of(name)) as connection:
        run = run_of_dag_run(connection, dag, run_id)
    if run is not None:
        return RedirectResponse(addresses.night(name, run.run_key), 302)
    facts = site.airflow.facts([dag], [(dag, run_id)]).runs.get((dag, run_id))
    return page(
        request,
        "no_night",
        title=f"{name}: no night",
        name=name,
        facts=facts,
        links=addresses.run_links(None, facts),
    )


def of_dag(request: Request) -> Response:
    """Lead the tab of a DAG to its classifier, or say that it is none of Nightsort's."""
    site, user, addresses = _asked(request)
    dag = request.query_params.get("dag_id", "")
    name = rights.classifier_of(dag)
    if name is None or not _is_ours(site, user, name):
        return page(request, "foreign", title="Not a Nightsort DAG", dag=dag)
    return RedirectResponse(addresses.classifier(name), 302)


def _asked(request: Request) -> tuple[Site, Any, Addresses]:
    return request.app.state.site, request.scope[USER], Addresses(request.scope.get("root_path", ""))


def _problems(error: SpecError) -> str:
    """Return what is wrong with a spec, a line for each problem, and its file once."""
    lines = (": ".join(filter(None, (problem.key, problem.message))) for problem in error.problems)
    return "\n".join(map(one_line, (f"{error.file.name}:", *lines)))


def _is_ours(site: Site, user: Any, name: str) -> bool:
    """Return whether a name is a classifier's that the reader may see."""
    return bool(rights.readable(user, [name])) and site.knows(name)
