// A page that is served: it takes itself anew from its server whenever that says that there is something new.

/** Keeps a page up to date. What the reader has chosen, opened and scrolled to stays. */
class Live {
  constructor(page) {
    this.page = page;
    this.line = document.getElementById("live");
    this.version = null;
    this.isBusy = this.isWanted = false;
    const events = new EventSource("events");
    events.addEventListener("page", ({ data }) => this.announce(data));
    events.addEventListener("status", ({ data }) => this.say(data || "Up to date"));
    events.onerror = () => this.say("The server does not answer; trying again", true);
    events.onopen = () => this.say("Up to date");
  }

  say(text, isLost = false) {
    this.line.classList.toggle("lost", isLost);
    if (this.line.textContent !== text) this.line.textContent = text;
  }

  /** The page may have changed between its loading and the first event, so the first version is asked for as well. */
  announce(version) {
    if (version === this.version) return;
    this.version = version;
    this.renew();
  }

  /** One renewal at a time; those that are wished meanwhile are one more. */
  async renew() {
    if (this.isBusy) return void (this.isWanted = true);
    this.isBusy = true;
    try {
      const answer = await fetch("/", { cache: "no-store" });
      if (answer.ok) this.take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      // The events say when the server is back, with its version.
      this.version = null;
    }
    this.isBusy = false;
    if (!this.isWanted) return;
    this.isWanted = false;
    this.renew();
  }

  /** Takes over what the server wrote, and leaves the places where charts are drawn. Another structure, or program, is loaded as a whole. */
  take(next) {
    if (Live.structure(next) !== Live.structure(document)) return location.reload();
    document.title = next.title;
    for (const part of ["h1", ".top nav"]) document.querySelector(part).replaceChildren(...next.querySelector(part).childNodes);
    const opened = new Set([...document.querySelectorAll("details[open]")].map(Live.name));
    for (const section of document.querySelectorAll("main > section")) this.replace(section, next.getElementById(section.id));
    for (const part of document.querySelectorAll("details")) part.open ||= opened.has(Live.name(part));
    this.page.render(JSON.parse(next.getElementById("data").textContent));
  }

  replace(section, next) {
    const host = section.querySelector(":scope > [data-view]");
    const wished = [...next.childNodes].map((node) => (host && node.dataset?.view ? host : document.importNode(node, true)));
    section.replaceChildren(...wished);
    section.hidden = next.hidden;
  }

  /** What can be opened, by its place and its words: there may be more of them now. */
  static name(part) {
    return `${part.closest("[id]").id} ${part.querySelector("summary").textContent}`;
  }

  /** What has to be alike for a page to be renewed in place: its parts, the places of its charts, its program. */
  static structure(page) {
    const parts = [...page.querySelectorAll("main > section, [data-view]")].map((part) => part.id || part.dataset.view);
    return parts.join(" ") + page.querySelector("meta[http-equiv]").content;
  }
}

new Live(page);
