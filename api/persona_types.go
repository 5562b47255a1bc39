package api

import (
	"time"

	"tocsin.dev"
)

// Persona is what is usual for one person, learned from the metadata of their mail. Days are written 2006-01-02, in the person's
// own time zone.
type Persona struct {
	Person     tocsin.PersonID `json:"person"`
	Who        string          `json:"who"`
	Name       string          `json:"name"`
	Department string          `json:"department"`
	Zone       string          `json:"zone" doc:"The person's time zone, in which hours and days are told"`
	State      string          `json:"state" enum:"off,nothing,young,known" doc:"off: the tenant does not learn; nothing: no mail was learned yet; young: fewer than 14 days with mail; known"`
	Because    string          `json:"because" doc:"The state in a sentence"`
	Since      string          `json:"since" doc:"The first day that was learned; empty where none was"`
	Until      string          `json:"until" doc:"The last day that was learned"`
	Days       float64         `json:"days" doc:"Days on which the person sent mail; older ones count less (half after 30 days)"`

	Hours          []float64              `json:"hours" doc:"168 numbers, Monday 0:00 first: the share of the person's days of that weekday on which something is sent in that hour, 0 to 1"`
	Volume         []PersonaDay           `json:"volume" doc:"By day, the oldest first, days without any mail left out; 90 at most"`
	External       []PersonaWeek          `json:"external" doc:"What share of what is sent goes outside, by week, the oldest first"`
	Correspondents []PersonaCorrespondent `json:"correspondents" doc:"Who is written to most, of those known now; 50 at most"`
	Anomalies      []Anomaly              `json:"anomalies" doc:"The newest first, 50 at most"`
	Replies        *PersonaReplies        `json:"replies" doc:"How swiftly and how often the person answers; null while no mail that they sent is learned"`
	Places         PersonaPlaces          `json:"places" doc:"From where the person signed in; told whether or not mail is learned"`
	Thresholds     []PersonaThreshold     `json:"thresholds" doc:"What feedback made of the threshold, for each class"`
}

// PersonaReplies is how swiftly and how often a person answers. An answer is a mail to somebody who had written to the person shortly
// before, on the same day; what it says is not looked at. Older days count less (half after 30 days).
type PersonaReplies struct {
	Minutes int     `json:"minutes" doc:"Within how many minutes an answer is swift"`
	Sent    float64 `json:"sent" doc:"Mails on a day on which the person sends any"`
	Swift   float64 `json:"swift" doc:"Of these, swift answers"`
	Share   float64 `json:"share" doc:"What share of the mails are swift answers, 0 to 1"`
	Says    string  `json:"says" doc:"In a sentence"`
}

// PersonaPlaces is from where a person signed in within the last 90 days: the newest 30,000 sign-ins are counted, of every kind.
type PersonaPlaces struct {
	Items        []PersonaPlace `json:"items" doc:"The places from which a sign-in succeeded, those of the most days first; 30 at most, the new ones among them"`
	LeftOut      int            `json:"left_out" doc:"Places for which there is no room"`
	Days         int            `json:"days" doc:"Days on which a sign-in succeeded, from wherever"`
	Since        time.Time      `json:"since,omitzero" doc:"The first sign-in that is counted"`
	Unknown      int            `json:"unknown" doc:"Successful sign-ins of which the place is not told"`
	Failed       int            `json:"failed" doc:"Sign-ins from other places, from which none succeeded"`
	FailedPlaces int            `json:"failed_places" doc:"How many places these are"`
	Says         string         `json:"says" doc:"In a sentence"`
	Because      string         `json:"because" doc:"Why there is nothing, or not all; empty where there is"`
	Mend         string         `json:"mend" doc:"What to do about that"`
}

// PersonaPlace is a place from which a person signed in.
type PersonaPlace struct {
	Country    string    `json:"country" doc:"As two letters: NL"`
	City       string    `json:"city" doc:"Empty where only the country is told"`
	Days       int       `json:"days" doc:"Days on which a sign-in from there succeeded"`
	Share      float64   `json:"share" doc:"Of the days on which any succeeded, 0 to 1; a day in two places counts in both"`
	SignIns    int       `json:"sign_ins" doc:"All from there, whatever came of them"`
	Succeeded  int       `json:"succeeded"`
	First      time.Time `json:"first" doc:"The first that succeeded"`
	Last       time.Time `json:"last" doc:"The last that succeeded"`
	New        bool      `json:"new" doc:"Known for less than 14 days, though the person's sign-ins are known for longer"`
	NewCountry bool      `json:"new_country" doc:"So is the country"`
}

