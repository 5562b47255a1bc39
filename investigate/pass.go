package investigate

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"tocsin.dev/graph"
	"tocsin.dev/query"
)

// pass is what Graph is asked for in each mailbox: a filter, or words of Exchange's index, or all.
type pass struct {
	filter, search string
	none           bool // there is no such pass
}

// words say what a first look is.
func (p pass) words() string {
	switch {
	case p.none:
		return ""
	case p.search != "":
		return "what Exchange's index gives"
	}
	return "messages with the words in their subjects"
}

// passesOf are a first, quick look, where there is one, and the whole. A first look may lose matches and is there to show something soon: it is left
// out where the whole is quick by itself.
func passesOf(p query.Push, metadata bool, depth string) (first, whole pass) {
	whole.filter = p.Filter
	quick := pass{none: true}
	switch {
	case metadata: // neither subjects nor the index may be asked for
	case p.Narrow != "" && depth != Index:
		quick = pass{filter: p.Narrow}
	case p.Search != "":
		quick = pass{search: p.Search}
	case p.Narrow != "":
		quick = pass{filter: p.Narrow}
	case depth == Index:
		quick = pass{filter: p.Filter}
	}
	selective := strings.Contains(p.Filter, "from/") || strings.Contains(p.Filter, "internetMessageId")
	if depth != Index && (selective || p.Exact) {
		quick = pass{none: true}
	}
	return quick, whole
}

// page is how many messages a page has: what is found is mostly little, and a page that is full is followed by others.
const page = 100

var pageText = strconv.Itoa(page)

// The ranks of a run's mailboxes: a first look before the whole, and those that the message trace names before the others.
const (
	firstTraced = iota
	firstRank
	wholeTraced
	plainRank

	wholeRank = wholeTraced
)

// The folders of a mailbox, in the order in which they are searched.
const (
	allFolders  = 0 // all that clients see, and hidden ones
	recoverable = 1 // deleted items that were deleted again
	folders     = 2
)

// recoverableName is Graph's name of the folder in every language. https://learn.microsoft.com/graph/api/resources/mailfolder
const recoverableName = "recoverableitemsdeletions"

// place is how far a search of a mailbox has come: the folder, and before when what is still to be read was received.
type place struct {
	Folder int   `json:"folder,omitempty"`
	Before int64 `json:"before,omitempty"` // Unix ms; 0: the newest
}

func placeOf(b *Box) (p place) {
	if b.Place == "" || json.Unmarshal([]byte(b.Place), &p) != nil { // what does not read is begun again
		return place{}
	}
	return p
}

// ask is the call that reads a folder of a mailbox from a place on.
func (p pass) ask(b *Box, at place, since time.Time, metadata bool, top string) graph.Part {
	part := graph.Part{Call: "messages.search", P: graph.P{"user": b.Object}}
	switch {
	case at.Folder == recoverable:
		part.Call = "messages.search.folder"
		part.P["folder"] = recoverableName
	case metadata:
		part.Call = "messages.list"
	}
	if top != "" {
		part.P["$top"] = top
	}
	if p.search != "" { // goes with neither $filter nor $orderby
		part.P["$search"] = `"` + p.search + `"`
		return part
	}
	var bounds []string
	if at.Before > 0 { // inclusive: others may have come in the same second, and those read already are known
		bounds = append(bounds, "receivedDateTime le "+time.UnixMilli(at.Before).UTC().Add(999*time.Millisecond).Truncate(time.Second).Format(time.RFC3339))
	}
	if !since.IsZero() {
		bounds = append(bounds, "receivedDateTime ge "+since.UTC().Truncate(time.Second).Format(time.RFC3339))
	}
	if p.filter != "" {
		bounds = append(bounds, p.filter)
	}
	if len(bounds) > 0 {
		part.P["$filter"] = strings.Join(bounds, " and ")
	}
	if p.ordered() {
		part.P["$orderby"] = "receivedDateTime desc"
	}
	return part
}

// ordered says whether messages come the newest first: Graph puts neither what it searches nor what it filters by words in order.
func (p pass) ordered() bool { return p.search == "" && !strings.Contains(p.filter, "contains(") }
