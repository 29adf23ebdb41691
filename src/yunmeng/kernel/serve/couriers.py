"""Every way in which a notification may go out."""

from collections.abc import Mapping
from dataclasses import dataclass

from yunmeng.kernel.serve.endpoint import Endpoint
from yunmeng.kernel.serve.http_courier import HttpCourier, Target, target
from yunmeng.kernel.serve.mqtt_courier import MqttCourier, envelope


@dataclass(frozen=True, slots=True)
class Address:
    """Where notifications of a subscription go, worked out once for all of them."""

    endpoint: Endpoint
    headers: Mapping[str, str]
    http: Target | None

    @classmethod
    def of(cls, endpoint: Endpoint, headers: Mapping[str, str]) -> "Address":
        """Works out an address."""
        return cls(endpoint, headers, target(endpoint.uri, headers) if endpoint.mqtt is None else None)


class Couriers:
    """Sends to any address; connections stay open for a while."""

    def __init__(self) -> None:
        self._http = HttpCourier()
        self._mqtt = MqttCourier()

    async def send(self, to: Address, body: bytes) -> str:
        """Returns why it failed, nothing when it arrived."""
        endpoint = to.endpoint
        if to.http is not None:
            return await self._http.post(to.http, body, endpoint.timeout_s)
        if endpoint.mqtt is None:
            raise TypeError(endpoint.uri)
        return await self._mqtt.publish(endpoint.mqtt, envelope(to.headers, body), endpoint.timeout_s)

    async def tidy(self) -> None:
        """Closes what nobody has used for a while."""
        self._http.tidy()
        await self._mqtt.tidy()

    async def close(self) -> None:
        """Closes all connections."""
        await self._http.close()
        await self._mqtt.close()
