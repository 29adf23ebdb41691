"""The routes behind the pages of the console."""

from yunmeng.console import details, entities, figures, jobs, live, points, quarantine, shell, trends
from yunmeng.kernel.serve import Route

ROUTES = (
    Route("GET", "/api/console", "view.read", shell.console, "Who is here, which node, which views"),
    Route(
        "GET",
        "/api/boundaries/{which}",
        "view.read",
        shell.boundary,
        "Boundaries of the divisions as GeoJSON",
    ),
    Route("GET", "/api/tiles", "view.read", figures.tiles, "The value of every tile in a division"),
    Route("GET", "/api/layers/{id}", "view.read", figures.layer, "The values of a map layer"),
    Route("GET", "/api/layers/{id}/past", "temporal.read", points.past, "A map layer as it was at a time"),
    Route("GET", "/api/charts/{id}", "view.read", trends.chart, "A chart of a division over a time range"),
    Route("GET", "/api/tables/{id}", "view.read", entities.table, "A page of a table of entities"),
    Route(
        "GET",
        "/api/entities/{id}",
        "entity.read",
        entities.entity,
        "An entity with labels, units, sources, age",
    ),
    Route("GET", "/api/entities/{id}/details", "entity.read", details.details, "What its page shows first"),
    Route(
        "GET", "/api/entities/{id}/history", "temporal.read", trends.entity_history, "An attribute over time"
    ),
    Route("GET", "/api/live", "live.read", live.live, "Live changes as server-sent events"),
    Route("GET", "/api/jobs", "job.read", jobs.jobs, "Jobs and their newest runs"),
    Route("POST", "/api/jobs/{id}", "job.run", jobs.start, "Start a job"),
    Route("GET", "/api/jobs/runs/{run}", "job.read", jobs.run, "A run of a job"),
    Route("DELETE", "/api/jobs/runs/{run}", "job.cancel", jobs.cancel, "End a run"),
    Route("GET", "/api/jobs/runs/{run}/files/{name}", "job.read", jobs.file, "A file that a run made"),
    Route("GET", "/api/quarantine", "quarantine.read", quarantine.quarantine, "What was set aside, and why"),
    Route("POST", "/api/quarantine/replay", "quarantine.replay", quarantine.replay, "Send it in again"),
    Route("POST", "/api/quarantine/drop", "quarantine.drop", quarantine.drop, "Drop it for good"),
    Route("GET", "/api/quarantine/{id}", "quarantine.read", quarantine.one, "One, with its bytes"),
)
