// Opens the page of `spectroscope serve` in Chromium while a run goes on, and fails where it does not follow the run.
//
//   node check_serve.mjs PROGRAM RUN [SCREENSHOTS]
//
// The run is trained here while the page is open; at the end the server is stopped and started again.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { Browser } from "./browser.mjs";

const [program, run, screenshots] = process.argv.slice(2);

function train(steps) {
  const options = ["--method", "pissa", "--learning-rate", "3e-3", "--steps", `${steps}`, "--checkpoint-every", "5", "--prompts", "64", "--quiet"];
  const child = spawn(program, ["train", "--out", run, ...options], { stdio: "inherit" });
  return new Promise((resolve) => child.once("exit", resolve));
}

async function serve(port) {
  const child = spawn(program, ["serve", run, "--port", `${port}`, "--interval", "0.1", "--quiet"]);
  const line = await new Promise((resolve) => child.stdout.once("data", (data) => resolve(data.toString())));
  return { child, url: line.trim(), port: Number(new URL(line.trim()).port), ended: new Promise((resolve) => child.once("exit", resolve)) };
}

const browser = await Browser.start();
const text = (selector) => browser.evaluate(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? null`);
const last = () => browser.evaluate(`Number(document.getElementById("step")?.max ?? -1)`);

async function until(what, isSo, patience = 40_000) {
  for (const end = Date.now() + patience; Date.now() < end; ) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`${what}: ${await text("#live")}`);
}

async function picture(name) {
  if (!screenshots) return;
  mkdirSync(screenshots, { recursive: true });
  writeFileSync(`${screenshots}/${name}.png`, await browser.screenshot());
}

await browser.view({ width: 1440, height: 900 });
let server = await serve(0);
await browser.open(server.url);
assert.equal(await text("h1"), "Nothing to show yet");
const trained = train(300);
await until("the page shows the run once it has checkpoints", async () => (await text("h1")) === "run" && (await last()) >= 2);
await picture("live");

// What is chosen stays while the run goes on.
await browser.evaluate(`(() => {
  const select = document.getElementById("metric");
  select.value = "effective_rank";
  select.dispatchEvent(new Event("change"));
  document.querySelector("details").open = true;
})()`);
await browser.click("[role=gridcell][aria-selected=false]");
await browser.evaluate(`document.getElementById("step").focus()`);
await browser.press("Home");
const chosen = { module: await text("#module h3"), step: await text("#steptext"), before: await last() };
await until("it grows", async () => (await last()) > chosen.before);
assert.equal(await text("#module h3"), chosen.module);
assert.equal(await text("#steptext"), chosen.step);
assert.equal(await browser.evaluate(`document.getElementById("metric").value`), "effective_rank");
assert.ok(await browser.evaluate(`document.querySelector("details").open`), "what was opened stays open");
await trained;
await until("it knows the end", async () => (await last()) === 60 && (await text("#live")) === "step 300 of 300, ended");
assert.deepEqual(browser.problems, [], "the page logs and throws nothing");
assert.ok(browser.requests.every((url) => ["/", "/events"].includes(new URL(url).pathname) && new URL(url).port === `${server.port}`));
console.log(`followed a run over ${(await last()) + 1} checkpoints; ${chosen.module} at ${chosen.step} stayed chosen`);

// A server that ends, and one that comes back.
server.child.kill("SIGTERM");
assert.equal(await server.ended, 0);
await until("it says that the server is gone", async () => (await text("#live")).startsWith("The server does not answer"));
await picture("lost");
server = await serve(server.port);
await until("it finds the server again", async () => (await text("#live")) === "step 300 of 300, ended");
server.child.kill("SIGTERM");
await browser.close();
