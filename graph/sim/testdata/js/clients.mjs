// Microsoft's own clients against the simulator. The environment has SIM, the line that the simulator prints; what goes
// wrong is printed and the exit status is 1.
import "isomorphic-fetch";
import assert from "node:assert/strict";
import crypto from "node:crypto";
import { ConfidentialClientApplication, CryptoProvider } from "@azure/msal-node";
import graph from "@microsoft/microsoft-graph-client";

const sim = JSON.parse(process.env.SIM);
const scopes = ["https://graph.microsoft.com/.default"];

function application(credential) {
  return new ConfidentialClientApplication({
    auth: { clientId: sim.client_id, authority: `${sim.authority}/${sim.tenant}`, knownAuthorities: [new URL(sim.authority).host], ...credential },
  });
}

async function token(credential) {
  const result = await application(credential).acquireTokenByClientCredential({ scopes });
  assert.ok(result.accessToken, "no token");
  const claims = JSON.parse(Buffer.from(result.accessToken.split(".")[1], "base64url"));
  assert.equal(claims.tid, sim.tenant);
  assert.equal(claims.appid, sim.client_id);
  assert.ok(claims.roles.includes("MailboxSettings.ReadWrite"), "the roles are not in the token");
  return result.accessToken;
}

// A person signs in with a code and PKCE; a code is good once, and only with its verifier.
async function byPerson() {
  const app = new ConfidentialClientApplication({
    auth: { clientId: sim.client_id, authority: `${sim.authority}/organizations`, knownAuthorities: [new URL(sim.authority).host], clientSecret: sim.client_secret },
  });
  const redirectUri = "http://localhost:4000/back";
  const { verifier, challenge } = await new CryptoProvider().generatePkceCodes();
  const code = async () => {
    const url = await app.getAuthCodeUrl({ scopes: [], redirectUri, state: "s1", nonce: "n1", codeChallenge: challenge, codeChallengeMethod: "S256" });
    const page = await fetch(url);
    assert.equal(page.status, 200, await page.text());
    const chosen = await fetch(url, { method: "POST", redirect: "manual", body: new URLSearchParams({ account: "global" }) });
    const back = new URL(chosen.headers.get("location"));
    assert.equal(back.origin + back.pathname, redirectUri);
    assert.equal(back.searchParams.get("state"), "s1");
    return back.searchParams.get("code");
  };
  const one = await code();
  const result = await app.acquireTokenByCode({ code: one, scopes: [], redirectUri, codeVerifier: verifier, nonce: "n1" });
  assert.equal(result.idTokenClaims.tid, sim.tenant);
  assert.equal(result.idTokenClaims.nonce, "n1");
  assert.equal(result.account.name, "Gloria Global");
  await assert.rejects(app.acquireTokenByCode({ code: one, scopes: [], redirectUri, codeVerifier: verifier, nonce: "n1" }), /54005/);
  const two = await code();
  await assert.rejects(app.acquireTokenByCode({ code: two, scopes: [], redirectUri, codeVerifier: verifier + "x", nonce: "n1" }), /501481/);
}

function client(accessToken) {
  return graph.Client.init({
    baseUrl: `${sim.graph}/`,
    defaultVersion: "v1.0",
    customHosts: new Set([new URL(sim.graph).hostname]),
    authProvider: (done) => done(null, accessToken),
  });
}

async function bySecret() {
  await assert.rejects(token({ clientSecret: "wrong" }), /7000215/);
  return token({ clientSecret: sim.client_secret });
}

async function byCertificate() {
  const [, certificate] = sim.certificate.match(/(-----BEGIN CERTIFICATE-----[^]*-----END CERTIFICATE-----)/);
  const [, privateKey] = sim.certificate.match(/(-----BEGIN PRIVATE KEY-----[^]*-----END PRIVATE KEY-----)/);
  const der = new crypto.X509Certificate(certificate).raw;
  const thumbprintSha256 = crypto.createHash("sha256").update(der).digest("hex");
  return token({ clientCertificate: { thumbprintSha256, privateKey } });
}

async function iterates(c) {
  const first = await c.api("/users").select("id,displayName").top(40).get();
  assert.equal(first.value.length, 40);
  const ids = new Set();
  const pages = new graph.PageIterator(c, first, (user) => ids.add(user.id) && true);
  await pages.iterate();
  assert.equal(ids.size, Number(process.env.USERS));
  return [...ids];
}

async function batches(c, ids) {
  const steps = ids.slice(0, 20).map((id, n) => ({
    id: String(n), request: { url: `/users/${id}/mailFolders/inbox/messageRules`, method: "GET", headers: new Headers() },
  }));
  const content = new graph.BatchRequestContent(steps);
  const answers = new graph.BatchResponseContent(await c.api("/$batch").post(await content.getContent()));
  let rules = 0;
  for (let n = 0; n < steps.length; n++) {
    const one = answers.getResponseById(String(n));
    assert.ok([200, 403, 404].includes(one.status), `part ${n}: ${one.status}`);
    if (one.status === 200) rules += (await one.json()).value.length + 1;
  }
  assert.ok(rules > 10);
}

async function deltas(c) {
  let page = await c.api("/users/delta").header("Prefer", "odata.maxpagesize=50").select("id,displayName,accountEnabled").get();
  let count = page.value.length;
  while (page["@odata.nextLink"]) {
    page = await c.api(page["@odata.nextLink"]).header("Prefer", "odata.maxpagesize=50").get();
    count += page.value.length;
  }
  assert.equal(count, Number(process.env.USERS));
  const story = 'domain fabrikamfreight.com\nperson zoe "Zoe New" zoe@fabrikamfreight.com\nmon 09:00 zoe is blocked\n';
  const played = await fetch(`${sim.control}/story`, { method: "POST", body: story });
  assert.equal(played.status, 204, await played.text());
  const later = await c.api(page["@odata.deltaLink"]).get();
  assert.deepEqual(later.value.map((u) => [u.displayName, u.accountEnabled]), [["Zoe New", false]]);
  return later.value[0].id;
}

async function rules(c, id) {
  const path = `/users/${id}/mailFolders/inbox/messageRules`;
  const made = await c.api(path).post({ displayName: "From partner", sequence: 1, isEnabled: true,
    conditions: { senderContains: ["adele"] }, actions: { stopProcessingRules: true } });
  assert.equal(made.displayName, "From partner");
  assert.equal((await c.api(path).get()).value.length, 1);
  const changed = await c.api(`${path}/${made.id}`).patch({ displayName: "Renamed" });
  assert.equal(changed.displayName, "Renamed");
  await c.api(`${path}/${made.id}`).delete();
  await assert.rejects(c.api(`${path}/${made.id}`).get(), (e) => e.statusCode === 404 && e.code === "ErrorItemNotFound");
}

const proofs = { "token by secret": bySecret, "token by certificate": byCertificate };
let access;
for (const [name, prove] of Object.entries(proofs)) {
  access = await prove();
  console.log("ok", name);
}
await byPerson();
console.log("ok code with PKCE");
const c = client(access);
const ids = await iterates(c);
console.log("ok page iterator");
await batches(c, ids);
console.log("ok batch");
const id = await deltas(c);
console.log("ok delta");
await rules(c, id);
console.log("ok message rules");
