package investigate

import "fmt"

// Folders of Outlook's by their well-known names: https://learn.microsoft.com/graph/api/resources/mailfolder
const (
	folderInbox       = "inbox"
	folderJunk        = "junkemail"
	folderDeleted     = "deleteditems"
	folderRecoverable = "recoverableitemsdeletions"
	folderPurges      = "recoverableitemspurges"
)

// What Tocsin makes in mailboxes, under names that say whose it is.
const (
	WarnCategory     = "Suspicious (Tocsin)"
	WarnColour       = "preset0" // red: https://learn.microsoft.com/graph/api/resources/outlookcategory
	QuarantineFolder = "Quarantine (Tocsin)"
)

// actWords are what is said of a kind before it is done.
type actWords struct {
	does    string // of a number of messages in a number of mailboxes
	touches []string
	not     []string
	undo    string
	undone  bool // it can be
	hard    bool
	did     string // of one message
	already string
}

// words are a kind's, as it is asked for.
func (k ActKind) words(o ActOptions) actWords {
	switch k {
	case Warn:
		return actWords{does: "Marks %s as suspicious, by the red category “" + WarnCategory + "”.", touches: []string{"the categories of each message", "the list of categories of each mailbox, where ours is missing"},
			not:  []string{"Nothing is moved, and no word of a message is changed: Microsoft lets no app change received mail."},
			undo: "A restore takes the category away again; those that people gave stay.", undone: true, did: "It has the category.", already: "It had the category already."}
	case Quarantine:
		return actWords{does: "Moves %s to the hidden folder “" + QuarantineFolder + "” of its mailbox.", touches: []string{"the folder of each message", "a hidden folder of ours in each mailbox, made where it is missing"},
			not:  []string{"Nothing is deleted. Outlook does not show the folder; a program that lists hidden folders does."},
			undo: "A restore moves each message back to the folder it came from.", undone: true, did: "It is in quarantine.", already: "It was in quarantine already."}
	case Junk:
		return actWords{does: "Moves %s to Junk Email.", touches: []string{"the folder of each message"}, not: []string{"People can still open it there."},
			undo: "A restore moves each message back to the folder it came from.", undone: true, did: "It is in Junk Email.", already: "It was in Junk Email already."}
	case SoftDelete:
		if o.DeletedItems {
			return actWords{does: "Moves %s to Deleted Items.", touches: []string{"the folder of each message"}, not: []string{"People still see it there, until it is emptied."},
				undo: "A restore moves each message back to the folder it came from, unless somebody has emptied Deleted Items.", undone: true, did: "It is in Deleted Items.", already: "It was in Deleted Items already."}
		}
		return actWords{does: "Deletes %s to Recoverable Items.", touches: []string{"the folder of each message"},
			not:  []string{"Nothing is lost yet: Exchange keeps it there for 14 days, or as long as the tenant has set, and people can get it back by “Recover items deleted”."},
			undo: "A restore moves each message back to the folder it came from, while Exchange keeps it.", undone: true, did: "It is in Recoverable Items.", already: "It was deleted already."}
	case Purge:
		return actWords{does: "Deletes %s for good.", touches: []string{"each message: nobody can open it again"}, not: []string{"What a litigation hold keeps stays there for eDiscovery, out of reach of people and of Tocsin."},
			undo: "It cannot be undone: no app can bring back what was deleted for good.", hard: true, did: "It was deleted for good.", already: "It was deleted for good already."}
	}
	return actWords{does: "Brings back %s to the folder, read state, flag and categories from before.", touches: []string{"the folder of each message, its categories, and its read state and flag where the act had changed them"},
		not:  []string{"What somebody changed since stays as they left it, and is said."},
		undo: "It can be done again: act on the same matches once more.", did: "It is as it was before.", already: "It was as before already."}
}

// Hard says whether it cannot be undone.
func (k ActKind) Hard() bool { return k == Purge }

// Restorable says whether a restore brings back what it did.
func (k ActKind) Restorable() bool { return k.words(ActOptions{}).undone }

// asked says whether it can be asked for by itself.
func (k ActKind) asked() bool {
	switch k {
	case Warn, Quarantine, Junk, SoftDelete, Purge:
		return true
	}
	return false
}

// messages is a number of them.
func messages(n int) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%s messages", grouped(n))
}

func mailboxes(n int) string {
	if n == 1 {
		return "1 mailbox"
	}
	return fmt.Sprintf("%s mailboxes", grouped(n))
}

// grouped is a number as people write it: 12,400.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
