"""The summary as tables of LaTeX."""

import re
from collections.abc import Sequence

from .tables import INTERVALS, Row, pivots
from .transcripts import RULE


def latex(rows: Sequence[Row]) -> str:
    """A `booktabs` tabular per quantity, to `\\input` into a paper."""
    parts = [f"% needs \\usepackage{{booktabs}}; means with {INTERVALS}\n% {RULE}\n"]
    for pivot in pivots(rows):
        heads = [f"{speakers} speakers" for _, speakers in pivot.sets]
        lines = ["\\begin{tabular}{l" + "r" * len(heads) + "}", "\\toprule"]
        lines += [" & ".join(map(_tex, [pivot.title, *heads])) + r" \\", "\\midrule"]
        for method, cells in pivot.rows:
            texts = [f"\\textbf{{{_tex(text)}}}" if bold else _tex(text) for text, bold in cells]
            lines.append(" & ".join([_tex(method), *texts]) + r" \\")
        parts.append("\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n")
    return "\n".join(parts)


def _tex(text: str) -> str:
    """`text` for LaTeX: its special characters, and minus signs before digits."""
    text = re.sub(r"([%&_#$])", r"\\\1", text)
    return re.sub(r"(?<!\w)-(?=\d)", "$-$", text)
