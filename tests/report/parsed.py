"""A page as a tree of elements, so that a test can ask what is in it and where."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html.parser import HTMLParser

VOID = frozenset({"meta", "link", "br", "img", "input"})


class Tree(HTMLParser):
    """The elements of a page; every one must be closed where it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.builder, self.open = ET.TreeBuilder(), []
        self.feed(text)
        assert self.open == []
        self.root = self.builder.close()

    def handle_starttag(self, tag, attrs):
        self.builder.start(tag, {name: value or "" for name, value in attrs})
        if tag in VOID:
            self.builder.end(tag)
        else:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.builder.start(tag, {name: value or "" for name, value in attrs})
        self.builder.end(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.builder.end(tag)

    def handle_data(self, data):
        if self.open:
            self.builder.data(data)


def parse(text: str) -> ET.Element:
    """The root of a page."""
    return Tree(text).root


def text_of(element: ET.Element) -> str:
    """All text of an element, in one line."""
    return " ".join("".join(element.itertext()).split())


def by_id(root: ET.Element, name: str) -> ET.Element:
    (found,) = [element for element in root.iter() if element.get("id") == name]
    return found


def by_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [element for element in root.iter() if name in element.get("class", "").split()]


def attributes(root: ET.Element, *names: str) -> Iterator[str]:
    """The values of all attributes of these names, in the page's order."""
    for element in root.iter():
        yield from (element.attrib[name] for name in names if name in element.attrib)
