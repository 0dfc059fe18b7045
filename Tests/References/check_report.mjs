// Opens pages of `spectroscope report` in Chromium without a window, uses them as people do, and fails where something is amiss.
//
//   node check_report.mjs EXPECTED.json [SCREENSHOTS]
//
// EXPECTED.json names the pages and what is known of them from elsewhere: see ReportSlowTests.swift.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { Browser } from "./browser.mjs";

const expected = JSON.parse(readFileSync(process.argv[2], "utf8"));
const screenshots = process.argv[3];
const desktop = { width: 1440, height: 900 };
const phone = { width: 390, height: 844, isPhone: true };
const browser = await Browser.start();

async function open(path, view) {
  await browser.view(view);
  await browser.open(`file://${path}`);
}

/** Nothing was logged, thrown or asked for but the page itself. */
function requireQuiet(path) {
  assert.deepEqual(browser.problems, [], "the page logs and throws nothing");
  assert.deepEqual(browser.requests.map((url) => new URL(url).pathname), [path], "the page asks for nothing");
}

const text = (selector) => browser.evaluate(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? null`);
const texts = (selector) => browser.evaluate(`[...document.querySelectorAll(${JSON.stringify(selector)})].map((node) => node.innerText ?? node.textContent)`);
const settle = () => browser.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");

// MARK: What the page says

async function checkContent({ page, runs, cell }) {
  assert.deepEqual(await texts(".verdict .outcome strong"), runs.map((run) => run.verdict));
  for (const [index, run] of runs.entries()) {
    const card = (await texts(".verdict"))[index];
    if (run.onset !== null) assert.ok(card.includes(`since step ${run.onset}`) && card.includes(`step ${run.lastHealthy}`), card);
  }
  assert.deepEqual((await texts(".finding .code")).toSorted(), runs.flatMap((run) => run.codes).toSorted());
  assert.ok((await texts("#behaviour .chart:not([hidden]) .title")).includes("reward"));
  assert.ok((await text("#behaviour-reward .note")).includes(`the weights led by ${runs[1].lead} step`));
  await browser.evaluate(`location.hash = ${JSON.stringify(`run=1&metric=${cell.metric}&step=${cell.step}&module=${cell.module}`)}`);
  await settle();
  const label = await browser.evaluate(`document.querySelector("[role=gridcell][aria-selected=true]").getAttribute("aria-label")`);
  assert.equal(label, `${cell.module}: ${cell.text}`, "a cell has the number of the analysis");
  assert.equal(await text("#steptext"), `step ${cell.step}`);
  const rotation = await text("#module-rotation");
  const unbounded = Number(rotation.match(/From step (\d+) on the update is half/)?.[1] ?? Infinity);
  assert.ok(unbounded <= cell.step && !/bound \d/.test(rotation), "where nothing bounds the angle no bound is shown");
  console.log(`content: verdicts, ${(await texts(".finding")).length} findings, and ${label} at step ${cell.step} (${page})`);
}

// MARK: What it does

async function checkControls() {
  const cells = () => texts("[role=gridcell]").then((all) => all.join());
  await browser.evaluate(`document.getElementById("step").focus()`);
  await browser.press("End");
  await settle();
  const [last, before] = [await text("#steptext"), await cells()];
  for (let i = 0; i < 5; i++) await browser.press("ArrowLeft");
  await settle();
  assert.notEqual(await text("#steptext"), last, "the slider moves the step");
  assert.notEqual(await cells(), before, "and the grid follows it");
  await browser.click(`[aria-label="Next checkpoint"]`);
  const [chosen, title] = [await text("#steptext"), await text(".legend strong")];
  await browser.evaluate(`(() => {
    const select = document.getElementById("metric");
    select.value = "effective_rank";
    select.dispatchEvent(new Event("change"));
  })()`);
  assert.notEqual(await text(".legend strong"), title, "another metric has another scale");
  assert.equal(await text("#steptext"), chosen, "and the same step");
  const module = await text("#module h3");
  await browser.click("[role=gridcell][aria-selected=false]");
  await settle();
  assert.notEqual(await text("#module h3"), module, "a click opens the module");
  const charts = await texts("#module .chart:not([hidden]) .title");
  assert.equal(charts.length, 8, charts.join());
  const readout = await text("#module-rank .readout");
  await browser.evaluate(`document.getElementById("step").focus()`);
  await browser.press("Home");
  await settle();
  assert.notEqual(await text("#module-rank .readout"), readout, "the module's charts follow the step");
  console.log(`controls: slider, buttons, metric, module with ${charts.join(", ")}`);
}

async function checkLinks() {
  const target = await browser.evaluate(`(() => {
    const link = [...document.querySelectorAll("a[data-select]")].find((link) => JSON.parse(link.dataset.select).module);
    link.id = "tested";
    return JSON.parse(link.dataset.select);
  })()`);
  await browser.click("#tested");
  await settle();
  assert.equal(await text("#module h3"), target.module, "a finding's link opens its module");
  assert.equal(await browser.evaluate(`document.getElementById("metric").value`), target.metric);
  const top = await browser.evaluate(`document.getElementById("modules").getBoundingClientRect().top`);
  assert.ok(Math.abs(top) < 200, `the link goes to the grid, not to ${top}`);
  await browser.click(`[aria-label="What runs are held against one another at"] button:last-child`);
  assert.ok((await texts("#comparison svg text")).includes("‖ΔW‖/‖W₀‖ (log)"), "runs are held against one another at equal size");
  console.log("links: a finding selects its module; runs at equal size");
}

/** New data keeps the selection, as a page that is served live needs it. */
async function checkRendering() {
  const before = [await text("#module h3"), await text("#steptext")];
  await browser.evaluate(`document.dispatchEvent(new CustomEvent("spectroscope-data", { detail: JSON.parse(document.getElementById("data").textContent) }))`);
  assert.deepEqual([await text("#module h3"), await text("#steptext")], before);
  console.log("rendering: new data keeps the selection");
}

async function checkTheme() {
  const colour = () => browser.evaluate("getComputedStyle(document.body).backgroundColor");
  const before = await colour();
  await browser.click("#theme");
  assert.notEqual(await colour(), before);
  await browser.click("#theme");
  assert.equal(await colour(), before);
}

// MARK: Keys and names

/** Everything that can be used is reached with Tab, in a circle, and shows that it is. */
async function checkKeyboard() {
  await browser.evaluate("document.activeElement.blur(); scrollTo(0, 0)");
  const wanted = await browser.evaluate(`(() => {
    const parts = [...document.querySelectorAll("a[href], button, select, input, summary, [tabindex='0']")];
    const seen = parts.filter((node) => node.checkVisibility() && node.tabIndex >= 0);
    seen.forEach((node, index) => (node.dataset.tested = index));
    return seen.length;
  })()`);
  const reached = new Set();
  for (let i = 0; i < wanted + 40 && reached.size < wanted; i++) {
    await browser.press("Tab");
    const found = await browser.evaluate(`document.activeElement.dataset.tested ?? null`);
    if (found !== null) reached.add(found);
  }
  const left = await browser.evaluate(`[...document.querySelectorAll("[data-tested]")].filter((node) => !${JSON.stringify([...reached])}.includes(node.dataset.tested)).map((node) => node.outerHTML.slice(0, 120))`);
  assert.deepEqual(left, [], "Tab reaches everything");
  console.log(`keyboard: Tab reaches all of ${wanted} parts`);
  await checkGridKeys();
  await checkChartKeys();
}

async function checkGridKeys() {
  await browser.evaluate(`document.querySelector("[role=gridcell][tabindex='0']").focus()`);
  assert.equal(await browser.evaluate(`document.querySelectorAll("[role=gridcell][tabindex='0']").length`), 1);
  await browser.press("Home");
  const first = await browser.evaluate("document.activeElement.dataset.module");
  await browser.press("ArrowRight");
  await browser.press("ArrowDown");
  const second = await browser.evaluate("document.activeElement.dataset.module");
  assert.notEqual(second, first, "arrows move through the grid");
  const name = await browser.evaluate(`document.activeElement.getAttribute("aria-label").split(": ")[0]`);
  await browser.press("Enter");
  await settle();
  assert.equal(await text("#module h3"), name, "Enter opens the module");
  assert.equal(await browser.evaluate("document.activeElement.dataset.module"), second, "and the focus stays");
  assert.ok((await text("#announcement")).startsWith(name), "and it is said");
}

async function checkChartKeys() {
  await browser.evaluate(`document.querySelector("#behaviour-reward .plot").focus()`);
  await browser.press("Home");
  const first = await text("#announcement");
  await browser.press("ArrowRight");
  assert.notEqual(await text("#announcement"), first, "arrows read a chart's numbers");
}

/** What assistive technology is told: every control and picture has a name. */
async function checkNames() {
  await browser.send("Accessibility.enable");
  const { nodes } = await browser.send("Accessibility.getFullAXTree");
  const roles = ["button", "link", "slider", "combobox", "image", "img", "grid", "gridcell", "region", "navigation"];
  const named = nodes.filter((node) => !node.ignored && roles.includes(node.role?.value));
  const nameless = named.filter((node) => !node.name?.value).map((node) => node.role.value);
  assert.deepEqual(nameless, [], "everything has a name");
  const levels = await browser.evaluate(`[...document.querySelectorAll("h1, h2, h3, h4")].map((node) => Number(node.tagName[1]))`);
  assert.equal(levels.filter((level) => level === 1).length, 1);
  levels.forEach((level, index) => assert.ok(index === 0 || level <= levels[index - 1] + 1, "no heading is skipped"));
  await browser.send("Accessibility.disable");
  console.log(`names: ${named.length} controls, pictures and parts have one`);
}

/** Text stands out from its ground by WCAG's 4.5 to 1. */
async function checkContrast(view) {
  const low = await browser.evaluate(`(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgb = (colour, under = [0, 0, 0]) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      return { rgb: [r, g, b], alpha: a / 255 };
    };
    const light = (rgb) => rgb.map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)).reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = (node) => {
      for (let at = node; at; at = at.parentElement) {
        const found = rgb(getComputedStyle(at).backgroundColor);
        if (found.alpha > 0.9) return found.rgb;
      }
      return [255, 255, 255];
    };
    const found = [];
    for (const node of document.querySelectorAll("p, a, dt, dd, th, td, h1, h2, h3, h4, summary, button, li, span, strong, svg text, code")) {
      if (!node.checkVisibility() || ![...node.childNodes].some((part) => part.nodeType === 3 && part.data.trim())) continue;
      const style = getComputedStyle(node);
      if (style.backgroundImage !== "none") continue;
      const [a, b] = [light(rgb(node instanceof SVGElement ? style.fill : style.color).rgb), light(ground(node))];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (ratio < 4.5) found.push(node.textContent.slice(0, 30) + " " + ratio.toFixed(2) + " " + node.className);
    }
    return found;
  })()`);
  assert.deepEqual(low.slice(0, 12), [], `text is readable on ${JSON.stringify(view)}`);
}

// MARK: Other ways to look

async function checkPhone(path) {
  for (const isDark of [false, true]) {
    await open(path, { ...phone, isDark });
    const width = await browser.evaluate("document.documentElement.scrollWidth");
    assert.equal(width, 390, "nothing is wider than a phone");
    requireQuiet(path);
  }
  console.log("phone: no part is wider than 390 pixels");
}

async function checkWithoutScripts(path) {
  await browser.send("Emulation.setScriptExecutionDisabled", { value: true });
  await browser.open(`file://${path}`, false);
  await browser.send("Emulation.setScriptExecutionDisabled", { value: false });
  const { root } = await browser.send("DOM.getDocument");
  const { nodeIds } = await browser.send("DOM.querySelectorAll", { nodeId: root.nodeId, selector: ".verdict .outcome strong, .finding, #behaviour tbody tr" });
  assert.ok(nodeIds.length > 20, `verdict, findings and table are there without scripts: ${nodeIds.length}`);
  console.log(`without scripts: ${nodeIds.length} verdicts, findings and rows of the table`);
}

