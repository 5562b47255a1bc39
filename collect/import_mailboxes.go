package collect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/audit"
	"tocsin.dev/journal"
	"tocsin.dev/store"
)

// byExport is the source of what an exported file tells.
const byExport = "export"

// Exported gathers what rows of exports tell of mailboxes: of Get-Mailbox (forwarding, Send on Behalf), Get-MailboxPermission (Full
// Access), Get-RecipientPermission (Send As) and Get-MailboxFolderPermission (the Inbox), in any mixture and order. The zero value is
// ready.
//
// What a mailbox's rows do not name is gone only if they are all rows there are. Exchange lists every mailbox's own right over itself (NT
// AUTHORITY\SELF), so rows with it are taken for all; of a folder they are if Default is among them.
type Exported struct {
	boxes  map[string]*exportedBox
	Rows   int // that told something
	Rights int
}

type exportedBox struct {
	name     string
	whole    map[string]bool
	settings map[string]string
	rights   []detect.RightSeen
}

// mostRights is how many rights one import may bring: some 500 bytes of memory each.
const mostRights = 1_000_000

// Row takes a row. The error says in words for a person what is wrong with it.
func (x *Exported) Row(record []byte) error {
	d := json.NewDecoder(bytes.NewReader(record))
	d.UseNumber()
	var raw map[string]any
	if err := d.Decode(&raw); err != nil {
		return errors.New(audit.Invalid(record))
	}
	row := exportRow{}
	for name, v := range raw {
		key := audit.Canonical(name)
		if old, ok := row[key]; !ok || old == nil || old == "" {
			row[key] = v
		}
	}
	if err := row.typeNames(); err != nil {
		return err
	}
	if max(x.Rights, x.Rows) >= mostRights {
		return fmt.Errorf("the file holds more than %d rights: export fewer mailboxes at a time", mostRights)
	}
	mailbox := row.mailbox()
	if mailbox == "" {
		return errors.New("it names no mailbox: Mailbox, PrimarySmtpAddress, UserPrincipalName or Identity is missing")
	}
	told := false
	box := x.box(mailbox)
	if row.has("forwardingsmtpaddress") || row.has("forwardingaddress") {
		told = true
		if row.has("forwardingsmtpaddress") {
			box.settings[detect.ForwardingSMTP] = row.text("forwardingsmtpaddress")
		}
		if row.has("forwardingaddress") {
			box.settings[detect.ForwardingRecipient] = row.text("forwardingaddress")
		}
		if keep, ok := row.flag("delivertomailboxandforward"); ok {
			box.settings[detect.ForwardingDeliver] = fmt.Sprint(keep)
		}
		if row.has("forwardingsmtpaddress") && row.has("forwardingaddress") {
			box.whole[detect.RightForwarding] = true
		}
	}
	if row.has("grantsendonbehalfto") {
		told, box.whole[detect.RightSendOnBehalf] = true, true
		for _, who := range row.list("grantsendonbehalfto") {
			x.right(box, detect.RightSeen{Trustee: who, Kind: detect.RightSendOnBehalf})
		}
	}
	if row.has("accessrights") {
		if err := x.access(box, row); err != nil {
			return err
		}
		told = true
	}
	if !told {
		return errors.New("it tells neither of forwarding nor of rights: ForwardingSmtpAddress, GrantSendOnBehalfTo and AccessRights are missing")
	}
	x.Rows++
	return nil
}

func (x *Exported) box(mailbox string) *exportedBox {
	if x.boxes == nil {
		x.boxes = map[string]*exportedBox{}
	}
	key := named(mailbox)
	b := x.boxes[key]
	if b == nil {
		b = &exportedBox{name: mailbox, whole: map[string]bool{}, settings: map[string]string{}}
		x.boxes[key] = b
	}
	return b
}

func (x *Exported) right(b *exportedBox, r detect.RightSeen) {
	b.rights = append(b.rights, r)
	x.Rights++
}

// access takes a row of one of the permission cmdlets, told apart by their columns.
func (x *Exported) access(b *exportedBox, row exportRow) error {
	levels := row.list("accessrights")
	inherited, _ := row.flag("isinherited")
	deny, _ := row.flag("deny")
	deny = deny || strings.EqualFold(row.text("accesscontroltype"), "Deny")
	has := func(level string) bool {
		return slices.ContainsFunc(levels, func(l string) bool { return strings.EqualFold(l, level) })
	}
	if trustee := row.text("trustee"); trustee != "" {
		if self(trustee) {
			b.whole[detect.RightSendAs] = true
		} else if has("SendAs") {
			x.right(b, detect.RightSeen{Trustee: trustee, Kind: detect.RightSendAs, Inherited: inherited, Deny: deny})
		}
		return nil
	}
	trustee := row.text("user")
	if trustee == "" {
		return errors.New("it names nobody who has the right: User or Trustee is missing")
	}
	folder, of := row.folder()
	if !of {
		if self(trustee) {
			b.whole[detect.RightFullAccess] = true
		} else if has("FullAccess") {
			x.right(b, detect.RightSeen{Trustee: trustee, Kind: detect.RightFullAccess, Inherited: inherited, Deny: deny})
		}
		return nil
	}
	if strings.EqualFold(trustee, "Default") {
		b.whole[detect.RightFolder+":"+folder] = true
	}
	if len(levels) > 0 && !(len(levels) == 1 && has("None")) {
		x.right(b, detect.RightSeen{Trustee: trustee, Kind: detect.RightFolder, Folder: folder, Levels: levels})
	}
	return nil
}

