"""Which object store a node's settings mean."""

from urllib.parse import urlsplit

from yunmeng.kernel.base import BadInput, Settings
from yunmeng.kernel.store.objects.folder import FolderObjects
from yunmeng.kernel.store.objects.port import Objects


def open_objects(settings: Settings) -> Objects:
    """Opens the object store by settings.

    An S3 URL is ``s3://bucket/prefix`` (the cloud's own address) or ``http(s)://host:port/bucket/prefix``.

    Raises:
        BadInput: ``object.no-url`` when the URL names no bucket.
        Unavailable: ``object.extra-missing`` when obstore is not installed.
    """
    section = settings.objects
    if section.engine == "folder":
        return FolderObjects(settings.node.data / "objects")
    from yunmeng.kernel.store.objects.s3 import S3Objects

    parts = urlsplit(section.url)
    cloud = parts.scheme == "s3"
    path = f"{parts.netloc}{parts.path}" if cloud else parts.path
    bucket, _, prefix = path.strip("/").partition("/")
    if not bucket or parts.scheme not in ("s3", "http", "https"):
        raise BadInput("object.no-url", url=section.url)
    return S3Objects(
        bucket,
        endpoint="" if cloud else f"{parts.scheme}://{parts.netloc}",
        region=section.region,
        access_key=section.access_key.reveal(),
        secret_key=section.secret_key.reveal(),
        prefix=prefix,
    )
