package collect

import "testing"

// TestFoldFolders: a first look at folders makes state; after it what was made, renamed, moved and deleted is told, once,
// however often it is seen; a folder that a message named is news when it is looked at.
func TestFoldFolders(t *testing.T) {
	onBoth(t, func(b *bed) {
		amy := b.settle("amy")[0]
		b.exec(`insert into folder_look (tenant, person, due) values ($1, $2, 9000000000000)`, string(amy))
		look := func(s foldersSeen) { b.fold(b.item(kindFolders, amy, s)) }
		told := func(what string, want ...string) {
			b.Helper()
			b.want(what, `select action from event where tenant = $1 and type = 'FOLDER' order by at, action`, want...)
			b.exec(`delete from event where tenant = $1`)
		}
		inbox, deals := folderSeen{ID: "I", Name: "Inbox", Parent: "R", Known: "inbox"}, folderSeen{ID: "D", Name: "Deals", Parent: "I"}
		look(foldersSeen{First: true, Folders: []folderSeen{{ID: "R", Name: "Top"}, inbox}})
		look(foldersSeen{First: true, Folders: []folderSeen{{ID: "P", Name: "Projects", Parent: "R"}}, Last: true, Token: "t1", Hidden: true})
		told("a first look")
		b.want("where it stands", `select token, whole > 0, hidden > 0 from folder_look where tenant = $1`, "t1 1 1")

		inbox.Known = "" // a delta does not say it
		look(foldersSeen{Folders: []folderSeen{deals, inbox}, Last: true, Token: "t2"})
		look(foldersSeen{Folders: []folderSeen{deals}, Last: true, Token: "t2"})
		told("made", "folder_created")
		b.want("the inbox is still known as such", `select known from mail_folder where tenant = $1 and id = 'I'`, "inbox")
		deals.Name, deals.Parent = "Old deals", "P"
		look(foldersSeen{Folders: []folderSeen{deals}, Last: true, Token: "t3"})
		told("renamed and moved", "folder_moved", "folder_renamed")
		deals.Hidden = true
		look(foldersSeen{Folders: []folderSeen{deals}, Last: true, Token: "t4"})
		told("hidden")
		look(foldersSeen{Gone: []string{"D", "X"}, Last: true, Token: "t5"})
		look(foldersSeen{Gone: []string{"D"}, Last: true, Token: "t5"})
		told("deleted", "folder_deleted")

		b.fold(b.item(kindMail, amy, mailLooks{Looks: []mailLook{{ID: "m1", Change: "created", At: 5, Message: &mailSeen{ID: "m1", Folder: "H"}}}}))
		b.want("it is due", `select due < 9000000000000 from folder_look where tenant = $1`, "1")
		b.exec(`delete from event where tenant = $1`)
		look(foldersSeen{Folders: []folderSeen{{ID: "H", Name: "RSS", Parent: "R", Hidden: true}}, Last: true, Token: "t6"})
		b.want("a hidden one", `select body like '%"folder_name":"RSS","parent_folder_name":"Top","is_hidden":true%' from event where tenant = $1`, "1")
		told("found by a message", "folder_created")
	})
}
