"""Accounts: the first start, signing in, locks, sessions, tokens, and who may give what to whom."""

import asyncio
from contextlib import contextmanager

import msgspec
import pytest

from yunmeng.kernel.base import BadInput, Forbidden, Unauthenticated, YunmengError
from yunmeng.kernel.trust import SYSTEM, Accounts, Cost, Policy, Principal, Resource

GOOD, BETTER = "correct horse battery", "another horse battery"
ADDRESS = "203.0.113.7"


@pytest.fixture
async def li(accounts):
    return await accounts.create("li", GOOD, by=SYSTEM, roles=("operator",), divisions=("420100",))


@contextmanager
def refused(key):
    """Expects the error of a key."""
    with pytest.raises(YunmengError) as caught:
        yield
    assert caught.value.key == key


async def test_the_first_start(accounts):
    password = await accounts.first_start()
    session = await accounts.sign_in("admin", password)
    assert session.must_change
    assert session.principal.roles == ()
    decision = Policy("420000").decide(session.principal, "entity.read", Resource("entity"))
    assert not decision.allowed
    session = await accounts.change_password(session.id, password, GOOD)
    assert session.principal == Principal("person:admin", roles=("administrator",), clearance=4)
    assert not session.must_change
    assert await accounts.first_start() is None
    assert (await accounts.sign_in("admin", GOOD)).principal == session.principal


async def test_a_one_time_password_works_once(accounts):
    password = await accounts.first_start()
    await accounts.sign_in("admin", password)
    with refused("session.used"):
        await accounts.sign_in("admin", password)


async def test_two_at_once_with_a_one_time_password(accounts):
    password = await accounts.first_start()
    tries = (accounts.sign_in("admin", password) for _ in range(3))
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(not isinstance(answer, Exception) for answer in answers) == 1


async def test_a_start_before_the_change_gives_a_new_one(accounts):
    first = await accounts.first_start()
    session = await accounts.sign_in("admin", first)
    second = await accounts.first_start()
    assert second != first
    with refused("session.expired"):
        await accounts.session(session.id)
    with refused("session.wrong"):
        await accounts.sign_in("admin", first)
    assert (await accounts.sign_in("admin", second)).must_change


async def test_signing_in(accounts, li):
    session = await accounts.sign_in(" LI ", GOOD)
    assert session.principal == Principal("person:li", roles=("operator",), divisions=("420100",))
    assert await accounts.session(session.id) == session
    assert len(session.id) >= 43


@pytest.mark.parametrize(
    ("name", "password"),
    [("li", "wrong"), ("wu", GOOD), ("", ""), ("li", ""), ("\0", "\ud800"), ("l" * 9999, GOOD)],
)
async def test_wrong_names_and_passwords_get_one_answer(accounts, li, name, password):
    with refused("session.wrong"):
        await accounts.sign_in(name, password)


async def test_nothing_at_rest_opens_anything(accounts, li, store):
    session = await accounts.sign_in("li", GOOD)
    token, _ = await accounts.issue_token("meter", "device", by=SYSTEM)
    kept = b"".join(store.records.values()) + repr(list(store.records)).encode()
    for secret in (GOOD, session.id, session.csrf, token, token.removeprefix("ym_")):
        assert secret.encode() not in kept


async def test_a_name_is_locked_after_five_tries(accounts, li, clock):
    for _ in range(5):
        with refused("session.wrong"):
            await accounts.sign_in("li", "wrong")
    with pytest.raises(Unauthenticated) as caught:
        await accounts.sign_in("li", GOOD)
    assert (caught.value.key, caught.value.facts) == ("session.locked", {"seconds": 60})
    clock.pass_s(60)
    assert await accounts.sign_in("li", GOOD)
    with refused("session.wrong"):
        await accounts.sign_in("li", "wrong")
    assert await accounts.sign_in("li", GOOD)


async def test_locks_grow_but_not_for_ever(accounts, li, clock):
    waits = []
    for _ in range(12):
        try:
            await accounts.sign_in("li", "wrong")
        except Unauthenticated as error:
            if error.key == "session.locked":
                waits.append(error.facts["seconds"])
                clock.pass_s(error.facts["seconds"])
    assert waits[:3] == [60, 120, 240]
    for _ in range(6):
        with pytest.raises(Unauthenticated):
            await accounts.sign_in("li", "wrong")
        clock.pass_s(900)
    assert await accounts.sign_in("li", GOOD)


