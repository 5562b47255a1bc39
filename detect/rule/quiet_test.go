package rule

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"tocsin.dev"
	"tocsin.dev/story"
)

var (
	quietPeople = flag.Int("quiet.people", 120, "people in TestQuietOffice")
	quietDays   = flag.Int("quiet.days", 10, "days in TestQuietOffice")
)

// quietOffice is the story of a company in which nothing is wrong: its people sort their mail, share files, bring new devices and come
// back from leave; its help desk resets passwords and methods; its administrators take their roles for hours, let guests of partners
// in, hire, rotate secrets of applications and give the mailboxes of departments to those who answer them. How often each happens is
// as in a company of so many, by the day; the same seed gives the same story.
func quietOffice(people, days int, seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 5))
	var b strings.Builder
	b.WriteString("# A company in which nothing is wrong.\ndomain fabrikam.com\npartner trusted.example\nperson root \"Rita Root\" admin\nperson ada \"Ada Admin\" admin\nperson desk \"Dora Desk\" admin\n")
	who := func() string { return fmt.Sprintf("p%d", r.IntN(people)) }
	mail := func(p string) string { return p + "@fabrikam.com" }
	admin := func() string { return []string{"root", "ada", "desk"}[r.IntN(3)] }
	for i := range people {
		fmt.Fprintf(&b, "person p%d \"Person %d\"\n", i, i)
	}
	for i := range max(1, people/40) {
		fmt.Fprintf(&b, "person box%d \"Department %d\" shared blocked\n", i, i)
	}
	weekdays := []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	// A thing that happens so often a day among 1,000 people.
	usual := []struct {
		often float64
		tell  func() string
	}{
		{6, func() string {
			word := []string{"newsletter", "jira", "build", "travel", "canteen", "survey"}[r.IntN(6)]
			return fmt.Sprintf(`%s runs New-InboxRule Name="%s" SubjectContainsWords="%s" MoveToFolder="%s"`, who(), strings.ToUpper(word[:1])+word[1:], word, strings.ToUpper(word[:1])+word[1:])
		}},
		{0.5, func() string {
			return fmt.Sprintf(`%s runs New-InboxRule Name="My deputy" SubjectContainsWords="holiday" ForwardTo="%s"`, who(), mail(who()))
		}},
		{2, func() string {
			return fmt.Sprintf(`%s runs Set-InboxRule Name="Newsletter" SubjectContainsWords="news" MoveToFolder="News"`, who())
		}},
		{0.3, func() string {
			return fmt.Sprintf(`%s runs Remove-InboxRule Identity="Newsletter"`, who())
		}},
		{150, func() string {
			return fmt.Sprintf(`%s audits "FileDownloaded" on "https://fabrikam.sharepoint.com/sites/team%d/plan%d.xlsx"`, who(), r.IntN(50), r.IntN(900))
		}},
		{40, func() string {
			return fmt.Sprintf(`%s audits "AddedToSecureLink" on "https://fabrikam.sharepoint.com/sites/team%d/plan%d.xlsx" recipient="%s" recipient_type="Member"`, who(), r.IntN(50), r.IntN(900), mail(who()))
		}},
		{4, func() string {
			return fmt.Sprintf(`%s audits "AddedToSecureLink" on "https://fabrikam.sharepoint.com/sites/team%d/offer.docx" recipient="jo%d@trusted.example" recipient_type="Guest"`, who(), r.IntN(50), r.IntN(40))
		}},
		{2, func() string {
			return fmt.Sprintf(`%s audits "Invite external user" invited="jo%d@trusted.example"`, who(), r.IntN(400))
		}},
		{8, func() string {
			p := who()
			return fmt.Sprintf(`%s audits "Change user password" target %s`, p, p)
		}},
		{4, func() string { return fmt.Sprintf(`desk audits "Reset user password" target %s`, who()) }},
		{5, func() string {
			p := who()
			return fmt.Sprintf(`%s audits "User registered security info" target %s reason="User registered Authenticator App with Notification and Code"`, p, p)
		}},
		{6, func() string {
			p := who()
			return fmt.Sprintf(`%s audits "Update user" target %s StrongAuthenticationMethod="[]" becoming "[{MethodType: 6}]"`, p, p)
		}},
		{0.5, func() string {
			return fmt.Sprintf(`desk audits "Admin registered security info" target %s reason="Admin registered phone method for user"`, who())
		}},
		{8, func() string {
			p := who()
			return fmt.Sprintf(`%s audits "Add device" target %s DeviceOSVersion="" becoming "10.0.26100.%d"`, p, p, 1000+r.IntN(3000))
		}},
		{3, func() string {
			p := who()
			return fmt.Sprintf(`%s audits "Register device" target %s DeviceOSVersion="" becoming "18.%d"`, p, p, r.IntN(6))
		}},
		{12, func() string {
			return fmt.Sprintf(`"Microsoft Intune" audits "Update device" as system target "LAPTOP-%d" IsCompliant="false" becoming "true"`, r.IntN(people))
		}},
		{10, func() string {
			return fmt.Sprintf(`%s audits "Update user" target %s Department="Sales" becoming "Marketing"`, admin(), who())
		}},
		{1, func() string {
			return fmt.Sprintf(`"Sync_DC1_0a1b@fabrikam.onmicrosoft.com" audits "Add user" as system target "new%d@fabrikam.com"`, r.IntN(9999))
		}},
		{0.5, func() string {
			return fmt.Sprintf(`root audits "Delete user" target "left%d@fabrikam.com"`, r.IntN(9999))
		}},
		{0.7, func() string { return fmt.Sprintf(`desk audits "Disable account" target %s`, who()) }},
		{10, func() string {
			return fmt.Sprintf(`%s audits "Add member to group" target %s Group.DisplayName="" becoming "Team %d"`, admin(), who(), r.IntN(80))
		}},
		{4, func() string {
			return fmt.Sprintf(`%s audits "Remove member from group" target %s Group.DisplayName="Team %d" becoming ""`, admin(), who(), r.IntN(80))
		}},
		{6, func() string {
			a, role := admin(), []string{"User Administrator", "Exchange Administrator", "Intune Administrator", "Helpdesk Administrator", "Global Administrator"}[r.IntN(5)]
			return fmt.Sprintf(`%s audits "Add member to role completed (PIM activation)" target %s Role.DisplayName="" becoming %q`, a, a, role)
		}},
		{6, func() string {
			return fmt.Sprintf(`"MS-PIM" audits "Add member to role" as system target %s Role.DisplayName="" becoming "User Administrator"`, admin())
		}},
		{6, func() string {
			return fmt.Sprintf(`%s audits "Remove member from role completed (PIM deactivate)" target %s Role.DisplayName="User Administrator" becoming ""`, "root", admin())
		}},
		{0.4, func() string {
			return fmt.Sprintf(`root runs Add-MailboxPermission as admin Identity="box%d@fabrikam.com" User="%s" AccessRights="FullAccess"`, r.IntN(max(1, people/40)), mail(who()))
		}},
		{0.3, func() string {
			return fmt.Sprintf(`root runs Set-Mailbox as admin Identity="%s" ProhibitSendQuota="90GB"`, mail(who()))
		}},
		{1, func() string {
			p := who()
			return fmt.Sprintf(`%s runs Add-MailboxFolderPermission Identity="%s:\\Calendar" User="%s" AccessRights="Editor"`, p, mail(p), mail(who()))
		}},
		{0.1, func() string {
			return `ada audits "Update application – Certificates and secrets management" target "Payroll" KeyDescription="[KeyIdentifier=59eaeebc-8a6b-44a6-9f24-7d55e64420c9]" becoming "[]"`
		}},
		{0.1, func() string {
			return `ada audits "Update application" target "Payroll" DisplayName="Payroll" becoming "Payroll 2"`
		}},
		{1, func() string {
			return fmt.Sprintf(`%s audits "Consent to application" target "Polls" ConsentAction.Permissions="" becoming "[] => [[Id: x, ConsentType: Principal, Scope: openid profile email, CreatedDateTime: ]]" ConsentContext.IsAdminConsent="" becoming "False"`, who())
		}},
		{0.1, func() string {
			return `root audits "Add conditional access policy" target "Second factor for partners"`
		}},
		{0.1, func() string {
			return `root runs New-TransportRule as admin Name="Disclaimer" ApplyHtmlDisclaimerText="Confidential."`
		}},
	}
	type line struct {
		at   int // minutes since the first Monday
		text string
	}
	var lines []line
	for day := range days {
		share := float64(people) / 1000
		if day%7 > 4 {
			share /= 15 // few work at the weekend
		}
		for _, u := range usual {
			n := int(u.often * share)
			if r.Float64() < u.often*share-float64(n) {
				n++
			}
			for range n {
				lines = append(lines, line{day*24*60 + 8*60 + r.IntN(9*60+30), u.tell()})
			}
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.at - b.at })
	for _, l := range lines {
		day := l.at / (24 * 60)
		week := ""
		if day >= 7 {
			week = fmt.Sprintf("+%d", day/7)
		}
		fmt.Fprintf(&b, "%s%s %02d:%02d %s\n", weekdays[day%7], week, l.at/60%24, l.at%60, l.text)
	}
	return b.String()
}

// TestQuietOffice: the usual work of a company raises next to nothing: at most five findings above low among 1,000 people in 30 days.
func TestQuietOffice(t *testing.T) {
	text := quietOffice(*quietPeople, *quietDays, 7)
	s, err := story.Parse("quiet", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Acts) < *quietPeople**quietDays/10 {
		t.Fatalf("only %d acts", len(s.Acts))
	}
	by, loud := map[string]int{}, 0
	for _, f := range play(t, s).judge() {
		by[f.Rule+" "+string(f.Severity)]++
		if f.Severity != tocsin.Low && f.Severity != tocsin.Info {
			if loud++; loud < 30 {
				t.Logf("%s %s: %s", f.Rule, f.Severity, f.Why)
			}
		}
	}
	t.Logf("%d acts of %d people in %d days: %d findings above low; %v", len(s.Acts), *quietPeople, *quietDays, loud, by)
	if loud > 5 {
		t.Errorf("%d findings above low where nothing is wrong", loud)
	}
}
