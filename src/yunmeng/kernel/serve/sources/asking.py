"""Sources asked side by side, and all pages of what they answer (ETSI GS CIM 009 §4.3.6)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from yunmeng.kernel.model import Condition, Context, ContextLibrary
from yunmeng.kernel.serve.sources.forwarding import Forward, Forwarder, Origin, forward_context
from yunmeng.kernel.serve.sources.registration import Registration
from yunmeng.kernel.serve.sources.remote import entity_of, views_of
from yunmeng.kernel.serve.sources.views import Reading, View
from yunmeng.kernel.serve.sources.warnings import Warnings

_MOST_PAGES = 10


@dataclass(frozen=True, slots=True)
class Asking:
    """What the request says beside the query itself: its names, and which sources may be asked."""

    context: Context
    attributes: frozenset[str] = frozenset()
    csf: Condition | None = None
    split: bool = False
    datasets: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Sight:
    """The way to the sources for one request; what a source does not answer is a warning."""

    forwarder: Forwarder
    origin: Origin
    contexts: ContextLibrary
    asking: Asking
    warnings: Warnings

    def context(self, registration: Registration) -> Context:
        """Returns the context in which a source is spoken to."""
        return forward_context(registration, self.asking.context) or self.contexts.core

    async def views(
        self, forwards: Sequence[Forward], most: int = 0, read: Reading = entity_of
    ) -> list[list[View]]:
        """Returns what each source shows; ``most`` entities are enough, 0 for all."""
        answers = await self.forwarder.send_all(forwards, self.origin)
        views = [await views_of(answer, self.contexts, self.warnings, read) for answer in answers]
        for view, forward in zip(views, forwards, strict=True):
            await self._further(forward, view, most, read)
        return views

    async def _further(self, forward: Forward, view: list[View], most: int, read: Reading) -> None:
        """Turns the pages of a source that has more than one of them."""
        limit = int(forward.parameters.get("limit", "0"))
        for page in range(1, _MOST_PAGES):
            if not limit or len(view) < limit * page or (most and len(view) >= most):
                return
            parameters = {**forward.parameters, "offset": str(limit * page)}
            answer = await self.forwarder.send(replace(forward, parameters=parameters), self.origin)
            view.extend(await views_of(answer, self.contexts, self.warnings, read))
