// Keep an open page up to date: ask every few seconds while someone uses it, every ten otherwise, and replace only what has changed.
"use strict";
const seconds = Number(document.body.dataset.live || 0);
const STEP = 5;
const IDLE_STEPS = 2;
const USED_MS = 60_000;
let version = document.body.dataset.version;
// Opening a page is use, too.
let used = Date.now();
const stale = document.getElementById("stale");

// The address without what was done, so that reloading does not say it again.
const address = new URL(location.href);
if (address.searchParams.has("done")) {
  address.searchParams.delete("done");
  history.replaceState(null, "", address);
}

// A part in which someone is writing, or has opened a menu, is left as it is.
function isInUse(part) {
  const active = document.activeElement;
  const isWriting = active && active !== document.body && part.contains(active) && active.matches("input, textarea, select");
  return isWriting || part.querySelector("details[open], input:checked") !== null || String(getSelection()) !== "" && part.contains(getSelection().anchorNode);
}

function update(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  let isComplete = true;
  for (const part of document.querySelectorAll("header [id], main section[id]")) {
    const next = fresh.getElementById(part.id);
    if (next && next.innerHTML !== part.innerHTML) {
      if (isInUse(part)) {
        isComplete = false;
      } else {
        const focused = part.contains(document.activeElement) ? focusPath(part) : null;
        part.replaceWith(document.importNode(next, true));
        if (focused !== null) restoreFocus(next.id, focused);
      }
    }
  }
  document.title = fresh.title;
  if (isComplete) version = fresh.body.dataset.version;
}

function focusable(part) {
  return [...part.querySelectorAll("a, button, summary")];
}

function focusPath(part) {
  return focusable(part).indexOf(document.activeElement);
}

function restoreFocus(id, place) {
  const found = focusable(document.getElementById(id))[place];
  if (found) found.focus({ preventScroll: true });
}

async function ask() {
  try {
    const response = await fetch(address, { headers: { "X-Poll": "1", "If-None-Match": `"${version}"` }, cache: "no-store" });
    if (response.status === 401) return location.reload();
    stale.hidden = response.ok || response.status === 304;
    if (response.ok) update(await response.text());
  } catch {
    stale.hidden = false;
  }
}

function use() {
  used = Date.now();
}

let steps = 0;
if (seconds) {
  setInterval(() => {
    steps += 1;
    const wait = Date.now() - used < USED_MS ? seconds / STEP : IDLE_STEPS;
    if (!document.hidden && steps % wait === 0) ask();
  }, STEP * 1000);
  for (const kind of ["pointermove", "pointerdown", "keydown", "wheel"]) addEventListener(kind, use, { passive: true });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    use();
    ask();
  });
}
// On a narrow screen the navigation scrolls.
const current = document.querySelector("nav [aria-current]");
if (current) current.scrollIntoView({ block: "nearest", inline: "center" });
for (const menu of document.querySelectorAll("details.menu")) menu.removeAttribute("open");
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
