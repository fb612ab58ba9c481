// Poll the simulator and show its data; send the requests of the buttons. Unchanged elements are not drawn again.
"use strict";

const { make } = slack;
const $ = (id) => document.getElementById(id);
const PRESETS = [
  ["Tableau slow", { kind: "delay", target: "tableau", seconds: 3 }],
  ["Tableau down", { kind: "refuse", target: "tableau" }],
  ["Sessions expire", { kind: "expire", target: "tableau" }],
  ["Tableau 401", { kind: "unauthorized", target: "tableau" }],
  ["Tableau 429", { kind: "throttled", target: "tableau", seconds: 60 }],
  ["Gateway 502", { kind: "html", target: "tableau", status: 502 }],
  ["Jobs appear late", { kind: "late_jobs", target: "tableau", seconds: 5 }],
  ["Numbers as text", { kind: "strings", target: "tableau" }],
  ["Slack slow", { kind: "delay", target: "slack", seconds: 3 }],
  ["Slack down", { kind: "refuse", target: "slack" }],
  ["Slack 429", { kind: "throttled", target: "slack", seconds: 5 }],
  ["SMS undelivered", { kind: "undelivered", target: "twilio", code: "30007" }],
  ["Twilio lost", { kind: "lost", target: "twilio", seconds: 2 }],
];
let stamp = "";
let channel = "";
let feed = null;
// Whether the newest message stays visible.
let sticky = true;

async function call(method, path, body) {
  const options = { method, headers: { "Content-Type": "application/json" } };
  if (body !== undefined) options.body = JSON.stringify(body);
  const response = await fetch(`/simulator/${path}`, options);
  const content = await response.json();
  if (!response.ok) throw new Error(content.error || response.statusText);
  return content;
}

function showToast(text, bad) {
  const toast = $("toast");
  toast.textContent = text;
  toast.className = bad ? "toast bad" : "toast";
  toast.hidden = false;
  clearTimeout(showToast.timer);
  showToast.timer = setTimeout(() => { toast.hidden = true; }, bad ? 6000 : 2500);
}

async function run(work) {
  try {
    showToast(await work());
    await poll();
  } catch (error) {
    showToast(error.message, true);
  }
}

// Make the children of a container match a list; a child with the same key and content is kept.
function sync(container, items, draw, empty) {
  const kept = new Map([...container.children].map((child) => [child.dataset.key, child]));
  const first = !container.dataset.filled;
  container.dataset.filled = "yes";
  let place = container.firstElementChild;
  for (const item of items) {
    const old = kept.get(item.key);
    kept.delete(item.key);
    const content = JSON.stringify(item);
    let child = old;
    if (!old || old.dataset.content !== content) {
      child = draw(item);
      child.dataset.key = item.key;
      child.dataset.content = content;
      if (!old && !first) child.classList.add("fresh");
      if (old && old.tagName === "DETAILS") child.open = old.open;
      if (old && old.querySelector(".menu[open]")) child.querySelectorAll(".menu").forEach((menu) => { menu.open = true; });
      if (old) { if (place === old) place = old.nextElementSibling; old.remove(); }
    }
    if (child === place) place = place.nextElementSibling;
    else container.insertBefore(child, place);
  }
  kept.forEach((child) => child.remove());
  if (!items.length) {
    const note = make("p", "empty", empty);
    note.dataset.key = "";
    container.replaceChildren(note);
  }
}

const clock = (at) => new Date(at).toLocaleTimeString([], { hour12: false });

function pill(delivery) {
  const last = delivery.attempts.at(-1);
  const result = last ? last.status ?? last.error : "…";
  if (delivery.state === "delivered") return make("span", "pill good", `${result}`);
  if (delivery.state === "given up") return make("span", "pill bad", `failed: ${result}`);
  return make("span", "pill wait", last ? `${result}, retrying` : "sending");
}

function drawDelivery(delivery) {
  const attempts = delivery.attempts.map((attempt) => make("li", "", `${clock(attempt.at)} · ${attempt.status ?? attempt.error} · ${attempt.milliseconds} ms ${attempt.response}`));
  const name = make("div", "main", make("b", "", delivery.event_type), " ", make("span", "", delivery.resource_name + (delivery.duplicate ? " (duplicate)" : "")));
  const count = delivery.attempts.length > 1 ? make("span", "sub", `×${delivery.attempts.length}`) : null;
  return make("details", "row", make("summary", "", name, count, pill(delivery)),
    make("div", "sub", `${delivery.name} → ${delivery.address}`), make("ol", "", ...attempts), make("pre", "", delivery.body));
}

// Return the text with its addresses as links, which have the names that stand before them.
function linked(text) {
  return text.split("\n").flatMap((line) => {
    const found = /^(?:(.{1,60}): |\[(.{1,60})\] )(https?:\/\/\S+)$/.exec(line);
    return [found ? slack.link(found[3], found[1] || found[2]) : line, "\n"];
  });
}

