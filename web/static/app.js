// What the pages do beyond HTML. Everything works without it but live updates and the keyboard.
import { startInbox } from "./inbox.js";
import { startWriting } from "./inbox_write.js";
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { startRows } from "./rows.js";
import { startTail } from "./tail.js";

// The viewer's time zone, for the times of the next page; the first page is in UTC.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.split("; ").includes("zone=" + zone)) {
  document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=lax`;
}

// Theme: at once, and kept by the form's own answer later.
document.addEventListener("submit", (e) => {
  const form = e.target;
  if (!form.matches("[data-theme-form]") || !e.submitter) return;
  e.preventDefault();
  const theme = e.submitter.value;
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const b of document.querySelectorAll("[data-theme-form] button")) b.setAttribute("aria-pressed", String(b.value === theme));
  fetch(form.action, { method: "POST", body: new URLSearchParams({ theme, back: "/static/bell.svg" }) });
});

// Forms that ask before, and forms that take a while.
document.addEventListener("submit", (e) => {
  const form = e.target;
  if (form.dataset.confirm && !window.confirm(form.dataset.confirm)) {
    e.preventDefault();
    return;
  }
  if (form.dataset.busy) {
    const button = form.querySelector("button:not([type=button])");
    setTimeout(() => { button.disabled = true; button.textContent = form.dataset.busy + " …"; });
  }
});

// A date field shows the day in the order of the browser's country: its label says it as the pages do.
const asDay = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
function sayDay(input) {
  const label = input.closest(".field")?.querySelector("label");
  if (!label) return;
  const said = label.querySelector(".day-said") ?? label.appendChild(Object.assign(document.createElement("span"), { className: "day-said" }));
  said.textContent = input.value ? asDay.format(new Date(input.value)).replace("Sept", "Sep") : "";
}
function sayDays() { document.querySelectorAll(".field input[type=date]").forEach(sayDay); }
document.addEventListener("input", (e) => { if (e.target.matches?.("input[type=date]")) sayDay(e.target); });
document.addEventListener("htmx:after:swap", sayDays);
sayDays();

// Menus close on a click elsewhere and on Escape.
document.addEventListener("click", (e) => {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(e.target)) menu.open = false;
  }
  const copy = e.target.closest("[data-copy]");
  if (copy) navigator.clipboard.writeText(copy.dataset.copy).then(() => { copy.textContent = "Copied"; announce("Copied"); });
  if (e.target.closest("[data-print]")) window.print();
  if (e.target.closest("[data-help]")) document.getElementById("help")?.showModal();
});
document.addEventListener("keydown", (e) => {
  if (e.key !== "Escape") return;
  const menu = document.activeElement?.closest("details[data-menu][open]");
  if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
});

// An empty search or an unset choice is left out of the address.
document.addEventListener("htmx:config:request", (e) => {
  const ctx = e.detail.ctx;
  if (!ctx.sourceElement?.matches?.("[data-filter]")) return;
  const body = ctx.request.body;
  if (body instanceof FormData) for (const [k, v] of [...body]) if (v === "") body.delete(k);
});

// What cannot be fetched leaves the page as it is; a filter that is refused shows the refusal as a page.
document.addEventListener("htmx:after:request", (e) => {
  const { response, sourceElement, request } = e.detail.ctx;
  if (!response || response.status < 400 || response.status === 401) return;
  e.preventDefault();
  if (sourceElement?.matches?.("[data-filter]")) location.href = request.action;
  else announce("The page could not be refreshed");
});

export function announce(text) {
  const at = document.getElementById("announce");
  if (at) at.textContent = text;
}

// Buttons that need scripts are hidden without them; relative times move on.
function freshen(root) {
  for (const b of root.querySelectorAll("[data-copy][hidden], [data-print][hidden]")) b.hidden = false;
}
const ahead = Date.parse(document.documentElement.dataset.now) - Date.now(); // the server's clock counts
function ago(then) {
  const s = (Date.now() + ahead - then) / 1000, d = Math.abs(s);
  const span = d < 3600 ? `${Math.max(1, Math.floor(d / 60))} min` : d < 172800 ? `${Math.floor(d / 3600)} h`
    : d < 5184000 ? `${Math.floor(d / 86400)} d` : null;
  if (span === null) return null;
  return d < 45 ? (s < 0 ? "in a moment" : "just now") : s < 0 ? "in " + span : span + " ago";
}
setInterval(() => {
  for (const t of document.querySelectorAll("time[data-ago]")) {
    const text = ago(Date.parse(t.dateTime));
    if (text && text !== t.textContent) t.textContent = text;
  }
}, 20000);

freshen(document);
document.addEventListener("htmx:after:swap", () => freshen(document));
startTail(announce);
startLive(announce);
startRows();
startInbox(announce);
startWriting(announce);
startKeys();
