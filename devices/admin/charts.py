"""Statistics as SVG within the page, by pygal where it is installed. Each bar leads to the list behind it.

pygal's own colours and script are taken out: the style sheet of the admin has the colours, light and dark,
and a page of ours runs no script of its own. For the keyboard and the screen reader there is a table beside.
"""

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree

from django.utils.safestring import SafeString, mark_safe

from .columns import grouped

try:
    import pygal
except ImportError:
    pygal = None
else:
    # Its hook is for plugins. Every later import would ask it, and warn that it is outdated.
    sys.meta_path[:] = [each for each in sys.meta_path if type(each).__module__ != "pygal"]

IS_DRAWN = pygal is not None
# Unicode's own isolates: text that runs from right to left turns nothing around it.
ISOLATED = "\u2068{}\u2069"


class Bar(NamedTuple):
    """One bar of a chart."""

    label: str
    number: int
    # The list behind it, if there is one.
    url: str = ""

    @property
    def shown(self) -> str:
        """The number, with thousands separators."""
        return grouped(self.number)


class Series(NamedTuple):
    """The bars of one color, with their name in the legend."""

    name: str
    bars: Sequence[Bar]


def upright(*series: Series, height: int = 220) -> SafeString:
    """One group of bars for each label: values over time."""
    labels = [bar.label for bar in series[0].bars]
    return _drawn(
        "Bar",
        series,
        x_labels=labels,
        x_labels_major=labels[:: max(1, len(labels) // 5)],
        show_minor_x_labels=False,
        show_legend=len(series) > 1,
        legend_at_bottom=True,
        width=920,
        height=height,
    )


def lying(series: Series) -> SafeString:
    """Horizontal bars, the first on top: values by name."""
    turned = Series(series.name, series.bars[::-1])
    return _drawn(
        "HorizontalBar",
        [turned],
        x_labels=[ISOLATED.format(_short(bar.label)) for bar in turned.bars],
        show_legend=False,
        show_x_guides=False,
        show_x_labels=False,
        print_values=True,
        print_values_position="top",
        spacing=8,
        width=440,
        height=40 + 26 * len(series.bars),
    )


def _drawn(kind: str, series: Sequence[Series], **options: Any) -> SafeString:
    if pygal is None or not any(bar.number for each in series for bar in each.bars):
        return SafeString("")
    chart = getattr(pygal, kind)(
        js=[],
        css=[],
        margin=6,
        max_scale=6,
        order_min=0,
        truncate_legend=-1,
        truncate_label=-1,
        value_formatter=grouped,
        **options,
    )
    for each in series:
        chart.add(each.name, [_value(each.name, bar) for bar in each.bars])
    svg = chart.render_tree()
    _undress(svg)
    svg.set("aria-hidden", "true")
    # Made by a library that escapes whatever it is given.
    return mark_safe(ElementTree.tostring(svg, encoding="unicode"))


def _value(name: str, bar: Bar) -> dict[str, Any]:
    value: dict[str, Any] = {"value": bar.number, "label": f"{bar.label}: {bar.shown} ({name})"}
    if bar.url:
        value["xlink"] = {"href": bar.url, "target": "_self"}
    return value


def _undress(svg: ElementTree.Element) -> None:
    """Leave what is drawn, and the label of each bar as the title that browsers show."""
    for attribute in ("id", "style"):
        svg.attrib.pop(attribute, None)
    for parent in list(svg.iter()):
        labels = [child.text for child in parent if _class(child) == "label"]
        for child in list(parent):
            if not isinstance(child.tag, str) or child.tag in ("defs", "desc", "title"):
                parent.remove(child)
            else:
                child.attrib.pop("style", None)
        if parent.tag == "a":
            parent.set("tabindex", "-1")
        if labels and labels[0]:
            ElementTree.SubElement(parent, "title").text = labels[0]


def _class(element: ElementTree.Element) -> str:
    return element.get("class", "") if element.tag == "desc" else ""


def _short(label: str, length: int = 22) -> str:
    return label if len(label) <= length else f"{label[: length - 1]}…"
