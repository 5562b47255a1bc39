// The keyboard. Nothing fires in a field, with a modifier, or when the viewer has switched single keys off.
import { go, open, pick, pickNone } from "./rows.js";

const places = { o: "overview", f: "findings", a: "actions", r: "rules", m: "mailboxes", i: "identities", d: "detections", c: "connections", v: "investigations", t: "inbox" };

export function startKeys() {
  const off = document.querySelector("[data-keys-off]");
  if (off) {
    off.checked = localStorage.getItem("keys-off") === "1";
    off.addEventListener("change", () => localStorage.setItem("keys-off", off.checked ? "1" : "0"));
  }
  const help = document.getElementById("help");
  let g = 0;
  document.addEventListener("keydown", (e) => {
    const field = e.target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
    if (e.key === "Escape") {
      if (field) field.blur();
      else if (!help?.open) pickNone();
      return;
    }
    if (field || e.ctrlKey || e.metaKey || e.altKey || help?.open || localStorage.getItem("keys-off") === "1") return;
    if (Date.now() - g < 1200) {
      g = 0;
      const tenant = location.pathname.match(/^\/t\/[^/]+/)?.[0] ?? document.querySelector(".nav a[href^='/t/']")?.getAttribute("href").match(/^\/t\/[^/]+/)?.[0];
      if (e.key === "s") return void (location.href = "/settings");
      if (tenant && places[e.key]) location.href = `${tenant}/${places[e.key]}`;
      return;
    }
    switch (e.key) {
      case "j": go(1); break;
      case "k": go(-1); break;
      case "o": open(); break;
      case "Enter":
        if (e.target.closest("a, button, summary, input")) return;
        open();
        break;
      case "x": pick(); break;
      case "p": document.dispatchEvent(new CustomEvent("tocsin:pause")); break;
      case "g": g = Date.now(); return;
      case "?": help?.showModal(); break;
      case "/": {
        const search = document.querySelector("[data-search]");
        if (!search) return;
        search.focus();
        search.select();
        break;
      }
      default: return;
    }
    e.preventDefault();
  });
}
