"""What a benchmark leaves behind: its part of a page, its pictures, and on which machine it ran."""

import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

SITE = ("Django", "djangorestframework", "djangorestframework-simplejwt", "PyJWT", "psycopg")


def write(page: Path, mark: str, text: str) -> None:
    """Put the text between the marks of this benchmark in a page, leaving the rest of the page as it is."""
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, found, rest = page.read_text().partition(begin)
    if not found:
        raise SystemExit(f"{page} has no place {begin}")
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{rest.partition(end)[2]}")


def machine(packages: Sequence[str] = SITE) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    model = re.search(r"(?m)^model name\s*: (.+)$", _read("/proc/cpuinfo"))
    processor = model[1] if model else platform.machine()
    memory = re.search(r"(?m)^MemTotal:\s*(\d+) kB", _read("/proc/meminfo"))
    size = f", {int(memory[1]) / 2**20:.0f} GB" if memory else ""
    load = os.getloadavg()[2]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} × {processor}{size}, {platform.system()}, "
        f"Python {platform.python_version()}, {versions}. Load of the last 15 minutes: {load:.1f}."
    )


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in Markdown; all columns but the first are figures."""
    rule = "|".join(["---", *["--:"] * (len(head) - 1)])
    lines = [f"| {' | '.join(head)} |", f"|{rule}|"]
    return "\n".join(lines + [f"| {' | '.join(map(str, row))} |" for row in rows])


def bars(path: Path, title: str, unit: str, series: Mapping[str, Mapping[str, float]]) -> None:
    """Bars in groups: {group: {series: figure}}."""
    figure, axes = _axes(title)
    groups, names = list(series), list(next(iter(series.values())))
    height = 0.8 / len(names)
    for number, name in enumerate(names):
        places = [place + number * height for place in range(len(groups))]
        drawn = axes.barh(places, [series[group].get(name, 0) for group in groups], height)
        drawn.set_label(name)
        axes.bar_label(drawn, fmt="%.3g", padding=2, fontsize=7)
    axes.set_yticks([place + 0.4 - height / 2 for place in range(len(groups))], groups)
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    axes.margins(x=0.1)
    if len(names) > 1:
        axes.legend(fontsize=7, frameon=False)
    _save(figure, path)


def curves(
    path: Path,
    title: str,
    x: str,
    y: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    is_logarithmic: bool = True,
) -> None:
    """Lines, over a logarithmic axis by default: {series: [(x, y), …]}."""
    figure, axes = _axes(title)
    for name, points in series.items():
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, linewidth=1, label=name)
    if is_logarithmic:
        axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.legend(fontsize=7, frameon=False, ncols=2)
    _save(figure, path)


def _axes(title: str) -> Any:
    import matplotlib

    matplotlib.use("Agg")
    # Text stays text, and the same figures make the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "devices", "font.size": 8})
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3.2), layout="constrained")
    axes.set_title(title, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def _read(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else ""
