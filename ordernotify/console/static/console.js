"use strict";
// One stream of events keeps the page up to date. Everything that is shown comes from the server as escaped HTML:
// this script only fetches the page again and replaces its parts.

const REFRESH_HEADER = "X-Refresh";
const SHORTEST_PAUSE_MS = 200;
const SLOW_PAUSE_MS = 5000;
const REFUSED_PAUSE_MS = 2000;
const TRAVEL_MS = 260;
const find = (selector, inside = document) => [...inside.querySelectorAll(selector)];

// Times: in the reader's zone, UTC on hover.
const usual = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const exact = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
const rough = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
function localTimes(inside) {
  for (const time of find("time[datetime]", inside)) {
    const at = new Date(time.dateTime);
    const style = time.closest(".log, .waterfall") ? exact : time.closest(".axis") ? rough : usual;
    if (!Number.isNaN(at.getTime())) time.textContent = style.format(at);
  }
}

// The state of the stream, and of the cloud behind it.
let wasTroubled = null;
function beat(state, text) {
  for (const place of find("[data-beat]")) {
    place.className = `beat ${state}`;
    const words = place.querySelector("[data-beat-text]");
    if (words.textContent !== text) words.textContent = text;
  }
}
function showState(state) {
  // Another console has this port now: what it says is not about the stack that is shown here.
  if (state.about !== document.body.dataset.about) return location.reload();
  for (const place of find("[data-live]")) {
    const text = state.texts[place.dataset.live];
    if (text !== undefined && place.textContent !== text) place.textContent = text;
  }
  for (const node of find("[data-part]")) {
    const alarm = state.parts[node.dataset.part] ?? "";
    node.dataset.alarm = alarm;
    node.querySelector("[data-alarm-text]").textContent = { alarm: "in alarm", ok: "alarms ok" }[alarm] ?? "";
  }
  const troubled = state.trouble !== "";
  for (const notice of find("[data-trouble]")) {
    notice.hidden = !troubled || find("[data-recover]").length > 0;
    notice.querySelector("[data-trouble-text]").textContent = state.trouble;
  }
  beat(troubled ? "lost" : "live", troubled ? "not up to date" : "live");
  if (!troubled && find("[data-recover]").length) setTimeout(() => location.reload(), wasTroubled ? 0 : 2000);
  if (!troubled && wasTroubled) refresh(["orders", "inbox", "lines"]);
  wasTroubled = troubled;
}

// Refreshing: fetch this page again, and swap the parts that the news is about.
let paused = false;
let running = false;
const wanted = new Set();
function refresh(news) {
  news.forEach((one) => wanted.add(one));
  if (!running) later();
}
async function later() {
  const parts = find("[data-refresh]").filter((part) => wanted.has(part.dataset.refresh));
  if (!parts.length) wanted.clear();
  if (!wanted.size || paused || document.hidden) return;
  running = true;
  const asked = [...wanted];
  wanted.clear();
  const began = performance.now();
  let done = false;
  try {
    const answer = await fetch(location.href, { headers: { [REFRESH_HEADER]: "1" } });
    const text = await answer.text();
    done = answer.ok && !paused;
    if (done) swap(text, parts.map((part) => part.id));
  } catch {
    // The stream says that the page is cut off.
  }
  if (!done) asked.forEach((one) => wanted.add(one)); // again, after a while
  const slow = !done || parts.some((part) => "slow" in part.dataset) ? SLOW_PAUSE_MS : SHORTEST_PAUSE_MS;
  setTimeout(() => { running = false; later(); }, Math.max(slow, performance.now() - began));
}
function swap(html, ids) {
  const page = new DOMParser().parseFromString(html, "text/html");
  for (const id of ids) {
    const old = document.getElementById(id);
    const made = page.getElementById(id);
    if (!old || !made) continue;
    const known = new Set(find("[data-key]", old).map((row) => row.dataset.key));
    const open = find("details", old).map((one) => one.open);
    find("details", made).forEach((one, at) => { one.open = open[at] ?? false; });
    keepFrames(old, made);
    localTimes(made);
    const tail = old.closest("[data-tail]");
    const atEnd = tail && tail.scrollHeight - tail.scrollTop - tail.clientHeight < 40;
    old.replaceChildren(...made.childNodes);
    find("[data-key]", old).forEach((row) => row.classList.toggle("fresh", !known.has(row.dataset.key)));
    if (atEnd) tail.scrollTop = tail.scrollHeight;
  }
}
// A mail that is shown already stays as it is: a new frame would flash.
function keepFrames(old, made) {
  const shown = new Map(find("article[data-key]", old).map((one) => [one.dataset.key, one]));
  for (const one of find("article[data-key]", made)) {
    const same = shown.get(one.dataset.key);
    if (same) one.replaceWith(same);
  }
}
document.addEventListener("visibilitychange", () => { if (!running) later(); });

// Forms that swap their own part, so that the stream goes on.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  const part = form.dataset.swap;
  if (!part) return;
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const made = page.getElementById(part) ?? page.querySelector("main > section");
    localTimes(made);
    document.getElementById(part).replaceChildren(...(made.id === part ? made.childNodes : [made]));
  } catch {
    button.disabled = false;
    beat("lost", "the console has ended");
  }
});
for (const button of find("[data-pause]")) {
  button.addEventListener("click", () => {
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    button.textContent = paused ? "Resume" : "Pause";
    if (!paused) refresh(["lines"]);
  });
}