function drawOther(other) {
  const acknowledge = other.kind === "pagerduty" && other.place === "trigger" ? make("button", "quiet", "Acknowledge") : null;
  if (acknowledge) {
    acknowledge.type = "button";
    acknowledge.onclick = () => run(async () => {
      const reported = await call("POST", "pagerduty", { key: other.title });
      if (reported.error) throw new Error(reported.error);
      return "Acknowledged in PagerDuty";
    });
  }
  return make("div", "bubble", make("b", "", other.title), make("div", "text", ...linked(other.text)), make("div", "meta", `${other.kind}: ${other.place} · ${clock(other.at)} `, acknowledge));
}

function drawSms(sms) {
  const parts = sms.segments === 1 ? "1 segment" : `${sms.segments} segments`;
  if (sms.status === "received") {
    return make("div", "bubble", make("div", "text", sms.body), make("div", "meta", `from ${sms.from} · ${clock(sms.at)}`));
  }
  const reply = make("button", "quiet", "Reply 1");
  reply.type = "button";
  reply.onclick = () => run(async () => {
    const replied = await call("POST", "sms/replies", { from: sms.to, body: "1" });
    if (replied.error) throw new Error(replied.error);
    return `Replied 1: the server responded with ${replied.status}`;
  });
  return make("div", "bubble", make("div", "text", sms.body), make("div", "meta", `to ${sms.to} · ${clock(sms.at)} · ${sms.status} · ${parts} `, reply));
}

function drawCall(entry) {
  const kind = entry.status === 0 ? "bad" : entry.status < 300 ? "good" : entry.status < 400 ? "wait" : "bad";
  const short = entry.path.replace(/^\/api\/[\d.]+\/(sites\/[0-9a-f-]{36}\/)?/, "").replace(/^\/slack\/api\//, "slack ").replace(/^\/twilio\/[\d-]+\/Accounts\/\w+\//, "twilio ");
  const path = make("span", "main", short.replace(/([0-9a-f]{8})-[0-9a-f-]{27}/g, "$1…"));
  path.title = entry.path;
  return make("div", "row", make("span", "sub", clock(entry.at)), make("span", "", entry.method), path, make("span", `pill ${kind}`, entry.status || "no response"));
}

function drawFault(fault) {
  const left = fault.times === null ? "" : ` (${fault.times - fault.hits} left)`;
  const remove = make("button", "", "✕");
  remove.type = "button";
  remove.title = "Switch off";
  remove.onclick = () => run(async () => { await call("DELETE", `faults/${fault.id}`); return "Switched off"; });
  const where = fault.path ? ` ${fault.path}` : "";
  return make("li", "", make("span", "", `${fault.target}${where}: ${fault.kind}${left}`), remove);
}

function showMessages() {
  const box = $("messages");
  const seen = feed.messages.filter((item) => !channel || item.channel === channel);
  const tops = seen.filter((item) => !item.thread_ts).map((item) => ({
    key: `${item.channel} ${item.ts}`, item, replies: feed.messages.filter((other) => other.channel === item.channel && other.thread_ts === item.ts), all: !channel,
  }));
  const draw = (entry) => slack.message(entry.item, entry.replies, entry.all);
  sync(box, tops, draw, "No messages yet. Cause an event: if a rule of the server matches, its message appears here.");
  if (sticky) box.scrollTop = box.scrollHeight;
}

function showChannels() {
  const all = [{ key: "all", id: "", name: "All", count: feed.messages.length }];
  const items = all.concat(feed.channels.map((entry) => ({ key: entry.id, ...entry })));
  sync($("channels"), items.map((item) => ({ ...item, on: item.id === channel })), (item) => {
    const button = make("button", "", item.name, item.count ? make("i", "", String(item.count)) : null);
    button.type = "button";
    button.setAttribute("aria-current", String(item.on));
    button.onclick = () => { channel = item.id; sticky = true; showChannels(); showMessages(); };
    return button;
  }, "");
}

function showSelect(id, names) {
  const select = $(id);
  if (select.dataset.names === JSON.stringify(names)) return;
  select.dataset.names = JSON.stringify(names);
  const chosen = select.value;
  const options = names.map(([luid, name]) => new Option(name, luid));
  select.replaceChildren(select.options[0], ...options);
  select.value = names.some(([luid]) => luid === chosen) ? chosen : "";
}

function showFaults() {
  sync($("faults"), feed.faults.map((fault) => ({ key: String(fault.id), ...fault })), drawFault, "");
  if (!feed.faults.length) $("faults").replaceChildren();
  for (const button of $("presets").children) {
    const preset = PRESETS[button.dataset.index][1];
    const on = feed.faults.find((fault) => fault.kind === preset.kind && fault.target === preset.target && !fault.path);
    button.setAttribute("aria-pressed", String(Boolean(on)));
    button.dataset.fault = on ? on.id : "";
  }
}

function render() {
  showChannels();
  showMessages();
  showFaults();
  sync($("sms"), feed.sms.map((sms) => ({ key: sms.sid, ...sms })), drawSms, "No text messages yet.");
  sync($("deliveries"), feed.deliveries.map((delivery) => ({ key: String(delivery.id), ...delivery })), drawDelivery, "No webhooks sent yet.");
  sync($("calls"), feed.calls.map((entry) => ({ key: String(entry.number), ...entry })), drawCall, "No API calls yet.");
  showSelect("person", feed.members);
  showSelect("workbook", feed.workbooks);
  showSelect("datasource", feed.datasources);
  $("site").textContent = feed.site;
  $("webhooks").textContent = feed.webhooks;
  $("signins").textContent = feed.sign_ins;
  $("total").textContent = feed.total;
  sync($("others"), feed.others, drawOther, "");
  $("otherpanel").hidden = !feed.others.length;
  $("othercount").textContent = feed.others.length || "";
  $("smscount").textContent = feed.sms.length || "";
  $("sentcount").textContent = feed.sent || "";
  $("callcount").textContent = feed.total || "";
  $("nowebhooks").hidden = feed.webhooks > 0;
}

async function poll() {
  const response = await fetch(`/simulator/feed?since=${encodeURIComponent(stamp)}`);
  if (!response.ok) throw new Error(response.statusText);
  if (response.status === 204) return;
  feed = await response.json();
  stamp = feed.stamp;
  render();
}

async function follow() {
  try {
    await poll();
    $("live").className = "live";
    $("live").textContent = "live";
  } catch {
    $("live").className = "live off";
    $("live").textContent = "offline";
  }
  setTimeout(follow, document.hidden ? 5000 : 800);
}

// A link into Tableau leads to this page: #/site/<site>/workbooks/<number>. Open its card.
async function openCard() {
  const found = /^#\/(?:site\/[^/]+\/)?((?:workbooks|datasources|flows)\/\d+|views\/[^/]+\/[^/?]+)/.exec(location.hash);
  if (!found) return;
  history.replaceState(null, "", location.pathname);
  const response = await fetch(`/simulator/content/${found[1]}`);
  const card = await response.json();
  if (!response.ok) {
    showToast(card.error, true);
    return;
  }
  const facts = card.facts.flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)]);
  const jobs = card.jobs.map((job) => make("li", "", make("span", `pill ${{ Success: "good", Failed: "bad" }[job.status] || "wait"}`, job.status), ` ${new Date(job.at).toLocaleString([], { hour12: false })} `, make("span", "caption", job.notes)));
  const picture = card.picture ? make("img", "picture") : null;
  if (picture) Object.assign(picture, { src: card.picture, alt: card.name });
  $("cardbody").replaceChildren(...[make("h3", "", card.name), make("span", "caption", card.kind), picture, make("dl", "", ...facts), make("ul", "jobs", ...jobs)].filter(Boolean));
  if (!$("card").open) $("card").showModal();
}

