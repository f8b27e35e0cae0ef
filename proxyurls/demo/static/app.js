// Unaware of any prefix, as many apps are: the router and fetch take this page to be at the root.
const $ = (selector) => document.querySelector(selector);

function show() {
  let found = false;
  for (const page of document.querySelectorAll("[data-path]")) {
    page.hidden = page.dataset.path !== location.pathname;
    found ||= !page.hidden;
  }
  $("#lost").hidden = found;
  $("#lost code").textContent = location.pathname;
  for (const link of document.querySelectorAll("nav a")) {
    link.setAttribute("aria-current", link.pathname === location.pathname ? "page" : "false");
  }
}

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path} was answered by ${answer.status} ${answer.statusText}`);
  return answer.json();
}

async function measure() {
  const rates = await get("/api/metrics?name=cpu/usage_rate");
  const uptime = await get("/api/metrics?name=uptime");
  const values = rates.metrics.map((point) => point.value);
  if (!values.length) return;
  const most = Math.max(10, ...values);
  const x = (at) => (values.length > 1 ? (100 * at) / (values.length - 1) : 0);
  const points = values.map((value, at) => `${x(at)} ${29 - (28 * value) / most}`);
  $("#line").setAttribute("d", `M${points.join("L")}`);
  $("#cpu").textContent = values.at(-1);
  $("#uptime").textContent = Math.round(uptime.metrics.at(-1).value / 1000);
}

async function refresh() {
  try {
    await measure();
    $("#failed").hidden = true;
  } catch (error) {
    $("#failed").textContent = `No numbers: ${error.message}`;
    $("#failed").hidden = false;
  }
  setTimeout(refresh, 1000);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("nav a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  show();
});
addEventListener("popstate", show);
show();
refresh();
get("/api/user").then(({ name }) => {
  $("#session").hidden = !name;
  $("#session span").textContent = name ?? "";
}, () => {});  // the numbers say what is wrong
