package posture

import (
	"strings"
)

// sharing is how SharePoint and OneDrive share. https://learn.microsoft.com/graph/api/resources/sharepointsettings
// The fields after the gap are those of SharePoint's own interface, which Graph does not have; exports may.
type sharing struct {
	Capability    string `json:"sharingCapability"`
	Resharing     *bool  `json:"isResharingByExternalUsersEnabled"`
	LegacyAuth    *bool  `json:"isLegacyAuthProtocolsEnabled"`
	RestrictMode  string `json:"sharingDomainRestrictionMode"`
	Allowed       list   `json:"sharingAllowedDomainList"`
	SameInvited   *bool  `json:"isRequireAcceptingUserToMatchInvitedUserEnabled"`
	UnmanagedSync *bool  `json:"isUnmanagedSyncAppForTenantRestricted"`
	Idle          *struct {
		IsEnabled bool `json:"isEnabled"`
		After     int  `json:"signOutAfterInSeconds"`
	} `json:"idleSessionSignOut"`

	OneDrive        string `json:"oneDriveSharingCapability"`
	LinkType        string `json:"defaultSharingLinkType"`
	LinkPermission  string `json:"defaultLinkPermission"`
	AnyoneDays      *int   `json:"requireAnonymousLinksExpireInDays"`
	AnyoneFile      string `json:"fileAnonymousLinkType"`
	AnyoneFolder    string `json:"folderAnonymousLinkType"`
	Reauthenticate  *bool  `json:"emailAttestationRequired"`
	ReauthDays      int    `json:"emailAttestationReAuthDays"`
	GuestsExpire    *bool  `json:"externalUserExpirationRequired"`
	GuestsDays      int    `json:"externalUserExpireInDays"`
	InfectedBlocked *bool  `json:"disallowInfectedFileDownload"`
	B2B             *bool  `json:"enableAzureADB2BIntegration"`
}

// shares judges the settings of sharing.
func shares(judge func(*sharing) Verdict) func(*State) Verdict {
	return func(s *State) Verdict {
		x := one[sharing](s, pathSharing)
		if x == nil {
			return undecided("The settings of sharing that were collected are empty.")
		}
		v := judge(x)
		if v.Status == Fail {
			v.Found = append(v.Found, Object{ID: "sharepointSettings", Name: "SharePoint settings", Path: pathSharing})
		}
		return v
	}
}

func limits(what, capability string) Verdict {
	switch strings.ToLower(capability) {
	case "":
		return undecided("With whom %s shares is not told.", what)
	case "disabled", "existingexternalusersharingonly":
		return pass("%s shares inside, or with guests who are known already.", what)
	case "externalusersharingonly":
		return fail("%s shares with anybody who has an address, after they prove it.", what)
	}
	return fail("%s shares by links that anybody can use who has them.", what)
}

func judgeSharing(x *sharing) Verdict  { return limits("SharePoint", x.Capability) }
func judgeOneDrive(x *sharing) Verdict { return limits("OneDrive", x.OneDrive) }

// anyone says whether links for anybody can be made.
func (x *sharing) anyone() bool {
	return strings.EqualFold(x.Capability, "externalUserAndGuestSharing")
}

func judgeShareDomains(x *sharing) Verdict {
	switch {
	case strings.EqualFold(x.Capability, "disabled"):
		return pass("Nothing is shared outside.")
	case strings.EqualFold(x.RestrictMode, "allowList") && len(x.Allowed) > 0:
		return pass("Sharing is held to %s.", count(len(x.Allowed), "domain"))
	case x.RestrictMode == "":
		return undecided("To which domains sharing is held is not told.")
	}
	return fail("Sharing is not held to chosen domains.")
}

func judgeReshare(x *sharing) Verdict {
	switch {
	case strings.EqualFold(x.Capability, "disabled"):
		return pass("Nothing is shared outside.")
	case x.Resharing == nil:
		return undecided("Whether guests share on what they do not own is not told.")
	case *x.Resharing:
		return fail("Guests share on what they do not own.")
	}
	return pass("Guests cannot share on what they do not own.")
}

func judgeSameInvited(x *sharing) Verdict {
	switch {
	case strings.EqualFold(x.Capability, "disabled"):
		return pass("Nothing is shared outside.")
	case x.SameInvited == nil:
		return undecided("Whether an invitation can be passed on is not told.")
	case !*x.SameInvited:
		return fail("Whoever has an invitation can accept it, with any account.")
	}
	return pass("An invitation is accepted by the account that it was sent to.")
}

func judgeShareLegacy(x *sharing) Verdict {
	switch {
	case x.LegacyAuth == nil:
		return undecided("Whether SharePoint takes old protocols is not told.")
	case *x.LegacyAuth:
		return fail("SharePoint takes old protocols, which know no second factor.")
	}
	return pass("SharePoint blocks legacy authentication.")
}

