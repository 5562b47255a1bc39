// The inbox: a thread is put beside the list without a new page, forms are sent without one, keys and a palette of commands do what
// buttons do. Without scripts links and forms do the same.
import { bulkBar, showDone, startInboxList } from "./inbox_list.js";
import { here } from "./rows.js";

const part = () => document.getElementById("live-part");
const thread = () => document.querySelector(".th[data-thread]");
const keysOff = () => localStorage.getItem("keys-off") === "1";

export function startInbox(announce) {
  if (!document.querySelector(".inbox")) return;
  for (const b of document.querySelectorAll("[data-palette][hidden]")) b.hidden = false;

  document.addEventListener("click", (e) => {
    const a = e.target.closest("a[data-inbox]");
    if (!a || e.defaultPrevented || e.button || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
    e.preventDefault();
    a.closest("details[data-menu]")?.removeAttribute("open");
    go(a.href);
  });
  document.addEventListener("submit", (e) => {
    const form = e.target;
    if (e.defaultPrevented) return;
    if (form.matches("[data-inbox-filter]")) {
      e.preventDefault();
      filter(form);
    } else if (form.matches("[data-inbox-form]")) {
      e.preventDefault();
      send(form, e.submitter, announce);
    }
  });
  document.addEventListener("change", (e) => {
    const form = e.target.closest("[data-inbox-filter]");
    if (form) filter(form);
  });
  addEventListener("popstate", () => { if (document.querySelector(".inbox")) location.reload(); });
  document.addEventListener("load", (e) => { if (e.target.matches?.("iframe.mail-body")) fit(e.target); }, true);
  document.addEventListener("htmx:after:swap", settle);
  addEventListener("resize", settle);
  document.addEventListener("keydown", (e) => key(e));
  startInboxList();
  startPalette();
  startMentions();
  settle();
}

// go shows an address of the inbox in the page that is there.
export async function go(href) {
  const url = new URL(href, location.href);
  const was = thread()?.dataset.thread;
  history.pushState({ inbox: true }, "", url);
  const at = part();
  at.setAttribute("aria-busy", "true");
  await htmx.ajax("GET", url.pathname + url.search, { source: document.getElementById("inbox-go"), target: at, select: "#live-part", swap: "outerMorph" });
  part()?.removeAttribute("aria-busy");
  const now = thread()?.dataset.thread;
  if (now && now !== was) {
    document.querySelector(".th-body")?.scrollTo(0, 0);
    if (matchMedia("(max-width: 56rem)").matches) scrollTo(0, 0);
    const row = document.getElementById("t-" + now);
    if (row) {
      here()?.classList.remove("is-at");
      row.classList.add("is-at");
    }
  }
}

function filter(form) {
  const q = new URLSearchParams();
  for (const [k, v] of new FormData(form)) if (v) q.append(k, v);
  const to = form.action + (q.size ? "?" + q : "");
  if (to !== location.href) go(to);
}

// send sends a form and shows what came of it; the page then shows how things stand.
async function send(form, button, announce) {
  if (button?.dataset.sure && !confirm(button.dataset.sure)) return;
  const body = new URLSearchParams(new FormData(form, button));
  const action = button?.getAttribute("formaction") ?? form.getAttribute("action");
  const next = button?.dataset.next !== undefined ? nextThread() : null;
  form.closest("details[data-menu]")?.removeAttribute("open");
  for (const menu of form.querySelectorAll("details[data-menu][open]")) menu.open = false;
  if (button) button.disabled = true;
  const answer = await post(action, body).finally(() => { if (button) button.disabled = false; });
  if (!answer) return;
  const again = async (raw) => {
    const done = await post(action, new URLSearchParams({ undo: raw, back: body.get("back") }));
    if (done?.w) toast(done, announce);
    if (done?.ok) await go(location.href);
  };
  if (answer.bulk) showDone(answer, announce, again);
  else if (answer.w) toast(answer, announce);
  if (!answer.ok) return;
  if (form.querySelector("[data-note]")) form.reset();
  form.closest(".note-change")?.removeAttribute("open");
  document.dispatchEvent(new CustomEvent("tocsin:sent", { detail: { form, answer } }));
  await go(next ?? answer.to ?? location.href);
}

// post sends what a form holds and gives what was answered; nothing where the page has to be opened anew.
async function post(action, body) {
  try {
    const r = await fetch(action, { method: "POST", headers: { Accept: "application/json" }, body });
    if (r.status === 401) return void location.reload();
    const answer = await r.json();
    answer.ok = r.ok;
    return answer;
  } catch {
    return { k: "bad", w: "The server could not be reached.", d: "What you wrote is still here: try again.", ok: false };
  }
}

// nextThread is where the thread below the open one is; where it is the last, the one above.
function nextThread() {
  const row = document.getElementById("t-" + thread()?.dataset.thread);
  return (row?.nextElementSibling ?? row?.previousElementSibling)?.querySelector("[data-open]")?.href ?? null;
}

export function toast({ k, w, d }, announce) {
  const box = document.getElementById("toasts");
  if (!box) return announce(w);
  const t = document.createElement("div");
  t.className = "toast " + k;
  t.append(Object.assign(document.createElement("strong"), { textContent: w }));
  if (d) t.append(Object.assign(document.createElement("span"), { textContent: d }));
  box.append(t);
  setTimeout(() => t.remove(), k === "bad" ? 12000 : 5000);
}

// A mail's frame is as high as the mail.
function fit(frame) {
  try {
    const doc = frame.contentDocument;
    if (!doc?.body) return;
    frame.style.height = Math.min(20000, Math.max(40, doc.documentElement.getBoundingClientRect().height)) + 2 + "px";
  } catch { /* a frame that cannot be measured keeps its height and scrolls */ }
}

function settle() {
  for (const f of document.querySelectorAll("iframe.mail-body")) if (f.contentDocument?.readyState === "complete") fit(f);
}

let g = 0;
function key(e) {
  const field = e.target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
  if ((e.ctrlKey || e.metaKey) && e.key === "Enter" && field) {
    const form = field.closest("form");
    const button = form?.querySelector("[data-send]");
    if (button) { e.preventDefault(); form.requestSubmit(button); }
    return;
  }
  if ((e.ctrlKey || e.metaKey) && !e.shiftKey && !e.altKey && e.key.toLowerCase() === "k") {
    e.preventDefault();
    openPalette();
    return;
  }
  if (field || e.ctrlKey || e.metaKey || e.altKey || keysOff() || document.querySelector("dialog[open]")) return;
  if (Date.now() - g < 1200) {
    g = 0;
    const place = document.querySelector(`.inbox-nav [data-place="${CSS.escape(e.key)}"]`);
    if (place) { e.preventDefault(); place.click(); }
    return;
  }
  if (e.key === "g") { g = Date.now(); return; }
  if (e.key === "Escape") {
    if (thread() && !document.querySelector("details[data-menu][open], [data-pick]:checked")) {
      const id = thread().dataset.thread, back = document.querySelector(".th-back");
      if (back) go(back.href).then(() => document.getElementById("t-" + id)?.querySelector("[data-open]")?.focus());
    }
    return;
  }
  const open = bulkBar() ?? thread();
  if (!open) return;
  const write = e.key === "n" ? open.querySelector("[data-note]") : null;
  if (write) {
    e.preventDefault();
    if (write.matches("textarea")) { write.focus(); write.scrollIntoView({ block: "center" }); } else write.click();
    return;
  }
  const button = open.querySelector(`[data-key-do="${CSS.escape(e.key)}"]`);
  if (!button) return;
  e.preventDefault();
  button.click();
  if (button.matches("summary")) button.parentElement.querySelector("button.item, input")?.focus();
}

// The palette: what the page offers, found by typing.
function commands() {
  const seen = new Set(), out = [];
  for (const e of document.querySelectorAll("[data-command]")) {
    const name = e.dataset.command;
    if (seen.has(name) || e.closest(".inbox-places")) continue;
    seen.add(name);
    out.push({ name, act: () => e.click() });
  }
  const open = thread();
  if (open?.querySelector("[data-note]")) out.push({ name: "Write a note", act: () => open.querySelector("[data-note]").focus() });
  return out;
}

function openPalette() {
  const box = document.getElementById("palette");
  if (!box || box.open) return;
  box.showModal();
  const q = document.getElementById("palette-q");
  q.value = "";
  q.dispatchEvent(new Event("input"));
}

function startPalette() {
  const box = document.getElementById("palette"), q = document.getElementById("palette-q"), list = document.getElementById("palette-list");
  if (!box) return;
  let found = [], at = 0;
  const mark = () => {
    [...list.children].forEach((li, i) => li.setAttribute("aria-selected", String(i === at)));
    const li = list.children[at];
    if (li) { q.setAttribute("aria-activedescendant", li.id); li.scrollIntoView({ block: "nearest" }); } else q.removeAttribute("aria-activedescendant");
  };
  const run = (i) => { const c = found[i]; box.close(); c?.act(); };
  q.addEventListener("input", () => {
    const words = q.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = commands().filter((c) => words.every((w) => c.name.toLowerCase().includes(w))).slice(0, 12);
    at = 0;
    list.replaceChildren(...found.map((c, i) => {
      const li = Object.assign(document.createElement("li"), { id: "palette-" + i, textContent: c.name });
      li.setAttribute("role", "option");
      li.addEventListener("click", () => run(i));
      return li;
    }));
    if (!found.length) list.replaceChildren(Object.assign(document.createElement("li"), { className: "muted", textContent: "Nothing is called so." }));
    mark();
  });
  q.addEventListener("keydown", (e) => {
    if (e.key === "ArrowDown" || e.key === "ArrowUp") { at = Math.min(found.length - 1, Math.max(0, at + (e.key === "ArrowDown" ? 1 : -1))); mark(); e.preventDefault(); }
    if (e.key === "Enter") { e.preventDefault(); run(at); }
  });
  box.addEventListener("click", (e) => { if (e.target === box) box.close(); });
  document.addEventListener("click", (e) => { if (e.target.closest("[data-palette]")) openPalette(); });
}

// @ in a note offers who can be told.
function startMentions() {
  const offer = Object.assign(document.createElement("ul"), { className: "mentions menu-list", hidden: true });
  let area = null, found = [], at = 0;
  const close = () => { offer.hidden = true; area = null; };
  const put = (i) => {
    const cut = area.value.slice(0, area.selectionStart).replace(/@[\w.+-]*$/, "@" + found[i][0] + " ");
    area.setRangeText(cut, 0, area.selectionStart, "end");
    const a = area;
    close();
    a.focus();
  };
  const draw = () => offer.replaceChildren(...found.map(([key, name], i) => {
    const li = document.createElement("li"), b = Object.assign(document.createElement("button"), { type: "button", className: "item" });
    b.append(Object.assign(document.createElement("span"), { className: "grow", textContent: name }), Object.assign(document.createElement("small"), { className: "muted", textContent: "@" + key }));
    b.setAttribute("aria-current", String(i === at));
    b.addEventListener("mousedown", (e) => { e.preventDefault(); put(i); });
    li.append(b);
    return li;
  }));
  document.addEventListener("input", (e) => {
    if (!e.target.matches?.("[data-people]")) return;
    const typed = e.target.value.slice(0, e.target.selectionStart).match(/(?:^|\s)@([\w.+-]*)$/);
    if (!typed) return close();
    const q = typed[1].toLowerCase();
    found = (e.target.dataset.people || "").split("\n").filter(Boolean).map((l) => l.split("\t")).filter(([k, n]) => k.toLowerCase().startsWith(q) || n.toLowerCase().includes(q)).slice(0, 6);
    if (!found.length || found.length === 1 && found[0][0] === typed[1]) return close();
    area = e.target;
    at = 0;
    area.after(offer);
    offer.hidden = false;
    draw();
  });
  document.addEventListener("keydown", (e) => {
    if (offer.hidden || e.target !== area) return;
    if (e.key === "ArrowDown" || e.key === "ArrowUp") at = (at + (e.key === "ArrowDown" ? 1 : found.length - 1)) % found.length;
    else if (e.key === "Enter" || e.key === "Tab") put(at);
    else if (e.key === "Escape") close();
    else return;
    e.preventDefault();
    e.stopPropagation();
    if (!offer.hidden) draw();
  }, true);
  document.addEventListener("focusout", (e) => { if (e.target === area) close(); });
}

