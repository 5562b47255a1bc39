// The task pane of the add-in: says which mail is open, and reports it. Office.js stands before it.
"use strict";

const key = location.pathname.split("/")[2];
const the = (id) => document.getElementById(id);

function say(text, bad) {
  the("said").textContent = text;
  the("said").className = bad ? "bad" : "good";
}

// shown is a text in which what cannot be seen, or turns the direction of what is, stands as its code point.
function shown(s) {
  return String(s ?? "").replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, (c) => "[U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") + "]");
}

// whose is in whose mailbox the mail is: one's own, or a shared one that is open.
function whose(item, mailbox) {
  const own = mailbox.userProfile.emailAddress;
  if (typeof item.getSharedPropertiesAsync !== "function") return Promise.resolve(own);
  return new Promise((done) => {
    try {
      item.getSharedPropertiesAsync((r) => done(r.status === "succeeded" && r.value?.owner ? r.value.owner : own));
    } catch {
      done(own); // it is no shared one
    }
  });
}

async function report(item, mailbox) {
  const body = { key, mailbox: await whose(item, mailbox), internet_message_id: item.internetMessageId, note: the("note").value.trim() };
  if (item.itemId && mailbox.convertToRestId) body.message = mailbox.convertToRestId(item.itemId, "v2.0");
  const answer = await fetch("/api/v1/addin/report", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), credentials: "omit", referrerPolicy: "no-referrer" });
  const got = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error([got.what, got.do].filter(Boolean).join(" ") || "The report did not arrive. Try again in a minute.");
  return got;
}

function begin() {
  const mailbox = Office.context?.mailbox;
  const item = mailbox?.item;
  if (!item || !item.internetMessageId) {
    the("what").textContent = "Open a mail that you have received, then press Report again.";
    return;
  }
  the("what").hidden = true;
  the("subject").textContent = shown(item.subject) || "(no subject)";
  the("sender").textContent = [shown(item.from?.displayName), shown(item.from?.emailAddress)].filter(Boolean).join(" · ");
  const form = the("report");
  form.hidden = false;
  form.addEventListener("submit", async (e) => {
    e.preventDefault();
    const button = the("send");
    button.disabled = true;
    button.textContent = "Reporting …";
    try {
      const got = await report(item, mailbox);
      form.hidden = true;
      say(got.again ? "You have reported this mail before. The security team has it." : "Thank you. The security team has your report.", false);
    } catch (err) {
      button.disabled = false;
      button.textContent = "Report";
      say(err.message, true);
    }
  });
}

if (typeof Office === "undefined") the("what").textContent = "This page works within Outlook only.";
else Office.onReady(begin);
