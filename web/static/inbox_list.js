// The list of the inbox: what is done with the threads that are chosen, and what came of it.
import { pickNone } from "./rows.js";

// bulkBar is what is shown while rows are chosen.
export const bulkBar = () => document.querySelector("[data-bulkbar]:not([hidden])");

export function startInboxList() {
  let whole = null; // the filter of which all are chosen, also those of other pages: a page that is made anew has it still
  const filter = () => document.querySelector('#bulk [name="filter"]')?.value ?? null;
  const show = ({ chosen, of }) => {
    const more = document.querySelector("[data-bulk-more]"), all = document.querySelector("[data-bulk-all]");
    if (chosen === 0 || chosen < of || whole !== filter()) whole = null;
    if (all) all.disabled = whole === null;
    if (more) more.hidden = whole !== null || chosen === 0 || chosen < of;
    if (whole !== null) document.querySelector("[data-picked]").textContent = "All of this list are chosen";
  };
  document.addEventListener("tocsin:picked", (e) => show(e.detail));
  document.addEventListener("click", (e) => {
    if (!e.target.closest("[data-bulk-more]")) return;
    whole = filter();
    show({ chosen: 1, of: 1 });
  });
}

const subject = (id) => document.getElementById("t-" + id)?.querySelector(".tl-subject")?.textContent.trim() || "A thread of another page";

// showDone says what was done with how many, what was not with which, and takes it back where it can be.
export function showDone({ k, w, d, bulk, ok }, announce, undo) {
  const box = document.getElementById("toasts");
  announce(w);
  if (!box) return;
  const t = document.createElement("div");
  t.className = "toast " + k;
  t.append(Object.assign(document.createElement("strong"), { textContent: w }));
  const refused = bulk.refused ?? [];
  if (refused.length) {
    const list = document.createElement("ul");
    for (const r of refused.slice(0, 5)) {
      const li = document.createElement("li");
      li.append(Object.assign(document.createElement("b"), { textContent: subject(r.thread) }), " was left as it is: " + r.because);
      list.append(li);
    }
    if (refused.length > 5) list.append(Object.assign(document.createElement("li"), { textContent: `and ${refused.length - 5} more.` }));
    t.append(list);
  } else if (d) t.append(Object.assign(document.createElement("span"), { textContent: d }));
  const buttons = Object.assign(document.createElement("p"), { className: "row" });
  const button = (word, act) => {
    const b = Object.assign(document.createElement("button"), { type: "button", className: "btn small", textContent: word });
    b.addEventListener("click", () => { t.remove(); act?.(); });
    buttons.append(b);
  };
  if (bulk.undo) button("Undo", () => undo(bulk.undo));
  if (refused.length) button("Close");
  if (buttons.children.length) t.append(buttons);
  box.append(t);
  if (!refused.length) setTimeout(() => t.remove(), 12000);
  if (ok) pickNone();
}
