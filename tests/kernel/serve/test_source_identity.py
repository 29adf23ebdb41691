"""Who the source is (ETSI GS CIM 009 §6.33), what is echoed and negotiated (§6.3.4, §6.3.14)."""

import re
from dataclasses import replace

import httpx
import pytest

from yunmeng.kernel.serve import NGSI_LD_ROUTES, create_app

ROOT = "/ngsi-ld/v1"


async def test_the_source_tells_who_it_is(node) -> None:
    shown = (await node.admin.get(f"{ROOT}/info/sourceIdentity")).json()
    assert shown["type"] == "ContextSourceIdentity"
    assert re.fullmatch(r"PT\d+S", shown["contextSourceUptime"])
    assert shown["contextSourceTimeAt"].endswith("Z")
    other = await node.admin.get(f"{ROOT}/info/sourceIdentity", headers={"NGSILD-Tenant": "other"})
    assert other.headers["ngsild-tenant"] == "other"
    assert other.json()["contextSourceAlias"] != shown["contextSourceAlias"]


@pytest.mark.parametrize(
    ("wish", "media"),
    [
        ("application/json;q=0, */*", "application/ld+json"),
        ("application/ld+json, application/json", "application/json"),
        ("application/ld+json;q=0.9, */*;q=0.1", "application/ld+json"),
        ("*/*;q=0", None),
    ],
)
async def test_the_most_specific_wish_counts(node, wish, media) -> None:
    found = await node.admin.get(f"{ROOT}/types", headers={"Accept": wish})
    if media is None:
        assert found.status_code == 406
    else:
        assert found.headers["content-type"].startswith(media)


async def test_an_unknown_parameter_does_nothing(node) -> None:
    body = {"id": "urn:ngsi-ld:Odd:1", "type": "Odd"}
    refused = await node.admin.post(f"{ROOT}/entities?colour=red", json=body)
    assert refused.json()["type"].endswith("InvalidRequest")
    assert (await node.admin.get(f"{ROOT}/entities/{body['id']}")).status_code == 404


async def test_a_node_goes_by_the_name_that_it_is_given(node) -> None:
    """§5.2.40: one name a tenant, the same in ``Via`` and in the identity."""
    named = replace(node.settings, http=replace(node.settings.http, alias="danjiangkou"))
    app = create_app(replace(node.services, settings=named), NGSI_LD_ROUTES)
    headers = dict(node.admin.headers)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://node.test", headers=headers) as client:
        shown = (await client.get(f"{ROOT}/info/sourceIdentity")).json()
        other = await client.get(f"{ROOT}/info/sourceIdentity", headers={"NGSILD-Tenant": "other"})
    assert shown["contextSourceAlias"] == "danjiangkou"
    assert other.json()["contextSourceAlias"] == "danjiangkou-other"
