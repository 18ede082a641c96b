"use strict";

const { base, page, key } = document.body.dataset;
const dialog = document.getElementById("unlock");
const KEPT = "erlen-typed";
const typed = JSON.parse(sessionStorage.getItem(KEPT) || "[]");
let asked = null; // who waits for the token

async function command(path, given) {
  const response = await fetch(base + (page && `${page}/`) + path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Erlen-Page": key },
    body: JSON.stringify(given),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail);
  return answer;
}

/* Unlocking */

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) {
    asked = opener.closest(".console");
    dialog.showModal();
    dialog.querySelector("input").focus();
  }
  if (event.target.closest(".cancel")) dialog.close();
  const copier = event.target.closest("[data-copy]");
  if (copier) {
    navigator.clipboard.writeText(document.getElementById(copier.dataset.copy).textContent);
    copier.textContent = "Copied";
  }
});

async function useUnlocked() {
  const { unlocked } = await command("unlocked", {});
  if (unlocked) document.body.dataset.unlocked = "";
}

if (!("unlocked" in document.body.dataset) && document.querySelector(".console")) useUnlocked();

dialog.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const wrong = form.querySelector(".wrong");
  try {
    await command("unlock", { token: form.token.value });
  } catch (error) {
    wrong.textContent = error.message;
    wrong.hidden = false;
    form.token.select();
    return;
  }
  wrong.hidden = true;
  form.reset();
  dialog.close();
  document.body.dataset.unlocked = "";
  if (asked) asked.querySelector("textarea").focus();
  else location.reload();
});

/* The console of a frame */

function fit(area) {
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight}px`;
}

for (const element of document.querySelectorAll(".console")) {
  const frame = element.closest("[data-frame]").dataset.frame;
  const [log, form, names] = [".log", ".prompt", ".names"].map((name) => element.querySelector(name));
  const area = form.querySelector("textarea");
  const stop = form.querySelector(".stop");
  let place = typed.length; // in what was typed before
  let running = false;

  const tell = (kind, text) => {
    const line = document.createElement("pre");
    line.className = kind;
    line.textContent = text;
    log.append(line);
    log.scrollTop = log.scrollHeight;
  };

  const fill = (text, cursor = text.length) => {
    area.value = text;
    area.setSelectionRange(cursor, cursor);
    fit(area);
  };

  const remember = (source) => {
    if (typed.at(-1) !== source) typed.push(source);
    typed.splice(0, typed.length - 200);
    sessionStorage.setItem(KEPT, JSON.stringify(typed));
    place = typed.length;
  };

  async function evaluate() {
    const source = area.value;
    if (!source.trim() || running) return;
    running = true;
    const late = setTimeout(() => { stop.hidden = false; }, 400);
    try {
      const outcome = await command(`${frame}/evaluate`, { source: source.replace(/\n+$/, source.endsWith("\n\n") ? "\n\n" : "") });
      if (outcome.state === "more") {
        const last = source.split("\n").at(-1);
        const indent = last.match(/^\s*/)[0] + (/:\s*(#.*)?$/.test(last) ? "    " : "");
        fill(`${source}\n${indent}`);
        return;
      }
      remember(source.trimEnd());
      tell("typed", source.trimEnd().split("\n").map((line, index) => (index ? "... " : ">>> ") + line).join("\n"));
      if (outcome.output) tell("output", outcome.output.replace(/\n$/, ""));
      if (outcome.value !== null) tell("value", outcome.value);
      if (outcome.error !== null) tell("error", outcome.error.trimEnd());
      if (outcome.milliseconds > 500) tell("took", `${(outcome.milliseconds / 1000).toFixed(1)} seconds`);
      fill("");
    } catch (error) {
      tell("error", error.message);
    } finally {
      clearTimeout(late);
      stop.hidden = true;
      running = false;
    }
  }

  async function complete() {
    const cursor = area.selectionStart;
    const before = area.value.slice(0, cursor);
    const found = await command(`${frame}/complete`, { source: before });
    if (!found.names.length) return;
    let common = found.names[0];
    for (const name of found.names) while (!name.startsWith(common)) common = common.slice(0, -1);
    const begun = before.slice(0, found.start) + common;
    fill(begun + area.value.slice(cursor), begun.length);
    names.hidden = found.names.length === 1;
    names.textContent = found.names.join("  ");
  }

  const recall = (step) => {
    if (place + step < 0 || place + step > typed.length) return;
    place += step;
    fill(typed[place] ?? "");
  };

  area.addEventListener("input", () => { names.hidden = true; fit(area); });
  area.addEventListener("keydown", (event) => {
    const { selectionStart: start, selectionEnd: end, value } = area;
    const isSingle = !value.includes("\n");
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      names.hidden = true;
      if (start !== value.length) { area.setSelectionRange(value.length, value.length); }
      // An empty line ends a block.
      if (/\n\s*$/.test(value)) area.value = `${value.replace(/\s+$/, "")}\n\n`;
      evaluate();
    } else if (event.key === "Tab" && !event.shiftKey && start === end && value.trim()) {
      event.preventDefault();
      if (/(^|\s)$/.test(value.slice(0, start))) fill(`${value.slice(0, start)}    ${value.slice(start)}`, start + 4);
      else complete();
    } else if (event.key === "ArrowUp" && (isSingle || start === 0)) {
      event.preventDefault();
      recall(-1);
    } else if (event.key === "ArrowDown" && (isSingle || start === value.length)) {
      event.preventDefault();
      recall(1);
    } else if (event.key === "c" && event.ctrlKey && start === end && running) {
      event.preventDefault();
      command(`${frame}/interrupt`, {});
    }
  });
  stop.addEventListener("click", () => command(`${frame}/interrupt`, {}));
  form.addEventListener("submit", (event) => event.preventDefault());
}

/* The page of an application that could not be loaded goes when the next one is there */

if ("renews" in document.body.dataset) {
  setInterval(async () => {
    if (document.hidden || document.activeElement?.value) return;
    try {
      const response = await fetch(base + page, { method: "HEAD" });
      if (response.status === 404) location.reload();
    } catch {
      // The server is away for a moment.
    }
  }, 1000);
}

/* The list renews itself */

const list = document.querySelector("[data-refresh]");
if (list) {
  setInterval(async () => {
    if (document.hidden) return;
    try {
      const text = await (await fetch(location.href)).text();
      const main = text.slice(text.indexOf("<main"), text.lastIndexOf("</main>")); // without its style
      const fresh = new DOMParser().parseFromString(main, "text/html").querySelector("[data-refresh]");
      if (fresh) list.replaceChildren(...fresh.children);
      else location.reload();
    } catch {
      // The server is away, perhaps for a reload.
    }
  }, Number(list.dataset.refresh));
}