func judgeSyncClients(x *sharing) Verdict {
	switch {
	case x.UnmanagedSync == nil:
		return undecided("Whether files are synchronised to any device is not told.")
	case !*x.UnmanagedSync:
		return fail("Files are synchronised to any device, the organisation's or not.")
	}
	return pass("Files are synchronised to the organisation's own devices alone.")
}

func judgeShareIdle(x *sharing) Verdict {
	switch {
	case x.Idle == nil:
		return undecided("Whether a session in a browser ends when nobody uses it is not told.")
	case !x.Idle.IsEnabled:
		return fail("A session of SharePoint in a browser does not end when nobody uses it.")
	}
	return pass("A session of SharePoint in a browser ends after %s without use.", spell(x.Idle.After))
}

func judgeAnyoneDays(x *sharing) Verdict {
	const most = 30
	switch {
	case x.Capability != "" && !x.anyone():
		return pass("Nobody can make links for anybody.")
	case x.AnyoneDays == nil:
		return undecided("Whether links for anybody expire is not told: Graph does not have it.")
	case *x.AnyoneDays <= 0:
		return fail("Links for anybody never expire.")
	case *x.AnyoneDays > most:
		return fail("Links for anybody expire after %d days; 30 are enough.", *x.AnyoneDays)
	}
	return pass("Links for anybody expire after %s.", count(*x.AnyoneDays, "day"))
}

func judgeAnyoneView(x *sharing) Verdict {
	switch {
	case x.Capability != "" && !x.anyone():
		return pass("Nobody can make links for anybody.")
	case x.AnyoneFile == "" || x.AnyoneFolder == "":
		return undecided("What links for anybody allow is not told: Graph does not have it.")
	case !viewing(x.AnyoneFile) || !viewing(x.AnyoneFolder):
		return fail("Links for anybody allow changing what they lead to.")
	}
	return pass("Anyone links are view-only.")
}

func viewing(kind string) bool { return strings.EqualFold(kind, "view") }

func judgeLinkType(x *sharing) Verdict {
	switch strings.ToLower(x.LinkType) {
	case "":
		return undecided("For whom a new link is at first is not told: Graph does not have it.")
	case "direct", "specificpeople":
		return pass("A new link is at first for named persons.")
	case "internal":
		return fail("A new link is at first for everybody inside.")
	}
	return fail("A new link is at first for anybody who has it.")
}

func judgeLinkPermission(x *sharing) Verdict {
	switch {
	case x.LinkPermission == "":
		return undecided("What a new link allows at first is not told: Graph does not have it.")
	case viewing(x.LinkPermission):
		return pass("The default sharing link is view-only.")
	}
	return fail("A new link allows changing at first.")
}

func judgeReauth(x *sharing) Verdict {
	switch {
	case strings.EqualFold(x.Capability, "disabled"):
		return pass("Nothing is shared outside.")
	case x.Reauthenticate == nil:
		return undecided("Whether persons with a code prove themselves again is not told: Graph does not have it.")
	case !*x.Reauthenticate || x.ReauthDays > 30:
		return fail("Persons who came in with a code need not prove themselves again within 30 days.")
	}
	return pass("Persons who came in with a code prove themselves again every %s.", count(x.ReauthDays, "day"))
}

func judgePublicSites(s *State) Verdict {
	byAddress, byName := map[string]bool{}, map[string]bool{} // whether a group is public, by what its address begins with and by its name
	for _, g := range all[group](s, pathGroups) {
		if !g.GroupTypes.has("Unified") {
			continue
		}
		is := strings.EqualFold(g.Visibility, "Public")
		if nick, _, ok := strings.Cut(strings.ToLower(g.Mail), "@"); ok {
			byAddress[nick] = is
		}
		name := strings.ToLower(g.DisplayName)
		byName[name] = byName[name] || is
	}
	var bad []Object
	for _, x := range all[struct {
		ID          string `json:"id"`
		DisplayName string `json:"displayName"`
		WebURL      string `json:"webUrl"`
		Personal    bool   `json:"isPersonalSite"`
	}](s, pathSites) {
		// A site's address ends in what the group's begins with, until somebody renames it; else it has the group's name.
		public, is := byAddress[strings.ToLower(x.WebURL[strings.LastIndexByte(x.WebURL, '/')+1:])]
		if !is {
			public = byName[strings.ToLower(x.DisplayName)]
		}
		if public && !x.Personal {
			bad = append(bad, Object{ID: x.ID, Name: or(x.DisplayName, x.WebURL, x.ID), Path: pathSites, Why: "the site of a public group: everybody inside reads it"})
		}
	}
	return none(bad, "site", "belongs to a public group, so everybody inside reads it", "No site belongs to a public group.")
}