// PersonaDay is how much a person sent and received on a day, with the band in which nine of ten such days are.
type PersonaDay struct {
	Day      string  `json:"day"`
	Sent     int     `json:"sent"`
	Received int     `json:"received"`
	Outside  int     `json:"outside" doc:"Of what was sent, with somebody outside among those written to"`
	Files    int     `json:"files" doc:"Of these, with attachments"`
	Usual    float64 `json:"usual" doc:"What was expected to be sent, by what was known before"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}

// PersonaWeek is how much of what was sent in a week went outside. Line is the straight line through the weeks.
type PersonaWeek struct {
	Week    string  `json:"week" doc:"Its Monday"`
	Sent    int     `json:"sent"`
	Outside int     `json:"outside"`
	Share   float64 `json:"share" doc:"0 to 1"`
	Line    float64 `json:"line" doc:"The trend's share in that week, 0 to 1"`
}

// PersonaCorrespondent is somebody with whom a person writes.
type PersonaCorrespondent struct {
	Address  string          `json:"address"`
	Person   tocsin.PersonID `json:"person" doc:"Whose address it is; empty where it is nobody of the directory"`
	Name     string          `json:"name"`
	Outside  bool            `json:"outside"`
	Sent     int             `json:"sent" doc:"Mails to the address, ever"`
	Received int             `json:"received" doc:"Mails from the address, ever"`
	First    time.Time       `json:"first"`
	Last     time.Time       `json:"last"`
	New      bool            `json:"new" doc:"Known for less than 14 days, though the person is known for longer"`
}

// PersonaThreshold is what feedback made of the threshold of a class for one person.
type PersonaThreshold struct {
	Class       string  `json:"class"`
	Times       float64 `json:"times" doc:"How many times rarer than for others a day has to be to be told; 1 without feedback, below 1 where it is told sooner"`
	FalseAlarms int     `json:"false_alarms"`
	Confirmed   int     `json:"confirmed"`
}

// Anomaly is a day of a person that is not as usual.
type Anomaly struct {
	ID      string          `json:"id"`
	Person  tocsin.PersonID `json:"person"`
	Who     string          `json:"who"`
	Name    string          `json:"name"`
	Day     string          `json:"day" doc:"In the person's own time zone"`
	At      time.Time       `json:"at" doc:"When on the day it showed first"`
	Class   string          `json:"class" enum:"rule_manipulation,exfiltration,graph,off_hours,drift"`
	Title   string          `json:"title" doc:"The class in words"`
	Score   float64         `json:"score" doc:"0 to 1: one minus the probability that a usual day is as odd"`
	OneIn   int             `json:"one_in" doc:"One usual day in so many is as odd"`
	Why     string          `json:"why"`
	Terms   []AnomalyTerm   `json:"terms" doc:"What it is made of, the oddest first"`
	Odd     []string        `json:"odd" doc:"The addresses that it is about"`
	Early   bool            `json:"early" doc:"It was told before the day was over"`
	Finding string          `json:"finding" doc:"The finding that was made of it; empty where none was"`
	Verdict string          `json:"verdict" doc:"false_alarm or confirmed; empty while nobody said anything"`
	SaidBy  string          `json:"said_by"`
	Said    time.Time       `json:"said,omitzero"`
	Note    string          `json:"note"`
}

// AnomalyTerm is one of the things that are odd on a day.
type AnomalyTerm struct {
	Class string  `json:"class"`
	Title string  `json:"title"`
	OneIn float64 `json:"one_in" doc:"One day in so many is as odd in this"`
}

// AnomaliesIn filters anomalies. The newest first.
type AnomaliesIn struct {
	In
	Paging
	Person  tocsin.PersonID `query:"person" maxLength:"320" doc:"Only of this person: id, or address"`
	Class   string          `query:"class" enum:"rule_manipulation,exfiltration,graph,off_hours,drift" doc:"Only of this class"`
	Verdict string          `query:"verdict" enum:"none,false_alarm,confirmed" doc:"Only those of which this was said; none: nothing yet"`
	Since   time.Time       `query:"since" doc:"Only from this time on"`
	Until   time.Time       `query:"until" doc:"Only before this time"`
}

// CorrespondentIn asks since when an address is known.
type CorrespondentIn struct {
	In
	Address string          `query:"address" required:"true" minLength:"1" maxLength:"320" doc:"The correspondent's address"`
	Person  tocsin.PersonID `query:"person" maxLength:"320" doc:"To this person: id, or address; to the whole tenant when absent"`
}

// Correspondent is since when an address is known to a person or to the tenant, and how much was written.
type Correspondent struct {
	Address       string    `json:"address"`
	Known         bool      `json:"known"`
	Says          string    `json:"says" doc:"In a sentence"`
	First         time.Time `json:"first,omitzero"`
	Last          time.Time `json:"last,omitzero"`
	Sent          int       `json:"sent" doc:"Mails to the address"`
	Received      int       `json:"received" doc:"Mails from the address"`
	FirstSent     time.Time `json:"first_sent,omitzero"`
	LastSent      time.Time `json:"last_sent,omitzero"`
	FirstReceived time.Time `json:"first_received,omitzero"`
	LastReceived  time.Time `json:"last_received,omitzero"`
	Since         string    `json:"since" doc:"The day since which mail is learned: what was before is not known; empty where none is"`
	Count         int       `json:"count" doc:"How many people of the tenant know the address"`

	People []CorrespondentOf `json:"people" doc:"Who knows the address, who knows it longest first; 50 at most"`
}

// CorrespondentOf is a person who knows an address.
type CorrespondentOf struct {
	Person   tocsin.PersonID `json:"person"`
	Who      string          `json:"who"`
	Name     string          `json:"name"`
	First    time.Time       `json:"first"`
	Last     time.Time       `json:"last"`
	Sent     int             `json:"sent"`
	Received int             `json:"received"`
}

// PersonaGraphIn asks for who writes with whom. Weeks begin on Monday; the window is widened to whole ones.
type PersonaGraphIn struct {
	In
	By    string          `query:"by" enum:"department,domain,person" doc:"What the nodes are; department when absent. Outside they are domains always, but for person"`
	Since time.Time       `query:"since" doc:"From the week of this time on; four weeks before until when absent"`
	Until time.Time       `query:"until" doc:"Up to the week of this time; now when absent"`
	Of    tocsin.PersonID `query:"of" maxLength:"320" doc:"Only what is written from or to this person: id, or address"`
	Group string          `query:"group" maxLength:"200" doc:"Only what is written from or to this node, by its id"`
	Limit int             `query:"limit" minimum:"0" maximum:"500" doc:"How many edges at most, the odd and then the heaviest; 150 when absent"`
}

// PersonaGraph is who writes with whom in a window of time.
type PersonaGraph struct {
	By      string             `json:"by"`
	Since   string             `json:"since" doc:"The window's first day"`
	Until   string             `json:"until" doc:"Its last"`
	Nodes   []PersonaGraphNode `json:"nodes" doc:"Those that the edges join, the most mail first"`
	Edges   []PersonaGraphEdge `json:"edges" doc:"The odd ones first, then the heaviest"`
	LeftOut int                `json:"left_out" doc:"Edges that there is no room for"`
	Weeks   []PersonaGraphWeek `json:"weeks" doc:"All weeks of which anything is known, the oldest first: what the window can be moved over"`
	Because string             `json:"because" doc:"Why there is nothing, or not all; empty where there is"`
}

// PersonaGraphNode is a department, a domain or a person.
type PersonaGraphNode struct {
	ID      string          `json:"id"`
	Kind    string          `json:"kind" enum:"department,domain,person"`
	Name    string          `json:"name"`
	Person  tocsin.PersonID `json:"person" doc:"Of a person of the directory"`
	Outside bool            `json:"outside"`
	People  int             `json:"people" doc:"Of the tenant, who wrote or were written to"`
	Mails   int             `json:"mails"`
}

// PersonaGraphEdge is what one node sent another.
type PersonaGraphEdge struct {
	From      string   `json:"from"`
	To        string   `json:"to"`
	Mails     int      `json:"mails"`
	Pairs     int      `json:"pairs" doc:"Of people, or of a person and an address"`
	New       bool     `json:"new" doc:"Nothing went this way in the twelve weeks before the window, of which some are known"`
	Odd       bool     `json:"odd" doc:"Anomalies are about it"`
	Anomalies []string `json:"anomalies" doc:"Their ids"`
	Why       string   `json:"why" doc:"Why it is odd or new, in a sentence; empty where it is neither"`
}

// PersonaGraphWeek is how much was sent in a week.
type PersonaGraphWeek struct {
	Week      string `json:"week" doc:"Its Monday"`
	Mails     int    `json:"mails"`
	Anomalies int    `json:"anomalies"`
}

// CircleIn asks who corresponded with a mailbox in a window of time.
type CircleIn struct {
	ByPerson
	Since time.Time `query:"since" doc:"From this time on; 30 days before until when absent"`
	Until time.Time `query:"until" doc:"Before this time; now when absent"`
	Limit int       `query:"limit" minimum:"0" maximum:"1000" doc:"How many at most; 200 when absent"`
}

// Circle is who corresponded with a mailbox in a window of time: whom a thief wrote to, or could.
type Circle struct {
	Person  tocsin.PersonID `json:"person"`
	Who     string          `json:"who"`
	Name    string          `json:"name"`
	Since   time.Time       `json:"since"`
	Until   time.Time       `json:"until"`
	Items   []CircleMember  `json:"items" doc:"First those who were written to, the most mail first"`
	LeftOut int             `json:"left_out" doc:"For whom there is no room"`
	Because string          `json:"because" doc:"What is not known of the window; empty where all is"`
}

// CircleMember is somebody who corresponded with the mailbox in the window.
type CircleMember struct {
	Address  string          `json:"address"`
	Person   tocsin.PersonID `json:"person"`
	Name     string          `json:"name"`
	Outside  bool            `json:"outside"`
	Sent     int             `json:"sent" doc:"Mails from the mailbox to the address, in the window"`
	Received int             `json:"received" doc:"Mails from the address to the mailbox, in the window"`
	First    time.Time       `json:"first" doc:"In the window"`
	Last     time.Time       `json:"last" doc:"In the window"`
	Known    time.Time       `json:"known" doc:"Since when the address is known to the person"`
	New      bool            `json:"new" doc:"It was not known before the window"`
}

// FeedbackIn says what an anomaly was.
type FeedbackIn struct {
	ByIDAct
	Body Feedback
}

// Feedback is what somebody says of an anomaly.
type Feedback struct {
	Verdict string `json:"verdict" enum:"false_alarm,confirmed,none" doc:"none takes back what was said"`
	Note    string `json:"note,omitempty" maxLength:"1000"`
}

// FeedbackGiven is the anomaly, and what the feedback made of the threshold.
type FeedbackGiven struct {
	Anomaly   Anomaly          `json:"anomaly"`
	Threshold PersonaThreshold `json:"threshold" doc:"Of that class, for that person"`
	Says      string           `json:"says" doc:"The threshold in a sentence"`
}

// PersonaSettings are how a tenant has its people learned.
type PersonaSettings struct {
	Off       bool      `json:"off" doc:"Nothing is learned, and nothing is told"`
	Budget    float64   `json:"budget" doc:"How many false alarms are expected per person and month; 0.03 is three a month for 100 people"`
	Says      string    `json:"says" doc:"The budget in a sentence, for this tenant's number of people"`
	People    int       `json:"people" doc:"Of whom something was learned"`
	Since     string    `json:"since" doc:"The first day that was learned; empty where none was"`
	Until     string    `json:"until" doc:"The last day that was learned"`
	Version   int64     `json:"version" doc:"0 while nothing was set"`
	Changed   time.Time `json:"changed,omitzero"`
	ChangedBy string    `json:"changed_by"`
}

// PersonaSettingsNew sets how a tenant has its people learned.
type PersonaSettingsNew struct {
	Off     bool    `json:"off" doc:"Learn nothing, and tell nothing. What is usual for each person is deleted; anomalies that were told stay, and so do counts of mail. Set to false again, people are learned anew from the mail that is stored"`
	Budget  float64 `json:"budget" minimum:"0.001" maximum:"2" doc:"Expected false alarms per person and month"`
	Version int64   `json:"version" doc:"The one that was looked at"`
}

// SetPersonaSettingsIn sets how a tenant has its people learned.
type SetPersonaSettingsIn struct {
	In
	Key
	Body PersonaSettingsNew
}