func self(trustee string) bool { return strings.EqualFold(trustee, `NT AUTHORITY\SELF`) }

// Mailboxes is how many mailboxes were told of.
func (x *Exported) Mailboxes() int { return len(x.boxes) }

// Mailboxes brings what was gathered into the tenant, as it was at that time.
func (m *Importer) Mailboxes(ctx context.Context, tenant tocsin.TenantID, x *Exported, at time.Time) error {
	for names := range slices.Chunk(slices.Sorted(maps.Keys(x.boxes)), 400) {
		var people map[string]tocsin.PersonID
		err := m.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) (err error) { people, err = peopleBehind(ctx, t, names); return err })
		if err != nil {
			return err
		}
		items := make([]journal.Item, 0, len(names))
		for _, name := range names {
			b := x.boxes[name]
			seen := rightsSeen{Source: byExport, Mailbox: b.name, At: tocsin.Millis(at), Whole: slices.Sorted(maps.Keys(b.whole)), Rights: b.rights}
			if len(b.settings) > 0 {
				seen.Settings = b.settings
			}
			body, err := encode(seen)
			if err != nil {
				return err
			}
			items = append(items, journal.Item{Tenant: tenant, Person: people[name], Kind: kindRights, At: tocsin.Millis(m.Store.Clock().Now()), Body: body})
		}
		if err := m.append(ctx, items); err != nil {
			return err
		}
	}
	return nil
}

// exportRow is a row's values by canonical name: texts from a table, any JSON from ConvertTo-Json.
type exportRow map[string]any

func (r exportRow) has(name string) bool { _, ok := r[name]; return ok }

// text is a value as text; of an object what names it.
func (r exportRow) text(name string) string { return exportText(r[name]) }

func exportText(v any) string {
	switch x := v.(type) {
	case string:
		return strings.TrimSpace(x)
	case bool:
		return fmt.Sprint(x)
	case map[string]any:
		for _, member := range []string{"PrimarySmtpAddress", "RawIdentity", "Address", "UserPrincipalName", "DisplayName", "Name", "value"} {
			for name, inner := range x {
				if s, ok := inner.(string); ok && strings.EqualFold(name, member) && s != "" {
					return strings.TrimSpace(s)
				}
			}
		}
	}
	return ""
}

// list is a value's texts: of a list, of one that PowerShell 5 wraps as {value, Count}, or of a text with separators.
func (r exportRow) list(name string) (out []string) {
	v := r[name]
	if m, ok := v.(map[string]any); ok {
		for k, inner := range m {
			if l, is := inner.([]any); is && strings.EqualFold(k, "value") {
				v = l
			}
		}
	}
	if l, ok := v.([]any); ok {
		for _, e := range l {
			if s := exportText(e); s != "" {
				out = append(out, s)
			}
		}
		return out
	}
	text := strings.Trim(exportText(v), "{}[]")
	split := func(c rune) bool { return c == ',' || c == ';' || c == '|' }
	if name == "grantsendonbehalfto" && strings.ContainsAny(text, ";|") {
		split = func(c rune) bool { return c == ';' || c == '|' } // a name may have a comma
	}
	for _, s := range strings.FieldsFunc(text, split) {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// flag is a value as yes or no; ok is false where it is neither.
func (r exportRow) flag(name string) (yes, ok bool) {
	switch strings.ToLower(exportText(r[name])) {
	case "true", "1", "yes", "$true":
		return true, true
	case "false", "0", "no", "$false":
		return false, true
	}
	return false, false
}

// mailbox is how the row names the mailbox, by what tells most.
func (r exportRow) mailbox() string {
	for _, name := range []string{"mailbox", "primarysmtpaddress", "userprincipalname", "externaldirectoryobjectid", "identity", "alias"} {
		s := r.text(name)
		if name == "identity" || name == "mailbox" {
			s, _, _ = strings.Cut(s, `:\`) // of a folder
		}
		if s != "" {
			return s
		}
	}
	return ""
}

// folder is the folder that a row of Get-MailboxFolderPermission is about; ok is false for other rows.
func (r exportRow) folder() (path string, ok bool) {
	for _, name := range []string{"identity", "mailbox"} {
		if _, path, ok := strings.Cut(r.text(name), `:\`); ok {
			return path, true
		}
	}
	if name := r.text("foldername"); name != "" {
		return name, true
	}
	return "", false
}

// typeNames refuses a row in which PowerShell wrote a list's type in place of what is in it.
func (r exportRow) typeNames() error {
	for _, name := range []string{"accessrights", "grantsendonbehalfto", "forwardingaddress", "user", "trustee"} {
		s, ok := r[name].(string)
		if ok && (strings.HasPrefix(s, "System.") || strings.HasPrefix(s, "Microsoft.Exchange.") || strings.HasPrefix(s, "Deserialized.")) {
			return fmt.Errorf("%s holds the name of a type and not its values: export it with -join, as the documentation shows", name)
		}
	}
	return nil
}
