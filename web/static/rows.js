// Rows of a list: which one is at hand, which are chosen, and what is done with those chosen.
export const rows = () => [...document.querySelectorAll("table[data-rows] tbody tr")];
export const here = () => document.querySelector("table[data-rows] tr.is-at");

export function go(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(here());
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))];
  here()?.classList.remove("is-at");
  next.classList.add("is-at");
  next.scrollIntoView({ block: "nearest" });
  next.querySelector("[data-open]")?.focus({ preventScroll: true });
}

export function open() {
  here()?.querySelector("[data-open]")?.click();
}

export function pick() {
  const box = here()?.querySelector("[data-pick]");
  if (box) { box.checked = !box.checked; count(); }
}

export function pickNone() {
  for (const b of document.querySelectorAll("[data-pick]")) b.checked = false;
  count();
}

function count() {
  const boxes = [...document.querySelectorAll("[data-pick]")];
  const chosen = boxes.filter((b) => b.checked);
  for (const b of boxes) b.closest("tr").classList.toggle("is-picked", b.checked);
  const all = document.querySelector("[data-pick-all]");
  if (all) { all.checked = chosen.length > 0 && chosen.length === boxes.length; all.indeterminate = chosen.length > 0 && chosen.length < boxes.length; }
  const bar = document.querySelector("[data-bulkbar]");
  if (!bar) return;
  bar.hidden = chosen.length === 0;
  bar.querySelector("[data-picked]").textContent = `${chosen.length} chosen`;
  document.dispatchEvent(new CustomEvent("tocsin:picked", { detail: { chosen: chosen.length, of: boxes.length } }));
  const status = bar.querySelector("[data-bulk-status]");
  if (!status) return; // what is done with those chosen is said on the next page
  bar.querySelector("[data-bulk-until]").hidden = status.value !== "accepted";
  const reason = bar.querySelector("[data-bulk-reason]");
  reason.hidden = status.value !== "accepted" && status.value !== "false_alarm";
  reason.querySelector("input").required = !reason.hidden;
  const what = { in_work: "Take into work", fixed: "Mark as fixed", accepted: "Accept", false_alarm: "Declare false alarm", open: "Open again" }[status.value];
  bar.querySelector("[data-bulk-go]").textContent = `${what}: ${chosen.length} ${chosen.length === 1 ? "finding" : "findings"}`;
}

export function startRows() {
  let last = null;
  document.addEventListener("click", (e) => {
    const box = e.target.closest("[data-pick]");
    if (box) {
      const boxes = [...document.querySelectorAll("[data-pick]")];
      if (e.shiftKey && last) {
        const [a, b] = [boxes.indexOf(last), boxes.indexOf(box)].sort((x, y) => x - y);
        if (a >= 0) for (const c of boxes.slice(a, b + 1)) c.checked = box.checked;
      }
      last = box;
      count();
    }
    if (e.target.closest("[data-pick-none]")) pickNone();
  });
  document.addEventListener("change", (e) => {
    if (e.target.matches("[data-pick-all]")) {
      for (const b of document.querySelectorAll("[data-pick]")) b.checked = e.target.checked;
      count();
    } else if (e.target.matches("[data-bulk-status]")) count();
  });
  document.addEventListener("focusin", (e) => {
    const row = e.target.closest("table[data-rows] tbody tr");
    if (!row || row === here()) return;
    here()?.classList.remove("is-at");
    row.classList.add("is-at");
  });
  document.addEventListener("htmx:after:swap", count);
  document.addEventListener("tocsin:refreshed", count);
  count();
}
