"""How results and runs show themselves in a notebook: tables and pictures in HTML.

The HTML needs no other file and no script, and takes the notebook's colours. All texts are escaped.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any


def html_table(header: Sequence[Any], rows: Iterable[Sequence[Any]], caption: str = "") -> str:
    """Return a table.

    Args:
        header: The titles of the columns.
        rows: The rows, as long as `header`. Numbers get four digits, None is a dash.
        caption: A text above the table.
    """
    above = f'<caption style="text-align:left">{escape(caption)}</caption>' if caption else ""
    head = "".join(f"<th>{_cell(title)}</th>" for title in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row) + "</tr>" for row in rows
    )
    return f"<table>{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def html_record(title: str, values: Mapping[str, Any]) -> str:
    """Return a table of names and values; dictionaries in it get a row for each of their names."""
    return html_table((title, "value"), _flat(values))


def html_picture(content: bytes, description: str) -> str:
    """Return a picture, the content of a PNG file, with a description for those who see none."""
    data = base64.b64encode(content).decode("ascii")
    return (
        f'<img src="data:image/png;base64,{data}" alt="{escape(description)}" '
        'style="max-width:100%"/>'
    )


def interval(value: float | None, bounds: Sequence[float | None]) -> str:
    """Return a number with the bounds of its interval, such as `"1.13 [1.1, 1.2]"`."""
    return f"{_cell(value)} [{', '.join(map(_cell, bounds))}]"


def _flat(values: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}: ")
        else:
            yield f"{before}{name}", value


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    return escape(str(value))
