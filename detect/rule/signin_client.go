package rule

import (
	"fmt"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
)

// What follows rests on the programs and devices with which somebody signs in.

var appUnusual = detect.Meta{
	Name: "application-unusual-for-person", Title: "A person signed in to an application that nobody here uses, from a new network", Family: "sign-ins",
	Severity: tocsin.Medium, Attack: []string{"T1078.004", "T1528"}, Stage: "access",
	Says:           "An account that has signed in on five days or more did so to an application that neither it nor a colleague has used in thirty days, with no browser, from a network that is new for it.",
	FalsePositives: "A new program that is tried on a journey.",
	Fix:            "Ask the person; look at what the application was consented to.",
	Actions:        []string{"revoke_sessions"}, Source: "sign_in",
}

var singleFactorClient = detect.Meta{
	Name: "single-factor-by-microsofts-client", Title: "A client of Microsoft's own reached Graph with one factor and no policy", Family: "sign-ins",
	Severity: tocsin.Medium, Attack: []string{"T1556.009", "T1078.004"}, Stage: "access",
	Says:           "Microsoft's command line, its PowerShell or another client of its own that everybody may use signed a person in to Microsoft Graph with one factor, no conditional access policy applied, and the person had never used it.",
	FalsePositives: "An administrator's first day with the command line.",
	Fix:            "Close the gap in the policies, for all applications; ask the person.",
	Actions:        []string{"revoke_sessions", "force_password_change"}, Source: "sign_in",
}

var tokenMadePrimary = detect.Meta{
	Name: "refresh-token-made-primary", Title: "A refresh token was turned into a primary one", Family: "sign-ins",
	Severity: tocsin.High, Attack: []string{"T1098.005", "T1528", "T1550.001"}, Stage: "persistence",
	Says:           "Within an hour, one session went by a refresh token through the authentication broker to the device registration, and came back with a primary refresh token of a device that nobody manages.",
	FalsePositives: "A personal device that is being set up.",
	Fix:            "Delete the device that was registered, revoke the sessions, reset the password.",
	Actions:        []string{"revoke_sessions", "force_password_change", "mfa_enroll"}, Source: "sign_in",
}

var adminUnmanaged = detect.Meta{
	Name: "administrator-on-unmanaged-device", Title: "An administrator signed in with a device that does not meet the conditions", Family: "sign-ins",
	Severity: tocsin.Medium, Attack: []string{"T1078.004"}, Stage: "access",
	Says:           "An administrator who has signed in with compliant devices on five days or more did so with one that is not.",
	FalsePositives: "A computer that missed its updates.",
	Fix:            "Ask the administrator; let a policy ask for a compliant device.",
	Actions:        []string{"revoke_sessions"}, Source: "sign_in",
}

const (
	noteProgram   = "program"      // account → applications, once in a while each
	noteUsers     = "program-of"   // application → accounts, the first few of a while
	noteExchanged = "registration" // session → a refresh token that went to the device registration
	noteCompliant = "compliant"    // administrator → days with a compliant device
	aWhile        = 20 * 24 * time.Hour

	deviceRegistration = "01cb2876-7ebd-4aa4-9cc9-d28bd4d359a9"
)

// openClients are Microsoft's own clients that anybody may use, whatever the organisation has consented to.
// https://learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in
var openClients = map[string]bool{
	"04b07795-8ddb-461a-bbee-02f9e1bf7b46": true, // Azure CLI
	"1950a258-227b-4e31-a9cf-717495945fc2": true, // Azure PowerShell
	"14d82eec-204b-4c2f-b7e8-296a70dab67e": true, // Microsoft Graph Command Line Tools
	"1b730954-1685-4b74-9bfd-dac224a7b894": true, // Azure Active Directory PowerShell
	authenticationBroker:                   true,
}

// clientEvents judge by application and device. They stand before those that note what is usual.
var clientEvents = []detect.Event{
	{Meta: appUnusual, Judge: judgeProgram},
	{Meta: singleFactorClient, Judge: auditBeside},
	{Meta: tokenMadePrimary, Judge: judgePrimary},
	{Meta: adminUnmanaged, Judge: judgeUnmanaged},
}

