"""What a page asks for that a strict Content-Security-Policy refuses: script and style written into it."""

from html.parser import HTMLParser


class _Inline(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style":
            self.found.append("<style>")
        # Data blocks are not run, and so not refused.
        if (
            tag == "script"
            and not given.get("src")
            and given.get("type") not in ("application/json", "text/template")
        ):
            self.found.append("<script> without src")
        for name, value in attrs:
            if name == "style" or name.startswith("on"):
                self.found.append(f'<{tag} {name}="{value}">')
            if (value or "").strip().lower().startswith("javascript:"):
                self.found.append(f"<{tag} {name}={value}>")


def inline(html: str) -> list[str]:
    """The inline scripts, handlers and styles of a page, as they would be refused."""
    parser = _Inline()
    parser.feed(html)
    return parser.found
