package collect

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect/posture"
	"tocsin.dev/store"
)

// Lists of the directory are filtered, sorted and paged by table listed, which has a short row for each thing. The row is written in the
// transaction in which the object is, so that a list is never behind. Applications are made of many objects: all of theirs are made
// anew after a round that changed one.

// listEdition is raised where rows are made in another way: they are then made anew.
const listEdition = 1

// listKinds are the kinds of things that are listed one by one, by the path that has them.
var listKinds = map[string]string{"/groups": "group", "/users": "guest", "/deviceManagement/managedDevices": "device", "/sites": "site"}

// appPaths are of what applications are made.
var appPaths = []string{"/applications", "/servicePrincipals", "/servicePrincipals/*", "/oauth2PermissionGrants", "/reports/servicePrincipalSignInActivities"}

// listedRow is a row of table listed.
type listedRow struct {
	id, name, text string
	rank, at, seen int64
	marks          []string
	body           string
}

func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// Mark is a word among a row's marks: of a name alone, or of a name with a value.
func Mark(name, value string) string {
	if value == "" {
		return " " + name + " "
	}
	return " " + name + ":" + strings.ReplaceAll(fold(value), " ", "_") + " "
}

func (r *listedRow) mark(is bool, name, value string) {
	if is {
		r.marks = append(r.marks, strings.TrimSpace(Mark(name, value)))
	}
}

func (r *listedRow) values(kind string) []any {
	marks := ""
	if len(r.marks) > 0 {
		marks = " " + strings.Join(r.marks, " ") + " "
	}
	return []any{kind, strings.ToLower(r.id), r.id, fold(r.name), r.rank, r.at, r.seen, marks, strings.ToLower(r.text), r.body}
}

var listedColumns = []string{"kind", "id", "object", "name", "rank", "at", "seen", "marks", "text", "body"}

// listedObject is what a row is made of besides what is kept in columns.
type listedObject struct {
	Name       string    `json:"displayName"`
	Mail       string    `json:"mail"`
	Visibility string    `json:"visibility"`
	Types      []string  `json:"groupTypes"`
	Rule       string    `json:"membershipRule"`
	Assignable *bool     `json:"isAssignableToRole"`
	Security   *bool     `json:"securityEnabled"`
	MailOn     *bool     `json:"mailEnabled"`
	Created    time.Time `json:"createdDateTime"`
	State      string    `json:"externalUserState"`
	SignIn     *struct {
		Interactive    time.Time `json:"lastSignInDateTime"`
		NonInteractive time.Time `json:"lastNonInteractiveSignInDateTime"`
		Successful     time.Time `json:"lastSuccessfulSignInDateTime"`
	} `json:"signInActivity"`
	Device     string    `json:"deviceName"`
	UPN        string    `json:"userPrincipalName"`
	System     string    `json:"operatingSystem"`
	Version    string    `json:"osVersion"`
	Compliance string    `json:"complianceState"`
	Encrypted  *bool     `json:"isEncrypted"`
	Maker      string    `json:"manufacturer"`
	Model      string    `json:"model"`
	Synced     time.Time `json:"lastSyncDateTime"`
	URL        string    `json:"webUrl"`
	Personal   *bool     `json:"isPersonalSite"`
}

func isTrue(b *bool) bool { return b != nil && *b }

// moment is a time as it is listed by; Microsoft writes never as a year long ago.
func moment(t time.Time) int64 {
	if t.Year() < 2000 {
		return 0
	}
	return tocsin.Millis(t)
}

// GroupKind is what sort of group an object is: microsoft365, security, mail_security, distribution; empty where it is not told.
func GroupKind(types []string, security, mailOn *bool, mail string) string {
	switch mail := isTrue(mailOn) || mailOn == nil && mail != ""; {
	case slices.Contains(types, "Unified"):
		return "microsoft365"
	case isTrue(security) && mail:
		return "mail_security"
	case isTrue(security):
		return "security"
	case mail:
		return "distribution"
	}
	return ""
}

// HomeOf is the domain that a guest comes from: of their address, else as their name here has it (eve_evil.example#EXT#@…).
func HomeOf(mail, upn string) string {
	if _, domain, ok := strings.Cut(mail, "@"); ok {
		return strings.ToLower(domain)
	}
	if local, _, ok := strings.Cut(upn, "#EXT#"); ok {
		return strings.ToLower(local[strings.LastIndexByte(local, '_')+1:])
	}
	return ""
}

// relist writes the rows of the things of a kind that have these ids.
func relist(ctx context.Context, t *store.Tenant, kind string, ids []string) error {
	if kind == "" {
		return nil
	}
	for some := range slices.Chunk(ids, 500) {
		if err := relistSome(ctx, t, kind, some); err != nil {
			return err
		}
	}
	return nil
}

