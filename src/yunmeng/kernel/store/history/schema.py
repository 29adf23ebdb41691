"""The history's tables, the same in chDB and in a ClickHouse cluster."""

VERSION = 1
TABLE = "history_points"
VERSIONS = "history_versions"

# A replay finds its block among this many newest ones; the keeper replays seconds, not days.
_WINDOW = 10_000

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
    body String CODEC(ZSTD(1))
) ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (tenant, attribute, entity, at)
SETTINGS non_replicated_deduplication_window = {_WINDOW},
         fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
         max_suspicious_broken_parts = 0
"""

LATEST = f"SELECT max(version) FROM {VERSIONS}"  # noqa: S608

MARK = f"""
CREATE TABLE IF NOT EXISTS {VERSIONS} (version UInt32, since DateTime('UTC'))
ENGINE = MergeTree ORDER BY version
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
"""