async def test_unknown_names_are_locked_alike(accounts, li):
    keys = {"li": [], "nobody": []}
    for name, found in keys.items():
        for _ in range(7):
            with pytest.raises(Unauthenticated) as caught:
                await accounts.sign_in(name, "wrong")
            found.append(caught.value.key)
    assert keys["li"] == keys["nobody"] == ["session.wrong"] * 5 + ["session.locked"] * 2


async def test_many_tries_at_once_gain_nothing(accounts, li):
    tries = (accounts.sign_in("li", f"guess {number}") for number in range(30))
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(answer.key == "session.wrong" for answer in answers) == 5


async def test_an_address_is_locked_after_thirty(accounts, li):
    for number in range(30):
        with refused("session.wrong"):
            await accounts.sign_in(f"name{number}", "wrong", ADDRESS)
    with refused("session.locked"):
        await accounts.sign_in("li", GOOD, ADDRESS)
    assert await accounts.sign_in("li", GOOD, "203.0.113.8")


async def test_ones_own_account_does_not_clear_the_address(accounts, li):
    for number in range(30):
        with refused("session.wrong"):
            await accounts.sign_in(f"name{number}", "wrong", ADDRESS)
        if number < 29:
            await accounts.sign_in("li", GOOD, ADDRESS)
    with refused("session.locked"):
        await accounts.sign_in("li", GOOD, ADDRESS)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("127.0.0.1", "127.0.0.1", False),
        ("::1", "::1", False),
    ],
)
async def test_what_counts_as_one_address(accounts, li, first, second, same):
    for number in range(30):
        with refused("session.wrong"):
            await accounts.sign_in(f"name{number}", "wrong", first)
    if same:
        with refused("session.locked"):
            await accounts.sign_in("li", GOOD, second)
    else:
        assert await accounts.sign_in("li", GOOD, second)


async def test_locks_outlive_a_restart(accounts, li, store, clock):
    for _ in range(5):
        with refused("session.wrong"):
            await accounts.sign_in("li", "wrong")
    again = Accounts(store, clock=clock, cost=Cost(n=16, r=1, p=1))
    with refused("session.locked"):
        await again.sign_in("li", GOOD)


async def test_sessions_end_by_themselves(accounts, li, clock):
    session = await accounts.sign_in("li", GOOD)
    clock.pass_s(12 * 3600 - 1)
    assert await accounts.session(session.id)
    clock.pass_s(1)
    with refused("session.expired"):
        await accounts.session(session.id)


async def test_renewal_gives_a_new_id(accounts, li, clock):
    session = await accounts.sign_in("li", GOOD)
    clock.pass_s(10 * 3600)
    fresh = await accounts.renew(session.id)
    assert fresh.id != session.id
    with refused("session.expired"):
        await accounts.session(session.id)
    clock.pass_s(11 * 3600)
    assert await accounts.session(fresh.id)


async def test_renewal_does_not_last_for_ever(accounts, li, clock):
    session = await accounts.sign_in("li", GOOD)
    start, week = clock(), 14 * 12 * 3600 * 1_000_000
    while clock() - start < week - 10 * 3600 * 1_000_000:
        clock.pass_s(10 * 3600)
        session = await accounts.renew(session.id)
    assert session.expires_at == start + week
    clock.pass_s(10 * 3600)
    with refused("session.expired"):
        await accounts.renew(session.id)


async def test_signing_out(accounts, li, store):
    session = await accounts.sign_in("li", GOOD)
    await accounts.sign_out(session.id)
    await accounts.sign_out(session.id)
    with refused("session.expired"):
        await accounts.session(session.id)
    assert not [key for key in store.records if key[0] == "trust.session"]


async def test_another_process_notices_within_a_second(accounts, li, store, clock):
    other = Accounts(store, clock=clock, cost=Cost(n=16, r=1, p=1))
    session = await accounts.sign_in("li", GOOD)
    assert await other.session(session.id) == session
    await accounts.sign_out(session.id)
    clock.pass_s(1)
    with refused("session.expired"):
        await other.session(session.id)


