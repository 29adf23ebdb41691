"""What a station may be told: names that mean the same in every version, and every action by its own name.

A name of the standard (``SetChargingProfile``) takes the payload of the standard. The others translate.
"""

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from yunmeng.gateways.ocpp.messages import Payload
from yunmeng.gateways.ocpp.schemas import REQUEST, actions, violation
from yunmeng.gateways.ocpp.tokens import Token
from yunmeng.kernel.base import BadInput, nearest

Arguments = Mapping[str, Any]
Built = tuple[str, Payload]
Build = Callable[[Arguments, bool], Built]
"""Makes action and payload of arguments; the second argument says whether it is for 1.6."""

_NUMBERED = ("remoteStartId", "requestId")
_MOST_NUMBER = 0x7FFF_FFFF


def build(name: str, arguments: Arguments, version: str) -> Built:
    """Returns the action and payload of a command, checked against the schema of the version.

    Raises:
        BadInput: ``command.unknown`` or ``command.arguments``.
    """
    known = COMMANDS.get(name)
    if known is None and name not in actions(version):
        names = [*COMMANDS, *actions(version)]
        raise BadInput("command.unknown", name=name, known=nearest(name, names) or ", ".join(COMMANDS))
    try:
        action, payload = known(arguments, version == "1.6") if known else (name, dict(arguments))
    except (KeyError, ValueError, TypeError) as cause:
        raise BadInput("command.arguments", name=name, reason=repr(cause)) from cause
    if action not in actions(version):
        raise BadInput("command.unknown", name=name, known=f"OCPP {version}: no {action}")
    found = violation(version, REQUEST, action, payload)
    if found is not None and version != "1.6":
        payload = _numbered(payload, found.reason)
        found = violation(version, REQUEST, action, payload)
    if found is not None:
        raise BadInput("command.arguments", name=name, reason=found.reason[:300])
    return action, payload


def local_list(tokens: list[Token], version: str) -> list[Payload]:
    """Returns the tokens as the local list of a station (1.6, 7.2; 2.x, 2.4)."""
    if version == "1.6":
        return [
            {"idTag": each.token, "idTagInfo": _info(each, "parentIdTag", "expiryDate")} for each in tokens
        ]
    return [
        {
            "idToken": {"idToken": each.token, "type": each.type or "Central"},
            "idTokenInfo": _info(each, "groupIdToken", "cacheExpiryDateTime"),
        }
        for each in tokens
    ]


