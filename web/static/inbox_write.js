// Writing: plain fields become ones for formatted text; what is written of a mail is kept while it is, files are dropped, pasted or chosen, and
// macros come by a slash. Without scripts the forms do the same by their buttons.
import { go, toast } from "./inbox.js";

const pause = 1500, longest = 8000; // milliseconds after the last key, and at most after the first, until it is kept

export function startWriting(announce) {
  const fields = () => { for (const box of document.querySelectorAll("[data-rich]")) box.field ??= new Field(box); };
  document.addEventListener("htmx:after:swap", fields);
  fields();
  if (!document.querySelector(".inbox")) return;
  const scan = () => { for (const box of document.querySelectorAll("[data-compose]")) if (!box.composer) box.composer = new Composer(box, announce); };
  document.addEventListener("htmx:after:swap", scan);
  document.addEventListener("click", (e) => {
    if (e.target.closest("[data-begin], [data-begins] button")) Composer.begun = true; // what comes next is written in at once
  });
  document.addEventListener("keydown", (e) => {
    if (e.target.closest("input, textarea, select, [contenteditable]") || e.ctrlKey || e.metaKey || e.altKey || localStorage.getItem("keys-off") === "1" || document.querySelector("dialog[open]")) return;
    if (e.key === "r" && document.querySelector("[data-compose]")) document.querySelector("[data-compose]").composer.focus();
    else if (e.key === "c" && document.querySelector("[data-new-mail]")) document.querySelector("[data-new-mail]").click();
    else return;
    e.preventDefault();
    e.stopPropagation();
  }, true);
  addEventListener("pagehide", () => { for (const box of document.querySelectorAll("[data-compose]")) box.composer?.keep(true); });
  scan();
}

// Field is a field for formatted text, or for plain text where somebody prefers that. A form gets what it holds as its name with _html.
class Field {
  constructor(box) {
    Object.assign(this, { box, form: box.closest("form") ?? box.querySelector("form"), editor: box.querySelector("[data-editor]"), area: box.querySelector("[data-answer]") });
    this.rich(localStorage.getItem("write-plain") !== "1");
    box.addEventListener("click", (e) => { const b = e.target.closest("button"); if (b) this.tool(e, b); });
    box.addEventListener("keydown", (e) => { if (e.target.matches("[data-link]") && e.key === "Enter") { e.preventDefault(); this.link(); } });
    box.addEventListener("paste", (e) => this.paste(e));
    for (const l of this.area.labels) l.addEventListener("click", (e) => { e.preventDefault(); this.focus(); });
    this.form.addEventListener("formdata", (e) => { if (this.isRich) e.formData.set(this.area.name + "_html", clean(this.editor.innerHTML)); });
  }

  focus() { (this.isRich ? this.editor : this.area).focus(); }
  changed() {}

  // Formatted or plain: one of the two fields is shown, and holds what was in the other.
  rich(yes, carry) {
    if (carry && yes) this.editor.replaceChildren(...lines(this.area.value));
    if (carry && !yes) this.area.value = this.editor.innerText.replace(/\n{3,}/g, "\n\n");
    this.isRich = yes;
    this.editor.hidden = !yes;
    this.area.hidden = yes;
    const tools = this.box.querySelector(".compose-tools");
    tools.hidden = false;
    for (const b of tools.querySelectorAll("[data-format]")) b.hidden = !yes;
    tools.querySelector("[data-plain]").setAttribute("aria-pressed", String(!yes));
  }

  tool(e, b) {
    if (b.dataset.format) { e.preventDefault(); this.format(b.dataset.format); }
    if (b.matches("[data-plain]")) { this.rich(!this.isRich, true); localStorage.setItem("write-plain", this.isRich ? "0" : "1"); this.focus(); this.changed(); }
    if (b.matches("[data-link-set]")) this.link();
  }

