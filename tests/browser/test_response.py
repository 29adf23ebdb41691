"""Events, the page of a reservoir, and the playback of a map, driven in Chromium against the real demo."""

from typing import Any

import pytest

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.asyncio(loop_scope="session"),
]

OPEN = """
const csrf = (await (await fetch('/api/session')).json()).csrf
return fetch('/api/events', {method: 'POST',
  headers: {'Content-Type': 'application/json', 'X-CSRF-Token': csrf},
  body: JSON.stringify({headline: 'HEADLINE', level: 'II', division: '420111', due: '2026-01-01T00:00:00Z'}),
}).then(answer => answer.json()).then(made => made.id)
"""


async def opened(console: Any, headline: str) -> str:
    return await console.page.evaluate(f"(async () => {{{OPEN.replace('HEADLINE', headline)}}})()")


async def test_an_event_is_led_from_received_to_scored(console: Any) -> None:
    await console.sign_in()
    id = await opened(console, "演练：漫溢")
    await console.go("events")
    row = console.page.locator(f"[data-table=events] tr[data-row-key='{id}']")
    await row.wait_for()
    assert await row.locator(".grade-II").count() == 1
    assert "超时" in await row.locator(".late").inner_text()
    await console.go(f"events/{id}")
    page = console.page
    await page.wait_for_selector("[data-step=assign]")
    await page.fill("[data-step] #owner", "李四")
    await page.fill("[data-step] #due", "2030-01-01 08:00")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("[data-step=handle]")
    await page.fill("[data-tasks] #title", "巡堤")
    await page.fill("[data-tasks] #assignee", "王五")
    await page.click(".task-form button[type=submit]")
    await page.click("[data-tasks='1'] .task-list button")
    await page.fill(".end-task textarea", "已巡")
    await page.click(".end-task button[type=submit]")
    await page.wait_for_selector(".task-list .ant-tag-green")
    await page.fill("[data-step=handle] textarea", "水位回落")
    await page.click("[data-step=handle] button[type=submit]")
    await page.click("[data-step=verify] button[type=submit]")
    await page.fill("[data-step=score] #score", "95")
    await page.click("[data-step=score] button[type=submit]")
    await console.until("document.querySelector('.stages .present')?.innerText.includes('评价')")
    assert await page.locator(".step-list li").count() == 5
    assert await page.locator("[data-step]").count() == 0


async def test_who_may_not_write_sees_the_event_without_forms(console: Any) -> None:
    await console.sign_in()
    id = await opened(console, "演练：只读")
    await console.page.evaluate("localStorage.clear()")
    await console.page.context.clear_cookies()
    await console.page.reload()
    await console.sign_in("viewer")
    await console.go(f"events/{id}")
    await console.page.wait_for_selector(".stages")
    assert await console.page.locator("[data-step], .task-form").count() == 0


async def test_an_active_alert_opens_its_reservoir_and_comes_as_cap(console: Any) -> None:
    await console.sign_in()
    await console.go("events")
    await console.page.wait_for_selector(".alert-list li")
    async with console.page.expect_download() as download:
        await console.page.locator(".alert-list li button").first.click()
    file = await (await download.value).path()
    assert "urn:oasis:names:tc:emergency:cap:1.2" in file.read_text()
    await console.page.locator(".alert-list li a").first.click()
    await console.page.wait_for_selector("[data-gauge]")
    assert await console.page.locator("[data-responses] .grade").count() >= 1
    text = await console.page.inner_text(".detail")
    assert all(word in text for word in ("汛限水位", "入库流量", "上游", "下游", "管理单位", "最新预报"))
    await console.page.wait_for_selector("[data-trend=waterLevel] canvas")


async def test_a_reservoir_fits_a_phone(console: Any) -> None:
    await console.page.set_viewport_size({"width": 390, "height": 844})
    await console.sign_in()
    await console.go("events")
    await console.page.wait_for_selector(".alert-list li")
    assert await console.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await console.page.locator(".alert-list li a").first.click()
    await console.page.wait_for_selector("[data-trend=waterLevel] canvas")
    assert await console.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_the_map_plays_what_was(console: Any) -> None:
    await console.sign_in()
    await console.go("pages/water")
    await console.until("document.querySelector('.map')?.dataset.points > 6000", 90)
    await console.page.click("[data-open-playback]")
    await console.until("document.querySelector('[data-playback]')?.dataset.loaded === 'true'")
    first = int(await console.page.get_attribute("[data-playback]", "data-playback"))
    await console.until(f"document.querySelector('[data-playback]').dataset.playback > {first}")
    await console.page.click(".playback .ant-btn-primary")
    assert await console.page.get_attribute("[data-playback]", "data-playing") == "false"
    await console.page.click(".playback button:last-child")
    await console.until("!document.querySelector('[data-playback]')")
