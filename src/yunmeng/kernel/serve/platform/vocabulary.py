"""The node's own JSON-LD context, made from the type tables."""

from starlette.responses import Response

from yunmeng.kernel.serve.ngsild.hosted import OWN_CONTEXT
from yunmeng.kernel.serve.replies import LD_JSON, Reply, encode_json
from yunmeng.kernel.serve.routes import Call

PATH = OWN_CONTEXT


async def context(call: Call) -> Response:
    """Serves the context of every type that this node knows."""
    body = encode_json(call.services.types.context())
    return Reply(body, 200, LD_JSON, {"Cache-Control": "max-age=300", "Access-Control-Allow-Origin": "*"})