  format(command) {
    if (command === "link") {
      const s = getSelection();
      this.range = s.rangeCount && this.editor.contains(s.anchorNode) ? s.getRangeAt(0).cloneRange() : null;
      const ask = this.box.querySelector(".compose-link");
      ask.hidden = !ask.hidden;
      if (!ask.hidden) ask.querySelector("input").focus();
      return;
    }
    this.editor.focus();
    if (command === "quote") document.execCommand(getSelection().anchorNode?.parentElement?.closest("blockquote") ? "outdent" : "formatBlock", false, "blockquote");
    else document.execCommand(command);
    this.changed();
  }

  link() {
    const field = this.box.querySelector("[data-link]");
    let to = field.value.trim();
    if (!to) return;
    if (!/^(https?:|mailto:|tel:)/i.test(to)) to = (to.includes("@") ? "mailto:" : "https://") + to;
    this.box.querySelector(".compose-link").hidden = true;
    field.value = "";
    this.editor.focus();
    if (this.range) { const s = getSelection(); s.removeAllRanges(); s.addRange(this.range); }
    if (getSelection().isCollapsed) {
      const a = Object.assign(document.createElement("a"), { href: to, textContent: to.replace(/^mailto:/, "") });
      document.execCommand("insertHTML", false, a.outerHTML);
    } else document.execCommand("createLink", false, to);
    this.changed();
  }

  paste(e) {
    const text = e.clipboardData?.getData("text/html");
    if (!text || !this.isRich || !this.editor.contains(e.target)) return;
    e.preventDefault();
    document.execCommand("insertHTML", false, clean(text));
  }
}

class Composer extends Field {
  static begun = false;

  constructor(box, announce) {
    super(box);
    Object.assign(this, { announce, dirty: false, first: 0, queue: Promise.resolve(), kept: box.querySelector("[data-kept]") });
    for (const e of box.querySelectorAll("[data-more-fields]")) {
      e.hidden = false;
      e.addEventListener("click", (c) => { c.preventDefault(); e.hidden = true; box.classList.add("all-fields"); box.querySelector("[name=cc]").focus(); });
    }
    const on = (type, do_) => box.addEventListener(type, do_);
    on("input", (e) => { if (!e.target.matches("[data-link], [data-pick-files]")) this.changed(); });
    on("input", () => this.slash());
    on("keydown", (e) => this.key(e));
    on("focusin", () => this.present());
    on("focusout", () => { if (this.dirty) this.keep(); });
    on("submit", (e) => { e.preventDefault(); if (e.target === this.form) this.submit(e.submitter); });
    on("change", (e) => { if (e.target.matches("[data-pick-files]")) { this.attach(e.target.files); e.target.value = ""; } });
    on("dragover", (e) => { if (e.dataTransfer.types.includes("Files")) { e.preventDefault(); box.classList.add("is-over"); } });
    on("dragleave", (e) => { if (!box.contains(e.relatedTarget)) box.classList.remove("is-over"); });
    on("drop", (e) => { box.classList.remove("is-over"); if (e.dataTransfer.files.length) { e.preventDefault(); this.attach(e.dataTransfer.files); } });
    if (Composer.begun) {
      Composer.begun = false;
      const to = this.form.elements.to;
      if (to.value) this.focus(); else to.focus();
      box.scrollIntoView({ block: "nearest" });
    }
  }

  at(what) { return this.box.dataset.compose + what; }
  focus() {
    super.focus();
    this.box.scrollIntoView({ block: "nearest" });
  }

  body(more) {
    const f = new FormData(this.form);
    if (this.isRich) f.delete("text");
    for (const [k, v] of Object.entries(more ?? {})) f.set(k, v);
    return new URLSearchParams(f);
  }

