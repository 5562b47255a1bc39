package posture

import (
	"strings"
)

// What Microsoft's own researchers hold to in EIDSCA besides: keys, who is shown what, reviewers of consent, guests in groups.
// https://maester.dev/docs/tests/eidsca

// ofMethod judges how a method is set.
func ofMethod(id, name string, judge func(*methodConfiguration) Verdict) func(*State) Verdict {
	return func(s *State) Verdict {
		m := s.method(id)
		if m == nil || m.State == "" {
			return undecided("How %s is set is not told.", name)
		}
		v := judge(m)
		if v.Status == Fail {
			v.Found = append(v.Found, Object{ID: m.ID, Name: name, Path: pathMethods})
		}
		return v
	}
}

func (m *methodConfiguration) on() bool { return strings.EqualFold(m.State, "enabled") }

func isOn(b *bool) bool { return b != nil && *b }

func judgeKeys(m *methodConfiguration) Verdict {
	switch {
	case !m.on():
		return fail("Passkeys and security keys are off, so nobody can use a way that no phishing site can pass on.")
	case m.SelfService == nil:
		return undecided("Whether people register keys by themselves is not told.")
	case !*m.SelfService:
		return fail("People cannot register a passkey or a security key by themselves.")
	}
	return pass("People register passkeys and security keys by themselves.")
}

func judgeAttested(m *methodConfiguration) Verdict {
	switch {
	case !m.on():
		return pass("Passkeys and security keys are off.")
	case m.Attestation == nil:
		return undecided("Whether a key must prove who made it is not told.")
	case !*m.Attestation:
		return fail("A key need not prove who made it.")
	}
	return pass("A key must prove who made it.")
}

func judgeKeysRestricted(m *methodConfiguration) Verdict {
	switch {
	case !m.on():
		return pass("Passkeys and security keys are off.")
	case m.Restrictions == nil || m.Restrictions.IsEnforced == nil:
		return undecided("Whether keys are held to chosen models is not told.")
	case !*m.Restrictions.IsEnforced || len(m.Restrictions.Keys) == 0:
		return fail("Keys of any model can be registered.")
	}
	return pass("Keys are held to models: %s in a list of what to %s.", count(len(m.Restrictions.Keys), "model"), or(m.Restrictions.Kind, "allow"))
}

func judgeAuthenticator(m *methodConfiguration) Verdict {
	if !m.on() {
		return fail("Microsoft Authenticator is off.")
	}
	return pass("Microsoft Authenticator is on.")
}

// judgeForEverybody wants what Authenticator shows to be shown to all, not to a group.
func judgeForEverybody(m *methodConfiguration) Verdict {
	if !m.on() {
		return pass("Microsoft Authenticator is off.")
	}
	told := false
	for _, f := range []struct {
		what string
		f    *feature
	}{{"the number", m.Features.Number}, {"the application", m.Features.App}, {"the place", m.Features.Location}} {
		if f.f == nil || f.f.Target.ID == "" {
			continue
		}
		if told = true; !strings.EqualFold(f.f.Target.ID, "all_users") {
			return fail("Microsoft Authenticator shows %s to a group only.", f.what)
		}
	}
	if !told {
		return undecided("To whom Microsoft Authenticator shows the number, the application and the place is not told.")
	}
	return pass("What Microsoft Authenticator shows it shows to everybody.")
}

func judgePassOn(m *methodConfiguration) Verdict {
	if !m.on() {
		return fail("Temporary access passes are off: whoever has lost a second factor gets a weaker one, or a password by telephone.")
	}
	return pass("Temporary access passes are on.")
}

func judgeAdminReset(a *authorization) Verdict {
	switch {
	case a.AdminSelfPassword == nil:
		return undecided("Whether administrators reset their own passwords is not told.")
	case *a.AdminSelfPassword:
		return fail("Administrators reset their own passwords, by whatever way back in they have registered.")
	}
	return pass("Administrators do not reset their own passwords.")
}

func judgeReadOthers(a *authorization) Verdict {
	switch {
	case a.Default.OtherUsers == nil:
		return undecided("Whether people see each other is not told.")
	case !*a.Default.OtherUsers:
		return fail("People do not see each other in the directory; Teams and Planner do not work so, and Microsoft advises against it.")
	}
	return pass("People see each other in the directory.")
}

// The template of settings of consent. https://learn.microsoft.com/graph/group-directory-settings
const templateConsent = "dffd5d46-495d-40a9-8e21-954ff55e198a"

// setTo judges a value of a template of settings; unchanged is what holds where it was never changed.
func setTo(template, name, wanted, unchanged, good, bad string) func(*State) Verdict {
	return func(s *State) Verdict {
		is, told := s.values(template)[strings.ToLower(name)]
		if !told || is == "" {
			is = unchanged
		}
		if strings.EqualFold(is, wanted) {
			return pass("%s.", good)
		}
		return fail("%s.", bad).with(Object{ID: template, Name: name, Path: pathSettings})
	}
}

func judgeConsentSettings(s *State) Verdict {
	for _, judge := range []func(*State) Verdict{
		setTo(templateConsent, "BlockUserConsentForRiskyApps", "true", "true", "Consent to risky applications goes to an administrator", "Consent to risky applications does not go to an administrator"),
		setTo(templateConsent, "EnableAdminConsentRequests", "true", "false", "Who cannot consent can ask", "Who cannot consent cannot ask an administrator"),
	} {
		if v := judge(s); v.Status != Pass {
			return v
		}
	}
	return pass("Consent to risky applications goes to an administrator, and who cannot consent can ask.")
}

func judgeReviewers(s *State) Verdict {
	p := one[struct {
		IsEnabled *bool `json:"isEnabled"`
		Notify    *bool `json:"notifyReviewers"`
		Remind    *bool `json:"remindersEnabled"`
		Days      int   `json:"requestDurationInDays"`
	}](s, pathAdminConsent)
	at := Object{ID: "adminConsentRequestPolicy", Name: "Admin consent workflow", Path: pathAdminConsent}
	switch {
	case p == nil || p.IsEnabled == nil || p.Notify == nil:
		return undecided("Whether reviewers are told of requests is not told.")
	case !*p.IsEnabled:
		return fail("Nobody can ask an administrator for an application, so no reviewer is told.").with(at)
	case !*p.Notify:
		return fail("Reviewers are not told of requests.").with(at)
	case !isOn(p.Remind):
		return fail("Reviewers are not reminded before a request ends.").with(at)
	case p.Days > 30:
		return fail("A request stays for %d days; 30 are enough.", p.Days).with(at)
	}
	return pass("Reviewers are told of requests, and reminded of them.")
}
