package connect

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/graph/permission"
)

// ProductTitle is a product with what people call it, what Tocsin gives for it and what it reads there.
type ProductTitle struct {
	Product      Product
	Title        string
	Gives, Reads string // a sentence each
}

// Products are the products in the order pages show them.
var Products = []ProductTitle{
	{Outlook, "Microsoft Outlook", "Finds inbox rules that forward, hide or delete mail, and what else a stolen mailbox shows.",
		"Rules, settings and folder names of every mailbox. No subject, no text, no attachment."},
	{Entra, "Entra ID", "Says who is who: people, groups, administrators, and which addresses are inside. The others rest on it.",
		"Accounts, groups, contacts, domains and directory roles."},
	{Intune, "Intune", "Will say which devices people sign in from, and which of them do not comply.",
		"Device names, owners, compliance and encryption."},
	{SharePoint, "SharePoint", "Will say what is shared with people outside, and how sharing is set.",
		"Sites and sharing settings. No file is opened."},
	{Teams, "Teams", "Carries alerts to where people are.",
		"Names of teams. No message is read."},
}

// Way is how a tenant is connected.
type Way string

// The ways. By OAuth an administrator signs in and consents to the installation's own app registration; by API
// credentials the tenant has an app registration of its own, and its ids and secret are entered.
const (
	ByOAuth       Way = "oauth"
	ByCredentials Way = "credentials"
)

// Method of a connection by OAuth: the registration's credential is used, the connection has none of its own.
const MethodOAuth = "oauth"

// Asked is a permission of the wizard: what it is for, and why in the words of the calls that need it.
type Asked struct {
	Permission permission.Permission
	For        []Capability // titles in the order of [Capabilities]
	Why        []string     // of each call that needs it
	Optional   bool         // something works without it, less well
	Delegated  bool         // in the name of an account, not of the app itself
}

// Titles are the capabilities a permission serves, for people.
func (a Asked) Titles() string {
	var out []string
	for _, c := range a.For {
		out = append(out, c.Title)
	}
	return strings.Join(out, ", ")
}

// Guide is what somebody does in Entra to make an app registration: by hand with Steps, or by one of the scripts.
type Guide struct {
	Tier        Tier
	Way         Way
	Products    []Product
	Permissions []Asked
	Steps       []string
	Manifest    string // requiredResourceAccess, JSON
	AzureCLI    string // a shell script
	PowerShell  string
	Who         string // may grant the consent, a sentence
}

// WhoMayConsent says which directory roles can consent to application permissions of Microsoft Graph for a tenant.
// https://learn.microsoft.com/entra/identity/enterprise-apps/grant-admin-consent
const WhoMayConsent = "Only a Global Administrator or a Privileged Role Administrator can consent to application permissions of Microsoft Graph; an Application Administrator cannot."

// FreshGrant says how long a grant takes to be honoured.
const FreshGrant = "A fresh grant takes Microsoft some minutes to honour. What is off only because it was granted a moment ago comes on by itself; test again in five minutes."

// ParseProducts reads names of products ("outlook,entra"); none is all of them.
func ParseProducts(names []string) ([]Product, error) {
	var out []Product
	for _, list := range names {
		for _, name := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
			p := Product(strings.ToLower(name))
			if !slices.ContainsFunc(Products, func(t ProductTitle) bool { return t.Product == p }) {
				return nil, tocsin.Problemf(tocsin.Invalid, "Use outlook, entra, intune, sharepoint or teams.", "No product is called %q.", name)
			}
			out = append(out, p)
		}
	}
	return allOr(out), nil
}

// allOr are the products in their order: all of them where none is named, and Entra with any, since the others rest on it.
func allOr(some []Product) []Product {
	var out []Product
	for _, t := range Products {
		if len(some) == 0 || t.Product == Entra || slices.Contains(some, t.Product) {
			out = append(out, t.Product)
		}
	}
	return out
}

// ParseTier reads a tier; none is read.
func ParseTier(name string) (Tier, error) {
	switch t := Tier(strings.ToLower(name)); t {
	case "":
		return Read, nil
	case Read, Respond, Investigate, Privileged, Inbox:
		return t, nil
	}
	return "", tocsin.Problemf(tocsin.Invalid, "Use read, respond, investigate, privileged or inbox.", "No tier is called %q.", name)
}

// basis is asked of every app: without it a token proves its tenant, and the organisation's name is not known.
const basis = "organization.list"

