package api

import (
	"cmp"
	"context"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect/posture"
	"tocsin.dev/store"
)

// ManagedDevice is a device of the organisation's, or of one of its people: as Intune has it, or Entra where Intune does not.
type ManagedDevice struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Person     tocsin.PersonID `json:"person"` // whose; empty where nobody's, or not known
	Who        string          `json:"who"`
	System     string          `json:"system"`
	Version    string          `json:"version"`
	OutOfDate  bool            `json:"out_of_date"`          // its system is no longer mended by its maker
	MendedTill time.Time       `json:"mended_till,omitzero"` // since when it is not
	Compliance string          `json:"compliance"`           // compliant, noncompliant, conflict, error, inGracePeriod, configManager, unknown
	Encrypted  *bool           `json:"encrypted"`            // null where it is not told
	JailBroken *bool           `json:"jail_broken"`          // null where it is not told
	Management string          `json:"management"`           // by what it is managed, in Microsoft's words; empty where nothing does
	Ownership  string          `json:"ownership"`            // company, personal; empty where not told
	Model      string          `json:"model"`
	EntraID    string          `json:"entra_id"` // the device's own in Entra
	Enrolled   time.Time       `json:"enrolled,omitzero"`
	Synced     time.Time       `json:"synced,omitzero"` // when it was last heard of
	Silent     bool            `json:"silent"`          // it has not been heard of for 30 days
	Checks     []Failing       `json:"checks"`          // that it fails
}

// DeviceDetail is a device with whose it is.
type DeviceDetail struct {
	ManagedDevice
	Identity *Identity     `json:"identity"` // null where it is nobody's
	SignIns  []EntraSignIn `json:"sign_ins"` // with it, by its name, the newest, at most 10
}

// DevicesIn filters devices.
type DevicesIn struct {
	In
	Paging
	Q           string `query:"q" maxLength:"200" doc:"Only with this in the name, the model or whose it is"`
	System      string `query:"system" maxLength:"50" doc:"Only of this system: Windows, iOS, macOS, Android …"`
	Failing     bool   `query:"failing" doc:"Only those that fail a check"`
	Compliance  string `query:"compliance" enum:"compliant,noncompliant" doc:"Only those that are compliant, or are not"`
	Unencrypted bool   `query:"unencrypted" doc:"Only those that are not encrypted, or of which it is not told"`
	OutOfDate   bool   `query:"out_of_date" doc:"Only those whose system is no longer mended"`
	Silent      bool   `query:"silent" doc:"Only those that have not been heard of for 30 days"`
	Sort        string `query:"sort" enum:"name,synced,checks" doc:"checks (most first) when absent; synced: those silent longest first"`
}

// deviceState is what is read of a device's object.
type deviceState struct {
	ID         string    `json:"id"`
	User       string    `json:"userId"`
	UPN        string    `json:"userPrincipalName"`
	Name       string    `json:"deviceName"`
	System     string    `json:"operatingSystem"`
	Version    string    `json:"osVersion"`
	Compliance string    `json:"complianceState"`
	Encrypted  *bool     `json:"isEncrypted"`
	JailBroken string    `json:"jailBroken"`
	Agent      string    `json:"managementAgent"`
	Owner      string    `json:"managedDeviceOwnerType"`
	Maker      string    `json:"manufacturer"`
	Model      string    `json:"model"`
	EntraID    string    `json:"azureADDeviceId"`
	Enrolled   time.Time `json:"enrolledDateTime"`
	Synced     time.Time `json:"lastSyncDateTime"`
}

// deviceSilent is after how long without a word a device is silent.
const deviceSilent = 30 * 24 * time.Hour

func (d *deviceState) view(tenant tocsin.TenantID, now time.Time) ManagedDevice {
	v := ManagedDevice{ID: d.ID, Name: cmp.Or(d.Name, d.ID), Who: d.UPN, System: d.System, Version: d.Version, Compliance: d.Compliance, Encrypted: d.Encrypted, Management: d.Agent, Ownership: d.Owner,
		Model: strings.TrimSpace(d.Maker + " " + d.Model), EntraID: d.EntraID, Enrolled: d.Enrolled, Synced: d.Synced, Checks: []Failing{}}
	if d.User != "" {
		v.Person = tocsin.NewPersonID(tenant, d.User)
	}
	if d.Synced.Year() < 2000 { // 0001-01-01 stands for never
		v.Synced = time.Time{}
	}
	if d.Enrolled.Year() < 2000 {
		v.Enrolled = time.Time{}
	}
	v.MendedTill, v.OutOfDate = posture.NoLongerMended(d.System, d.Version, now)
	v.Silent = !v.Synced.IsZero() && now.Sub(v.Synced) > deviceSilent
	if is := strings.EqualFold(d.JailBroken, "true"); is || strings.EqualFold(d.JailBroken, "false") {
		v.JailBroken = &is
	}
	return v
}

