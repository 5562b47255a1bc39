package sim

import (
	"encoding/base64"
	"encoding/binary"
)

// folder is a mail folder. Its number is the place in the list of a mailbox, and stands in its id.
type folder struct {
	n, parent int
	name      string
	wellKnown string // as the path may name it; "" where it is the person's own
	hidden    bool
	gone      bool
	added     bool // not made by the seed
}

// wellKnown folders stand in every mailbox, under these numbers. A localised mailbox calls them in its language.
var wellKnown = []struct {
	name   string
	parent int
	hidden bool
	called map[string]string
}{
	{"msgfolderroot", -1, false, map[string]string{"en": "Top of Information Store", "de": "Oberste Ebene des Informationsspeichers", "fr": "Racine de la banque d'informations", "es": "Principio del almacén de información"}},
	{"inbox", 0, false, map[string]string{"en": "Inbox", "de": "Posteingang", "fr": "Boîte de réception", "es": "Bandeja de entrada"}},
	{"drafts", 0, false, map[string]string{"en": "Drafts", "de": "Entwürfe", "fr": "Brouillons", "es": "Borradores"}},
	{"sentitems", 0, false, map[string]string{"en": "Sent Items", "de": "Gesendete Elemente", "fr": "Éléments envoyés", "es": "Elementos enviados"}},
	{"deleteditems", 0, false, map[string]string{"en": "Deleted Items", "de": "Gelöschte Elemente", "fr": "Éléments supprimés", "es": "Elementos eliminados"}},
	{"junkemail", 0, false, map[string]string{"en": "Junk Email", "de": "Junk-E-Mail", "fr": "Courrier indésirable", "es": "Correo no deseado"}},
	{"archive", 0, false, map[string]string{"en": "Archive", "de": "Archiv", "fr": "Archive", "es": "Archivo"}},
	{"conversationhistory", 0, false, map[string]string{"en": "Conversation History", "de": "Verlauf der Unterhaltungen", "fr": "Historique des conversations", "es": "Historial de conversaciones"}},
	{"outbox", 0, false, map[string]string{"en": "Outbox", "de": "Postausgang", "fr": "Boîte d'envoi", "es": "Bandeja de salida"}},
	{"syncissues", 0, false, map[string]string{"en": "Sync Issues", "de": "Synchronisierungsprobleme", "fr": "Problèmes de synchronisation", "es": "Problemas de sincronización"}},
	{"recoverableitemsdeletions", -1, true, map[string]string{"en": "Deletions"}},
	{"clutter", 0, true, map[string]string{"en": "Clutter"}},
	{"", 0, false, map[string]string{"en": "RSS Feeds", "de": "RSS-Feeds", "fr": "Flux RSS", "es": "Fuentes RSS"}},
}

const (
	rootFolder  = 0
	inbox       = 1
	drafts      = 2
	sentItems   = 3
	deleted     = 4
	junk        = 5
	archive     = 6
	recoverable = 10
	rssFolder   = 12
	firstCustom = 13
)

// custom folders are what people make for themselves; a mailbox of the seed has the first few of them.
var custom = []string{"Newsletters", "Projects", "Tickets", "Suppliers", "Travel"}

// seededFolders are a mailbox's folders as the seed makes them.
func (w *world) seededFolders(p *person) []folder {
	lang := p.place.locale[:2]
	own := int(w.seed.at(askFolders, p.i)%3) + 3
	out := make([]folder, 0, len(wellKnown)+own)
	for n, f := range wellKnown {
		name, ok := f.called[lang]
		if !ok {
			name = f.called["en"]
		}
		out = append(out, folder{n: n, parent: f.parent, name: name, wellKnown: f.name, hidden: f.hidden})
	}
	for k := range min(own, len(custom)) {
		parent := rootFolder
		if k == 3 {
			parent = inbox
		}
		out = append(out, folder{n: firstCustom + k, parent: parent, name: custom[k]})
	}
	return out
}

// folderID is the id of a mailbox's folder: its numbers and a check, in the form Outlook's have.
func (w *world) folderID(box, n int) string {
	var b [22]byte
	b[0], b[1], b[2] = 0x01, 0x03, 0x24
	binary.BigEndian.PutUint32(b[4:], w.seed.shuffle(uint32(box)))
	b[8], b[9] = 0x00, 0x2e
	binary.BigEndian.PutUint64(b[10:], w.seed.at(askFolders, box<<10|n))
	binary.BigEndian.PutUint16(b[18:], uint16(n))
	return base64.URLEncoding.EncodeToString(b[:])
}

// folderNumber is what folderID was made from, for the mailbox; false for a stranger's id.
func (w *world) folderNumber(box int, id string) (int, bool) {
	b, err := base64.URLEncoding.DecodeString(id)
	if err != nil || len(b) != 22 {
		return 0, false
	}
	n := int(binary.BigEndian.Uint16(b[18:]))
	return n, w.folderID(box, n) == id
}