func relistSome(ctx context.Context, t *store.Tenant, kind string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	path := ""
	for p, k := range listKinds {
		if k == kind {
			path = p
		}
	}
	objects := map[string]listedObject{}
	err := each(ctx, t, func(scan func(...any) error) error {
		var id, body string
		if err := scan(&id, &body); err != nil {
			return err
		}
		var o listedObject
		_ = json.Unmarshal([]byte(body), &o) // a member of another type leaves the others as they are
		objects[id] = o
		return nil
	}, `select id, body from state_object where tenant = $1 and path = $2 and deleted = 0 and id in (`+store.In(len(ids), 3)+`)`, append([]any{path}, anys(ids)...)...)
	if err != nil {
		return err
	}
	var rows []listedRow
	switch kind {
	case "group":
		rows, err = groupRows(ctx, t, ids, objects)
	case "guest":
		rows, err = guestRows(ctx, t, ids, objects)
	case "device":
		for id, o := range objects {
			rows = append(rows, deviceRow(id, &o))
		}
	case "site":
		rows, err = siteRows(ctx, t, objects)
	}
	if err != nil {
		return err
	}
	had, err := writeListed(ctx, t, kind, ids, rows)
	if err != nil || kind != "group" {
		return err
	}
	// Whether everybody reads a site hangs on the group that bears its name.
	names := map[string]bool{}
	for _, r := range rows {
		names[fold(r.name)] = true
	}
	for _, name := range had {
		names[name] = true
	}
	var sites []string
	for some := range slices.Chunk(sortedKeys(names), 500) {
		if err := each(ctx, t, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			sites = append(sites, id)
			return err
		}, `select object from listed where tenant = $1 and kind = 'site' and rank in (0, 1) and name in (`+store.In(len(some), 2)+`)`, anys(some)...); err != nil {
			return err
		}
	}
	return relist(ctx, t, "site", sites)
}

// writeListed writes rows in the place of those that there are of the ids, and gives the names that these had.
func writeListed(ctx context.Context, t *store.Tenant, kind string, ids []string, rows []listedRow) (had []string, err error) {
	is, gone := map[string]bool{}, []string{}
	values := make([][]any, len(rows))
	for i := range rows {
		values[i] = rows[i].values(kind)
		is[strings.ToLower(rows[i].id)] = true
	}
	folded := make([]string, len(ids))
	for i, id := range ids {
		folded[i] = strings.ToLower(id)
	}
	if err := each(ctx, t, func(scan func(...any) error) error {
		var id, name string
		err := scan(&id, &name)
		had = append(had, name)
		if !is[id] {
			gone = append(gone, id)
		}
		return err
	}, `select id, name from listed where tenant = $1 and kind = $2 and id in (`+store.In(len(folded), 3)+`)`, append([]any{kind}, anys(folded)...)...); err != nil {
		return nil, err
	}
	if len(gone) > 0 {
		if _, err := t.Exec(ctx, `delete from listed where tenant = $1 and kind = $2 and id in (`+store.In(len(gone), 3)+`)`, append([]any{kind}, anys(gone)...)...); err != nil {
			return nil, err
		}
	}
	return had, t.Insert(ctx, store.Into{Table: "listed", Columns: listedColumns, Key: listedColumns[:2]}, values)
}

// groupRows are of what the directory tells of a group, and of what mail does.
func groupRows(ctx context.Context, t *store.Tenant, ids []string, objects map[string]listedObject) ([]listedRow, error) {
	type mail struct{ name, mail, kind, outside string }
	told := map[string]mail{}
	err := each(ctx, t, func(scan func(...any) error) error {
		var id string
		var m mail
		err := scan(&id, &m.name, &m.mail, &m.kind, &m.outside)
		told[id] = m
		return err
	}, `select id, name, mail, kind, outside from mail_group where tenant = $1 and deleted = 0 and kind <> 'contact' and id in (`+store.In(len(ids), 2)+`)`, anys(ids)...)
	if err != nil {
		return nil, err
	}
	var rows []listedRow
	for _, id := range ids {
		o, is := objects[id]
		m, mailed := told[id]
		if !is && !mailed {
			continue
		}
		if m.kind == "unified" {
			m.kind = "microsoft365"
		}
		r := listedRow{id: id, name: cmp.Or(o.Name, m.name)}
		r.text = r.name + " " + cmp.Or(o.Mail, m.mail)
		kind := cmp.Or(GroupKind(o.Types, o.Security, o.MailOn, o.Mail), m.kind)
		r.mark(kind != "", "kind", kind)
		r.mark(slices.Contains(o.Types, "Unified"), "bears", "") // the name of a site
		r.mark(slices.Contains(o.Types, "DynamicMembership") || o.Rule != "", "dynamic", "")
		r.mark(strings.EqualFold(o.Visibility, "public"), "public", "")
		r.mark(isTrue(o.Assignable), "assignable", "")
		r.mark(m.outside != "" && m.outside != "[]" && m.outside != "null", "outside", "")
		rows = append(rows, r)
	}
	return rows, nil
}

