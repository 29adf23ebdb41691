"""The node's API described: OpenAPI 3.1 from the route table and the type tables, and a page to read it."""

import re
from collections.abc import Iterable, Mapping
from html import escape
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from starlette.responses import Response

from yunmeng.kernel.base import label
from yunmeng.kernel.serve.desk import desk
from yunmeng.kernel.serve.platform import openapi_ngsild
from yunmeng.kernel.serve.replies import Reply, json_reply
from yunmeng.kernel.serve.routes import Call, Language, Route

_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")
_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))
_REFUSALS = (400, 401, 403, 404, 406, 409, 422, 429, 500, 503, 504)
_BODY_REFUSALS = (411, 413, 415)
_STYLE = """
:root{color-scheme:light dark;font-family:system-ui,'Noto Sans CJK SC','Microsoft YaHei',sans-serif}
body{max-width:72rem;margin:2rem auto;padding:0 1rem;line-height:1.5}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #8884}
code,pre{font-family:ui-monospace,monospace}pre{overflow:auto;padding:.6rem;background:#8881}
.m{font-weight:600;width:5rem}summary{cursor:pointer;padding:.2rem 0}
"""


def describe(routes: Iterable[Route], schemas: Mapping[str, Any], language: Language) -> dict[str, Any]:
    """Returns the OpenAPI 3.1 document of a route table."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        address = _PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(address, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": label("api.title", language),
            "version": version("yunmeng"),
            "description": label("api.description", language),
        },
        "paths": paths,
        "components": {
            "schemas": {**schemas, **openapi_ngsild.SCHEMAS, "Problem": _PROBLEM},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "ym_session"},
            },
        },
        "security": [{}, {"token": []}, {"session": []}],
    }


_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "remedy": {"type": "string"},
        "key": {"type": "string"},
    },
}


def _operation(route: Route) -> dict[str, Any]:
    summary = route.summary or (route.handler.__doc__ or route.action).strip().splitlines()[0]
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{re.sub(r'[^A-Za-z0-9]+', '_', route.path).rstrip('_')}",
        "summary": summary,
        "tags": [route.action.partition(".")[0]],
        "x-action": route.action,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name, _ in _PARAMETER.findall(route.path)
        ],
        "responses": _responses(route),
    }
    if route.path.startswith(openapi_ngsild.ROOT):
        operation["parameters"] += openapi_ngsild.parameters(route.method, _below(route))
    if route.method in _WITH_BODY:
        operation["requestBody"] = {"content": _body(route)}
    return operation


def _below(route: Route) -> str:
    return _PARAMETER.sub(r"{\1}", route.path).removeprefix(openapi_ngsild.ROOT)


def _body(route: Route) -> dict[str, Any]:
    if not route.path.startswith(openapi_ngsild.ROOT):
        return {"application/json": {"schema": {}}}
    schema = openapi_ngsild.body(route.method, _below(route))
    return {media: {"schema": schema} for media in openapi_ngsild.MEDIA}


def _responses(route: Route) -> dict[str, Any]:
    """Returns every status that the operation answers with."""
    standard = route.path.startswith(openapi_ngsild.ROOT)
    done = openapi_ngsild.done(route.method, _below(route)) if standard else ("2XX",)
    media = "application/json" if standard else "application/problem+json"
    problem = {media: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    statuses = (*_REFUSALS, *(_BODY_REFUSALS if route.method in _WITH_BODY else ()))
    return {str(status): {"description": "done"} for status in done} | {
        # the standard wants a 411 without a body (§6.3.4)
        str(status): {"description": HTTPStatus(status).phrase, "content": {} if status == 411 else problem}
        for status in sorted(statuses)
    }


def _schemas(call: Call) -> dict[str, Any]:
    library = call.services.types
    return {name: library.schema(name) for name in sorted(library.types)}


async def openapi(call: Call) -> Response:
    """Serves the OpenAPI document."""
    return json_reply(describe(desk(call).table.routes, _schemas(call), call.language))


async def docs(call: Call) -> Response:
    """Serves the same as a page that needs no script and no network."""
    document = describe(desk(call).table.routes, {}, call.language)
    page = "".join(_page(document, _schemas(call), call.language))
    return Reply(page.encode(), 200, "text/html; charset=utf-8")


def _page(document: Mapping[str, Any], schemas: Mapping[str, Any], language: Language) -> Iterable[str]:
    title = escape(document["info"]["title"])
    yield f'<!doctype html><html lang="{language}"><meta charset="utf-8"><title>{title}</title>'
    yield f"<style>{_STYLE}</style><h1>{title}</h1><p>{escape(document['info']['description'])}</p>"
    yield '<p><a href="/openapi.json">openapi.json</a></p>'
    for tag, rows in sorted(_by_tag(document["paths"]).items()):
        yield f"<h2>{escape(tag)}</h2><table>"
        for method, path, operation in rows:
            yield f'<tr><td class="m">{method.upper()}</td><td><code>{escape(path)}</code></td>'
            yield f"<td>{escape(operation['summary'])}</td>"
            yield f"<td><code>{escape(operation['x-action'])}</code></td></tr>"
        yield "</table>"
    yield f"<h2>{escape(label('api.types', language))}</h2>"
    for name, schema in schemas.items():
        yield f"<details><summary><code>{escape(name)}</code></summary>{_properties(schema)}</details>"
    yield "</html>"


def _by_tag(paths: Mapping[str, Mapping[str, Any]]) -> dict[str, list[tuple[str, str, Any]]]:
    tags: dict[str, list[tuple[str, str, Any]]] = {}
    for path, operations in paths.items():
        for method, operation in operations.items():
            tags.setdefault(operation["tags"][0], []).append((method, path, operation))
    return tags


def _properties(schema: Mapping[str, Any]) -> str:
    rows = [
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(str(value.get('title', '')))}</td>"
        f"<td>{escape(str(value.get('description', '')))}</td></tr>"
        for name, value in schema.get("properties", {}).items()
    ]
    return f"<table>{''.join(rows)}</table>"
