package collect

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect/rule"
	"tocsin.dev/graph/sim"
	"tocsin.dev/store/storetest"
	"tocsin.dev/story"
)

var allAttacks = flag.Bool("attacks.all", false, "TestAttacks plays every story, and not some of them by the seed")

// attack is one of those that the catalogue lists: by which rules it is found, or why there is none.
type attack struct {
	name  string
	rules []string
	lacks string
}

// found is of an attack that has rules.
func found(name string, rules ...string) attack { return attack{name: name, rules: rules} }

// attacks are those on sign-ins, the directory and what protects. What the simulator plays of mail rules, forwarding and rights stands in
// the tests of the mailbox.
var attacks = []attack{
	found("impossible travel", "impossible-travel"), found("atypical country", "atypical-place"), found("anonymising or hosting address", "anonymous-network-sign-in"),
	found("malicious address, leaked credentials, anomalous token, token issuer anomaly, primary refresh token, confirmed by an administrator", "risk-detected"),
	found("password spray", "password-spray"), found("brute force", "brute-force"), found("lockouts", "account-lockouts"),
	found("prompt bombing", "prompt-bombing"), found("a prompt that was reported", "prompt-reported"), found("second factor guessed", "second-factor-guessed"),
	found("device code, first seen", "device-code-sign-in"), found("device code through the broker", "device-code-through-broker"), found("device code from a new network", "device-code-from-new-network"),
	found("phishing kit", "phishing-kit-sign-in"), found("one session from several addresses", "session-from-several-addresses", "session-in-two-countries"),
	found("refresh token turned into a primary one", "refresh-token-made-primary"), found("ROPC", "password-grant-sign-in"), found("legacy protocol", "legacy-authentication"),
	found("Microsoft's own client used for phishing", "first-party-client-to-graph"), found("application unusual for the person", "application-unusual-for-person"),
	found("one factor where two are usual", "single-factor-where-two-are-usual"), found("second factor passed over by a client of Microsoft's", "single-factor-by-microsofts-client"),
	found("risky sign-in let through", "risky-sign-in-let-through"), found("several risk alerts", "several-risk-alerts"), found("sign-in to a disabled account", "disabled-account-sign-in"),
	found("application from a new network", "application-from-new-network"), found("application with another kind of credential", "application-new-kind-of-credential"), found("dead tokens tried", "dead-tokens-tried"),
	found("attack tools", "attack-tool-sign-in"), found("administrator on an unmanaged device", "administrator-on-unmanaged-device"), found("a session that outlives its revocation", "session-outlived-revocation"),
	{name: "directory read out with a person's token", lacks: "Microsoft tells of it only in the Graph activity logs, which go to Azure Monitor, Event Hubs or storage and not to any API"},

	found("Global Administrator given", "global-administrator-granted"), found("privileged role given", "privileged-role-granted"), found("role given outside PIM", "role-granted-outside-pim"),
	found("roles given in a burst", "roles-granted-in-series"), found("PIM setting changed", "role-setting-changed"), found("root scope of Azure", "elevated-access-to-azure"),
	found("conditional access weakened", "conditional-access-weakened"), found("group that policies leave out gets a member", "spared-group-gained-member"), found("trusted addresses changed", "named-location-changed"),
	found("method removed", "mfa-removed"), found("method added after a suspicious sign-in", "method-added-after-suspicious-sign-in"), found("temporary access pass", "temporary-access-pass-made"),
	found("authentication methods policy changed", "sign-in-provider-changed"), found("consent by a person", "consent-by-user"), found("consent for everybody", "consent-for-everybody"),
	found("application permission given", "application-permission-granted"), found("credential added to an application", "application-credential-added"),
	found("federated credential changed", "federated-credential-changed"), found("redirect address changed", "application-redirect-changed"), found("owner added", "application-owner-added"),
	found("applications made in series", "applications-added-in-series"), found("federation changed", "domain-federation-changed"), found("domain added", "domain-added"),
	found("cross-tenant access changed", "cross-tenant-access-changed"), found("guest invited", "guest-invited"), found("guest invited by a guest", "guest-invited-by-guest"),
	found("guest made member", "guest-made-member"), found("devices registered in series", "devices-registered-in-series"), found("device like a kit's", "device-like-a-kit"),
	found("device registered after a suspicious sign-in", "device-registered-after-suspicious-sign-in"), found("device no longer compliant", "device-no-longer-compliant"),
	found("account made and deleted", "account-made-and-deleted"), found("account enabled and password reset", "account-enabled-and-reset"), found("synchronisation anchor changed", "synchronisation-anchor-changed"),
	found("consent policy loosened", "user-consent-loosened"), found("certificate authority added", "certificate-authority-added"), found("a service acts in a person's name", "service-acted-as-a-person"),
	found("recovery secrets read", "recovery-secrets-read"),

	found("mail protection off", "mail-protection-off"), found("audit off", "audit-log-off", "mailbox-audit-off", "mailbox-audit-bypass"), found("sharing weakened", "sharing-policy-weakened"),
	found("Teams opened outside", "teams-opened-outside"), found("forwarding outside allowed", "automatic-forwarding-allowed"),
}

