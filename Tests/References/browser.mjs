// Chromium without a window, driven over a pipe by its DevTools protocol; no package is needed.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A browser with one tab, and what its pages logged, threw and asked for. */
export class Browser {
  static async start(path = process.env.CHROMIUM ?? "/usr/bin/chromium") {
    const browser = new Browser(path);
    const { targetId } = await browser.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await browser.send("Target.attachToTarget", { targetId, flatten: true });
    browser.session = sessionId;
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await browser.send(`${domain}.enable`);
    return browser;
  }

  constructor(path) {
    this.profile = mkdtempSync(join(tmpdir(), "spectroscope-browser-"));
    const options = [
      "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
      "--disable-background-networking", "--remote-debugging-pipe", `--user-data-dir=${this.profile}`,
    ];
    this.process = spawn(path, options, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    [this.next, this.waiting, this.listeners, this.text] = [1, new Map(), [], ""];
    this.problems = [];
    this.requests = [];
    this.process.stdio[4].on("data", (data) => this.receive(data.toString("utf8")));
  }

  receive(data) {
    this.text += data;
    for (let end = this.text.indexOf("\0"); end >= 0; end = this.text.indexOf("\0")) {
      const message = JSON.parse(this.text.slice(0, end));
      this.text = this.text.slice(end + 1);
      if (message.id) this.answer(message);
      else this.notice(message);
    }
  }

  answer({ id, result, error }) {
    const { resolve, reject } = this.waiting.get(id);
    this.waiting.delete(id);
    if (error) reject(new Error(error.message));
    else resolve(result);
  }

  notice({ method, params }) {
    if (method === "Runtime.exceptionThrown") this.problems.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === "Runtime.consoleAPICalled") this.problems.push(`${params.type}: ${params.args.map((part) => part.value ?? part.description).join(" ")}`);
    if (method === "Log.entryAdded") this.problems.push(`${params.entry.level}: ${params.entry.text}`);
    if (method === "Network.requestWillBeSent") this.requests.push(params.request.url);
    this.listeners = this.listeners.filter((listener) => !(listener.method === method && (listener.resolve(params), true)));
  }

  send(method, params = {}) {
    const id = this.next++;
    const message = { id, method, params, ...(this.session ? { sessionId: this.session } : {}) };
    this.process.stdio[3].write(`${JSON.stringify(message)}\0`);
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${method} is not answered within a minute`)), 60_000);
      const ended = (end) => (value) => (clearTimeout(late), end(value));
      this.waiting.set(id, { resolve: ended(resolve), reject: ended(reject) });
    });
  }

  event(method) {
    return new Promise((resolve) => this.listeners.push({ method, resolve }));
  }

  // MARK: Pages

  async view({ width, height, isDark = false, isPhone = false }) {
    await this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: isPhone ? 2 : 1, mobile: isPhone });
    const features = [{ name: "prefers-color-scheme", value: isDark ? "dark" : "light" }, { name: "prefers-reduced-motion", value: "reduce" }];
    await this.send("Emulation.setEmulatedMedia", { features });
  }

  /** Opens a page and waits until it is drawn; `isScripted` is false where scripts are off, which then tell nothing. */
  async open(url, isScripted = true) {
    this.problems = [];
    this.requests = [];
    const loaded = this.event("Page.loadEventFired");
    await this.send("Page.navigate", { url });
    await loaded;
    if (isScripted) await this.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
  }

  /** The value of an expression in the page; a promise is waited for. */
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Presses and releases a key by its name, such as ArrowRight. */
  async press(key, modifiers = 0) {
    const codes = { Tab: 9, Enter: 13, ArrowLeft: 37, ArrowUp: 38, ArrowRight: 39, ArrowDown: 40, Home: 36, End: 35 };
    const event = { key, code: key, windowsVirtualKeyCode: codes[key], modifiers, ...(key === "Enter" ? { text: "\r" } : {}) };
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", ...event });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }

  /** Clicks in the middle of what a selector finds. */
  async click(selector) {
    const { x, y } = await this.evaluate(`(() => {
      const node = document.querySelector(${JSON.stringify(selector)});
      node.scrollIntoView({ block: "center" });
      const box = node.getBoundingClientRect();
      return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    })()`);
    for (const type of ["mousePressed", "mouseReleased"]) await this.send("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1 });
  }

  async screenshot(isWhole = false) {
    const { data } = await this.send("Page.captureScreenshot", { format: "png", captureBeyondViewport: isWhole });
    return Buffer.from(data, "base64");
  }

  async close() {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    await this.send("Browser.close").catch(() => {});
    await ended;
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