// judgeProgram compares the application with those that the person and his colleagues use, and then counts it among them.
func judgeProgram(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	app := strings.ToLower(auditText(r, "app_id"))
	if !signIn(r) || !succeeded(r) || r.Actor == "" || r.ActorKind == "app" || app == "" || r.Time.IsZero() {
		return nil
	}
	who, began := strings.ToLower(r.Actor), r.Time.Add(-30*24*time.Hour)
	used := false
	for _, n := range mem.Since(noteProgram, who, began) {
		used = used || n.Value == app
	}
	var found []tocsin.Finding
	if h := habitOf(mem, r, who); !used && h.days >= habitDays {
		asn := asnOf(r)
		net, told := o.Network(r.IP, asn)
		strange := asn != "" && !h.networks[asn] && (!told || net.Kind == detect.Hosting || net.Kind == detect.VPN)
		others := mem.Since(noteUsers, app, began)
		if strange && len(others) == 0 && !strings.EqualFold(r.ClientApp, "Browser") && !strings.EqualFold(auditText(r, "protocol"), "deviceCode") && auditText(r, "interactive") != "false" {
			why := fmt.Sprintf("%s signed in to %s%s, which nobody here has used in 30 days, after %d days with sign-ins from other networks.", r.Actor, appNamed(r), auditFrom(r), h.days)
			found = append(found, auditFinding(o, &appUnusual, r, r.Actor, who, app, why, auditTerms(42, "neither the person nor a colleague has used the application in 30 days")))
		}
		if openClients[app] && auditText(r, "resource") == microsoftGraph && strings.EqualFold(auditText(r, "requirement"), "singleFactorAuthentication") &&
			!strings.EqualFold(auditText(r, "conditional_access"), "success") && !strings.EqualFold(auditText(r, "protocol"), "deviceCode") {
			terms := auditTerms(42, "one factor, and no policy applied")
			if strange {
				terms.Add(15, "from a network that is new in "+auditPlural(h.days, "day")+" with sign-ins")
			}
			why := fmt.Sprintf("%s reached Microsoft Graph with %s and 1 factor%s, for the first time in %d days with sign-ins; no policy applied.", r.Actor, appNamed(r), auditFrom(r), h.days)
			found = append(found, auditFinding(o, &singleFactorClient, r, r.Actor, who, app, why, terms))
		}
	}
	if len(found) > 0 {
		suspect(mem, r, who, found[0].Why)
	}
	often := func(kind, key, value string, most int) {
		lately := mem.Since(kind, key, r.Time.Add(-aWhile))
		for _, n := range lately {
			if n.Value == value {
				return
			}
		}
		if len(lately) < most {
			mem.Add(kind, key, detect.Note{At: r.Time, ID: r.ID, Value: value})
		}
	}
	often(noteProgram, who, app, 200)
	often(noteUsers, app, who, 3)
	return found
}

// appNamed is the application's name, or its id.
func appNamed(r *detect.Record) string {
	if name := auditText(r, "app"); name != "" {
		return name
	}
	return auditText(r, "app_id")
}

func judgePrimary(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	session := auditText(r, "session")
	if !signIn(r) || !succeeded(r) || r.ActorKind == "app" || session == "" {
		return nil
	}
	switch strings.ToLower(auditText(r, "token")) {
	case "refreshtoken":
		if strings.EqualFold(auditText(r, "app_id"), authenticationBroker) && (auditText(r, "resource") == "Device Registration Service" || strings.EqualFold(auditText(r, "resource_id"), deviceRegistration)) {
			mem.Add(noteExchanged, session, detect.Note{At: r.Time, ID: r.ID})
		}
		return nil
	case "primaryrefreshtoken":
	default:
		return nil
	}
	before := mem.Since(noteExchanged, session, r.Time.Add(-time.Hour))
	if len(before) == 0 || auditText(r, "managed") == "true" || auditText(r, "compliant") == "true" {
		return nil
	}
	who, after := strings.ToLower(r.Actor), r.Time.Sub(before[0].At)
	why := fmt.Sprintf("A session of %s registered a device with a refresh token and came back %s later with a primary one%s.", r.Actor, auditAgo(after), auditFrom(r))
	suspect(mem, r, who, why)
	return auditOne(auditFinding(o, &tokenMadePrimary, r, r.Actor, who, session, why, auditTerms(70, "a primary token outlives a new password"), before[0]))
}

func judgeUnmanaged(o *detect.Org, mem *detect.Memory, r *detect.Record) []tocsin.Finding {
	compliant := auditText(r, "compliant")
	if !signIn(r) || !succeeded(r) || r.Actor == "" || r.ActorKind == "app" || compliant != "true" && compliant != "false" || !o.Find(r.Actor).Admin {
		return nil
	}
	who := strings.ToLower(r.Actor)
	if compliant == "true" {
		daily(mem, r, noteCompliant, who, "")
		return nil
	}
	days := len(mem.Since(noteCompliant, who, r.Time.Add(-30*24*time.Hour)))
	if days < habitDays {
		return nil
	}
	device := auditText(r, "device")
	name := device
	if name == "" {
		name = "a device without a name"
	}
	why := fmt.Sprintf("The administrator %s signed in with %s, which does not meet the organisation's conditions, after %d days with devices that do%s.", r.Actor, name, days, auditFrom(r))
	return auditOne(auditFinding(o, &adminUnmanaged, r, r.Actor, who, strings.ToLower(device), why, auditTerms(42, fmt.Sprintf("%d days with compliant devices before", days))))
}
