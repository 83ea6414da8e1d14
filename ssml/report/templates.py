"""The pages' templates: where they are found, and what they may call."""

import math
import re
from pathlib import Path

import jinja2
from markupsafe import Markup

HERE = Path(__file__).parent


def environment() -> jinja2.Environment:
    """The templates of this folder; `include(name)` puts a file's text into a page."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    found.filters["minus"] = minus
    found.filters["number"] = number
    found.globals["include"] = lambda name: Markup((HERE / name).read_text())
    return found


def minus(text: str) -> str:
    """`text` with the hyphens before numbers as minus signs."""
    return re.sub(r"(?<!\w)-(?=\d)", "\N{MINUS SIGN}", text)


def number(value: float, digits: int, sign: str = "") -> str:
    """`value` with so many digits after the point; `n/a` where it is not finite."""
    if not math.isfinite(value):
        return "n/a"
    return minus(f"{round(value, digits) + 0.0:{sign}.{digits}f}")  # no "-0.0"