// devicesFound are the devices that more picks, with the checks that each fails.
func (s *Service) devicesFound(ctx context.Context, t *store.Tenant, more func(*query)) ([]ManagedDevice, error) {
	fails, err := failing(ctx, t, pathManaged)
	if err != nil {
		return nil, err
	}
	return s.devicesOf(ctx, t, fails, more)
}

func (s *Service) devicesOf(ctx context.Context, t *store.Tenant, fails map[string][]Failing, more func(*query)) ([]ManagedDevice, error) {
	list, err := bodies[deviceState](ctx, t, pathManaged, more)
	if err != nil {
		return nil, err
	}
	out := make([]ManagedDevice, len(list))
	for i := range list {
		out[i] = list[i].view(t.ID(), s.now())
		out[i].Checks = orNone(fails[strings.ToLower(out[i].ID)])
	}
	return out, nil
}

// ListDevices lists devices.
func (s *Service) ListDevices(ctx context.Context, in DevicesIn) (Page[ManagedDevice], error) {
	return view(ctx, s, "devices list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[ManagedDevice], error) {
		fails, err := failing(ctx, t, pathManaged)
		if err != nil {
			return Page[ManagedDevice]{}, err
		}
		l := &listing{kind: "device", name: "devices/" + in.Sort, by: "rank", only: in.Failing}
		switch in.Sort {
		case "synced":
			l.by = "at"
		case "", "checks":
			l.first = map[string]int{}
			for id, list := range fails {
				l.first[id] = len(list)
			}
		}
		if in.Failing && l.first == nil {
			l.first = ones(fails)
		}
		l.that = func(q *query) {
			texted(q, in.Q)
			if in.System != "" {
				marked(q, true, "system", in.System)
			}
			if in.Compliance != "" {
				marked(q, in.Compliance == "compliant", "compliant", "")
			}
			if in.Unencrypted {
				marked(q, false, "encrypted", "")
			}
			if in.OutOfDate {
				q.add(" and seen > 0 and seen < ?", tocsin.Millis(s.now()))
			}
			if in.Silent {
				q.add(" and at > 0 and at < ?", tocsin.Millis(s.now().Add(-deviceSilent)))
			}
		}
		return pageOf(ctx, t, l, in.Paging, func(ids []any) ([]ManagedDevice, error) {
			return s.devicesOf(ctx, t, fails, func(q *query) { q.add(" and id in (" + q.in(ids...) + ")") })
		}, func(d *ManagedDevice) string { return d.ID })
	})
}

// GetDevice is a device with whose it is, and where it signed in.
func (s *Service) GetDevice(ctx context.Context, in ByID) (DeviceDetail, error) {
	return view(ctx, s, "devices get", in, func(ctx context.Context, t *store.Tenant, _ Caller) (DeviceDetail, error) {
		d := DeviceDetail{SignIns: []EntraSignIn{}}
		list, err := s.devicesFound(ctx, t, func(q *query) { q.add(" and id = ?", in.ID) })
		if err != nil {
			return d, err
		}
		if len(list) == 0 {
			return d, notFound("device")
		}
		d.ManagedDevice = list[0]
		if d.Person == "" {
			return d, nil
		}
		who, err := identities(ctx, t, d.Person)
		if err != nil {
			return d, err
		}
		if len(who) > 0 {
			d.Identity = &who[0]
		}
		rows, err := find(ctx, t, (&query{}).add("select "+signInColumns+" from sign_in where tenant = $1 and person = ? and lower(device) = ?", d.Person, strings.ToLower(d.Name)).add(newest, 10), (*signInRow).fields)
		for i := range rows {
			d.SignIns = append(d.SignIns, rows[i].view())
		}
		return d, err
	})
}