@pytest.mark.parametrize("id_", ["", "x", "x" * 10_000, "\ud800", "../admin"])
async def test_other_ids_are_no_session(accounts, id_):
    with refused("session.expired"):
        await accounts.session(id_)


async def test_the_token_against_forgery_belongs_to_the_session(accounts, li):
    one, other = await accounts.sign_in("li", GOOD), await accounts.sign_in("li", GOOD)
    accounts.check_csrf(one.id, one.csrf)
    for wrong in (other.csrf, "", "\ud800", one.id):
        with refused("session.csrf"):
            accounts.check_csrf(one.id, wrong)


async def test_changing_the_password_ends_all_sessions(accounts, li):
    one, other = await accounts.sign_in("li", GOOD), await accounts.sign_in("li", GOOD)
    new = await accounts.change_password(one.id, GOOD, BETTER)
    for old in (one, other):
        with refused("session.expired"):
            await accounts.session(old.id)
    assert (await accounts.session(new.id)).name == "li"
    with refused("session.wrong"):
        await accounts.sign_in("li", GOOD)


async def test_the_old_password_cannot_be_guessed_in_a_session(accounts, li):
    session = await accounts.sign_in("li", GOOD)
    for _ in range(5):
        with refused("session.wrong"):
            await accounts.change_password(session.id, "wrong", BETTER)
    with refused("session.locked"):
        await accounts.change_password(session.id, GOOD, BETTER)


async def test_a_weak_new_password_changes_nothing(accounts, li):
    session = await accounts.sign_in("li", GOOD)
    for weak, key in (("short", "short"), (GOOD, "same"), ("passwordpassword", "common")):
        with refused(f"account.password.{key}"):
            await accounts.change_password(session.id, GOOD, weak)
    assert await accounts.session(session.id)


async def test_a_dearer_hash_comes_with_the_next_sign_in(accounts, li, store, clock):
    before = store.records["trust.user", "", "li"]
    dearer = Accounts(store, clock=clock, cost=Cost(n=32, r=1, p=1))
    session = await dearer.sign_in("li", GOOD)
    assert store.records["trust.user", "", "li"] != before
    assert await dearer.session(session.id)
    assert await dearer.sign_in("li", GOOD)


async def test_changes_hold_for_open_sessions(accounts, li):
    session = await accounts.sign_in("li", GOOD)
    await accounts.update("li", by=SYSTEM, roles=("viewer",), divisions=("420500",))
    assert (await accounts.session(session.id)).principal.roles == ("viewer",)
    await accounts.update("li", by=SYSTEM, disabled=True)
    with refused("session.expired"):
        await accounts.session(session.id)
    with refused("session.wrong"):
        await accounts.sign_in("li", GOOD)


async def test_a_reset_gives_a_one_time_password(accounts, li):
    session = await accounts.sign_in("li", GOOD)
    password = await accounts.reset_password("li", by=SYSTEM)
    with refused("session.expired"):
        await accounts.session(session.id)
    assert (await accounts.sign_in("li", password)).must_change


async def test_removal(accounts, li):
    session = await accounts.sign_in("li", GOOD)
    await accounts.remove("li", by=SYSTEM)
    with refused("session.expired"):
        await accounts.session(session.id)
    with refused("account.unknown"):
        await accounts.remove("li", by=SYSTEM)
    assert await accounts.accounts() == []


async def test_what_a_person_makes_must_be_changed(accounts):
    boss = Principal("person:boss", roles=("administrator",), clearance=4)
    made = await accounts.create("wu", GOOD, by=boss, roles=("viewer",), divisions=("420100",))
    assert made.must_change
    assert (await accounts.sign_in("wu", GOOD)).principal.roles == ()
    assert b"scrypt" not in msgspec.json.encode(await accounts.accounts())


async def test_names_are_one_whatever_their_spelling(accounts, li):
    for name in ("li", "LI", "ｌｉ", " li"):
        with refused("account.exists"):
            await accounts.create(name, GOOD, by=SYSTEM, roles=())


@pytest.mark.parametrize("name", ["", " ", "a b", "a/b", "a\0", "-a", "x" * 65, "a\nb"])
async def test_bad_names(accounts, name):
    with refused("account.name"):
        await accounts.create(name, GOOD, by=SYSTEM, roles=())


