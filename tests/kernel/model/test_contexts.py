import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from yunmeng.kernel.base import BadInput, Unavailable
from yunmeng.kernel.model import ContextLibrary, context_link, load_types
from yunmeng.kernel.model.context_fetching import ContextFetcher

VOCAB = "https://uri.etsi.org/ngsi-ld/default-context/"
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld"
INLINE = {
    "ex": "https://example.org/",
    "Vehicle": "ex:Vehicle",
    "speed": {"@id": "ex:speed", "@type": "ex:float"},
    "brand": "https://example.org/brandName",
    "brandName": "https://example.org/brandName",
    "location": "https://example.org/location",
    "value": "https://example.org/value",
    "hidden": None,
}


async def test_terms_prefixes_and_the_default_vocabulary_go_both_ways():
    context = await ContextLibrary().resolve(INLINE)
    for name, uri in {
        "Vehicle": "https://example.org/Vehicle",
        "speed": "https://example.org/speed",
        "ex:other": "https://example.org/other",
        "unknown": VOCAB + "unknown",
        "名称": VOCAB + "名称",
        "urn:xx:y": "urn:xx:y",
        "title": "http://purl.org/dc/terms/title",
    }.items():
        assert context.expand(name) == uri
        assert context.compact(uri) == name
    assert context.expand("brand") == context.expand("brandName")
    assert context.compact("https://example.org/brandName") == "brand"


async def test_the_core_context_wins():
    context = await ContextLibrary().resolve([INLINE, {"@vocab": "https://example.org/vocab#"}])
    assert context.expand("location") == "https://uri.etsi.org/ngsi-ld/location"
    assert context.expand("value") == "https://uri.etsi.org/ngsi-ld/hasValue"
    assert context.expand("unknown") == VOCAB + "unknown"
    assert context.compact("https://example.org/location") == "ex:location"


async def test_what_a_response_says_about_its_context():
    library = ContextLibrary()
    library.add("https://example.org/a.jsonld", {"@context": INLINE})
    assert (library.core.member, library.core.link) == (CORE, CORE)
    single = await library.resolve("https://example.org/a.jsonld")
    assert (single.member, single.link) == ("https://example.org/a.jsonld", "https://example.org/a.jsonld")
    mixed = await library.resolve(["https://example.org/a.jsonld", {"a": "urn:a:b"}, CORE])
    assert mixed.link == ""
    assert mixed.member == ["https://example.org/a.jsonld", {"a": "urn:a:b"}, CORE]
    assert await library.resolve("https://example.org/a.jsonld") is single
    assert single.key != mixed.key


@pytest.mark.parametrize("version", ["1.3", "1.6", "1.8", "1.9"])
async def test_core_contexts_of_every_version_ship_inside(version):
    url = f"https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v{version}.jsonld"
    library = ContextLibrary()
    context = await library.resolve(url)
    assert context.expand("object") == "https://uri.etsi.org/ngsi-ld/hasObject"
    document = library.document(url)
    assert document is not None
    assert document["@context"]["languageMap"] == {"@id": "ngsi-ld:hasLanguageMap", "@container": "@language"}
    assert ("snapshotId" in document["@context"]) is (version == "1.9")


async def test_files_stand_in_for_urls(tmp_path):
    file = tmp_path / "context.jsonld"
    file.write_text(json.dumps({"@context": {"Pump": "https://example.org/Pump"}}))
    context = await ContextLibrary({"https://far.example/c": str(file)}).resolve("https://far.example/c")
    assert context.expand("Pump") == "https://example.org/Pump"