// Asks are the permissions that a tier asks for with some products: of each call the least that serves.
func Asks(tier Tier, products []Product) []Asked {
	if tier == Investigate {
		return mailAsks()
	}
	products = allOr(products)
	var out []Asked
	add := func(name string, c *Capability, optional bool) {
		call := graph.Find(name)
		if len(call.Permissions) == 0 {
			return
		}
		p, ok := permission.Find(call.Permissions[0])
		if !ok {
			p = permission.Permission{Name: call.Permissions[0]}
		}
		i := slices.IndexFunc(out, func(a Asked) bool { return a.Permission.Name == p.Name })
		if i < 0 {
			i = len(out)
			out = append(out, Asked{Permission: p, Optional: true})
		}
		a := &out[i]
		a.Optional = a.Optional && optional
		if c != nil && !slices.ContainsFunc(a.For, func(x Capability) bool { return x.Name == c.Name }) {
			a.For = append(a.For, *c)
		}
		if call.Why != "" && !slices.Contains(a.Why, call.Why) {
			a.Why = append(a.Why, call.Why)
		}
	}
	for i := range Capabilities {
		c := &Capabilities[i]
		if c.Tier != tier || !slices.Contains(products, c.Product) {
			continue
		}
		for _, name := range c.Needs {
			add(name, c, false)
		}
		for _, name := range c.Helps {
			add(name, c, true)
		}
	}
	if tier != Read && len(out) > 0 {
		add(basis, nil, true)
	}
	return out
}

// MailPermissions are what a connection to investigate needs, each with why. It is whole with these and no others.
var MailPermissions = []struct{ Name, Why string }{
	{"Directory.Read.All", "Which domains the tenant accepts, groups and their members, who is an administrator."},
	{"User.Read.All", "Who is in the tenant, and has a mailbox."},
	{"Mail.ReadWrite", "Searches messages and reads what their envelopes leave open; moves, marks, deletes and restores them."},
	{"MailboxSettings.ReadWrite", "What a mailbox is for and which rules it has; makes the category that warns, and stops rules."},
}

// MailExtras are what a connection to investigate can do more with.
var MailExtras = []struct{ Name, Why string }{
	{"ExchangeMessageTrace.Read.All", "Message trace: to whom a message went in the last 90 days, before mailboxes are searched."},
	{"Mail.Send", "Answers who reported a mail."},
}

// inboxWhy is what a team inbox wants with each permission.
var inboxWhy = map[string]string{
	"User.Read":             "Which account has signed in.",
	"Mail.Read.Shared":      "Reads the mails of the mailboxes that are shared with the account.",
	"Mail.ReadWrite.Shared": "Marks, moves and deletes them there, and writes the drafts of answers.",
	"Mail.Send.Shared":      "Sends the answers as the shared address, where Exchange lets the account.",
	"offline_access":        "Goes on when nobody sits there: without it the sign-in ends after an hour.",
	"Mail.ReadWrite":        "Reads, marks, moves and deletes mails, and writes drafts, in every mailbox that a policy in Exchange does not keep from the app.",
	"Mail.Send":             "Sends as each of these mailboxes.",
}

// inboxAsks are the permissions of a team inbox: in the name of a service account, or of the app itself.
func inboxAsks(way Way) (out []Asked) {
	if way == ByCredentials {
		for _, name := range inboxRoles {
			p, _ := permission.Find(name)
			out = append(out, Asked{Permission: p, Why: []string{inboxWhy[name]}})
		}
		return out
	}
	for _, name := range InboxScopes {
		p, _ := permission.FindScope(name)
		out = append(out, Asked{Permission: p, Why: []string{inboxWhy[name]}, Delegated: true})
	}
	return out
}

func mailAsks() (out []Asked) {
	for _, m := range MailPermissions {
		p, ok := permission.Find(m.Name)
		if !ok {
			p = permission.Permission{Name: m.Name}
		}
		a := Asked{Permission: p, Why: []string{m.Why}}
		for _, c := range Capabilities {
			goes := func(call string) bool { return slices.Contains(graph.Find(call).Permissions, m.Name) }
			if Investigate.Has(c) && slices.ContainsFunc(slices.Concat(c.Needs, c.Helps), goes) {
				a.For = append(a.For, c)
			}
		}
		out = append(out, a)
	}
	return out
}

// MakeGuide makes the guide of a tier with some products (none: all). redirect is where Entra sends people back to, by
// OAuth; cloud is the name of Microsoft's cloud, as settings have it.
func MakeGuide(tier Tier, way Way, products []Product, redirect, cloud string) Guide {
	g := Guide{Tier: tier, Way: way, Products: allOr(products), Permissions: Asks(tier, products), Who: WhoMayConsent}
	if tier == Inbox {
		g.Permissions = inboxAsks(way)
	}
	g.Manifest = manifest(g.Permissions)
	g.Steps = g.steps(redirect)
	g.AzureCLI = g.azureCLI(redirect, cloud)
	g.PowerShell = g.powerShell(redirect, cloud)
	return g
}

