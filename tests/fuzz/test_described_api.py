"""Every operation that the node describes, called with what it allows and with what it does not."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from tests.nodes import Node

EXAMPLES = 12
NOWHERE = "http://127.0.0.1:9/none"
BOUNDED = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=EXAMPLES,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def kept_inside(value: Any) -> Any:
    """Returns the same with every address of another server turned to a port where nobody listens."""
    if isinstance(value, str):
        return NOWHERE if "://" in value else value
    if isinstance(value, list):
        return [kept_inside(item) for item in value]
    if isinstance(value, dict):
        return {name: kept_inside(item) for name, item in value.items()}
    return value


def called(case: Any, client: httpx.Client) -> httpx.Response:
    """Sends a generated request."""
    case.body, case.headers = kept_inside(case.body), kept_inside(dict(case.headers or {}))
    arguments = case.as_transport_kwargs(base_url=str(client.base_url))
    known = ("method", "url", "params", "headers", "json", "data")
    sent = {name: arguments[name] for name in known if arguments.get(name) is not None}
    if "data" in sent:
        sent["content"] = sent.pop("data")
    return client.request(**sent)


def fault(operation: Any, described: set[str], client: httpx.Client) -> str:
    """Calls an operation many times; returns how it broke its description, empty when it never did."""
    cases = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))

    @BOUNDED
    @given(cases)
    def check(case: Any) -> None:
        answer = called(case, client)
        status = str(answer.status_code)
        told = (case.method, case.formatted_path, case.query, case.headers, case.body, status, answer.text)
        assert status != "500", told
        assert status in described or f"{status[0]}XX" in described, told

    try:
        check()
    except (AssertionError, httpx.HTTPError) as failure:
        return f"{operation.label}: {failure!r}"[:1500]
    return ""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_operation_answers_as_it_is_described(launch: Callable[..., Node]) -> None:
    node = launch(command="broker")
    document = httpx.get(f"{node.url}/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document).include(
        path_regex=r"^/(ngsi-ld/v1|health|ready|contexts)"
    )
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 50
    with httpx.Client(base_url=node.url, timeout=20) as client:
        faults = [
            fault(one, set(document["paths"][one.path][one.method.lower()]["responses"]), client)
            for one in operations
        ]
    assert [one for one in faults if one] == []