// Slack also sends a press for a button with a link, but an app need not respond to that.
slack.handlers.press = (target, isLink) => run(async () => {
  const pressed = await call("POST", "slack/press", { ...target, user: $("person").value, show_error: !isLink });
  if (pressed.error && !isLink) throw new Error(pressed.error);
  return isLink ? "Link opened" : `Pressed ${pressed.button}: the app responded with ${pressed.status}`;
});
addEventListener("hashchange", openCard);
$("messages").addEventListener("scroll", () => {
  const box = $("messages");
  sticky = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
});
$("messages").addEventListener("load", () => { if (sticky) $("messages").scrollTop = $("messages").scrollHeight; }, true);
$("events").addEventListener("submit", (event) => event.preventDefault());
for (const button of document.querySelectorAll("[data-event]")) {
  button.addEventListener("click", () => run(async () => {
    const request = { event_type: button.dataset.event };
    const reason = $("reason").value.trim();
    if (button.dataset.of && $(button.dataset.of).value) request.luid = $(button.dataset.of).value;
    if (request.event_type.endsWith("Failed") && reason) request.reason = reason;
    const { event, deliveries } = await call("POST", "events", request);
    const sent = { 0: "not sent, as the site has no webhook for it", 1: "1 webhook" }[deliveries] ?? `${deliveries} webhooks`;
    return `${event.event_type}: ${event.resource_name} → ${sent}`;
  }));
}
PRESETS.forEach(([name, preset], index) => {
  const button = make("button", "", name);
  button.type = "button";
  button.dataset.index = index;
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => run(async () => {
    if (button.dataset.fault) {
      await call("DELETE", `faults/${button.dataset.fault}`);
      return `${name}: off`;
    }
    const times = $("times").value;
    await call("POST", "faults", times ? { ...preset, times: Number(times) } : preset);
    return `${name}: on`;
  }));
  $("presets").append(button);
});
$("faultpanel").open = matchMedia("(min-width: 701px)").matches;
$("how").addEventListener("click", () => $("manual").showModal());
$("reset").addEventListener("click", () => {
  if (confirm("Reset the simulator? Messages, deliveries, sessions, webhooks and faults are deleted.")) run(async () => { await call("POST", "reset"); return "Reset"; });
});
$("theme").addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
});
if (["light", "dark"].includes(localStorage.getItem("theme"))) document.documentElement.dataset.theme = localStorage.getItem("theme");
openCard();
follow();