  changed() {
    const now = Date.now();
    this.dirty = true;
    this.first ||= now;
    this.say("");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.keep(), Math.max(0, Math.min(pause, this.first + longest - now)));
  }

  say(text) { this.kept.textContent = text; }

  // keep keeps what is written, one keeping after the other; leaving says that the page goes away.
  keep(leaving) {
    if (!this.dirty || this.over) return this.queue;
    if (leaving) return void fetch(this.at("save"), { method: "POST", keepalive: true, headers: { Accept: "application/json" }, body: this.body() }).catch(() => {});
    this.dirty = false;
    this.first = 0;
    clearTimeout(this.timer);
    this.queue = this.queue.then(async () => {
      const a = await this.post("save", this.body());
      if (a.ok) {
        if (this.unkept) this.refused({});
        this.unkept = false;
        if (!this.dirty) this.say("Kept at " + a.kept);
      } else {
        this.dirty = this.unkept = true;
        this.say("Not kept");
        this.refused(a);
      }
    });
    return this.queue;
  }

  async post(what, body) {
    try {
      const r = await fetch(this.at(what), { method: "POST", headers: { Accept: "application/json" }, body });
      if (r.status === 401) { location.reload(); return { ok: false }; }
      const a = await r.json();
      a.ok = r.ok;
      if (a.version) this.form.elements.version.value = a.version;
      if (a.files !== undefined || what === "detach" && a.ok) this.box.querySelector("[data-files]").innerHTML = a.files ?? "";
      return a;
    } catch {
      return { k: "bad", w: "The server could not be reached.", d: "What you wrote is still here; it is tried again.", ok: false, away: true };
    }
  }

  refused(a) {
    const p = this.box.querySelector("[data-problem]");
    p.hidden = !a.w;
    p.querySelector(".what").textContent = a.w ?? "";
    p.querySelector(".do").textContent = a.d ?? "";
    p.querySelector("[data-anyway]").hidden = !a.anyway;
    p.querySelector("[data-theirs]").hidden = p.querySelector("[data-mine]").hidden = !a.stale;
    if (a.away) this.timer = setTimeout(() => this.keep(), 5000);
  }

  async submit(button) {
    const what = (button?.getAttribute("formaction") ?? this.form.action).split("/").pop();
    if (what === "macro") return this.macro(button);
    if (what === "send" && this.over || this.going) return;
    this.going = what !== "detach";
    clearTimeout(this.timer);
    await this.queue;
    const next = button?.dataset.next !== undefined ? document.querySelector("#t-" + CSS.escape(document.querySelector(".th[data-thread]")?.dataset.thread ?? "") + " + tr [data-open]")?.href : null;
    const a = await this.post(what, this.body(button?.name ? { [button.name]: button.value } : {}));
    this.going = false;
    if (!a.ok || what === "detach") {
      if (this.dirty) this.changed(); // it is kept all the same
      this.refused(a.ok ? {} : a);
      return;
    }
    this.refused({});
    this.over = true;
    this.dirty = false;
    clearInterval(this.beat);
    toast(a, this.announce);
    this.box.removeAttribute("hx-morph-skip");
    await go(next ?? a.to ?? location.href);
  }

  tool(e, b) {
    super.tool(e, b);
    if (b.matches("[data-theirs]")) location.reload();
    if (b.matches("[data-mine]")) { this.form.elements.version.value = 0; this.refused({}); this.dirty = true; this.keep(); }
  }

  key(e) {
    if (!this.offer || this.offer.hidden || e.target !== (this.isRich ? this.editor : this.area)) return;
    const all = [...this.offer.querySelectorAll("button")], i = all.findIndex((b) => b.getAttribute("aria-current") === "true");
    if (e.key === "ArrowDown" || e.key === "ArrowUp") { const n = (i + (e.key === "ArrowDown" ? 1 : all.length - 1)) % all.length; all.forEach((b, k) => b.setAttribute("aria-current", String(k === n))); }
    else if (e.key === "Enter" && !e.ctrlKey && !e.metaKey || e.key === "Tab") all[i]?.dispatchEvent(new MouseEvent("mousedown", { bubbles: true, cancelable: true }));
    else if (e.key === "Escape") this.offer.hidden = true;
    else return;
    e.preventDefault();
    e.stopPropagation();
  }

  // A slash and the beginning of a macro's name offers it.
  slash() {
    const macros = [...this.box.querySelectorAll("[data-macro]")];
    if (!macros.length) return;
    const typed = this.before().match(/(?:^|\s)\/([\w-]*)$/);
    this.offer ??= this.box.querySelector(".compose-text").appendChild(Object.assign(document.createElement("div"), { className: "menu-list mentions", hidden: true }));
    const q = typed?.[1].toLowerCase();
    const found = typed ? macros.filter((b) => b.dataset.macro.toLowerCase().split("\t").some((n) => n.startsWith(q))).slice(0, 8) : [];
    this.offer.hidden = !found.length;
    this.offer.replaceChildren(...found.map((b, i) => {
      const o = Object.assign(document.createElement("button"), { type: "button", className: "item" });
      o.append(...[...b.childNodes].map((n) => n.cloneNode(true)));
      o.setAttribute("aria-current", String(i === 0));
      o.addEventListener("mousedown", (e) => { e.preventDefault(); this.offer.hidden = true; this.macro(b, q.length + 1); });
      return o;
    }));
  }

  before() {
    if (!this.isRich) return document.activeElement === this.area ? this.area.value.slice(0, this.area.selectionStart) : "";
    const s = getSelection();
    return s.isCollapsed && s.anchorNode?.nodeType === 3 && this.editor.contains(s.anchorNode) ? s.anchorNode.data.slice(0, s.anchorOffset) : "";
  }

  // macro puts a macro's text where one writes, in the place of so many signs that were typed.
  async macro(button, typed = 0) {
    button.closest("details")?.removeAttribute("open");
    const a = await this.post("macro", new URLSearchParams({ macro: button.value }));
    if (!a.ok) return this.refused(a);
    this.focus();
    if (this.isRich) {
      const s = getSelection();
      if (!this.editor.contains(s.anchorNode) || s.anchorNode === this.editor && !typed) { s.selectAllChildren(this.editor); s.collapseToEnd(); }
      for (let i = 0; i < typed; i++) s.modify("extend", "backward", "character");
      document.execCommand("insertHTML", false, clean(a.text ?? ""));
    } else {
      const div = document.createElement("div");
      div.innerHTML = clean(a.text ?? "");
      this.area.setRangeText(said(div), this.area.selectionStart - typed, this.area.selectionEnd, "end");
    }
    this.changed();
  }

  paste(e) {
    const files = [...(e.clipboardData?.files ?? [])];
    const text = e.clipboardData?.getData("text/html");
    const shown = this.isRich && this.editor.contains(e.target) && files.length && files.every((f) => /^image\/(png|jpeg|gif|webp)$/.test(f.type));
    if (shown && (!text || !said(new DOMParser().parseFromString(text, "text/html").body).trim())) { // one picture, copied as such or from a page
      e.preventDefault();
      return void files.reduce((before, f) => before.then(() => this.picture(f)), Promise.resolve());
    }
    if (files.length && !text) { e.preventDefault(); return void this.attach(files); }
    super.paste(e);
  }

  // picture puts a picture into the text: a file of the mail, named by its content id. One that is not taken goes again.
  async picture(file) {
    const id = crypto.randomUUID() + "@tocsin";
    const data = await new Promise((done) => { const r = new FileReader(); r.onload = () => done(r.result); r.onerror = () => done(""); r.readAsDataURL(file); });
    const img = Object.assign(document.createElement("img"), { src: data, alt: file.name || "Picture" });
    img.dataset.cid = id;
    this.editor.focus();
    document.execCommand("insertHTML", false, img.outerHTML);
    if (await this.attach([file], id)) this.changed();
    else this.editor.querySelector(`img[data-cid="${id}"]`)?.remove();
  }

  // attach sends files, one after the other, and says how far each is; shown is the content id of one that is shown in the text. What is too
  // large is said before. It tells whether all were taken.
  async attach(files, shown) {
    let all = true;
    const list = this.box.querySelector("[data-files]"), largest = Number(this.box.dataset.largest) || Infinity;
    for (const file of [...files]) { // the field's own list is emptied meanwhile
      if (file.size > largest) {
        this.refused({ w: `The file ${file.name} is too large.`, d: this.box.querySelector(".compose-hint").firstChild.textContent.trim() });
        all = false;
        continue;
      }
      const bar = Object.assign(document.createElement("progress"), { max: 100, value: 0 });
      const row = Object.assign(document.createElement("p"), { className: "row small" });
      row.append(file.name + " ", bar);
      list.append(row);
      const a = await new Promise((done) => {
        const x = new XMLHttpRequest(), f = new FormData();
        if (shown) f.set("cid", shown);
        f.set("file", file, file.name || "picture.png");
        x.open("POST", this.at("files"));
        x.setRequestHeader("Accept", "application/json");
        x.upload.onprogress = (p) => { if (p.lengthComputable) bar.value = 100 * p.loaded / p.total; };
        x.onload = () => { try { done({ ...JSON.parse(x.responseText), ok: x.status < 300 }); } catch { done({ w: "The file was not taken.", d: "Try it again.", ok: false }); } };
        x.onerror = () => done({ w: "The server could not be reached.", d: `${file.name} is not attached: try it again.`, ok: false });
        x.send(f);
      });
      row.remove();
      if (!a.ok) { this.refused(a); all = false; continue; }
      list.innerHTML = a.files ?? "";
      this.announce(shown ? "The picture is in the text" : `${file.name} is attached`);
    }
    return all;
  }

  // present says to the others that one answers here, for as long as one does.
  present() {
    const at = this.box.dataset.presence;
    if (!at || this.beat) return;
    const say = () => {
      if (!this.box.isConnected) return void clearInterval(this.beat);
      fetch(at, { method: "POST", headers: { Accept: "application/json" }, body: new URLSearchParams({ kind: "replying" }) }).catch(() => {});
    };
    say();
    this.beat = setInterval(say, 60000);
  }
}