def _info(token: Token, group: str, expires: str) -> Payload:
    info: Payload = {"status": token.status}
    if token.group:
        info[group] = token.group if group == "parentIdTag" else {"idToken": token.group, "type": "Central"}
    if token.expires is not None:
        info[expires] = datetime.fromtimestamp(token.expires // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return info


def _numbered(payload: Payload, reason: str) -> Payload:
    """Gives a request its number where the schema misses one."""
    missing = {
        name: secrets.randbelow(_MOST_NUMBER) for name in _NUMBERED if f"'{name}' is a required" in reason
    }
    return {**payload, **missing}


def _token(arguments: Arguments) -> Payload:
    return {"idToken": str(arguments["token"]), "type": str(arguments.get("type", "Central"))}


def _given(**members: Any) -> Payload:
    return {name: value for name, value in members.items() if value is not None}


def _start(arguments: Arguments, is16: bool) -> Built:
    evse, profile = arguments.get("evse"), arguments.get("profile")
    if is16:
        tag = str(arguments["token"])
        return "RemoteStartTransaction", _given(idTag=tag, connectorId=evse, chargingProfile=profile)
    number = arguments.get("number", secrets.randbelow(_MOST_NUMBER))
    members = _given(evseId=evse, chargingProfile=profile)
    return "RequestStartTransaction", {"idToken": _token(arguments), "remoteStartId": number, **members}


def _stop(arguments: Arguments, is16: bool) -> Built:
    if is16:
        return "RemoteStopTransaction", {"transactionId": int(arguments["transaction"])}
    return "RequestStopTransaction", {"transactionId": str(arguments["transaction"])}


def _reset(arguments: Arguments, is16: bool) -> Built:
    hard = str(arguments.get("kind", "soft")).lower() in ("hard", "immediate")
    if is16:
        return "Reset", {"type": "Hard" if hard else "Soft"}
    return "Reset", _given(type="Immediate" if hard else "OnIdle", evseId=arguments.get("evse"))


def _unlock(arguments: Arguments, is16: bool) -> Built:
    if is16:
        return "UnlockConnector", {"connectorId": arguments["evse"]}
    return "UnlockConnector", {"evseId": arguments["evse"], "connectorId": arguments.get("connector", 1)}


def _availability(arguments: Arguments, is16: bool) -> Built:
    wanted, evse = "Operative" if arguments["operative"] else "Inoperative", int(arguments.get("evse", 0))
    if is16:
        return "ChangeAvailability", {"connectorId": evse, "type": wanted}
    return "ChangeAvailability", _given(operationalStatus=wanted, evse={"id": evse} if evse else None)


def _trigger(arguments: Arguments, is16: bool) -> Built:
    evse, message = arguments.get("evse"), str(arguments["message"])
    if is16:
        return "TriggerMessage", _given(requestedMessage=message, connectorId=evse)
    return "TriggerMessage", _given(requestedMessage=message, evse=None if evse is None else {"id": evse})


def _variable(name: str) -> Payload:
    """Reads ``Component.Variable``; instances in brackets: ``Component[2].Variable[x]``."""
    component, dot, variable = name.partition(".")
    if not dot:
        raise ValueError(f"{name}: Component.Variable")
    return {"component": _instance(component), "variable": _instance(variable)}


def _instance(name: str) -> Payload:
    title, bracket, instance = name.removesuffix("]").partition("[")
    return {"name": title, "instance": instance} if bracket else {"name": title}


def _get(arguments: Arguments, is16: bool) -> Built:
    names = [str(name) for name in arguments.get("names", ())]
    if is16:
        return "GetConfiguration", {"key": names} if names else {}
    return "GetVariables", {"getVariableData": [_variable(name) for name in names]}


def _set(arguments: Arguments, is16: bool) -> Built:
    return _configure({str(arguments["name"]): arguments["value"]}, is16)


def _configure(arguments: Arguments, is16: bool) -> Built:
    """Settings by their names; 1.6 takes one at a time."""
    texts = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in arguments.items()
    }
    if is16:
        ((key, value),) = texts.items()
        return "ChangeConfiguration", {"key": key, "value": value}
    rows = [{"attributeValue": value, **_variable(name)} for name, value in texts.items()]
    return "SetVariables", {"setVariableData": rows}


def _reserve(arguments: Arguments, is16: bool) -> Built:
    number, expires = int(arguments["reservation"]), str(arguments["expires"])
    if is16:
        evse, tag = int(arguments.get("evse", 0)), str(arguments["token"])
        payload = {"connectorId": evse, "expiryDate": expires, "idTag": tag, "reservationId": number}
        return "ReserveNow", payload
    members = _given(evseId=arguments.get("evse"))
    payload = {"id": number, "expiryDateTime": expires, "idToken": _token(arguments), **members}
    return "ReserveNow", payload


def _unreserve(arguments: Arguments, is16: bool) -> Built:
    return "CancelReservation", {"reservationId": int(arguments["reservation"])}


