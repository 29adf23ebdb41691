"""Logs, stores and clocks for the tests of trust."""

import pytest

from yunmeng.kernel.trust import Accounts, AuditEvent, AuditLog, Cost


class Memory:
    """A record store in memory."""

    def __init__(self):
        self.records = {}

    async def get(self, kind, tenant, id):
        return self.records.get((kind, tenant, id))

    async def put(self, kind, tenant, id, body):
        self.records[kind, tenant, id] = body

    async def drop(self, kind, tenant, id):
        self.records.pop((kind, tenant, id), None)

    async def all(self, kind, tenant):
        return [self.records[key] for key in sorted(self.records) if key[:2] == (kind, tenant)]


class Clock:
    """Microseconds that pass when told."""

    def __init__(self):
        self.us = 1_795_000_000_000_000

    def __call__(self):
        return self.us

    def pass_s(self, seconds):
        self.us += int(seconds * 1_000_000)


@pytest.fixture
def store():
    return Memory()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def accounts(store, clock):
    return Accounts(store, clock=clock, cost=Cost(n=16, r=1, p=1))


@pytest.fixture
def event():
    def make(number=0, **facts):
        return AuditEvent(
            at=1_795_000_000_000_000 + number,
            principal="person:li",
            action="entity.write",
            resource=f"urn:ngsi-ld:Reservoir:{number}",
            decision="allow",
            reasons=("operator",),
            facts=facts,
        )

    return make


@pytest.fixture
def log(tmp_path):
    log = AuditLog(tmp_path / "audit", "node-42")
    yield log
    log.close()
