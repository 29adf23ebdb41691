"""Calling a server: its address, the security of the channel, who we are."""

from pathlib import Path
from typing import Any

from yunmeng.gateways.opcua.library import asyncua
from yunmeng.kernel.base import BadInput, Secret, Unavailable
from yunmeng.kernel.sense import Listen

POLICIES = ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
MODES = ("Sign", "SignAndEncrypt")
_PATIENCE_S = 10.0


def check_options(listen: Listen) -> None:
    """Raises ``BadInput("sense.option")`` for security that is none or half."""
    options = listen.options
    policy, mode = options.get("policy", ""), options.get("mode", "SignAndEncrypt")
    if policy and policy not in POLICIES:
        raise BadInput("sense.option", name=listen.name, option="policy", value=policy)
    if mode not in MODES:
        raise BadInput("sense.option", name=listen.name, option="mode", value=mode)
    for option in ("cert", "key", "server_cert"):
        # a server whose certificate is not known could be anyone's
        if policy and not Path(options.get(option, "")).is_file():
            raise BadInput("sense.option", name=listen.name, option=option, value=options.get(option, ""))
    Secret(options.get("password", ""))


def address(listen: Listen) -> str:
    """Returns the server's URL."""
    return f"opc.tcp://{listen.host}:{listen.port or 4840}{listen.path}"


async def open_client(listen: Listen) -> Any:
    """Returns a client of asyncua that is ready to connect.

    Raises:
        Unavailable: ``sense.extra`` without asyncua, ``opcua.security``.
    """
    client, options = asyncua().Client(address(listen), timeout=_PATIENCE_S), listen.options
    client.name = client.description = "Yunmeng"
    client.application_uri = "urn:yunmeng:opcua"
    if options.get("policy"):
        await _secure(client, listen)
    if "user" in options:
        client.set_user(options["user"])
        client.set_password(Secret(options.get("password", "")).reveal())
    return client


async def _secure(client: Any, listen: Listen) -> None:
    options, ua = listen.options, asyncua("ua")
    policy = getattr(asyncua("crypto.security_policies"), f"SecurityPolicy{options['policy']}")
    try:
        # a server compares this name with our certificate's (OPC 10000-4 §5.6.2)
        client.application_uri = _uri_of(Path(options["cert"])) or client.application_uri
        await client.set_security(
            policy,
            options["cert"],
            options["key"],
            server_certificate=options["server_cert"],
            mode=getattr(ua.MessageSecurityMode, options.get("mode", "SignAndEncrypt")),
        )
    except (ua.UaError, OSError, ValueError) as cause:
        raise Unavailable("opcua.security", name=listen.name, reason=str(cause)) from cause


def _uri_of(file: Path) -> str:
    from cryptography import x509

    data = file.read_bytes()
    load = x509.load_pem_x509_certificate if data.startswith(b"-----") else x509.load_der_x509_certificate
    try:
        names = load(data).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    return next(iter(names.get_values_for_type(x509.UniformResourceIdentifier)), "")
