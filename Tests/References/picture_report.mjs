// Makes the README's pictures of a report:
//
//   node Tests/References/picture_report.mjs demo/report.html notebooks-data/report

import { mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { Browser } from "./browser.mjs";

const [page, folder] = process.argv.slice(2);
/** Parts of the page, and how much of each is shown. */
const pictures = { verdict: ["#verdict", 510], modules: ["#modules", 860] };

const browser = await Browser.start();
try {
  mkdirSync(folder, { recursive: true });
  await browser.view({ width: 1340, height: 900 });
  await browser.open(`file://${resolve(page)}`);
  for (const [name, [selector, height]] of Object.entries(pictures)) {
    const top = await browser.evaluate(`document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect().top + scrollY - 16`);
    const clip = { x: 0, y: top, width: 1340, height, scale: 1 };
    const { data } = await browser.send("Page.captureScreenshot", { format: "png", captureBeyondViewport: true, clip });
    writeFileSync(`${folder}/${name}.png`, Buffer.from(data, "base64"));
  }
} finally {
  await browser.close();
}