// appName is what the app registration is called.
func (g Guide) appName() string { return "Tocsin (" + string(g.Tier) + ")" }

// Names are the permissions' names.
func (g Guide) Names() []string {
	var out []string
	for _, p := range g.Permissions {
		out = append(out, p.Permission.Name)
	}
	return out
}

// delegated says whether the permissions are for acting in the name of an account.
func (g Guide) delegated() bool {
	return slices.ContainsFunc(g.Permissions, func(a Asked) bool { return a.Delegated })
}

// powerRoles and powerType are how a script finds a permission by its name, and how it asks for it.
func (g Guide) powerRoles() string {
	if g.delegated() {
		return "$service.Oauth2PermissionScopes | Where-Object { $wanted[$id] -contains $_.Value }"
	}
	return "$service.AppRoles | Where-Object { $wanted[$id] -contains $_.Value -and $_.AllowedMemberTypes -contains 'Application' }"
}

func (g Guide) powerType() string {
	if g.delegated() {
		return "Scope"
	}
	return "Role"
}

func (g Guide) steps(redirect string) []string {
	register := "In the Entra admin center open **App registrations → New registration**. Name it `" + g.appName() + "`. "
	if g.Way == ByOAuth {
		register += "Choose **Accounts in any organizational directory** and, under Redirect URI, **Web** with `" + redirect + "`."
	} else {
		register += "Choose **Accounts in this organizational directory only**; it needs no redirect URI."
	}
	steps := []string{register}
	services := map[string][]string{}
	var order []string
	for _, p := range g.Permissions {
		name := p.Permission.ServiceName()
		if services[name] == nil {
			order = append(order, name)
		}
		services[name] = append(services[name], "`"+p.Permission.Name+"`")
	}
	for _, name := range order {
		kind := "Application permissions"
		if g.delegated() {
			kind = "Delegated permissions"
		}
		steps = append(steps, "Open **API permissions → Add a permission → "+name+" → "+kind+"** and tick "+strings.Join(services[name], ", ")+
			". Or paste the manifest below under **Manifest**, in place of its `requiredResourceAccess`.")
	}
	if g.Way == ByCredentials {
		steps = append(steps, "Press **Grant admin consent**. "+g.Who)
	}
	steps = append(steps, "Open **Certificates & secrets**: upload a certificate, or make a client secret and copy its **Value** at once; it is shown only this time.")
	if g.Way == ByOAuth {
		return append(steps, "Copy the **Application (client) ID** from Overview, and enter it with the secret or the certificate under Settings → App registrations. "+
			"From then on every tenant is connected by signing in. "+g.Who)
	}
	return append(steps, "Copy the **Directory (tenant) ID** and the **Application (client) ID** from Overview, and enter them with the secret or the certificate.")
}

// resource is a part of a manifest's requiredResourceAccess.
type resource struct {
	App    string     `json:"resourceAppId"`
	Access []accessed `json:"resourceAccess"`
}

type accessed struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// manifest is requiredResourceAccess of an app registration. https://learn.microsoft.com/entra/identity-platform/reference-microsoft-graph-app-manifest
func manifest(asked []Asked) string {
	out := []resource{}
	for _, a := range asked {
		p := a.Permission
		if p.ID == "" {
			continue
		}
		i := slices.IndexFunc(out, func(r resource) bool { return r.App == p.Service() })
		if i < 0 {
			i = len(out)
			out = append(out, resource{App: p.Service()})
		}
		kind := "Role"
		if a.Delegated {
			kind = "Scope"
		}
		out[i].Access = append(out[i].Access, accessed{p.ID, kind})
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		panic(err) // structs of texts
	}
	return string(text)
}

// azClouds and mgClouds are the clouds by the names that Microsoft's tools have for them.
var (
	azClouds = map[string]string{"usgov": "AzureUSGovernment", "dod": "AzureUSGovernment", "china": "AzureChinaCloud"}
	mgClouds = map[string]string{"usgov": "USGov", "dod": "USGovDoD", "china": "China"}
)

