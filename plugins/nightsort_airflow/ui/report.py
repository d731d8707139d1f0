"""The page of a night as one self-contained file, for a mail, or for those who do not run the plugin."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from nightsort_airflow.ui.addresses import Addresses
from nightsort_airflow.ui.night_values import night_values, read_night
from nightsort_airflow.ui.rendering import render
from nightsort_airflow.ui.specs import SpecFiles

if TYPE_CHECKING:
    import psycopg

_NOWHERE: Final = "nowhere:"
_LINK_TO_NOWHERE: Final = re.compile(rf'<a [^>]*href="{_NOWHERE}[^"]*"[^>]*>(.*?)</a>', re.DOTALL)


def night_file(
    connection: psycopg.Connection[Any], classifier: str, run_key: str, airflow_url: str = ""
) -> str | None:
    """
    Return the HTML of a night; None if it has no row.

    It holds style sheet, scripts and Plotly, and loads nothing. Links to other pages are plain text; those to
    Airflow are links if its address is known.

    :param connection: the database.
    :param classifier: the classifier.
    :param run_key: the run.
    :param airflow_url: Airflow's address in a browser.
    """
    found = read_night(connection, classifier, run_key)
    if found is None:
        return None
    addresses = Addresses(_NOWHERE)
    addresses.airflow = airflow_url.rstrip("/") or _NOWHERE
    spec = SpecFiles().load().specs.get(classifier)
    values = night_values(found, spec, None, addresses)
    values |= {"previous": None, "following": None}
    if not airflow_url:
        links = [link for link in values["links"] if not link.address.startswith(_NOWHERE)]
        values |= {"links": links, "run_address": None}
    html = render("night", addresses, standalone=True, **values)
    return _LINK_TO_NOWHERE.sub(r"\1", html)
