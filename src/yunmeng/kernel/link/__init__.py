"""Transport 传: the bus between processes and nodes."""

from yunmeng.kernel.link.port import Bus, Consumer, Handler, Message, Request, Stream, StreamName

__all__ = ["Bus", "Consumer", "Handler", "Message", "Request", "Stream", "StreamName"]
