"""The history's tables, the same in chDB and in a ClickHouse cluster."""

from yunmeng.kernel.store.history.hours import COLUMN, DEFINITION, NAME

VERSION = 2
TABLE = "history_points"
VERSIONS = "history_versions"

# A replay finds its block among this many newest ones; the keeper replays seconds, not days.
_WINDOW = 10_000
# a deletion takes the hours of a part with it: to work them out again would take longer than to delete
_MODE = "lightweight_mutation_projection_mode = 'drop'"

# what engines before 2025 cannot (115) is left out there; they work hours out with each block
EASE = (
    # hours are worked out with the merges, where it costs least
    f"ALTER TABLE {TABLE} MODIFY SETTING"
    " materialize_projections_on_insert = 0, materialize_projections_on_merge = 1",
    # a merge takes longer than the writing did, for the hours: the more parts each takes the fewer there are
    f"ALTER TABLE {TABLE} MODIFY SETTING merge_selector_base = 16",
)

# entity is a dictionary too: rows are sorted by it, so a granule has few; aggregates run a fifth faster.
# Delta under ZSTD beats DoubleDelta by a fifth where clocks jitter (5.5 against 6.9 bytes a row).
POINTS = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    tenant LowCardinality(String),
    attribute LowCardinality(String),
    entity LowCardinality(String),
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    timed Bool,
    dataset_id LowCardinality(String),
    type LowCardinality(String),
    division LowCardinality(String),
    unit LowCardinality(String),
    number Float64 CODEC(ZSTD(1)),
    text Nullable(String) CODEC(ZSTD(1)),
    quality UInt8 CODEC(ZSTD(1)),
    gateway LowCardinality(String),
    frame String CODEC(ZSTD(1)),
    created_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    modified_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    deleted Bool,
    synthetic Bool,
    instance_id String CODEC(ZSTD(1)),
    body String CODEC(ZSTD(1)),
    {COLUMN} CODEC(Delta, ZSTD(1)),
    PROJECTION {NAME} ({DEFINITION})
) ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (tenant, attribute, entity, at)
SETTINGS non_replicated_deduplication_window = {_WINDOW},
         fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
         max_suspicious_broken_parts = 0, {_MODE}
"""

# what a table of version 1 lacks; its parts get their hours in the background
HOURS = (
    f"ALTER TABLE {TABLE} MODIFY SETTING {_MODE}",
    f"ALTER TABLE {TABLE} ADD COLUMN IF NOT EXISTS {COLUMN} CODEC(Delta, ZSTD(1))",
    f"ALTER TABLE {TABLE} ADD PROJECTION IF NOT EXISTS {NAME} ({DEFINITION})",
    f"ALTER TABLE {TABLE} MATERIALIZE PROJECTION {NAME}",
)

LATEST = f"SELECT max(version) FROM {VERSIONS}"  # noqa: S608

MARK = f"""
CREATE TABLE IF NOT EXISTS {VERSIONS} (version UInt32, since DateTime('UTC'))
ENGINE = MergeTree ORDER BY version
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
"""
