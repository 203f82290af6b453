"""The directive `endpoints`: the reference of the API, from its OpenAPI description as it is now."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

Schema = dict[str, Any]


def description() -> Schema:
    """What `/api/schema` serves."""
    import django

    django.setup()

    from drf_spectacular.generators import SchemaGenerator

    schema: Schema = SchemaGenerator().get_schema(public=True)
    return schema


def pages(schema: Schema) -> Iterator[str]:
    """Lines of Markdown: each tag a section, each operation one below it."""
    described = {tag["name"]: tag["description"] for tag in schema["tags"]}
    by_tag: dict[str, list[tuple[str, Schema]]] = {tag: [] for tag in described}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            for tag in operation["tags"]:
                by_tag[tag].append((f"{method.upper()} {path}", operation))
    for tag, operations in by_tag.items():
        yield from ("", f"## {described[tag]}", "")
        for name, operation in operations:
            yield from ("", f"### {name}", "")
            yield from _operation(schema, operation)


def _operation(schema: Schema, operation: Schema) -> Iterator[str]:
    yield f"**{operation['summary']}.** {operation['description']}"
    if "security" not in operation:
        yield from ("", "Needs no token.")
    rows = [
        (
            f"`{given['name']}`",
            f"in the {given['in']}{_optional(given.get('required'))}",
            given["schema"],
            given.get("description"),
        )
        for given in operation.get("parameters", ())
    ]
    if body := operation.get("requestBody"):
        media = body["content"]["application/json"]
        shape = _resolved(schema, media["schema"])
        for name, field in shape.get("properties", {}).items():
            where = f"in the body{_optional(name in shape.get('required', ()))}"
            rows.append((f"`{name}`", where, field, field.get("description")))
    if rows:
        yield from ("", "| takes | | |", "| --- | --- | --- |")
        for name, where, shape, meaning in rows:
            about = " ".join(filter(None, [_kind(_resolved(schema, shape)), meaning]))
            yield f"| {name} | {where} | {_cell(about)} |"
    if body:
        yield from _example(media)
    yield from ("", "| answers | |", "| --- | --- |")
    for status, answer in operation["responses"].items():
        yield f"| {status} | {_cell(answer['description'] or 'as below')} |"
    for status, answer in operation["responses"].items():
        if status < "300" and "content" in answer:
            yield from _example(next(iter(answer["content"].values())))


def _optional(required: bool | None) -> str:
    return "" if required else ", optional"


def _resolved(schema: Schema, shape: Schema) -> Schema:
    """The schema behind a reference."""
    for part in (shape, *shape.get("allOf", ())):
        if "$ref" in part:
            found: Schema = schema["components"]["schemas"][part["$ref"].rsplit("/", 1)[1]]
            return {**found, **{key: shape[key] for key in shape.keys() & {"description"}}}
    return shape


def _kind(shape: Schema) -> str:
    """In words: "a string of at most 64 characters."."""
    if "enum" in shape:
        return "One of " + ", ".join(f"`{value}`" for value in shape["enum"] if value) + "."
    kind = shape.get("format") or shape.get("type", "")
    bounds = {
        "maxLength": "at most {} characters",
        "minimum": "from {}",
        "maximum": "to {}",
        "default": "{} if not given",
    }
    told = [text.format(json.dumps(shape[key])) for key, text in bounds.items() if key in shape]
    return f"{', '.join([kind, *told])}." if kind else ""


def _example(media: Schema) -> Iterator[str]:
    for example in list(media.get("examples", {}).values())[:1]:
        yield from ("", "```json", json.dumps(example["value"], indent=2), "```")


def _cell(text: str) -> str:
    return " ".join(text.replace("|", r"\|").split())


class Endpoints(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        # Whoever changes the API changes this page.
        self.env.note_reread()
        text = "\n".join(pages(description()))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("endpoints", Endpoints)
    return {"parallel_read_safe": True}
