// Live pages. The switch holds the stream (htmx's server-sent events); when facts come on which the page's live part
// depends, that part is fetched again and morphed: what is typed, chosen or open stays. New rows are marked shortly.
const words = { wait: "Connecting", on: "Live", paused: "Paused", lost: "Not connected" };
const settle = 700, longest = 4000; // milliseconds after the last fact, and at most after the first

export function startLive(announce) {
  const pill = document.querySelector("[data-live-switch]");
  const part = () => document.getElementById("live-part");
  if (!pill) return;
  let waiting = 0, timer = 0, first = 0, busy = false, again = false;
  let paused = sessionStorage.getItem("live-paused") === "1";

  const show = (state) => {
    pill.dataset.state = state;
    pill.querySelector("[data-live-word]").textContent = state === "paused" && waiting ? `Paused, ${waiting} new` : words[state];
    const b = pill.querySelector("[data-live-toggle]");
    const label = state === "paused" ? "Go on with live updates" : "Pause live updates";
    b.setAttribute("aria-label", label);
    b.title = label + " (p)";
    b.setAttribute("aria-pressed", String(state === "paused"));
  };
  let linked = "wait";
  const link = (state) => { linked = state; if (!paused) show(state); };

  const refresh = async () => {
    const at = part();
    clearTimeout(timer);
    timer = first = 0;
    if (!at) return;
    if (busy) { again = true; return; }
    busy = true;
    const had = new Set([...at.querySelectorAll("[data-key]")].map((e) => e.dataset.key));
    try {
      await htmx.ajax("GET", location.pathname + location.search, { source: at, target: at, select: "#live-part", swap: "outerMorph" });
    } finally {
      busy = false;
      if (again) { again = false; timer = setTimeout(refresh, settle); } // what came while it was fetched
    }
    const fresh = [...(part()?.querySelectorAll("[data-key]") ?? [])].filter((e) => !had.has(e.dataset.key));
    for (const e of fresh) {
      e.classList.add("is-new");
      setTimeout(() => e.classList.remove("is-new"), 4200);
    }
    if (fresh.length) announce(`${fresh.length} new on this page`);
    document.dispatchEvent(new CustomEvent("tocsin:refreshed"));
  };

  // A refresh that was asked for before somebody went on to another address is not that page: it comes too late, and is dropped.
  document.addEventListener("htmx:after:request", (e) => {
    const { ctx } = e.detail;
    if (ctx?.sourceElement?.id === "live-part" && ctx.request.action !== location.pathname + location.search) e.preventDefault();
  });

  const facts = (kinds) => {
    const cares = (part()?.dataset.live ?? "").split(" ");
    let n = 0;
    for (const [kind, count] of Object.entries(kinds)) if (cares.includes(kind.split(".")[0])) n += count;
    if (!n) return;
    if (paused) { waiting += n; show("paused"); return; }
    const now = Date.now();
    first ||= now;
    clearTimeout(timer);
    timer = setTimeout(refresh, Math.max(0, Math.min(settle, first + longest - now)));
  };

  // What no fact tells of, as how much of a limit is used, is fetched every so often while it is looked at.
  const every = Number(part()?.dataset.every);
  if (every > 0) setInterval(() => { if (!paused && !document.hidden && linked === "on") refresh(); }, every * 1000);

  pill.addEventListener("hello", () => link("on"));
  pill.addEventListener("facts", (e) => { link("on"); facts(JSON.parse(e.detail.data)); });
  pill.addEventListener("htmx:sse:error", () => link("lost"));
  pill.addEventListener("htmx:sse:close", () => link("lost"));

  const toggle = () => {
    paused = !paused;
    sessionStorage.setItem("live-paused", paused ? "1" : "0");
    document.dispatchEvent(new CustomEvent("tocsin:paused", { detail: paused }));
    if (paused) { clearTimeout(timer); timer = first = 0; show("paused"); announce("Live updates are paused"); return; }
    show(linked);
    announce("Live updates go on");
    if (waiting) { waiting = 0; refresh(); }
  };
  pill.querySelector("[data-live-toggle]").addEventListener("click", toggle);
  document.addEventListener("tocsin:pause", toggle);
  show(paused ? "paused" : linked);
  // Only now, and after htmx has looked through the page: what listens must be there before what comes.
  setTimeout(() => {
    pill.setAttribute("hx-sse:connect", pill.dataset.liveSwitch);
    htmx.process(pill);
  });
}