// guestRows are of people who are guests, by Entra's ids.
func guestRows(ctx context.Context, t *store.Tenant, ids []string, objects map[string]listedObject) (rows []listedRow, err error) {
	err = each(ctx, t, func(scan func(...any) error) error {
		var id, name, upn, mail string
		var created int64
		if err := scan(&id, &name, &upn, &mail, &created); err != nil {
			return err
		}
		o := objects[id]
		r := listedRow{id: id, name: cmp.Or(name, upn), text: name + " " + mail + " " + upn, at: cmp.Or(created, moment(o.Created))}
		if o.SignIn != nil {
			for _, at := range []time.Time{o.SignIn.Interactive, o.SignIn.NonInteractive, o.SignIn.Successful} {
				r.seen = max(r.seen, moment(at))
			}
		}
		state := map[string]string{"accepted": "accepted", "pendingacceptance": "pending"}[strings.ToLower(o.State)]
		r.mark(state != "", state, "")
		home := HomeOf(mail, upn)
		r.mark(home != "", "home", home)
		_, read := objects[id]
		r.mark(read, "read", "")
		rows = append(rows, r)
		return nil
	}, `select object_id, name, upn, mail, created from person where tenant = $1 and deleted = 0 and kind = 'guest' and object_id in (`+store.In(len(ids), 2)+`)`, anys(ids)...)
	return rows, err
}

func deviceRow(id string, o *listedObject) listedRow {
	r := listedRow{id: id, name: cmp.Or(o.Device, id), at: moment(o.Synced)}
	r.text = r.name + " " + strings.TrimSpace(o.Maker+" "+o.Model) + " " + o.UPN
	r.mark(o.System != "", "system", o.System)
	r.mark(o.Compliance == "compliant", "compliant", "")
	r.mark(isTrue(o.Encrypted), "encrypted", "")
	if since, is := posture.NoLongerMended(o.System, o.Version, time.UnixMilli(math.MaxInt64/1000)); is {
		r.seen = tocsin.Millis(since) // for a device: since when its system is mended no longer
	}
	return r
}

