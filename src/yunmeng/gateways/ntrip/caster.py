"""A caster: its mount points, its table of sources, and who may feed and hear them (NTRIP 1.0 and 2.0)."""

from yunmeng.gateways.ntrip.http import Request
from yunmeng.gateways.ntrip.mounts import Mount
from yunmeng.gateways.ntrip.session import seconds
from yunmeng.kernel.base import BadInput
from yunmeng.kernel.sense import Hub


class Caster:
    """The mount points of one place to listen, and who may use them.

    Options: ``admit=known`` (only registered mount points and users), ``queue`` (bytes that may wait for one
    rover), ``every`` (seconds between two reports), ``operator`` (for the sourcetable).
    """

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.mounts: dict[str, Mount] = {}
        self.most = int(seconds(hub.listen.options, "queue", "65536"))

    def table(self) -> str:
        """Returns the sourcetable (NTRIP 2.0, 3.4): this caster, and each mount point that is fed."""
        options = self.hub.listen.options
        operator = options.get("operator", "Yunmeng").replace(";", " ")
        listen = self.hub.listen
        head = f"CAS;{listen.host};{listen.port};{listen.name};{operator};0;CHN;0;0;;0;"
        rows = [head, *(mount.row() for _, mount in sorted(self.mounts.items())), "ENDSOURCETABLE"]
        return "".join(f"{row}\r\n" for row in rows)

    def may_feed(self, request: Request) -> bool:
        """Tells whether this source may feed its mount point: its registration's credential decides."""
        station = self.hub.station("-")
        _, password = request.credentials()
        try:
            record = station.admit(request.mount)
        except BadInput:
            return False
        return record is None or record.accepts(password)

    def may_listen(self, request: Request) -> str | None:
        """Returns the user of a rover, empty for one without a name; None for one that may not listen.

        A registered mount point names its users in the option ``rovers`` (``*`` is every registered user);
        users are registered as ``user:NAME``.
        """
        devices, user = self.hub.devices, request.credentials()[0]
        mount = devices.find("ntrip", request.mount)
        wanted = mount.options.get("rovers", "") if mount else ""
        if not wanted and self.hub.listen.options.get("admit", "all") != "known":
            return user if self._is_user(request) else ""
        allowed = wanted == "*" or user in wanted.split(",") or not wanted
        return user if user and allowed and self._is_user(request) else None

    def _is_user(self, request: Request) -> bool:
        user, password = request.credentials()
        record = self.hub.devices.find("ntrip", f"user:{user}")
        return record is not None and record.admitted and record.accepts(password)