async function checkPrint() {
  const { data } = await browser.send("Page.printToPDF", { printBackground: true });
  const pages = Buffer.from(data, "base64").toString("latin1").match(/\/Type\s*\/Page\b/g)?.length ?? 0;
  assert.ok(pages > 1);
  console.log(`print: ${pages} pages`);
}

// MARK: Hostile names, and size

async function checkHostile({ page, name }) {
  await open(page, desktop);
  requireQuiet(page);
  assert.equal(await browser.evaluate("document.images.length + document.querySelectorAll('iframe, object').length"), 0);
  assert.ok((await text("#sources")).includes(name), "a hostile name is shown as it is");
  await browser.evaluate(`[...document.querySelectorAll("[role=gridcell]")].find((cell) => cell.title.includes("<img")).click()`);
  assert.ok((await text("#module h3")).includes("<img"), "in the module, too");
  const blocked = await browser.evaluate(`new Promise((done) => {
    addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
    const script = document.createElement("script");
    script.textContent = "window.injected = true";
    document.body.append(script);
    setTimeout(() => done("nothing"), 500);
  })`);
  assert.equal(blocked, "script-src-elem", "the policy stops a script that is not the page's");
  assert.equal(await browser.evaluate("window.injected ?? null"), null);
  console.log("hostile: names are text, and the policy stops what is not the page's");
}

