"""The HTTP edge: HTTP/1.1 (RFC 9112) between sockets and the application, on asyncio and llhttp's parser."""

from yunmeng.kernel.serve.edge.limits import Limits
from yunmeng.kernel.serve.edge.server import EdgeServer

__all__ = ["EdgeServer", "Limits"]
