package sim

import (
	"slices"
	"strings"
	"time"
)

// mailbox is the state of one that somebody changed; the others are made from the seed whenever they are looked at.
type mailbox struct {
	p        int
	rules    []rule
	encoded  []byte // the rules as JSON, joined by commas
	ruled    int    // how many rules were ever made
	folders  []folder
	messages []*message
	settings obj
	log      []boxChange
	serial   uint32      // of the last message
	masters  [][2]string // master categories that were made: name, colour
}

// boxChange is a line of a mailbox's log, for delta. A message that moves is gone from one folder and new in another.
type boxChange struct {
	n      int
	folder int
	serial uint32 // of the message; 0 where the folder itself changed
	what   string // created, updated, deleted
	moves  uint16 // of what went: how often it had moved, which tells the id it had
}

// look is the mailbox for reading: nothing is kept of it.
func (w *world) look(p *person) *mailbox {
	if b, ok := w.boxes[p.i]; ok {
		return b
	}
	return w.seededBox(p)
}

// open is the mailbox for changing: it is kept.
func (w *world) open(p *person) *mailbox {
	b, ok := w.boxes[p.i]
	if !ok {
		b = w.seededBox(p)
		w.boxes[p.i] = b
	}
	return b
}

func (w *world) seededBox(p *person) *mailbox {
	b := &mailbox{p: p.i, folders: w.seededFolders(p)}
	if p.i < w.users {
		b.rules = w.seededRules(p)
		b.ruled = len(b.rules)
	}
	b.messages = w.seededMessages(p)
	b.serial = uint32(len(b.messages))
	b.encode()
	return b
}

// folder is the mailbox's folder that a path or a rule names: a number's id or a well-known name.
func (w *world) folder(b *mailbox, key string) *folder {
	name := strings.ToLower(key)
	for n := range wellKnown {
		if wellKnown[n].name == name && name != "" {
			return b.at(n)
		}
	}
	if n, ok := w.folderNumber(b.p, key); ok {
		return b.at(n)
	}
	return nil
}

func (b *mailbox) at(n int) *folder {
	if n < 0 || n >= len(b.folders) || b.folders[n].gone {
		return nil
	}
	return &b.folders[n]
}

// named is the folder with that display name; it is made where there is none.
func (b *mailbox) named(name string) *folder {
	for i := range b.folders {
		if strings.EqualFold(b.folders[i].name, name) && !b.folders[i].gone {
			return &b.folders[i]
		}
	}
	b.folders = append(b.folders, folder{n: len(b.folders), parent: rootFolder, name: name, added: true})
	f := &b.folders[len(b.folders)-1]
	b.note(boxChange{folder: f.n, what: "created"})
	return f
}

func (b *mailbox) note(c boxChange) {
	c.n = len(b.log) + 1
	b.log = append(b.log, c)
}

// settings of a mailbox as the seed makes them, with what was set since.
func (w *world) settings(p *person) obj {
	o := w.seededSettings(p)
	if b, ok := w.boxes[p.i]; ok {
		for _, m := range b.settings {
			o = o.set(m.k, m.v)
		}
	}
	return o
}

func (w *world) seededSettings(p *person) obj {
	return obj{
		{"archiveFolder", w.folderID(p.i, archive)},
		{"timeZone", p.place.zone},
		{"delegateMeetingMessageDeliveryOptions", "sendToDelegateOnly"},
		{"dateFormat", "yyyy-MM-dd"},
		{"timeFormat", "HH:mm"},
		{"userPurpose", p.purpose()},
		{"automaticRepliesSetting", w.seededReply(p)},
		{"language", obj{{"locale", p.place.locale}, {"displayName", p.place.language}}},
		{"workingHours", obj{
			{"daysOfWeek", []string{"monday", "tuesday", "wednesday", "thursday", "friday"}},
			{"startTime", "08:00:00.0000000"}, {"endTime", "17:00:00.0000000"},
			{"timeZone", obj{{"name", p.place.zone}}}}},
	}
}

// seededReply is off for most; some people are on leave, with a colleague to turn to.
func (w *world) seededReply(p *person) obj {
	status, inner := "disabled", ""
	if p.kind == employee && p.i < w.users && w.seed.at(askMail, p.i)%50 == 0 {
		status = "scheduled"
		inner = "<html>\n<body>\n<p>I am on leave. In urgent matters please write to dispatch@" + w.domain + ".</p>\n</body>\n</html>\n"
	}
	day := w.start.Truncate(24 * time.Hour)
	return replySetting(status, "all", inner, inner, day.AddDate(0, 0, -3), day.AddDate(0, 0, 11))
}

func replySetting(status, audience, inside, outside string, from, to time.Time) obj {
	at := func(t time.Time) obj {
		return obj{{"dateTime", t.UTC().Format("2006-01-02T15:04:05.0000000")}, {"timeZone", "UTC"}}
	}
	return obj{{"status", status}, {"externalAudience", audience}, {"internalReplyMessage", inside},
		{"externalReplyMessage", outside}, {"scheduledStartDateTime", at(from)}, {"scheduledEndDateTime", at(to)}}
}

// ruleAt is the place of the rule in its mailbox; -1 where it has none of that id.
func (b *mailbox) ruleAt(id string) int {
	return slices.IndexFunc(b.rules, func(r rule) bool { return r.id == id })
}