async function checkLarge({ page }) {
  for (const view of [desktop, phone]) {
    await open(page, view);
    requireQuiet(page);
    const paint = await browser.evaluate(`performance.getEntriesByName("first-contentful-paint")[0].startTime`);
    const started = await browser.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd");
    assert.ok(paint < 1000, `first paint after ${paint} ms`);
    const slide = await browser.evaluate(`(() => {
      const slider = document.getElementById("step");
      const start = performance.now();
      for (let i = 0; i < 10; i++) {
        slider.value = i;
        slider.dispatchEvent(new Event("input"));
      }
      return (performance.now() - start) / 10;
    })()`);
    console.log(`large: ${statSync(page).size} bytes, first paint ${paint.toFixed(0)} ms, everything drawn ${started.toFixed(0)} ms, a move of the slider ${slide.toFixed(0)} ms (${view.width} pixels)`);
  }
}

async function takeScreenshots(path) {
  mkdirSync(screenshots, { recursive: true });
  for (const [name, view] of Object.entries({ desktop, "desktop-dark": { ...desktop, isDark: true }, phone, "phone-dark": { ...phone, isDark: true } })) {
    await open(path, view);
    for (const part of await browser.evaluate("[...document.querySelectorAll('section')].map((part) => part.id)")) {
      await browser.evaluate(part === "verdict" ? "scrollTo(0, 0)" : `document.getElementById("${part}").scrollIntoView()`);
      await settle();
      writeFileSync(`${screenshots}/${name}-${part}.png`, await browser.screenshot());
    }
  }
}

try {
  const { demo, hostile, large } = expected;
  await open(demo.page, desktop);
  requireQuiet(demo.page);
  await checkContent(demo);
  await checkControls();
  await checkLinks();
  await checkRendering();
  await checkTheme();
  await checkKeyboard();
  await checkNames();
  requireQuiet(demo.page);
  for (const isDark of [false, true]) {
    await open(demo.page, { ...desktop, isDark });
    await checkContrast({ isDark });
  }
  await checkPrint();
  await checkPhone(demo.page);
  await checkHostile(hostile);
  await checkLarge(large);
  await checkWithoutScripts(demo.page);
  if (screenshots) await takeScreenshots(demo.page);
} finally {
  await browser.close();
}
