// The tail of mail: rows come by themselves, a few a second however much happens, with the true counts beside them.
// What is on the page stays bounded: so many rows, so many bars.
const most = 200, seconds = 60;
const figure = { format: (n) => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f") }; // as the pages write numbers
const plural = (n, one, many) => `${figure.format(n)} ${n === 1 ? one : many}`;

export function startTail(announce) {
  let stop = begin(announce);
  // A filter brings another tail.
  document.addEventListener("htmx:after:swap", () => {
    const at = document.querySelector("[data-tail]");
    if (at && !at.dataset.begun) { stop?.(); stop = begin(announce); }
  });
  addEventListener("pagehide", () => stop?.());
  addEventListener("pageshow", (e) => { if (e.persisted) stop = begin(announce); });
}

function begin(announce) {
  const at = document.querySelector("[data-tail]");
  if (!at) return;
  at.dataset.begun = "1";
  const part = (name) => at.querySelector(`[data-tail-${name}]`);
  const words = part("words"), waiting = part("waiting"), newest = part("newest"), bars = [...part("plot").querySelectorAll("rect.bar")];
  const counts = new Array(seconds).fill(0);
  let came = 0, unseen = 0, held = null, said = "", ended = false;
  let paused = sessionStorage.getItem("live-paused") === "1";
  part("live").hidden = false;

  const draw = () => {
    const top = Math.max(4, ...counts);
    counts.forEach((n, i) => {
      const h = n ? Math.max(1.5, 46 * n / top) : 0;
      bars[i].setAttribute("y", String(48 - h));
      bars[i].setAttribute("height", String(h));
    });
    part("top").textContent = `at most ${figure.format(Math.max(...counts))} a second in the last minute`;
  };
  const tick = setInterval(() => {
    counts.push(0);
    counts.shift();
    if (!document.hidden) draw();
  }, 1000);

  const rows = (html) => {
    const body = at.querySelector("tbody");
    if (!body) { location.reload(); return 0; } // the list was empty, and says so
    const made = document.createElement("template");
    made.innerHTML = html;
    const had = new Set([...body.rows].map((r) => r.dataset.key));
    const fresh = [...made.content.children].filter((r) => !had.has(r.dataset.key));
    if (fresh.length <= 5) for (const r of fresh) { // more would be a page that only blinks
      r.classList.add("is-new");
      setTimeout(() => r.classList.remove("is-new"), 4200);
    }
    body.prepend(...fresh);
    while (body.rows.length > most) body.rows[body.rows.length - 1].remove();
    return fresh.length;
  };
  const away = () => at.querySelector("table")?.getBoundingClientRect().top < -40;
  const showNewest = () => {
    newest.hidden = !unseen || !away();
    if (newest.hidden) unseen = 0;
    newest.querySelector("span").textContent = `${plural(unseen, "new row", "new rows")} above`;
  };
  const showWaiting = () => {
    waiting.hidden = !paused;
    waiting.querySelector("span").textContent = came ? `Paused. ${plural(came, "event", "events")} came meanwhile.` : "Paused. Nothing came meanwhile.";
  };
  const moment = (m) => {
    const span = m.span < 1.6 ? "this second" : `in the last ${Math.round(m.span)} seconds`;
    if (m.passed) said = `${plural(m.passed, "event", "events")} came at once and were not looked through. The list has them.`;
    else if (m.fits > m.shown) said = `Showing ${m.shown} of ${figure.format(m.fits)} ${span}, picked at random.`;
    else said = `Showing all ${figure.format(m.fits)} of ${span}.`;
    if (!m.passed && m.fits < m.count) said += ` ${figure.format(m.count)} came in all; the others do not fit the filter.`;
    counts[seconds - 1] += m.fits;
    if (paused) { came += m.fits; held = m; showWaiting(); return; }
    take(m);
  };
  const take = (m) => {
    words.textContent = said;
    const list = Object.entries(m.actions).sort((a, b) => b[1] - a[1]);
    part("counts").replaceChildren(...list.map(([word, n]) => {
      const li = document.createElement("li");
      const b = document.createElement("b");
      b.textContent = figure.format(n);
      li.append(b, " " + word.toLowerCase());
      return li;
    }));
    if (m.rows) unseen += rows(m.rows);
    showNewest();
    draw();
  };

  const source = new EventSource(at.dataset.tail);
  source.addEventListener("moment", (e) => moment(JSON.parse(e.data)));
  source.addEventListener("hello", () => { if (!said) words.textContent = "Waiting for what comes."; });
  source.addEventListener("error", () => { if (!ended) words.textContent = "Not connected. It is tried again."; });

  const pause = (e) => {
    paused = e.detail;
    if (!paused) {
      if (came) announce(`${plural(came, "event", "events")} came while it was paused`);
      if (held) take(held);
      came = 0;
      held = null;
    }
    showWaiting();
  };
  document.addEventListener("tocsin:paused", pause);
  document.addEventListener("scroll", showNewest, { passive: true });
  waiting.querySelector("button").addEventListener("click", () => document.dispatchEvent(new CustomEvent("tocsin:pause")));
  newest.addEventListener("click", () => {
    unseen = 0;
    newest.hidden = true;
    at.scrollIntoView({ block: "start" });
    at.querySelector("tbody a")?.focus({ preventScroll: true });
  });
  showWaiting();
  draw();
  return () => {
    ended = true;
    clearInterval(tick);
    source.close();
    document.removeEventListener("tocsin:paused", pause);
    document.removeEventListener("scroll", showNewest);
    delete at.dataset.begun;
  };
}
