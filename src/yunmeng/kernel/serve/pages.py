"""The console's built pages: files from one folder, and its first page for every address it draws itself."""

from functools import lru_cache
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from yunmeng.kernel.base import NotFound
from yunmeng.kernel.serve.replies import Reply
from yunmeng.kernel.serve.routes import Call, Route
from yunmeng.kernel.serve.squeeze import gzipped, reads_gzip

# what lies under these is never a page of the console
_NOT_PAGES = ("api", "ngsi-ld", "contexts")
_NOT_FOUND = 404
# the built files of one console, once each; a new build has new names
_MOST_SQUEEZED = 64
_MEDIA = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css",
}


_FOREVER = "public, max-age=31536000, immutable"


def page_route(folder: Path) -> Route:
    """Returns the row that serves the pages in ``folder``."""
    files = StaticFiles(directory=folder, check_dir=False)

    async def page(call: Call) -> Response:
        """Serves a file of the console, or its first page."""
        path: str = call.request.path_params["path"]
        if (squeezed := _squeezed(folder, path, call)) is not None:
            return squeezed
        response = await _file(files, path or "index.html", call)
        if response is None and "." not in path.rpartition("/")[2] and path.split("/")[0] not in _NOT_PAGES:
            response = await _file(files, "index.html", call)
        if response is None:
            raise NotFound("http.404", path=f"/{path}")
        hashed = path.startswith("assets/")
        response.headers["cache-control"] = _FOREVER if hashed else "no-cache"
        return response

    return Route("GET", "/{path:path}", "page.read", page, "The console")


async def _file(files: StaticFiles, path: str, call: Call) -> Response | None:
    try:
        return await files.get_response(path, call.request.scope)
    except HTTPException as failure:
        if failure.status_code == _NOT_FOUND:
            return None
        raise


def _squeezed(folder: Path, path: str, call: Call) -> Reply | None:
    """Returns a built script or style as gzip: the name holds its hash, so it never changes."""
    media = _MEDIA.get(Path(path).suffix)
    parts = Path(path).parts
    if media is None or len(parts) != 2 or parts[0] != "assets" or parts[1] == ".." or not reads_gzip(call):
        return None
    body = _bytes_of(folder / path)
    if body is None:
        return None
    headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding", "Cache-Control": _FOREVER}
    return Reply(body, 200, media, headers)


@lru_cache(_MOST_SQUEEZED)
def _bytes_of(file: Path) -> bytes | None:
    return gzipped(file.read_bytes(), 6) if file.is_file() else None