// siteRows have the sites of public groups first, and the newest by when they were made.
func siteRows(ctx context.Context, t *store.Tenant, objects map[string]listedObject) ([]listedRow, error) {
	names := map[string]bool{}
	for _, o := range objects {
		if fold(o.Name) != "" && !isTrue(o.Personal) {
			names[fold(o.Name)] = true
		}
	}
	public := map[string]bool{}
	if len(names) > 0 {
		if err := each(ctx, t, func(scan func(...any) error) error {
			var name string
			err := scan(&name)
			public[name] = true
			return err
		}, `select name from listed where tenant = $1 and kind = 'group' and rank = 0 and name in (`+store.In(len(names), 2)+`) and marks like '% bears %' and marks like '% public %'`, anys(sortedKeys(names))...); err != nil {
			return nil, err
		}
	}
	var rows []listedRow
	for id, o := range objects {
		r := listedRow{id: id, name: cmp.Or(o.Name, o.URL), rank: 1, at: -moment(o.Created)}
		r.text = r.name + " " + o.URL
		r.mark(isTrue(o.Personal), "personal", "")
		if !isTrue(o.Personal) && public[fold(o.Name)] {
			r.rank = 0
			r.mark(true, "public", "")
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// listApps makes the rows of applications anew, those that can do most first, and writes what differs.
func listApps(ctx context.Context, t *store.Tenant, now time.Time) error {
	s, err := StateOf(ctx, t, now, func(path string) bool {
		return slices.ContainsFunc(appPaths, func(p string) bool {
			start, many := strings.CutSuffix(p, "*")
			return p == path || many && strings.HasPrefix(path, start)
		})
	})
	if err != nil {
		return err
	}
	had := map[string]string{}
	if err := each(ctx, t, func(scan func(...any) error) error {
		var id, body string
		err := scan(&id, &body)
		had[id] = body
		return err
	}, `select id, body from listed where tenant = $1 and kind = 'application'`); err != nil {
		return err
	}
	var values [][]any
	for _, a := range posture.NewState(s, now).Apps() {
		body, err := encode(a)
		if err != nil {
			return err
		}
		id := strings.ToLower(a.ID)
		if old, is := had[id]; !is || old != string(body) {
			r := listedRow{id: a.ID, name: a.Name, text: a.Name + " " + a.AppID + " " + a.ID, body: string(body)}
			r.rank = -(int64(a.Dangerous)*10_000 + int64(min(len(a.ForAll), 9_999)))
			r.mark(a.Whose != "", "whose", a.Whose)
			r.mark(a.Dangerous > 0, "dangerous", "")
			values = append(values, r.values("application"))
		}
		delete(had, id)
	}
	for some := range slices.Chunk(sortedKeys(had), 500) {
		if _, err := t.Exec(ctx, `delete from listed where tenant = $1 and kind = 'application' and id in (`+store.In(len(some), 2)+`)`, anys(some)...); err != nil {
			return err
		}
	}
	return t.Insert(ctx, store.Into{Table: "listed", Columns: listedColumns, Key: listedColumns[:2]}, values)
}

// Relist makes the rows of what was kept by an earlier version, or in another way than by collection.
func Relist(ctx context.Context, st *store.Store) error {
	return inEach(ctx, st, func(id tocsin.TenantID) error {
		due := map[string]bool{}
		if err := st.ViewTenant(ctx, id, func(t *store.Tenant) error {
			clear(due)
			return each(ctx, t, func(scan func(...any) error) error {
				var path string
				err := scan(&path)
				due[path] = true
				return err
			}, `select path from state_path where tenant = $1 and read_at > 0 and listed < $2
				union select '/groups' from mail_group where tenant = $1 and not exists (select 1 from listed where tenant = $1 and kind = 'group')
				union select '/users' from person where tenant = $1 and kind = 'guest' and not exists (select 1 from listed where tenant = $1 and kind = 'guest')`, listEdition)
		}); err != nil {
			return err
		}
		for _, path := range sortedKeys(listKinds) { // groups before sites
			if due[path] {
				if err := relistPath(ctx, st, id, path); err != nil {
					return err
				}
			}
		}
		if slices.ContainsFunc(sortedKeys(due), ofApps) {
			return relistApps(ctx, st, id)
		}
		return nil
	})
}

// relistApps makes the rows of applications anew where something of what they are made of has changed since.
func relistApps(ctx context.Context, st *store.Store, tenant tocsin.TenantID) error {
	return st.UpdateTenant(store.Patient(ctx), tenant, func(t *store.Tenant) error {
		var due []string
		if err := each(ctx, t, func(scan func(...any) error) error {
			var path string
			err := scan(&path)
			if ofApps(path) {
				due = append(due, path)
			}
			return err
		}, `select path from state_path where tenant = $1 and read_at > 0 and listed < $2`, listEdition); err != nil || len(due) == 0 {
			return err
		}
		if err := listApps(ctx, t, t.Tx().Clock().Now()); err != nil {
			return err
		}
		for some := range slices.Chunk(due, 500) {
			if _, err := t.Exec(ctx, `update state_path set listed = $2 where tenant = $1 and path in (`+store.In(len(some), 3)+`)`, append([]any{listEdition}, anys(some)...)...); err != nil {
				return err
			}
		}
		return nil
	})
}

// listedAs is of which edition the rows of a path are once its objects are kept: those of applications are made afterwards.
func listedAs(path string) int64 {
	if ofApps(path) {
		return 0
	}
	return listEdition
}

func idsOf(list []stateObject) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = list[i].id
	}
	return out
}

func ofApps(path string) bool {
	return slices.ContainsFunc(appPaths, func(p string) bool {
		start, many := strings.CutSuffix(p, "*")
		return p == path || many && strings.HasPrefix(path, start)
	})
}

// relistPath makes all rows of a path's kind, some at a time.
func relistPath(ctx context.Context, st *store.Store, tenant tocsin.TenantID, path string) error {
	query := `select id from state_object where tenant = $1 and path = $2 and id > $3 order by id limit 500`
	switch path {
	case "/groups":
		query = `select id from (select id from state_object where tenant = $1 and path = $2 and id > $3 union select id from mail_group where tenant = $1 and id > $3) either_of order by id limit 500`
	case "/users":
		query = `select object_id from person where tenant = $1 and $2 <> '' and kind = 'guest' and object_id > $3 order by object_id limit 500`
	}
	for last := ""; ; {
		var ids []string
		err := st.UpdateTenant(store.Patient(ctx), tenant, func(t *store.Tenant) error {
			ids = nil
			if err := each(ctx, t, func(scan func(...any) error) error {
				var id string
				err := scan(&id)
				ids = append(ids, id)
				return err
			}, query, path, last); err != nil {
				return err
			}
			if len(ids) < 500 {
				if _, err := t.Exec(ctx, `update state_path set listed = $3 where tenant = $1 and path = $2`, path, listEdition); err != nil {
					return err
				}
			}
			return relist(ctx, t, listKinds[path], ids)
		})
		if err != nil || len(ids) < 500 {
			return err
		}
		last = ids[len(ids)-1]
	}
}