func (g Guide) azureCLI(redirect, cloud string) string {
	var b strings.Builder
	b.WriteString("#!/bin/sh\n# Makes the app registration with the Azure CLI, signed in as who may consent.\n# " + g.Who + "\nset -eu\n")
	if c := azClouds[cloud]; c != "" {
		fmt.Fprintf(&b, "az cloud set --name %s && az login --allow-no-subscriptions\n", c)
	}
	fmt.Fprintf(&b, "cat > tocsin-permissions.json <<'END'\n%s\nEND\n", g.Manifest)
	audience, web := "AzureADMyOrg", ""
	if g.Way == ByOAuth {
		audience, web = "AzureADMultipleOrgs", " \\\n  --web-redirect-uris "+shellQuote(redirect)
	}
	fmt.Fprintf(&b, "app=$(az ad app create --display-name %s --sign-in-audience %s%s \\\n  --required-resource-accesses @tocsin-permissions.json --query appId --output tsv)\n", shellQuote(g.appName()), audience, web)
	b.WriteString("az ad sp create --id \"$app\" --output none\nsleep 30 # until the directory knows it everywhere\n")
	if g.Way == ByCredentials {
		b.WriteString("az ad app permission admin-consent --id \"$app\"\n")
	}
	b.WriteString("secret=$(az ad app credential reset --id \"$app\" --append --years 1 --display-name Tocsin --query password --output tsv)\n")
	b.WriteString("echo \"Tenant id: $(az account show --query tenantId --output tsv)\"\necho \"Client id: $app\"\necho \"Secret:    $secret\"\n")
	for _, p := range g.Permissions {
		if p.Permission.ID == "" {
			fmt.Fprintf(&b, "echo \"Add %s of %s by hand: API permissions → Add a permission.\"\n", p.Permission.Name, p.Permission.ServiceName())
		}
	}
	return b.String()
}

func (g Guide) powerShell(redirect, cloud string) string {
	var b strings.Builder
	b.WriteString("# Makes the app registration with the Microsoft Graph PowerShell module, signed in as who may consent.\n# " + g.Who + "\n#Requires -Modules Microsoft.Graph.Applications\n$ErrorActionPreference = 'Stop'\n")
	environment := ""
	if c := mgClouds[cloud]; c != "" {
		environment = " -Environment " + c
	}
	fmt.Fprintf(&b, "Connect-MgGraph -NoWelcome%s -Scopes 'Application.ReadWrite.All', 'AppRoleAssignment.ReadWrite.All'\n", environment)
	b.WriteString("# Permissions are looked up by name, so what the tenant calls them counts.\n$wanted = [ordered]@{\n")
	var apps []string
	by := map[string][]string{}
	for _, p := range g.Permissions {
		app := p.Permission.Service()
		if by[app] == nil {
			apps = append(apps, app)
		}
		by[app] = append(by[app], "'"+p.Permission.Name+"'")
	}
	for _, app := range apps {
		fmt.Fprintf(&b, "  '%s' = @(%s)\n", app, strings.Join(by[app], ", "))
	}
	b.WriteString(`}
$required = @(); $grants = @()
foreach ($id in $wanted.Keys) {
  $service = Get-MgServicePrincipal -Filter "appId eq '$id'"
  $roles = @(` + g.powerRoles() + `)
  $required += @{ ResourceAppId = $id; ResourceAccess = @($roles | ForEach-Object { @{ Id = $_.Id; Type = '` + g.powerType() + `' } }) }
  $grants += @($roles | ForEach-Object { @{ ResourceId = $service.Id; AppRoleId = $_.Id } })
}
`)
	audience, web := "AzureADMyOrg", ""
	if g.Way == ByOAuth {
		audience, web = "AzureADMultipleOrgs", " -Web @{ RedirectUris = @("+powerQuote(redirect)+") }"
	}
	fmt.Fprintf(&b, "$app = New-MgApplication -DisplayName %s -SignInAudience %s%s -RequiredResourceAccess $required\n$own = New-MgServicePrincipal -AppId $app.AppId\n", powerQuote(g.appName()), audience, web)
	if g.Way == ByCredentials {
		b.WriteString("foreach ($grant in $grants) {\n  New-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $own.Id -PrincipalId $own.Id @grant | Out-Null\n}\n")
	}
	b.WriteString("$secret = Add-MgApplicationPassword -ApplicationId $app.Id -PasswordCredential @{ DisplayName = 'Tocsin'; EndDateTime = (Get-Date).AddYears(1) }\n")
	b.WriteString("\"Tenant id: $((Get-MgContext).TenantId)\"\n\"Client id: $($app.AppId)\"\n\"Secret:    $($secret.SecretText)\"\n")
	return b.String()
}

// shellQuote and powerQuote make a text one word of a script, whatever is in it.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func powerQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
