"use strict";
// The index works without this file; with it, the search is at once, the keyboard moves through
// the list, proxy URLs can be copied, and the list stays current.

const EVERY = 2000; // ms between two questions for a newer list
const SOON = 300; // as long as the first list is on its way
const byId = (id) => document.getElementById(id);
const box = byId("q");
const list = byId("list");
const lost = byId("lost");
let etag = "";
let current = new Date();

// Searching

function filter(root) {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  let total = 0;
  for (const section of root.querySelectorAll("section")) {
    let any = false;
    for (const row of section.querySelectorAll(".service")) {
      const hit = words.every((word) => row.dataset.text.includes(word));
      row.hidden = !hit;
      any ||= hit;
      shown += hit;
      total += 1;
    }
    section.hidden = !any;
  }
  const noun = total === 1 ? "service" : "services";
  const text = shown === total ? `${total} ${noun}` : `${shown} of ${total} ${noun}`;
  if (byId("count").textContent !== text) byId("count").textContent = text; // it's read aloud
  byId("nothing").hidden = shown > 0 || total === 0;
}

box.addEventListener("input", () => {
  filter(list);
  history.replaceState(null, "", box.value ? `?q=${encodeURIComponent(box.value)}` : "/");
});
box.form.addEventListener("submit", (event) => event.preventDefault());

// The keyboard: / to search, Enter opens the first hit, arrows move

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const links = [...list.querySelectorAll(".service:not([hidden]) a.name")];
  const at = links.indexOf(document.activeElement?.closest(".service")?.querySelector("a.name"));
  if (event.key === "/" && document.activeElement !== box) {
    box.focus();
    box.select();
  } else if (event.key === "Escape" && document.activeElement === box) {
    box.value = "";
    box.dispatchEvent(new Event("input"));
  } else if (event.key === "Enter" && document.activeElement === box) {
    if (box.value.trim()) links[0]?.click();
  } else if (event.key === "ArrowDown") {
    links[at + 1]?.focus();
  } else if (event.key === "ArrowUp" && document.activeElement !== box) {
    (links[at - 1] ?? box).focus();
  } else {
    return;
  }
  event.preventDefault();
});

// Copying

list.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-url]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.url);
  } catch { // not allowed here: then by hand
    prompt("Copy the proxy URL:", button.dataset.url);
    return;
  }
  button.textContent = "Copied";
  button.classList.add("done");
  setTimeout(() => {
    button.textContent = "Copy URL";
    button.classList.remove("done");
  }, 1500);
});

// Staying current

// Make the children of one element those of another; what is equal stays, focus and all.
function merge(old, fresh) {
  const next = [...fresh.children];
  const ids = new Set(next.map((node) => node.id));
  for (const node of [...old.children]) if (!ids.has(node.id)) node.remove();
  const known = new Map([...old.children].map((node) => [node.id, node]));
  next.forEach((node, at) => {
    const mine = known.get(node.id) ?? document.adoptNode(node);
    if (old.children[at] !== mine) old.insertBefore(mine, old.children[at] ?? null);
    if (mine.isEqualNode(node)) return;
    if (node.matches("section, ul")) {
      mine.hidden = node.hidden;
      merge(mine, node);
    } else {
      mine.replaceWith(document.adoptNode(node));
    }
  });
}

function replace(fresh) {
  const focused = document.activeElement;
  const row = focused?.closest(".service")?.id;
  const place = row && [...byId(row).querySelectorAll("a, button")].indexOf(focused);
  filter(fresh);
  merge(list, fresh);
  if (row && !document.contains(focused)) byId(row)?.querySelectorAll("a, button")[place]?.focus();
}

async function ask() {
  const headers = etag ? { "If-None-Match": etag } : {};
  const options = { headers, cache: "no-store", redirect: "error" };
  let problem = "";
  try {
    const answer = await fetch("/", { ...options, signal: AbortSignal.timeout(10000) });
    if (answer.status === 200) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      replace(page.getElementById("list"));
      etag = answer.headers.get("ETag") ?? "";
    } else if (answer.status === 403) {
      problem = "The gateway no longer knows this browser: open the address in its terminal.";
    } else if (answer.status !== 304) {
      problem = `The gateway answered ${answer.status}.`;
    }
  } catch {
    problem = "The gateway does not answer. Does proxyurls serve still run?";
  }
  if (!problem) current = new Date();
  const text = problem && `${problem} Not current since ${current.toLocaleTimeString()}.`;
  if (lost.textContent !== text) lost.textContent = text;
  lost.hidden = !problem;
}

const pause = () => (list.querySelector(".reading") && lost.hidden ? SOON : EVERY);

async function follow() {
  if (!document.hidden) await ask();
  setTimeout(follow, pause());
}

document.addEventListener("visibilitychange", () => document.hidden || ask());
filter(list);
setTimeout(follow, pause());
