package api

import "time"

// ThreadsIn asks for threads. Without a section they are of all inboxes that one works in.
type ThreadsIn struct {
	In
	Paging
	ThreadFilter
	View string `query:"view" maxLength:"100" doc:"Those of a saved list, whatever else is given"`
}

// ThreadFilter is which threads are asked for.
type ThreadFilter struct {
	Section     string    `query:"section" enum:"mine,unassigned,mentioned,all" json:"section,omitempty" doc:"Assigned to you, to nobody, with a note that names you, or all"`
	Inbox       string    `query:"inbox" maxLength:"100" json:"inbox,omitempty" doc:"Only of this inbox"`
	State       string    `query:"state" enum:"work,open,waiting,snoozed,resolved,spam,any" json:"state,omitempty" doc:"work: open and waiting. When absent it is open; of mentions and of what is searched any"`
	Assignee    string    `query:"assignee" maxLength:"100" json:"assignee,omitempty" doc:"Only of this account; me; none: nobody's"`
	Team        string    `query:"team" maxLength:"100" json:"team,omitempty" doc:"Only of this team; none: of no team"`
	Tag         string    `query:"tag" maxLength:"100" json:"tag,omitempty" doc:"Only with this tag, by its id"`
	Priority    int       `query:"priority" minimum:"0" maximum:"4" json:"priority,omitempty" doc:"Only of this priority: 1 low to 4 urgent"`
	From        string    `query:"from" maxLength:"320" json:"from,omitempty" doc:"Only begun by this address"`
	Unread      bool      `query:"unread" json:"unread,omitempty" doc:"Only what is new to you"`
	Attachments bool      `query:"attachments" json:"attachments,omitempty" doc:"Only with a file"`
	Since       time.Time `query:"since" json:"since,omitzero" doc:"Only with a last mail of then or later"`
	Until       time.Time `query:"until" json:"until,omitzero" doc:"Only with a last mail before then"`
}

// ChangeThreadIn changes a thread.
type ChangeThreadIn struct {
	ByIDAct
	Body ThreadChange
}

// ThreadChange is what is to become of a thread; what is absent stays.
type ThreadChange struct {
	Assignee *string   `json:"assignee,omitempty" maxLength:"100" doc:"An account of the inbox; me; empty: nobody"`
	Team     *string   `json:"team,omitempty" maxLength:"100" doc:"A team's id; empty: none"`
	State    string    `json:"state,omitempty" enum:"open,waiting,snoozed,resolved,spam" doc:"How it stands"`
	Until    time.Time `json:"until,omitzero" doc:"Until when, of snoozed"`
	Priority int       `json:"priority,omitempty" minimum:"0" maximum:"4" doc:"1 low, 2 normal, 3 high, 4 urgent"`
	Add      []string  `json:"add_tags,omitempty" maxLength:"100" doc:"Tags to add, by id"`
	Remove   []string  `json:"remove_tags,omitempty" maxLength:"100" doc:"Tags to take away, by id"`
	Version  int64     `json:"version,omitempty" doc:"The version that it must have; any when absent"`
}

// SeenThreadIn says that one has read a thread, or has not.
type SeenThreadIn struct {
	ByIDAct
	Body ThreadSeen
}

// ThreadSeen says which.
type ThreadSeen struct {
	Unread bool `json:"unread,omitempty" doc:"Make it new to you again"`
}

// NoteIn writes a private note.
type NoteIn struct {
	ByIDAct
	Body NoteNew
}

// NoteNew is a private note; whom it names with @ (an address of the team, or what stands before its @, or a name without spaces) is told.
type NoteNew struct {
	Text     string   `json:"text" trail:"-" minLength:"1" maxLength:"20000" doc:"What is noted; @name tells somebody of the team"`
	Mentions []string `json:"mentions,omitempty" maxLength:"100" doc:"Accounts to be told besides"`
}

// EditNoteIn changes a note of one's own.
type EditNoteIn struct {
	ByIDAct
	Note string `path:"note" minLength:"1" maxLength:"100" doc:"The note's id"`
	Body NoteNew
}

// DeleteNoteIn takes a note of one's own away.
type DeleteNoteIn struct {
	ByIDAct
	Note string `path:"note" minLength:"1" maxLength:"100" doc:"The note's id"`
}

// LookInboxIn begins to read an inbox from outside its team.
type LookInboxIn struct {
	ByIDAct
	Body Reason
}

// InboxLooksIn asks who read an inbox from outside its team.
type InboxLooksIn struct {
	ByID
	Paging
}

// SetMembersIn says who works in an inbox.
type SetMembersIn struct {
	ByIDAct
	Body MembersNew
}

// MembersNew are all members of an inbox.
type MembersNew struct {
	Members []InboxMember `json:"members" doc:"All of them"`
}

// TeamNew is a team to be made, or changed.
type TeamNew struct {
	Name     string   `json:"name" minLength:"1" maxLength:"100" doc:"What it is called"`
	Accounts []string `json:"accounts,omitempty" maxLength:"100" doc:"Who is of it, by account"`
	Version  int64    `json:"version,omitempty" doc:"The version that is changed"`
}

// CreateTeamIn makes a team.
type CreateTeamIn struct {
	In
	Key
	Body TeamNew
}

// EditTeamIn changes a team.
type EditTeamIn struct {
	ByIDAct
	Body TeamNew
}

// TagNew is a tag to be made, or changed.
type TagNew struct {
	Name    string `json:"name" minLength:"1" maxLength:"60" doc:"What it is called"`
	Colour  string `json:"colour,omitempty" enum:"slate,red,amber,green,blue,violet" doc:"Its colour"`
	Version int64  `json:"version,omitempty" doc:"The version that is changed"`
}

// CreateTagIn makes a tag.
type CreateTagIn struct {
	In
	Key
	Body TagNew
}

// EditTagIn changes a tag.
type EditTagIn struct {
	ByIDAct
	Body TagNew
}
