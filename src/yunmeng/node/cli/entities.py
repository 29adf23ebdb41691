"""``yunmeng entities``: read and change the entities of a running node, or of any NGSI-LD broker."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click
import rich_click
from rich_click import RichGroup

from yunmeng.node.cli.entity_tables import FORMATS, show_entities
from yunmeng.node.cli.options import NodeOptions, node_options
from yunmeng.node.cli.output import err, out, show_json
from yunmeng.node.cli.reaching import Broker, broker_options

if TYPE_CHECKING:
    from yunmeng.client import Entity

_simple = click.option("--simple", is_flag=True, help="Plain values, without units and times.")


@click.group(cls=RichGroup)
def entities() -> None:
    """Entities 实体 of the running node of --data, or of any NGSI-LD broker at --url."""


@entities.command("get")
@node_options
@broker_options
@click.argument("entity_id")
@_simple
def get_entity(options: NodeOptions, broker: Broker, *, entity_id: str, simple: bool) -> None:
    """Prints one entity as JSON.

    Example: yunmeng entities get --url http://127.0.0.1:1026 urn:ngsi-ld:Room:1
    """
    with broker.connect(options) as client:
        show_json(client.get(entity_id, format="simplified" if simple else "normalized"))


@entities.command("query")
@node_options
@broker_options
@click.option("--type", "type_", default="", help="Entity type 类型, e.g. Room.")
@click.option("--q", default="", help="Condition 条件, e.g. 'temperature>20'.")
@click.option("--attrs", default="", help="Only entities with one of these, and only these; commas between.")
@click.option("--near", metavar="LON,LAT,METRES", help="Within so many metres of a place.")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(min=0), help="At most this many; 0: all."
)
@click.option("--format", "format_", default="json", show_default=True, type=click.Choice(FORMATS))
@_simple
def query_entities(
    options: NodeOptions,
    broker: Broker,
    *,
    type_: str,
    q: str,
    attrs: str,
    near: str | None,
    limit: int,
    format_: str,
    simple: bool,
) -> None:
    """Lists entities by type, condition and place; without any, all of the node's own.

    Example: yunmeng entities query --type Room --q 'temperature>20' --format table
    """
    place = _place(near) if near else None
    # the standard asks for a selector, or for what the broker holds itself (§6.4.3.2)
    own = "" if type_ or q or attrs or place else "true"
    plain = simple or format_ != "json"
    with broker.connect(options) as client:
        found = client.query(
            type_,
            q=q,
            attributes=attrs,
            near=place,
            format="simplified" if plain else "normalized",
            page=min(limit, 500) or 500,
            local=own,
        )
        show_entities(islice(found, limit or None), format_)


def _place(text: str) -> tuple[float, float, float]:
    try:
        longitude, latitude, metres = map(float, text.split(","))
    except ValueError as cause:
        raise rich_click.BadParameter("e.g. --near 114.30,30.55,500", param_hint="--near") from cause
    return longitude, latitude, metres


@entities.command("put")
@node_options
@broker_options
@click.argument(
    "source", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True)
)
@click.option("--type", "type_", default="", help="Type 类型 of rows and features that name none.")
@click.option("--keep", is_flag=True, help="Keep attributes that an existing entity has besides these.")
def put_entities(options: NodeOptions, broker: Broker, *, source: Path, type_: str, keep: bool) -> None:
    """Makes or replaces the entities of FILE (- reads standard input).

    FILE holds JSON (one entity or a list), JSON lines, a GeoJSON FeatureCollection, or CSV with a header:
    the columns id and type (or --type), longitude and latitude for the place, and one column an attribute.
    """
    from yunmeng.node.cli.entity_files import read_entities

    items = list(read_entities(source, type_))
    with broker.connect(options) as client:
        _put(client.upsert(items, replace=not keep) if items else [], items)


def _put(made: list[str], items: "Iterable[Entity]") -> None:
    new, all_ = len(made), len({item["id"] for item in items})
    out.print(f"{all_} entities 实体: {new} new 新建, {all_ - new} changed 更改")


@entities.command("patch")
@node_options
@broker_options
@click.argument("entity_id")
@click.argument("fragment")
def patch_entity(options: NodeOptions, broker: Broker, *, entity_id: str, fragment: str) -> None:
    """Merges FRAGMENT, a JSON object (- reads standard input), into one entity.

    What it names is added or changed; null deletes.

    Example: yunmeng entities patch urn:ngsi-ld:Room:1 '{"temperature": 22.5, "note": null}'
    """
    from yunmeng.node.cli.entity_files import read_fragment

    body = read_fragment(fragment)
    with broker.connect(options) as client:
        client.merge(entity_id, body)


@entities.command("delete")
@node_options
@broker_options
@click.argument("entity_ids", nargs=-1, required=True)
def delete_entities(options: NodeOptions, broker: Broker, *, entity_ids: tuple[str, ...]) -> None:
    """Deletes entities by id, each with all its attributes; their history stays."""
    with broker.connect(options) as client:
        client.batch("delete", entity_ids)
    err.print(f"{len(entity_ids)} deleted 已删除")


COMMANDS = (entities,)
