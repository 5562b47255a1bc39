package tocsin

import (
	"testing"
	"time"
)

// TestZone: Windows's names and IANA's are known, each of Windows's is a zone that there is, and what is no name is none.
func TestZone(t *testing.T) {
	winter, summer := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC), time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC)
	for name, want := range map[string][2]string{
		"W. Europe Standard Time": {"+01:00", "+02:00"}, "w. europe standard time ": {"+01:00", "+02:00"}, "Europe/Berlin": {"+01:00", "+02:00"},
		"Pacific Standard Time": {"-08:00", "-07:00"}, "GMT Standard Time": {"Z", "+01:00"}, "Greenwich Standard Time": {"Z", "Z"},
		"India Standard Time": {"+05:30", "+05:30"}, "Nepal Standard Time": {"+05:45", "+05:45"}, "AUS Eastern Standard Time": {"+11:00", "+10:00"}, "UTC": {"Z", "Z"}, "UTC-11": {"-11:00", "-11:00"},
	} {
		z := Zone(name)
		if z == nil {
			t.Errorf("%q is no zone", name)
			continue
		}
		if got := [2]string{winter.In(z).Format("Z07:00"), summer.In(z).Format("Z07:00")}; got != want {
			t.Errorf("%q is %v, want %v", name, got, want)
		}
	}
	for _, name := range []string{"", "Local", "local", "Atlantis Standard Time", "../../etc/passwd"} {
		if z := Zone(name); z != nil {
			t.Errorf("%q is %v", name, z)
		}
	}
	for name, iana := range windowsZones {
		if Zone(name) == nil {
			t.Errorf("%q is to be %s, which is none", name, iana)
		}
	}
	if len(windowsZones) < 130 {
		t.Errorf("%d of Windows's zones", len(windowsZones))
	}
}