def _limit(arguments: Arguments, is16: bool) -> Built:
    """A limit from now on: of all transactions of an EVSE, or of the whole station (3.13; K)."""
    evse, unit = int(arguments.get("evse", 0)), str(arguments.get("unit", "W"))
    period = _given(startPeriod=0, limit=float(arguments["limit"]), numberPhases=arguments.get("phases"))
    schedule = _given(chargingRateUnit=unit, chargingSchedulePeriod=[period], duration=arguments.get("for_s"))
    station = "ChargePointMaxProfile" if is16 else "ChargingStationMaxProfile"
    profile = {
        "stackLevel": int(arguments.get("level", 0)),
        "chargingProfilePurpose": "TxDefaultProfile" if evse else station,
        "chargingProfileKind": "Absolute",
    }
    number = int(arguments.get("profile", evse + 1))
    # what is absolute counts from the beginning of its schedule
    schedule["startSchedule"] = str(arguments.get("from") or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    if is16:
        whole = {"chargingProfileId": number, **profile, "chargingSchedule": schedule}
        return "SetChargingProfile", {"connectorId": evse, "csChargingProfiles": whole}
    whole = {"id": number, **profile, "chargingSchedule": [{"id": number, **schedule}]}
    return "SetChargingProfile", {"evseId": evse, "chargingProfile": whole}


def _clear_limit(arguments: Arguments, is16: bool) -> Built:
    number, evse = arguments.get("profile"), arguments.get("evse")
    if is16:
        return "ClearChargingProfile", _given(id=number, connectorId=evse)
    criteria = {} if evse is None else {"chargingProfileCriteria": {"evseId": evse}}
    return "ClearChargingProfile", {**_given(chargingProfileId=number), **criteria}


def _schedule(arguments: Arguments, is16: bool) -> Built:
    evse, duration = int(arguments.get("evse", 0)), int(arguments.get("for_s", 86_400))
    place = {"connectorId" if is16 else "evseId": evse}
    return "GetCompositeSchedule", {
        **place,
        "duration": duration,
        **_given(chargingRateUnit=arguments.get("unit")),
    }


def _firmware(arguments: Arguments, is16: bool) -> Built:
    """An update of the firmware; with certificate and signature the signed one (L01)."""
    url = str(arguments["url"])
    when = str(arguments.get("at") or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    signed = _given(signingCertificate=arguments.get("certificate"), signature=arguments.get("signature"))
    more = _given(retries=arguments.get("retries"), retryInterval=arguments.get("retry_s"))
    if is16 and not signed:
        return "UpdateFirmware", {"location": url, "retrieveDate": when, **more}
    firmware = {"location": url, "retrieveDateTime": when, **signed}
    number = int(arguments.get("number", secrets.randbelow(_MOST_NUMBER)))
    return "SignedUpdateFirmware" if is16 else "UpdateFirmware", {
        "requestId": number,
        "firmware": firmware,
        **more,
    }


def _log(arguments: Arguments, is16: bool) -> Built:
    url, kind = str(arguments["url"]), str(arguments.get("kind", "diagnostics"))
    since, until = arguments.get("from"), arguments.get("to")
    if is16 and kind == "diagnostics":
        return "GetDiagnostics", _given(location=url, startTime=since, stopTime=until)
    log = _given(remoteLocation=url, oldestTimestamp=since, latestTimestamp=until)
    number = int(arguments.get("number", secrets.randbelow(_MOST_NUMBER)))
    return "GetLog", {"logType": f"{kind.capitalize()}Log", "requestId": number, "log": log}


def _send_list(arguments: Arguments, is16: bool) -> Built:
    kind = "Differential" if arguments.get("differential") else "Full"
    members = {"updateType": kind, "localAuthorizationList": list(arguments["tokens"])}
    return "SendLocalList", {
        "listVersion" if is16 else "versionNumber": int(arguments["version"]),
        **members,
    }


def _list_version(arguments: Arguments, is16: bool) -> Built:
    return "GetLocalListVersion", {}


def _clear_cache(arguments: Arguments, is16: bool) -> Built:
    return "ClearCache", {}


def _data(arguments: Arguments, is16: bool) -> Built:
    message, data = arguments.get("message"), arguments.get("data")
    return "DataTransfer", _given(vendorId=str(arguments["vendor"]), messageId=message, data=data)


def _report(arguments: Arguments, is16: bool) -> Built:
    number = int(arguments.get("number", secrets.randbelow(_MOST_NUMBER)))
    return "GetBaseReport", {"requestId": number, "reportBase": str(arguments.get("base", "FullInventory"))}


COMMANDS: dict[str, Build] = {
    "availability": _availability,
    "cancel-reservation": _unreserve,
    "clear-cache": _clear_cache,
    "clear-limit": _clear_limit,
    "configure": _configure,
    "data": _data,
    "firmware": _firmware,
    "get": _get,
    "limit": _limit,
    "list-version": _list_version,
    "log": _log,
    "report": _report,
    "reserve": _reserve,
    "reset": _reset,
    "schedule": _schedule,
    "send-list": _send_list,
    "set": _set,
    "start": _start,
    "stop": _stop,
    "trigger": _trigger,
    "unlock": _unlock,
}
