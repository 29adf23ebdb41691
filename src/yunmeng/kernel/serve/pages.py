"""The console's built pages: files from one folder, and its first page for every address it draws itself."""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from yunmeng.kernel.base import NotFound
from yunmeng.kernel.serve.routes import Call, Route

# what lies under these is never a page of the console
_NOT_PAGES = ("api", "ngsi-ld", "contexts")
_NOT_FOUND = 404


def page_route(folder: Path) -> Route:
    """Returns the row that serves the pages in ``folder``."""
    files = StaticFiles(directory=folder, check_dir=False)

    async def page(call: Call) -> Response:
        """Serves a file of the console, or its first page."""
        path: str = call.request.path_params["path"]
        response = await _file(files, path or "index.html", call)
        if response is None and "." not in path.rpartition("/")[2] and path.split("/")[0] not in _NOT_PAGES:
            response = await _file(files, "index.html", call)
        if response is None:
            raise NotFound("http.404", path=f"/{path}")
        hashed = path.startswith("assets/")
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if hashed else "no-cache"
        return response

    return Route("GET", "/{path:path}", "page.read", page, "The console")


async def _file(files: StaticFiles, path: str, call: Call) -> Response | None:
    try:
        return await files.get_response(path, call.request.scope)
    except HTTPException as failure:
        if failure.status_code == _NOT_FOUND:
            return None
        raise
