"""Passwords: what is accepted, what is kept, how long a check takes."""

import asyncio
import hashlib
import hmac
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.kernel.base import BadInput, Unavailable
from yunmeng.kernel.trust.passwords import Cost, Passwords, check_new_password, one_time_password

CHEAP = Cost(n=16, r=1, p=1)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "长江水位今天又涨了两米三四五",
        "Kx7#pQ2m!vR9",
        "li-Yunmeng2026-dongting",
        "        a b c d e f",
    ],
)
def test_good_ones(password):
    check_new_password(password, "li")


@pytest.mark.parametrize(
    ("password", "key"),
    [
        ("", "short"),
        ("elevenchars", "short"),
        ("水" * 4, "short"),
        ("ab cdefgh ij" * 30, "long"),
        ("zhangsan1234", "name"),
        ("ZHANGSAN-zhangsan", "name"),
        ("Ｚhangsan１２３４", "name"),
        ("Password2026!", "common"),
        ("passwordpassword", "common"),
        ("123456789012", "common"),
        ("qwertyuiopas", "common"),
        ("lkjhgfdsapoi", "common"),
        ("aaaaaaaaaaaaaa", "common"),
        ("abcabcabcabc", "common"),
        ("woaini5201314", "common"),
        ("Yunmeng@2026.11", "common"),
        ("the old password", "same"),
    ],
)
def test_bad_ones(password, key):
    with pytest.raises(BadInput) as caught:
        check_new_password(password, "zhangsan", old="the old password")
    assert caught.value.key == f"account.password.{key}"


@given(st.text(max_size=300), st.text(max_size=20))
def test_checking_never_fails_otherwise(password, name):
    with suppress(BadInput):
        check_new_password(password, name)


def test_one_time_passwords_differ_and_are_good():
    made = {one_time_password() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        check_new_password(password, "admin")


async def test_what_is_kept_opens_only_for_the_password():
    passwords = Passwords(CHEAP)
    kept, again = await passwords.hash("correct horse"), await passwords.hash("correct horse")
    assert kept != again
    assert "horse" not in kept
    assert await passwords.fits("correct horse", kept)
    assert not await passwords.fits("correct horses", kept)
    assert not await passwords.fits("", kept)
    assert not await passwords.fits("correct horse", None)


async def test_full_width_and_composed_characters_are_the_same():
    passwords = Passwords(CHEAP)
    kept = await passwords.hash("ｃａｆé 密码密码密码")
    assert await passwords.fits("cafe\u0301 密码密码密码", kept)


async def test_the_cost_is_kept_with_the_hash():
    kept = await Passwords(CHEAP).hash("correct horse")
    dearer = Passwords(Cost(n=32, r=1, p=1))
    assert await dearer.fits("correct horse", kept)
    assert dearer.outdated(kept)
    assert not Passwords(CHEAP).outdated(kept)


async def test_an_unknown_account_costs_as_much_as_a_known_one(monkeypatch):
    done = []

    def scrypt(password, **cost):
        done.append(("scrypt", len(password), len(cost.pop("salt")), cost))
        return hashlib.scrypt(password, salt=bytes(16), **cost)

    def compare(one, other):
        done.append(("compare", len(one), len(other)))
        return one == other

    passwords = Passwords(CHEAP)
    kept = await passwords.hash("correct horse")
    monkeypatch.setattr("yunmeng.kernel.trust.passwords.scrypt", scrypt)
    monkeypatch.setattr(hmac, "compare_digest", compare)
    await passwords.fits("wrong horse", kept)
    await passwords.fits("wrong horse", None)
    assert [step[0] for step in done] == ["scrypt", "compare"] * 2
    assert done[:2] == done[2:]


async def test_too_many_at_once_are_turned_away():
    passwords = Passwords(Cost(n=2**12, r=8, p=1))
    answers = await asyncio.gather(*(passwords.hash("x") for _ in range(40)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Unavailable)]
    assert len(refused) == 8
    assert await passwords.hash("x")