// lines is plain text as a field for formatted text holds it.
function lines(text) {
  return text.split("\n").map((l) => { const d = document.createElement("div"); if (l) d.textContent = l; else d.append(document.createElement("br")); return d; });
}

// said is what an element says as plain text, though it is not in the page.
function said(e) {
  return [...e.childNodes].map((n) => n.nodeType === 3 ? n.data : n.nodeName === "BR" ? "\n" : said(n) + (/^(DIV|P|LI|BLOCKQUOTE)$/.test(n.nodeName) ? "\n" : "")).join("");
}

// What may be pasted and is sent: formatted text and links, without the styles that browsers add of how it looked here, dark or light. The server
// holds it to the same, and more strictly.
const kept = new Set(["A", "B", "STRONG", "I", "EM", "U", "S", "BR", "P", "DIV", "UL", "OL", "LI", "BLOCKQUOTE", "PRE", "CODE", "H1", "H2", "H3", "H4", "TABLE", "THEAD", "TBODY", "TR", "TD", "TH"]);
const dropped = new Set(["SCRIPT", "STYLE", "TITLE", "META", "LINK", "HEAD", "IFRAME", "OBJECT", "TEMPLATE", "NOSCRIPT", "SVG", "MATH"]);
function clean(html) {
  const out = document.implementation.createHTMLDocument("").createElement("div"); // in which nothing is loaded
  const walk = (from, to) => {
    for (const n of from.childNodes) {
      if (n.nodeType === 3) to.append(n.data);
      if (n.nodeType !== 1 || dropped.has(n.nodeName.toUpperCase())) continue;
      let at = to;
      if (kept.has(n.nodeName)) {
        at = out.ownerDocument.createElement(n.nodeName);
        const href = n.nodeName === "A" ? n.getAttribute("href") ?? "" : "";
        if (/^(https?:|mailto:|tel:)/i.test(href)) at.setAttribute("href", href);
        to.append(at);
      } else if (n.nodeName === "IMG") { // a file of the mail
        const src = /^[\w.@+-]{1,200}$/.test(n.dataset.cid ?? "") ? "cid:" + n.dataset.cid : n.getAttribute("src") ?? "";
        if (/^cid:/i.test(src)) to.append(Object.assign(out.ownerDocument.createElement("img"), { src, alt: n.alt }));
      }
      walk(n, at);
    }
  };
  walk(new DOMParser().parseFromString(html, "text/html").body, out);
  return out.innerHTML;
}