// The picture: wires between the parts, and orders that travel along them.
const WIRES = [["client", "api"], ["api", "function"], ["function", "table"], ["function", "topic"], ["topic", "subscribers"]];
const SVG = "http://www.w3.org/2000/svg";
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const drawing = document.querySelector("[data-path] .wires");
const wires = new Map();
function box(part) {
  const node = document.querySelector(`[data-part="${part}"]`).getBoundingClientRect();
  const base = drawing.getBoundingClientRect();
  return { left: node.left - base.left, right: node.right - base.left, top: node.top - base.top, bottom: node.bottom - base.top,
    x: (node.left + node.right) / 2 - base.left, y: (node.top + node.bottom) / 2 - base.top };
}
function wire(from, to) {
  const a = box(from), b = box(to);
  if (b.left >= a.right - 1) {
    const middle = (a.right + b.left) / 2, end = b.left - 7;
    return [`M${a.right} ${a.y}C${middle} ${a.y} ${middle} ${b.y} ${end} ${b.y}`, `M${b.left - 1} ${b.y}l-8 -4.500v9z`];
  }
  if (from === "function" && to === "topic") { // one below the other: around the table
    return [`M${a.left} ${a.y}H${a.left - 9}V${b.y}H${b.left - 1}`, ""];
  }
  return [`M${a.x} ${a.bottom}V${b.top - 7}`, `M${b.x} ${b.top - 1}l-4.500 -8h9z`];
}
function drawWires() {
  if (!drawing) return;
  drawing.replaceChildren();
  wires.clear();
  for (const [from, to] of WIRES) {
    const [line, head] = wire(from, to);
    for (const [shape, kind] of [[line, "line"], [head, "head"]]) {
      if (!shape) continue;
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("d", shape);
      path.setAttribute("class", kind);
      drawing.append(path);
      if (kind === "line") wires.set(`${from}-${to}`, path);
    }
  }
}
function hit(part, bad) {
  const node = document.querySelector(`[data-part="${part}"]`);
  node.classList.add("hit");
  node.classList.toggle("bad", bad);
  setTimeout(() => node.classList.remove("hit", "bad"), 700);
}
function along(from, to, bad) {
  return new Promise((done) => {
    const path = wires.get(`${from}-${to}`);
    if (!path || calm.matches) return done();
    const length = path.getTotalLength(), dot = document.createElementNS(SVG, "circle");
    dot.setAttribute("r", "7");
    if (bad) dot.setAttribute("class", "bad");
    drawing.append(dot);
    const began = performance.now();
    const step = (now) => {
      const share = Math.min((now - began) / TRAVEL_MS, 1);
      const at = path.getPointAtLength(length * share);
      dot.setAttribute("cx", at.x);
      dot.setAttribute("cy", at.y);
      if (share < 1) return requestAnimationFrame(step);
      dot.remove();
      done();
    };
    requestAnimationFrame(step);
  });
}
async function travel(move) {
  if (!drawing || document.hidden) return;
  const bad = move.kind === "rejected" || move.kind === "failed";
  hit("client", false);
  await along("client", "api", false);
  hit("api", false);
  await along("api", "function", bad);
  hit("function", bad);
  if (bad) return;
  const stored = along("function", "table", false).then(() => hit("table", false));
  if (!move.stored || !move.published) return stored;
  await along("function", "topic", false);
  hit("topic", false);
  await along("topic", "subscribers", false);
  hit("subscribers", false);
}

// A browser allows six connections to one server: one tab holds the stream and tells the others.
const channel = new BroadcastChannel("ordernotify");
let last = null;
function take(message) {
  if (message.state?.texts) {
    last = message.state;
    showState(message.state);
  } else if (message.state) beat("", "reading the stack"); // the first look may take long on AWS
  if (message.lost) return beat("lost", "cut off; trying again");
  refresh(message.news);
  message.moves.forEach((move, at) => setTimeout(travel, at * 90, move));
}
function tell(message) {
  take(message);
  channel.postMessage(message);
}
let stream = null;
function holdStream() {
  stream = new EventSource("/events");
  stream.onmessage = (event) => tell(JSON.parse(event.data));
  return new Promise((refused) => { // otherwise until this tab is closed; then the next one takes over
    stream.onerror = () => {
      last = null;
      tell({ lost: true });
      if (stream.readyState !== EventSource.CLOSED) return; // the browser tries again
      stream = null;
      refused();
    };
  });
}
// A console that was started again at this port refuses this tab until its new address is opened in another
// one, which must not wait for this one.
async function standInLine() {
  await navigator.locks.request("ordernotify", holdStream);
  setTimeout(standInLine, REFUSED_PAUSE_MS);
}
addEventListener("pagehide", () => stream?.close());
channel.onmessage = ({ data }) => {
  if (!data.hello) take(data);
  else if (last && stream) channel.postMessage({ state: last, news: [], moves: [] });
};
channel.postMessage({ hello: true });

localTimes(document);
for (const tail of find("[data-tail]")) tail.scrollTop = tail.scrollHeight;
drawWires();
addEventListener("resize", drawWires);
standInLine();
