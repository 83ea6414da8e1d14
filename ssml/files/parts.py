"""What a file of code is to the digests: parts, of which one may need another.

A part is a statement at the top of a file, a name of an import, or an entry of a dict of choices.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from .scopes import ALL

Chosen = Mapping[str, Collection[str]]  # name of a dict -> its keys in use; a dict not there: all


class Import(NamedTuple):
    """`from module import name as alias`, or where there is no `name`, `import module as alias`."""

    module: str
    name: str | None
    alias: str


@dataclass(frozen=True)
class Part:
    digest: str  # of its text
    names: frozenset[str]  # that it binds; none: it always counts
    needs: frozenset[str]  # names that it mentions
    imports: tuple[Import, ...]
    key: str | None = None  # of the entry of a dict of choices


@dataclass(frozen=True)
class Source:
    """A file of code."""

    digest: str  # of all of it
    data: str  # digest of the templates and captions beside a package's first file
    imports: tuple[Import, ...]
    parts: tuple[Part, ...]
    used: Mapping[str, frozenset[str]]  # name -> its attributes in this file; `ALL`: it as well

    def live(self, wanted: Collection[str], chosen: Chosen) -> list[Part]:
        """The parts that the names `wanted` by others need, in their order, and what always runs.

        Of a dict of choices these are the entries in use.
        """
        reachable = [part for part in self.parts if _in_use(part, chosen)]
        names, live = set(wanted), set()
        while True:
            more = {
                part
                for part in reachable
                if part not in live and (not part.names or part.names & names or ALL in names)
            }
            if not more:
                return [part for part in reachable if part in live]
            live |= more
            names = names.union(*(part.needs for part in more))


def _in_use(part: Part, chosen: Chosen) -> bool:
    if part.key is None:
        return True
    (name,) = part.names
    return name not in chosen or part.key in chosen[name]
