package detect

import (
	"testing"

	"tocsin.dev"
)

func TestFolderRemote(t *testing.T) {
	for _, c := range []struct {
		f    tocsin.Folder
		want Remote
	}{
		{tocsin.Folder{WellKnown: "rssfeeds"}, Far},
		{tocsin.Folder{WellKnown: "conversationhistory", Name: "Verlauf"}, Far},
		{tocsin.Folder{WellKnown: "syncissues"}, Far},
		{tocsin.Folder{WellKnown: "archive", Name: "Archiv"}, Near},
		{tocsin.Folder{WellKnown: "inbox"}, Open},
		{tocsin.Folder{Name: "RSS Feeds", WellKnown: "none"}, Far},
		{tocsin.Folder{Name: "RSS-Abonnements"}, Far},
		{tocsin.Folder{Name: "Flux RSS"}, Far},
		{tocsin.Folder{Name: "RSS フィード"}, Far},
		{tocsin.Folder{Name: `Inbox\RSS Subscriptions`}, Far},
		{tocsin.Folder{Name: "Conversation History"}, Far},
		{tocsin.Folder{Name: "CONVERSATION HISTORY", WellKnown: "none"}, Open}, // known to be a folder of their own
		{tocsin.Folder{Name: "Архив"}, Near},
		{tocsin.Folder{Name: "Archive", WellKnown: "none"}, Open},
		{tocsin.Folder{Name: "Éléments supprimés"}, Near},
		{tocsin.Folder{Name: "Kalender"}, Far},
		{tocsin.Folder{Name: "Notes"}, Near},
		{tocsin.Folder{Name: "Notes", WellKnown: "notes"}, Far},
		{tocsin.Folder{Name: ".", WellKnown: "none"}, Far},
		{tocsin.Folder{Name: "\u200b"}, Far},
		{tocsin.Folder{Name: "HR"}, Open},
		{tocsin.Folder{Name: "Invoices"}, Open},
		{tocsin.Folder{Name: "Press"}, Open},
		{tocsin.Folder{Name: "Crossroads"}, Open},
		{tocsin.Folder{ID: "AAMk"}, Open},
		{tocsin.Folder{}, Open},
	} {
		if got, what := FolderRemote(&c.f); got != c.want {
			t.Errorf("%+v: got %d (%s), want %d", c.f, got, what, c.want)
		}
	}
	if got, _ := FolderRemote(nil); got != Open {
		t.Errorf("no folder: got %d", got)
	}
}

func FuzzFolderRemote(f *testing.F) {
	f.Add("", "RSS")
	f.Add("none", `a\/:`)
	f.Fuzz(func(t *testing.T, known, name string) {
		if r, what := FolderRemote(&tocsin.Folder{WellKnown: known, Name: name}); r != Open && what == "" {
			t.Fatal("hidden, and not said where")
		}
	})
}