CITY = Principal("person:city", roles=("administrator",), divisions=("420100",), clearance=2)
WATER = Principal("person:water", tenant="water", roles=("administrator",), clearance=2)


@pytest.mark.parametrize(
    ("by", "given", "key"),
    [
        (CITY, {"roles": ("operator",), "divisions": ("420102",), "clearance": 2}, ""),
        (CITY, {"roles": ("administrator",), "divisions": ("420100",)}, ""),
        (CITY, {"roles": ("operator",), "divisions": ("420500",)}, "account.grant"),
        (CITY, {"roles": ("operator",), "divisions": ("420000",)}, "account.grant"),
        (CITY, {"roles": ("administrator",)}, "account.grant"),
        (CITY, {"roles": ("viewer",), "clearance": 3}, "account.grant"),
        (WATER, {"roles": ("viewer",), "tenant": "water"}, ""),
        (WATER, {"roles": ("viewer",), "tenant": "power"}, "account.grant"),
        (WATER, {"roles": ("viewer",)}, "account.grant"),
        (Principal("p", roles=("operator",), clearance=4), {"roles": ("viewer",)}, "account.grant"),
        (SYSTEM, {"roles": ("emperor",)}, "account.role"),
        (SYSTEM, {"roles": ("viewer",), "clearance": 5}, "account.grade"),
        (SYSTEM, {"roles": ("viewer",), "divisions": ("999999",)}, "division.unknown"),
    ],
)
async def test_nobody_gives_more_than_they_have(accounts, by, given, key):
    for make in (
        accounts.create("wu", GOOD, by=by, **given),
        accounts.issue_token("meter", "service", by=by, **given),
    ):
        if key:
            with pytest.raises((Forbidden, BadInput)) as caught:
                await make
            assert caught.value.key == key
        else:
            await make


async def test_an_account_above_ones_own_cannot_be_touched(accounts):
    await accounts.create("top", GOOD, by=SYSTEM, roles=("administrator",), clearance=4)
    for attempt in (
        accounts.update("top", by=CITY, disabled=True),
        accounts.reset_password("top", by=CITY),
        accounts.remove("top", by=CITY),
    ):
        with pytest.raises(Forbidden):
            await attempt
    with refused("account.unknown"):
        await accounts.remove("top", by=WATER)


async def test_nobody_takes_their_own_access(accounts):
    await accounts.create("boss", GOOD, by=SYSTEM, roles=("administrator",), clearance=4)
    boss = Principal("person:boss", roles=("administrator",), clearance=4)
    for attempt in (
        accounts.update("boss", by=boss, roles=("viewer",)),
        accounts.update("boss", by=boss, disabled=True),
        accounts.remove("boss", by=boss),
    ):
        with refused("account.self"):
            await attempt
    assert (await accounts.update("boss", by=boss, language="en")).language == "en"


async def test_tokens(accounts, clock):
    text, token = await accounts.issue_token(
        "gateway-1", "service", by=SYSTEM, divisions=("420100",), days=30
    )
    assert text.startswith("ym_")
    principal = Principal("service:gateway-1", "service", roles=("service",), divisions=("420100",))
    assert await accounts.bearer(text) == principal
    assert [each.id for each in await accounts.tokens()] == [token.id]
    assert await accounts.tokens("water") == []
    clock.pass_s(30 * 86_400)
    with refused("token.expired"):
        await accounts.bearer(text)


async def test_a_revoked_token_is_over(accounts):
    text, token = await accounts.issue_token("meter", "device", by=SYSTEM)
    with pytest.raises(Forbidden):
        await accounts.revoke_token(token.id, by=WATER)
    await accounts.revoke_token(token.id, by=SYSTEM)
    with refused("token.wrong"):
        await accounts.bearer(text)
    with refused("token.unknown"):
        await accounts.revoke_token(token.id, by=SYSTEM)


@pytest.mark.parametrize(
    "change", [str.lower, str.upper, lambda t: t + "A", lambda t: t[:-1], lambda t: t[3:], lambda t: ""]
)
async def test_other_texts_are_no_token(accounts, change):
    text, _ = await accounts.issue_token("meter", "device", by=SYSTEM)
    with refused("token.wrong"):
        await accounts.bearer(change(text))
