"""Service 用: NGSI-LD and the node's other HTTP APIs."""

from yunmeng.kernel.serve.app import Application, create_app
from yunmeng.kernel.serve.audit import AUDIT_SUBJECT, decode_events, encode_events
from yunmeng.kernel.serve.body import as_array, as_object, read_json, text_member
from yunmeng.kernel.serve.edge import EdgeServer
from yunmeng.kernel.serve.grades import closed, note_revealed
from yunmeng.kernel.serve.keeping import keep_records, write, write_one
from yunmeng.kernel.serve.notifier import Notifier
from yunmeng.kernel.serve.platform import PLATFORM_ROUTES
from yunmeng.kernel.serve.refusals import problem_document
from yunmeng.kernel.serve.replies import Reply, empty_reply, json_reply
from yunmeng.kernel.serve.routes import Call, Language, Route, RouteHandler
from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.serve.sources.routes import NGSI_LD_ROUTES
from yunmeng.kernel.serve.squeeze import squeezed_bytes, squeezed_reply

__all__ = [
    "AUDIT_SUBJECT",
    "NGSI_LD_ROUTES",
    "PLATFORM_ROUTES",
    "Application",
    "Call",
    "EdgeServer",
    "Language",
    "Notifier",
    "Reply",
    "Route",
    "RouteHandler",
    "Services",
    "as_array",
    "as_object",
    "closed",
    "create_app",
    "decode_events",
    "empty_reply",
    "encode_events",
    "json_reply",
    "keep_records",
    "note_revealed",
    "problem_document",
    "read_json",
    "squeezed_bytes",
    "squeezed_reply",
    "text_member",
    "write",
    "write_one",
]