// detections are what Identity Protection tells of sign-ins that were refused, by the kinds of the catalogue.
const detections = `# Identity Protection sees what sign-ins do not show.
domain fabrikam.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
person dan "Dan Dunn"
person eva "Eva Ernst"
mon 09:00 amy signs in from 203.0.113.7/NL failing error=53003 risk=high risk_types=leakedCredentials
mon 10:00 bob signs in from 203.0.113.8/NL failing error=53003 risk=low risk_types=maliciousIPAddress
mon 11:00 cyd signs in from 203.0.113.9/NL failing error=53003 risk=medium risk_types=anomalousToken
mon 12:00 dan signs in from 203.0.113.10/NL failing error=53003 risk=low risk_types=tokenIssuerAnomaly
mon 13:00 eva signs in from 203.0.113.11/NL failing error=53003 risk=medium risk_types=attemptedPrtAccess
expect risk-detected amy says "leakedCredentials"
expect risky-sign-in amy
expect risk-detected bob says "maliciousIPAddress"
expect risk-detected cyd says "anomalousToken"
expect risk-detected dan says "tokenIssuerAnomaly"
expect risk-detected eva says "attemptedPrtAccess"
`

// attackStories are the stories in which the attacks happen.
func attackStories(t *testing.T) (out []*story.Story) {
	t.Helper()
	names, err := filepath.Glob("../detect/rule/testdata/*.story")
	if err != nil || len(names) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	wanted := map[string]bool{}
	for _, a := range attacks {
		if len(a.rules) == 0 && a.lacks == "" {
			t.Errorf("%s is found by nothing, and nobody says why", a.name)
		}
		for _, r := range a.rules {
			wanted[r] = true
		}
	}
	s, err := story.Parse("risk-detections.story", strings.NewReader(detections))
	if err != nil {
		t.Fatal(err)
	}
	out = append(out, s)
	delete(wanted, "risk-detected") // what the rule's own story says of it, Identity Protection does not tell with a sign-in
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := story.Parse(filepath.Base(name), f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		use := false
		for _, e := range s.Expects {
			use = use || wanted[e.Rule]
		}
		if use {
			out = append(out, s)
		}
		for _, e := range s.Expects {
			delete(wanted, e.Rule)
		}
	}
	for r := range wanted {
		t.Errorf("no story has %s", r)
	}
	return out
}

// TestAttacks: every attack of the catalogue whose source we have happens as a story in a simulated tenant, is read through Microsoft's
// interfaces and is found once, on whom it is about, in a sentence with numbers; nothing else above low is found.
func TestAttacks(t *testing.T) {
	t.Parallel()
	all := attackStories(t)
	if !*allAttacks {
		seed := uint64(time.Now().UnixNano())
		random := rand.New(rand.NewPCG(seed, 1))
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:2]
	}
	for _, s := range all {
		t.Run(strings.TrimSuffix(s.Name, ".story"), func(t *testing.T) { attacked(t, s) })
	}
}

// attacked plays a story and holds what is found to what it expects.
func attacked(t *testing.T, s *story.Story) {
	f := newField(t, storetest.SQLite(t), 12, "")
	f.w.Consent(append([]string{"ActivityFeed.Read"}, protectionRoles...)...)
	// At Sunday noon all of the story's week is past, and none of it is gone from any log.
	now := f.w.Clock().Now().UTC()
	noon := now.Truncate(24*time.Hour).AddDate(0, 0, (7-int(now.Weekday()))%7+7).Add(12 * time.Hour)
	f.w.Advance(noon.Sub(now))
	f.st.Clock().Advance(noon.Sub(f.st.Clock().Now()))
	f.c.Graph = f.client()
	if err := f.w.Play(s); err != nil {
		t.Fatal(err)
	}
	if failed := f.w.Failed(); len(failed) > 0 {
		t.Fatal(failed)
	}
	f.w.SetFeed(sim.Feed{}) // where the story switched the log off, what was written until then is read when it is on again
	f.ask("domains", "users", "groups", "roles", "access")
	j := &AuditJudge{Store: f.st}
	for range 2 { // the second time it is told again
		f.ask("audit", "sign_ins", "token_sign_ins", "directory_audits", "risk_detections")
		judgeAll(f.bed, j)
	}
	f.sweepAll()
	type row struct{ rule, who, subject, severity, why string }
	var had []row
	for _, line := range f.rows(`select rule || '|' || who || '|' || subject || '|' || severity || '|' || why from finding where tenant = $1 order by rule, who`) {
		p := strings.SplitN(line, "|", 5)
		had = append(had, row{p[0], p[1], p[2], p[3], p[4]})
	}
	posture := map[string]bool{}
	for _, m := range rule.All() {
		posture[m.Name] = true
	}
	for _, e := range s.Expects {
		who := tocsin.CanonicalAddress(s.Address(e.Who))
		i := slices.IndexFunc(had, func(r row) bool {
			return r.rule == e.Rule && (tocsin.CanonicalAddress(r.who) == who || r.subject == e.Who) && strings.Contains(r.why, e.Says)
		})
		if i < 0 {
			t.Errorf("line %d: not found: %s\nfound: %q", e.Line, e.String(), had)
			continue
		}
		if !strings.ContainsAny(had[i].why, "0123456789") {
			t.Errorf("%s has no number: %s", e.Rule, had[i].why)
		}
		had = slices.Delete(had, i, i+1)
	}
	for _, r := range had {
		if posture[r.rule] && r.severity != string(tocsin.Low) && r.severity != string(tocsin.Info) && r.rule != rule.AccountTakeover {
			t.Errorf("found besides: %v", r)
		}
	}
	if v := f.w.Violations(); len(v) > 0 {
		t.Errorf("it asked for content: %v", v)
	}
}
