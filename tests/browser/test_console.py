"""The pages, driven in Chromium against the real demo."""

import asyncio
from typing import Any

import httpx
import pytest

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.asyncio(loop_scope="session"),
]

SHOWN = """
[...document.querySelectorAll('[data-tile]')]
  .map(tile => [tile.dataset.tile, tile.querySelector('b').dataset.value])
"""


async def test_a_wrong_password_is_said_in_words(console: Any) -> None:
    await console.page.goto(console.demo.url)
    await console.page.fill("#name", "admin")
    await console.page.fill("#password", "wrong")
    await console.page.click("button[type=submit]")
    await console.page.wait_for_selector(".ant-alert-error")
    assert "密码" in await console.page.inner_text(".ant-alert-error")
    # the browser itself notes the 401 that this test provoked
    assert all("401" in one for one in console.complaints)
    console.complaints.clear()


async def test_the_first_screen_shows_map_tiles_charts_and_table(console: Any) -> None:
    await console.sign_in()
    await console.map_idle()
    assert await console.page.locator(".maplibregl-canvas").count() == 1
    assert "天地图" in await console.page.inner_text(".attribution")
    assert "审图号" in await console.page.inner_text(".attribution")
    await console.until("document.querySelectorAll('[data-chart] canvas').length >= 3")
    await console.until("document.querySelectorAll('[data-table] tbody tr.ant-table-row').length > 0")
    assert await console.page.get_attribute(".status", "data-state") in ("normal", "watch", "alarm")
    await console.until("document.querySelector('.live-mark').dataset.live === 'live'")
    assert await console.page.locator(".tile .synthetic").count() > 0


async def test_the_number_of_a_tile_is_the_number_of_the_api(console: Any) -> None:
    answers: list[Any] = []

    async def keep(answer: Any) -> None:
        if "/api/tiles" in answer.url:
            answers.append(await answer.json())

    console.page.on("response", lambda answer: asyncio.ensure_future(keep(answer)))
    await console.sign_in()
    await console.until("document.querySelector('[data-tile] b')?.dataset.value > ''")
    async with asyncio.timeout(20):
        while True:
            shown = dict(await console.page.evaluate(SHOWN))
            # the answer also holds the tiles of other pages
            if any(
                all(_same(shown[one["id"]], one["value"]) for one in answer["tiles"] if one["id"] in shown)
                for answer in answers
            ):
                break
            await asyncio.sleep(0.1)
    assert len(shown) >= 5


def _same(shown: str | None, value: float | None) -> bool:
    return shown is not None and (shown == "" if value is None else shown != "" and float(shown) == value)


async def test_the_numbers_move_by_themselves(console: Any) -> None:
    await console.sign_in()
    await console.until("document.querySelector('[data-tile] b')?.dataset.value > ''")
    before = await console.page.evaluate(SHOWN)
    async with asyncio.timeout(40):
        while await console.page.evaluate(SHOWN) == before:
            await asyncio.sleep(0.3)


async def test_one_click_turns_the_language(console: Any) -> None:
    await console.sign_in()
    assert await console.page.evaluate("document.documentElement.lang") == "zh-CN"
    assert "总览" in await console.page.inner_text(".head nav")
    await console.page.click("[data-language=en]")
    await console.until("document.documentElement.lang === 'en'")
    await console.page.wait_for_selector(".head nav >> text=Overview")
    await console.until(
        "document.querySelector('[data-tile=energy-power]')?.innerText.includes('Power through meters')"
    )
    await console.page.click("[data-language='zh-CN']")
    await console.page.wait_for_selector(".head nav >> text=总览")