@asynccontextmanager
async def served(body: bytes, status: str = "200 OK") -> AsyncIterator[tuple[str, list[str]]]:
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.decode().split()[1])
        writer.write(
            f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
        )
        writer.write(body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()


async def test_contexts_are_fetched_once():
    library = ContextLibrary(private=True)
    async with served(json.dumps({"@context": {"Pump": "https://example.org/Pump"}}).encode()) as (
        url,
        asked,
    ):
        context = await library.resolve([f"{url}/c", {"level": "https://example.org/level"}])
        await library.resolve(f"{url}/c")
    assert context.expand("Pump") == "https://example.org/Pump"
    assert asked == ["/c"]
    assert list(library.uses()) == [f"{url}/c"]
    await library.close()


@pytest.mark.parametrize(
    ("body", "status", "error", "key"),
    [
        (b"{}", "404 Not Found", Unavailable, "context.unavailable"),
        (b" " * (2 << 20), "200 OK", Unavailable, "context.unavailable"),
        (b"<html>", "200 OK", BadInput, "context.invalid"),
        (b'{"a": 1}', "200 OK", BadInput, "context.invalid"),
    ],
)
async def test_contexts_that_cannot_be_had(body, status, error, key):
    library = ContextLibrary(private=True)
    async with served(body, status) as (url, _):
        with pytest.raises(error) as caught:
            await library.resolve(f"{url}/c")
    assert caught.value.key == key
    await library.close()


async def test_nobody_answers():
    library = ContextLibrary(timeout_s=0.5, private=True)
    with pytest.raises(Unavailable) as caught:
        await library.resolve("http://127.0.0.1:1/c")
    assert caught.value.facts["url"] == "http://127.0.0.1:1/c"
    await library.close()


@pytest.mark.parametrize(
    "member",
    [
        7,
        {"a": 7},
        {"a": "b:c", "b": "a:d"},
        {"@vocab": 7},
        {"@type": "x:y"},
        {"a": {"@id": "x:y", "@type": 3}},
        "ftp://example.org/c",
        [[[[[[[[[[{"a": "x:y"}]]]]]]]]]],
    ],
)
async def test_bad_contexts_are_refused(member):
    with pytest.raises(BadInput) as caught:
        await ContextLibrary().resolve(member)
    assert caught.value.key == "context.invalid"


@pytest.mark.parametrize(
    "name", ["", "a b", "a\n", "1st", "<script>", "a=b", 'a"', "a'b", "a;b", "a(b)", "a.b", "id", "@id"]
)
def test_bad_names_are_refused(core, name):
    with pytest.raises(BadInput) as caught:
        core.expand(name)
    assert caught.value.key == "name.invalid"


def test_the_link_header_names_the_context():
    relation = 'rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
    assert context_link(f"<https://example.org/c>; {relation}") == "https://example.org/c"
    assert context_link(f'<https://example.org/n>; rel="next", <https://example.org/c>; {relation}') == (
        "https://example.org/c"
    )
    assert context_link('<https://example.org/n>; rel="next"') is None
    with pytest.raises(BadInput):
        context_link(f"<https://example.org/a>; {relation}, <https://example.org/b>; {relation}")


async def test_own_types_resolve_as_a_context():
    context = await ContextLibrary().resolve(load_types([]).context())
    assert context.expand("Indicator") == "https://w3id.org/yunmeng/Indicator"
    assert context.compact("https://w3id.org/yunmeng/division") == "division"


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1",
            "localhost",
            "127.1",
            "2130706433",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
        ),
        *("169.254.169.254", "100.64.0.1", "224.0.0.1", "[::1]", "[::]", "[fe80::1]", "[fd00::1]"),
        *("[::ffff:127.0.0.1]", "[2002:7f00:1::]", "[64:ff9b::7f00:1]"),
    ],
)
async def test_nobody_makes_the_node_ask_its_own_networks(host):
    library = ContextLibrary(timeout_s=0.5)
    with pytest.raises(Unavailable) as caught:
        await library.resolve(f"http://{host}:1/c")
    assert caught.value.key == "context.private"
    assert caught.value.status == 504
    await library.close()


async def test_a_public_address_is_connected_to_as_it_was_looked_up(monkeypatch):
    """One look-up: a name that changes its address in between leads nowhere else."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if len(asked) == 1:
            return httpx.Response(302, headers={"location": "/there"})
        return httpx.Response(302, headers={"location": "http://192.168.1.1/c"})

    async def look_up(*_: object, **__: object) -> list[object]:
        return [(0, 0, 0, "", (("192.168.1.1" if len(asked) == 2 else "93.184.215.14"), 443))]

    fetcher = ContextFetcher(0.5, private=False)
    fetcher._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))  # the far side of the network
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up, raising=False)
    with pytest.raises(Unavailable) as caught:
        await fetcher.fetch("https://contexts.example/c")
    assert caught.value.key == "context.private"
    assert [str(each.url) for each in asked] == ["https://93.184.215.14/c", "https://93.184.215.14/there"]
    assert {each.headers["host"] for each in asked} == {"contexts.example"}
    assert {each.extensions["sni_hostname"] for each in asked} == {"contexts.example"}
    await fetcher.close()


async def test_a_node_knows_the_context_of_its_own_types_without_a_network() -> None:
    url = "https://w3id.org/yunmeng/context.jsonld"
    library = ContextLibrary(own={url: {"@context": {"waterLevel": "https://w3id.org/yunmeng/waterLevel"}}})
    context = await library.resolve(url)
    assert context.expand("waterLevel") == "https://w3id.org/yunmeng/waterLevel"
    assert not library.uses()
    await library.close()
