package posture

import (
	"fmt"
	"strings"
	"time"
)

// managedDevicePC is a device of Intune. https://learn.microsoft.com/graph/api/resources/intune-devices-manageddevice
type managedDevicePC struct {
	ID              string `json:"id"`
	DeviceName      string `json:"deviceName"`
	UserPrincipal   string `json:"userPrincipalName"`
	System          string `json:"operatingSystem"`
	Version         string `json:"osVersion"`
	ComplianceState string `json:"complianceState"`
	ManagementAgent string `json:"managementAgent"`
	IsEncrypted     *bool  `json:"isEncrypted"`
	JailBroken      string `json:"jailBroken"`
	LastSync        moment `json:"lastSyncDateTime"`
}

// eachDevice wants no device for which bad gives a phrase.
func eachDevice(wrong, good string, bad func(*State, *managedDevicePC) string) func(*State) Verdict {
	return func(s *State) Verdict {
		var found []Object
		for _, d := range all[managedDevicePC](s, pathDevices) {
			if why := bad(s, &d); why != "" {
				name := or(d.DeviceName, d.ID)
				if d.UserPrincipal != "" {
					why += ", of " + d.UserPrincipal
				}
				found = append(found, Object{ID: d.ID, Name: name, Path: pathDevices, Why: why})
			}
		}
		return none(found, "device", wrong, good)
	}
}

// silentAfter is after how long a device that does not report is stale.
const silentAfter = 30 * 24 * time.Hour

var judgeNoncompliant = eachDevice("is not compliant", "Every device that reports is compliant.", func(_ *State, d *managedDevicePC) string {
	switch strings.ToLower(d.ComplianceState) {
	case "noncompliant", "conflict", "error":
		return strings.ToLower(d.ComplianceState)
	}
	return ""
})

var judgeEncrypted = eachDevice("is not encrypted", "Every device that reports is encrypted.", func(_ *State, d *managedDevicePC) string {
	if d.IsEncrypted != nil && !*d.IsEncrypted {
		return "not encrypted"
	}
	return ""
})

var judgeStaleDevices = eachDevice("has not reported for 30 days", "Every device has reported within 30 days.", func(s *State, d *managedDevicePC) string {
	if !d.LastSync.IsZero() && s.now.Sub(d.LastSync.Time) > silentAfter {
		return "last reported " + d.LastSync.UTC().Format(time.DateOnly)
	}
	return ""
})

var judgeJailBroken = eachDevice("is jail broken or rooted", "No device is jail broken or rooted.", func(_ *State, d *managedDevicePC) string {
	if strings.EqualFold(d.JailBroken, "True") {
		return d.System
	}
	return ""
})

// ended are systems that their makers no longer mend: of each the first version that still is, and when those before ended.
// https://learn.microsoft.com/lifecycle/products/windows-10-home-and-pro, https://learn.microsoft.com/windows/release-health/windows11-release-information,
// https://endoflife.date/macos, https://endoflife.date/ios
var ended = []struct {
	system string
	before string
	since  time.Time
}{
	{"windows", "10.0.22000", time.Date(2025, 10, 14, 0, 0, 0, 0, time.UTC)},
	{"windows", "10.0.22631", time.Date(2025, 10, 14, 0, 0, 0, 0, time.UTC)},
	{"macos", "14.0", time.Date(2025, 9, 15, 0, 0, 0, 0, time.UTC)},
	{"ios", "17.0", time.Date(2025, 9, 15, 0, 0, 0, 0, time.UTC)},
	{"ipados", "17.0", time.Date(2025, 9, 15, 0, 0, 0, 0, time.UTC)},
	{"android", "13.0", time.Date(2025, 3, 3, 0, 0, 0, 0, time.UTC)},
}

var judgeOutdated = eachDevice("runs a system that is no longer mended", "Every device runs a system that is still mended.", func(s *State, d *managedDevicePC) string {
	if _, is := NoLongerMended(d.System, d.Version, s.now); is {
		return fmt.Sprintf("%s %s", d.System, d.Version)
	}
	return ""
})

// older says whether a version stands before another, number by number.
func older(version, than string) bool {
	a, b := numbers(version), numbers(than)
	for i := range max(len(a), len(b)) {
		var x, y int
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			return x < y
		}
	}
	return false
}

func numbers(version string) []int {
	var out []int
	for part := range strings.SplitSeq(version, ".") {
		n := 0
		for _, c := range part {
			if c < '0' || c > '9' || n > 1e8 {
				break
			}
			n = n*10 + int(c-'0')
		}
		out = append(out, n)
	}
	return out
}

func judgeSecureByDefault(s *State) Verdict {
	m := one[struct {
		Settings *struct {
			SecureByDefault *bool `json:"secureByDefault"`
		} `json:"settings"`
	}](s, pathManagement)
	switch {
	case m == nil || m.Settings == nil || m.Settings.SecureByDefault == nil:
		return undecided("Whether a device without a compliance policy counts as compliant is not told.")
	case !*m.Settings.SecureByDefault:
		return fail("A device without a compliance policy counts as compliant.").with(Object{ID: "deviceManagement", Name: "Intune", Path: pathManagement})
	}
	return pass("A device without a compliance policy does not count as compliant.")
}
