"""Templates to answers: what every page has, and figures as data that scripts cannot run."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jinja2
import orjson
from markupsafe import Markup
from starlette.responses import HTMLResponse

from nightsort.wording import number_of, one_line
from nightsort_airflow.ui import marks
from nightsort_airflow.ui.addresses import Addresses
from nightsort_airflow.ui.formats import FILTERS
from nightsort_airflow.ui.static_files import static_file, static_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

_TEMPLATES: Final = Path(__file__).with_name("templates")
# What could end a script element, or begin a comment in it.
_ESCAPES: Final = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """
    Return a page.

    :param request: the request, for addresses.
    :param template: name of the template, without its extensions.
    :param status: the HTTP status.
    :param values: what the template shows.
    """
    addresses = Addresses(request.scope.get("root_path", ""))
    return HTMLResponse(render(template, addresses, **values), status)


def render(template: str, addresses: Addresses, *, standalone: bool = False, **values: Any) -> str:
    """
    Return the HTML of a page.

    :param template: name of the template, without its extensions.
    :param addresses: of this page's links.
    :param standalone: whether it is a file by itself, with style sheet and scripts in it.
    :param values: what the template shows.
    """
    return (
        _environment()
        .get_template(f"{template}.html.jinja")
        .render(
            to=addresses,
            static=lambda name: f"{addresses.root}{static_path(name)}",
            inline=_inline,
            standalone=standalone,
            **values,
        )
    )


def as_json(value: Any) -> Markup:
    """Return a value as JSON for a ``script`` element, whatever texts are in it."""
    text = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    return Markup(text.translate(_ESCAPES))  # noqa: S704 - nothing of it can end the element


def as_fields(values: Sequence[Any]) -> str:
    """
    Return what a cell of a table is in its CSV: none, one or several fields, as JSON for an attribute.

    :param values: numbers stay numbers, times are written in ISO 8601, and None is an empty field.
    """
    return orjson.dumps(values, default=str, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _inline(name: str) -> Markup:
    """Return a script or a style sheet as a part of a page."""
    text = static_file(name).read_text(encoding="utf-8")
    # Inside a script this is the same text, and does not end its element.
    return Markup(text.replace("</script", "<\\/script"))  # noqa: S704 - our own files and Plotly's


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        FILTERS, json=as_json, fields=as_fields, number_of=number_of, one_line=one_line
    )
    environment.globals.update(marks=marks)
    # All at once: an upgrade changes the files while this process has the code from before.
    for name in environment.list_templates():
        environment.get_template(name)
    return environment
