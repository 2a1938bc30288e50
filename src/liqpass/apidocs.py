"""The API's description: OpenAPI 3.1 for programs, one plain page without a script for people."""

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from typing import Any

import msgspec
from litestar import Request
from litestar.enums import MediaType, OpenAPIMediaType
from litestar.openapi.plugins import OpenAPIRenderPlugin

from liqpass.problems import STATUS_BY_CODE

Schema = dict[str, Any]

PROBLEM: Schema = {
    "type": "object",
    "description": "RFC 9457. Match on `code`; `field` names the field that it is about.",
    "required": ["type", "title", "status", "code", "detail", "requestId"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": sorted(STATUS_BY_CODE)},
        "detail": {"type": "string"},
        "field": {"type": "string"},
        "requestId": {"type": "string"},
    },
}
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
section { border-top: 1px solid #8886; padding: .75rem 0 }
h2 { font-size: 1rem; margin: 0 } p { margin: .25rem 0 } code { font-size: .9em }
table { border-collapse: collapse } td { padding: .1rem 1rem .1rem 0; vertical-align: top }
"""
# By which a Content-Security-Policy allows this style, and no other inline one.
STYLE_HASH = f"sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}"


class DocumentPlugin(OpenAPIRenderPlugin):
    """For programs."""

    def __init__(self) -> None:
        super().__init__(path="/openapi.json", media_type=OpenAPIMediaType.OPENAPI_JSON)

    def render(self, request: Request[Any, Any, Any], openapi_schema: Schema) -> bytes:
        return msgspec.json.encode(with_problems(openapi_schema))


class PagePlugin(OpenAPIRenderPlugin):
    """For people. Litestar's own pages load scripts from other hosts, next to the session's cookie."""

    def __init__(self) -> None:
        super().__init__(path="/", media_type=MediaType.HTML)

    def render(self, request: Request[Any, Any, Any], openapi_schema: Schema) -> bytes:
        return page(openapi_schema).encode()


def with_problems(schema: Schema) -> Schema:
    """Litestar's description, with our problem document in the place of its own errors."""
    schema.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for _, _, call in _calls(schema):
        answers = call["responses"]
        answers.pop("400", None)
        answers["default"] = {"description": "Refused, or failed: a problem document", "content": content}
    return schema


def page(schema: Schema) -> str:
    """Every call with its fields, and every code of a problem."""
    calls = "".join(_section(schema, method, path, call) for method, path, call in _calls(schema))
    codes = "".join(f"<tr><td>{status}<td><code>{code}</code>" for code, status in STATUS_BY_CODE.items())
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'><title>LiqPass API</title>"
        f"<style>{STYLE}</style><h1>LiqPass API</h1>"
        "<p>All of it, for programs: <a href=/openapi.json>openapi.json</a>. Amounts are strings of "
        "micro-USDC, or dollars where the name says Usd; times are ISO 8601. Errors are problem documents "
        f"with one of the <a href=#codes>codes below</a>.{calls}"
        f"<section id=codes><h2>Codes of problems</h2><table>{codes}</table></section></html>"
    )


def _calls(schema: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, calls in schema["paths"].items():
        for method, call in calls.items():
            yield method.upper(), path, call


def _section(schema: Schema, method: str, path: str, call: Schema) -> str:
    asked = [p["name"] for p in call.get("parameters", [])]
    body = call.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    asked += _fields(schema, body)
    answered: Schema = next(iter(call["responses"].get("200", {}).get("content", {}).values()), {})
    lines = [("asks for", asked), ("answers", _fields(schema, answered.get("schema", {})))]
    shown = "".join(
        f"<tr><td>{name}<td><code>{escape(', '.join(fields))}</code>" for name, fields in lines if fields
    )
    return (
        f"<section><h2><code>{method} {escape(path)}</code></h2><p>{escape(call['summary'])}. "
        f"{escape(call.get('description', ''))}<table>{shown}</table></section>"
    )


def _fields(schema: Schema, of: Schema) -> list[str]:
    name = of.get("$ref", "").rpartition("/")[2]
    found = schema["components"]["schemas"].get(name, of)
    optional = set(found.get("properties", {})) - set(found.get("required", []))
    return [f + ("?" if f in optional else "") for f in found.get("properties", {})]