async def test_the_map_drills_down_and_the_address_keeps_the_place(console: Any) -> None:
    await console.sign_in()
    await console.map_idle()
    box = await console.page.locator(".map").bounding_box()
    await console.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    code = await console.until("new URLSearchParams(location.hash.split('?')[1]).get('division')")
    assert code.startswith("42")
    await console.until("document.querySelector('.map').dataset.detail === 'county'")
    await console.page.reload()
    await console.map_idle()
    assert code in console.page.url
    assert await console.page.locator(".division-picker .ant-breadcrumb a").count() >= 1
    await console.page.locator(".division-picker .ant-breadcrumb a").first.click()
    await console.until("!location.hash.includes('division=')")


async def test_a_number_opens_to_trend_and_entities(console: Any) -> None:
    await console.sign_in()
    await console.page.click("[data-tile=energy-power]")
    await console.page.wait_for_selector(".opened [data-chart] canvas")
    await console.page.click(".opened tbody tr.ant-table-row a")
    await console.page.wait_for_selector(".entity h2")
    assert "电表" in await console.page.inner_text(".entity h2")
    await console.page.wait_for_selector(".entity .live-series canvas")
    text = await console.page.inner_text(".entity")
    assert "kW" in text
    assert "网关" in text
    assert "合成" in text


async def test_the_plan_lists_indicators_and_systems_with_quotes(console: Any) -> None:
    await console.sign_in()
    await console.go("plan")
    await console.page.wait_for_selector("text=I001")
    assert "99 / 99" in await console.page.inner_text(".page")
    await console.page.locator(".ant-table-row-expand-icon").first.click()
    assert "5G基站" in await console.page.inner_text("blockquote")
    await console.page.click(".ant-tabs-tab >> nth=1")
    await console.page.wait_for_selector("text=S001")
    assert "202" in await console.page.inner_text(".page")


async def test_a_job_runs_and_shows_its_result(console: Any) -> None:
    await console.sign_in()
    await console.go("jobs")
    await console.page.click(".job-form button[type=submit]")
    await console.page.wait_for_selector("[data-runs] .ant-tag-green", timeout=60_000)
    await console.page.locator("[data-runs] .ant-table-row-expand-icon").first.click()
    assert "SHA-256" in await console.page.inner_text(".result")


async def test_a_city_operator_sees_the_city_only(console: Any) -> None:
    await console.sign_in("wuhan")
    await console.until("document.querySelector('.status')?.innerText.includes('武汉市')")
    await console.go("entities")
    await console.page.wait_for_selector("[data-table] tbody tr.ant-table-row")
    keys = (
        "[...document.querySelectorAll('[data-table] tbody tr.ant-table-row')].map(row => row.dataset.rowKey)"
    )
    for id in await console.page.evaluate(keys):
        found = await console.page.evaluate(f"fetch('/api/entities/{id}').then(answer => answer.json())")
        assert found["division"].startswith("4201")


async def test_the_wall_is_the_same_page_without_chrome(console: Any) -> None:
    await console.page.set_viewport_size({"width": 1920, "height": 1080})
    await console.sign_in()
    await console.go("overview?wall=1")
    await console.map_idle()
    assert await console.page.locator(".head").count() == 0
    assert await console.page.evaluate("document.documentElement.dataset.look") == "dark"
    assert await console.page.evaluate("document.documentElement.scrollHeight <= innerHeight")


async def test_the_keyboard_reaches_a_tile(console: Any) -> None:
    await console.sign_in()
    await console.page.wait_for_selector("[data-tile=water-inflow]")
    await console.page.focus("[data-tile=water-inflow]")
    await console.page.keyboard.press("Enter")
    await console.page.wait_for_selector(".opened")
    await console.page.keyboard.press("Escape")
    await console.until("!document.querySelector('.opened')")


async def test_the_content_policy_is_kept(console: Any) -> None:
    answer = httpx.get(console.demo.url)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src" not in policy
    await console.sign_in()
    await console.map_idle()
    broken = await console.page.evaluate("fetch('https://example.org/').then(() => false, () => true)")
    assert broken
    assert any("Content Security Policy" in one for one in console.complaints)
    console.complaints.clear()
