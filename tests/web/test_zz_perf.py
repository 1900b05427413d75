import pytest, time
from tests.web.test_patch import *
pytest_plugins = ["tests.web.browser"]
pytestmark = pytest.mark.asyncio(loop_scope="module")
async def test_burst(browsing):
    def msg(n): return f'<article class="msg" id="item-{n}" data-into="#thread"><div class="who">Claude</div><div class="body stack"><div class="prose"><p>text {n} <code>x</code></p></div><details class="work" id="w-{n}" data-fold open><summary>Worked</summary><div class="steps"><details class="step"><summary>Ran</summary></details></div></details></div></article>'
    page, site = await conversation(browsing)
    site.answers["/events"] = stream(*[msg(n) for n in range(1,2001)])
    await page.evaluate("""() => { window.long=0; new PerformanceObserver((l)=>l.getEntries().forEach(e=>window.long=Math.max(window.long,e.duration))).observe({entryTypes:['longtask']}) }""")
    t=time.perf_counter()
    try:
        await expect(page.locator("#item-2000")).to_be_in_viewport(timeout=6000)
    except AssertionError as e:
        print("FAIL", str(e)[:300])
        for i in range(5):
            print(await page.evaluate("[document.querySelectorAll(\"#thread > *\").length, document.hidden, performance.now()]"), time.perf_counter()-t)
    print("BURST", round(time.perf_counter()-t,2), "s, longest task", await page.evaluate("window.long"), await page.locator("#thread > *").count())
