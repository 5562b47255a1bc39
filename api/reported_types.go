package api

import (
	"time"

	"tocsin.dev"
)

// ReportedMail is a mail that somebody reported as suspicious.
type ReportedMail struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at" doc:"When it was reported"`
	Way      string    `json:"way" doc:"mailbox: sent to the reports mailbox as an attachment; forwarded: its text in another mail; addin: by the button in Outlook"`
	Reporter Reporter  `json:"reporter"`
	Note     string    `json:"note" doc:"What the reporter wrote to it"`

	State   string          `json:"state" doc:"Whether the mail itself is known: looking, found, or lost (because)"`
	Because string          `json:"because"`
	Mend    string          `json:"mend"`
	Person  tocsin.PersonID `json:"person" doc:"In whose mailbox it is; empty where that is not known"`
	Mailbox string          `json:"mailbox" doc:"That mailbox's address"`
	Message string          `json:"message" doc:"Its immutable id in that mailbox"`
	Folder  string          `json:"folder" doc:"The folder's name, as it was found"`

	InternetMessageID string    `json:"internet_message_id"`
	Sender            string    `json:"sender"`
	SenderName        string    `json:"sender_name"`
	SenderDomain      string    `json:"sender_domain"`
	Subject           string    `json:"subject"`
	Received          time.Time `json:"received,omitzero"`
	HasAttachments    bool      `json:"has_attachments"`

	Status        string    `json:"status" doc:"open, in_work or judged"`
	Verdict       string    `json:"verdict" doc:"malicious, suspicious, spam, simulation or clean; empty until it is judged"`
	Judged        time.Time `json:"judged,omitzero"`
	JudgedBy      string    `json:"judged_by"`
	Owner         string    `json:"owner" doc:"The address of who looks after it"`
	Reports       int       `json:"reports" doc:"How many reports there are of this same mail, this one among them"`
	Reply         string    `json:"reply" doc:"What became of the last answer to the reporter: waiting, sending, sent, unknown or failed; empty where there was none"`
	Investigation string    `json:"investigation" doc:"The investigation that was made from it"`
	Evidence      string    `json:"evidence" doc:"The id of what is kept of it, sealed"`
	Version       int64     `json:"version"`
}

// Reporter is who reported a mail.
type Reporter struct {
	Address string          `json:"address"`
	Name    string          `json:"name"`
	Person  tocsin.PersonID `json:"person" doc:"Who that is in the directory; empty for somebody outside"`
	Proven  bool            `json:"proven" doc:"Microsoft delivered the report from that person's mailbox, or the mail itself was found there"`
	Right   int             `json:"right" doc:"How many of their earlier reports were judged malicious, suspicious, spam or a simulation"`
	Wrong   int             `json:"wrong" doc:"How many were judged clean"`
}

// ReportedMailDetail is a reported mail with what was read of it and what became of it.
type ReportedMailDetail struct {
	ReportedMail
	To             []string         `json:"to"`
	Cc             []string         `json:"cc"`
	ReplyTo        []string         `json:"reply_to"`
	Links          []MailLink       `json:"links"`
	Attachments    []MailAttachment `json:"attachments"`
	Authentication []MailCheck      `json:"authentication" doc:"What the receiving server wrote of SPF, DKIM, DMARC and the composite check"`
	Faults         []string         `json:"faults" doc:"What of the mail could not be read"`
	Query          string           `json:"query" doc:"A query that finds this mail and its near copies, to begin an investigation with"`
	Others         []ReportedMail   `json:"others" doc:"Other reports of this mail, at most 50"`
	Replies        []ReportedReply  `json:"replies"`
	Changes        []ReportedChange `json:"changes"`
	Looks          []EvidenceLook   `json:"looks" doc:"Who looked at its content, and why"`
	Templates      []ReplyTemplate  `json:"templates" doc:"What a reporter would be answered, by verdict"`
}

// MailLink is a link in a mail.
type MailLink struct {
	URL      string `json:"url"`
	Domain   string `json:"domain"`
	Text     string `json:"text" doc:"What the reader sees in its place"`
	Where    string `json:"where" doc:"html, text, qr or attachment"`
	Wrapped  string `json:"wrapped,omitempty" doc:"The address as it stands in the mail, where a gateway had rewritten it"`
	Deceives bool   `json:"deceives" doc:"What the reader sees names another domain than the link goes to"`
}

// MailAttachment is an attachment of a mail.
type MailAttachment struct {
	Name   string           `json:"name"`
	Type   string           `json:"type"`
	Size   int64            `json:"size"`
	SHA256 string           `json:"sha256"`
	Inline bool             `json:"inline"`
	Inside []MailAttachment `json:"inside,omitempty" doc:"What is in it, where it is an archive or a mail"`
}

// MailCheck is what the receiving server found of a mail's sender.
type MailCheck struct {
	Method string `json:"method" doc:"spf, dkim, dmarc, compauth or arc"`
	Result string `json:"result" doc:"pass, fail, none, softfail …"`
	About  string `json:"about" doc:"The domain that was looked at"`
}

// ReportedReply is an answer to a reporter.
type ReportedReply struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind" doc:"thanks (when the report came) or verdict"`
	To        string    `json:"to"`
	Subject   string    `json:"subject"`
	Text      string    `json:"text"`
	Way       string    `json:"way" doc:"send: as mail from the reports mailbox; place: put into the reporter's mailbox, where sending is not granted; empty until it is known"`
	State     string    `json:"state" doc:"waiting, sending, sent, unknown (never repeated) or failed"`
	Because   string    `json:"because"`
	Mend      string    `json:"mend"`
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"created_by"`
	Changed   time.Time `json:"changed"`
}

// ReportedChange is something that became of a report.
type ReportedChange struct {
	At     time.Time `json:"at"`
	Who    string    `json:"who" doc:"The address of who did it; empty for Tocsin itself"`
	Change string    `json:"change" doc:"reported, found, lost, assigned, judged, linked, replied, reopened"`
	Note   string    `json:"note"`
}

// ReplyTemplate is what a reporter is answered.
type ReplyTemplate struct {
	Verdict string `json:"verdict" doc:"malicious, suspicious, spam, simulation, clean, or thanks"`
	Subject string `json:"subject"`
	Text    string `json:"text" doc:"{name}, {subject} and {sender} stand for the reporter's name and what they reported"`
}

// ReportedIn filters reported mails. Newest first.
type ReportedIn struct {
	In
	Paging
	Status        string `query:"status" enum:"open,in_work,judged,waiting,all" doc:"waiting (open and in_work) when absent"`
	Verdict       string `query:"verdict" enum:"malicious,suspicious,spam,simulation,clean" doc:"Only with this verdict"`
	Way           string `query:"way" enum:"mailbox,forwarded,addin" doc:"Only reported in this way"`
	Reporter      string `query:"reporter" maxLength:"320" doc:"Only by this reporter's address"`
	Owner         string `query:"owner" maxLength:"320" doc:"Only those that this account looks after; none for those nobody does"`
	Investigation string `query:"investigation" maxLength:"100" doc:"Only those of this investigation"`
	Q             string `query:"q" maxLength:"200" doc:"Only with this in the subject, the sender or the reporter"`
	Alike         bool   `query:"alike" doc:"The newest report of each mail only"`
}

// ReportedCounts says how many reports there are. Reports of the same mail count each.
type ReportedCounts struct {
	Open     int            `json:"open"`
	InWork   int            `json:"in_work"`
	Judged   int            `json:"judged"`
	Verdicts map[string]int `json:"verdicts"`
	Oldest   time.Time      `json:"oldest,omitzero" doc:"When the oldest that waits was reported"`
	Inbox    ReportedInbox  `json:"inbox"`
}

// ReportedInbox is how the reports mailbox is read.
type ReportedInbox struct {
	Address string    `json:"address" doc:"Empty where none is named"`
	Asked   time.Time `json:"asked,omitzero" doc:"When it was looked into last"`
	Because string    `json:"because" doc:"Why it cannot be read; empty when it is"`
	Mend    string    `json:"mend"`
}

// AssignReportedIn says who looks after a report.
type AssignReportedIn struct {
	ByIDAct
	Body struct {
		Owner   string `json:"owner" maxLength:"320" doc:"An account's address; empty for nobody"`
		Version int64  `json:"version" minimum:"1" doc:"The version that was looked at"`
	}
}

// JudgeReportedIn gives a report a verdict.
type JudgeReportedIn struct {
	ByIDAct
	Body ReportedVerdict
}

// ReportedVerdict is what a reported mail is judged to be.
type ReportedVerdict struct {
	Verdict string `json:"verdict" enum:"malicious,suspicious,spam,simulation,clean,open" doc:"What the mail is; open takes a verdict back"`
	Note    string `json:"note,omitempty" maxLength:"2000" doc:"Why; it is kept, and not sent"`
	All     bool   `json:"all,omitempty" doc:"Judge every report of this same mail that waits, not this one alone"`
	Reply   bool   `json:"reply,omitempty" doc:"Answer who reported it"`
	Text    string `json:"text,omitempty" trail:"-" maxLength:"10000" doc:"What to answer; the template of the verdict when absent"`
	Version int64  `json:"version" minimum:"1" doc:"The version that was looked at"`
}

// ReplyReportedIn answers who reported a mail.
type ReplyReportedIn struct {
	ByIDAct
	Body struct {
		Text string `json:"text" trail:"-" minLength:"1" maxLength:"10000" doc:"What to answer"`
	}
}

// LinkReportedIn says which investigation was made from a report.
type LinkReportedIn struct {
	ByIDAct
	Body struct {
		Investigation string `json:"investigation" maxLength:"100" doc:"The investigation's id; empty for none"`
		All           bool   `json:"all,omitempty" doc:"For every report of this same mail"`
	}
}

// Reason is why somebody looks at a mail's content. It is kept, with who and when.
type Reason struct {
	Reason string `json:"reason" minLength:"5" maxLength:"500" doc:"Why the content is looked at; it is written to the audit"`
}

// LookIn looks at the content of a reported mail, or of evidence.
type LookIn struct {
	ByID
	Body Reason
}

// LookAtMailIn looks at a message in a mailbox.
type LookAtMailIn struct {
	In
	Body MailLook
}

// MailLook names a message in a mailbox, and why it is looked at.
type MailLook struct {
	Person        tocsin.PersonID `json:"person" minLength:"1" maxLength:"320" doc:"Whose mailbox: a person's id or address"`
	Message       string          `json:"message" trail:"message" minLength:"1" maxLength:"500" doc:"The message's id"`
	Investigation string          `json:"investigation,omitempty" maxLength:"100" doc:"The investigation that it is looked at for"`
	Reason
}

// MailPreview is a mail as it may be shown: what could run, load or phone home is taken out.
type MailPreview struct {
	Subject        string           `json:"subject"`
	From           string           `json:"from"`
	ReplyTo        []string         `json:"reply_to"`
	To             []string         `json:"to"`
	Cc             []string         `json:"cc"`
	Date           time.Time        `json:"date,omitzero"`
	HTML           string           `json:"html" doc:"Safe to show in a sandboxed frame; links lead nowhere"`
	Text           string           `json:"text"`
	Links          []MailLink       `json:"links"`
	Attachments    []MailAttachment `json:"attachments"`
	Authentication []MailCheck      `json:"authentication"`
	Headers        []MailHeader     `json:"headers"`
	Faults         []string         `json:"faults"`
	SHA256         string           `json:"sha256"`
	Size           int64            `json:"size"`
	Kept           bool             `json:"kept" doc:"It was shown from what is kept, not from the mailbox"`
}

// MailHeader is a line of a mail's head.
type MailHeader struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Evidence is a mail that is kept, sealed.
type Evidence struct {
	ID                string          `json:"id"`
	At                time.Time       `json:"at"`
	By                string          `json:"by" doc:"Who had it kept; empty for Tocsin itself, when it was reported"`
	Reason            string          `json:"reason"`
	Origin            string          `json:"origin" doc:"report or match"`
	OriginID          string          `json:"origin_id" doc:"The report's or the investigation's id"`
	Person            tocsin.PersonID `json:"person"`
	Mailbox           string          `json:"mailbox"`
	Message           string          `json:"message"`
	InternetMessageID string          `json:"internet_message_id"`
	Sender            string          `json:"sender"`
	Subject           string          `json:"subject"`
	Received          time.Time       `json:"received,omitzero"`
	SHA256            string          `json:"sha256" doc:"Of the mail as it was read, in hex"`
	Size              int64           `json:"size" doc:"Bytes"`
}

// EvidenceLook is a look at a mail's content.
type EvidenceLook struct {
	At       time.Time `json:"at"`
	Who      string    `json:"who"`
	Reason   string    `json:"reason"`
	What     string    `json:"what" doc:"shown, kept or downloaded"`
	Evidence string    `json:"evidence" doc:"What is kept that was looked at; empty where a message was looked at in its mailbox"`
}

// EvidenceIn filters evidence. Newest first.
type EvidenceIn struct {
	In
	Paging
	Origin   string `query:"origin" enum:"report,match" doc:"Only from reports, or from matches of investigations"`
	OriginID string `query:"of" maxLength:"100" doc:"Only of this report or investigation"`
}

// EvidenceFile is a mail that is kept, opened. The hash was compared with what it was when it was sealed.
type EvidenceFile struct {
	Evidence
	Name string `json:"name" doc:"What to call the file"`
	EML  []byte `json:"eml" doc:"The mail, in base64"`
}

// ReportedSettings are what is done with what people report.
type ReportedSettings struct {
	Mailbox   string          `json:"mailbox" doc:"The address of the mailbox to which people send what they report; empty for none"`
	Thanks    bool            `json:"thanks" doc:"Thank who reported, when a report comes"`
	Addin     bool            `json:"addin" doc:"Whether reports of the add-in are taken"`
	Templates []ReplyTemplate `json:"templates"`
	Manifest  string          `json:"manifest,omitempty" doc:"Where the add-in's manifest is; for administrators, while the add-in is on"`
	Inbox     ReportedInbox   `json:"inbox"`
	Version   int64           `json:"version"`
	Changed   time.Time       `json:"changed,omitzero"`
	ChangedBy string          `json:"changed_by"`
}

// SetReportedIn sets what is done with what people report.
type SetReportedIn struct {
	In
	Key
	Body ReportedNew
}

// ReportedNew are settings of reports. What is absent keeps what it is.
type ReportedNew struct {
	Mailbox   *string         `json:"mailbox,omitempty" maxLength:"320" doc:"The address of a mailbox of this tenant; empty for none"`
	Thanks    *bool           `json:"thanks,omitempty" doc:"Thank who reported, when a report comes"`
	Addin     *bool           `json:"addin,omitempty" doc:"Take reports of the add-in"`
	NewKey    bool            `json:"new_key,omitempty" doc:"Give the add-in another address: the manifest that is rolled out must be replaced"`
	Templates []ReplyTemplate `json:"templates,omitempty" doc:"What reporters are answered, by verdict"`
	Version   int64           `json:"version" minimum:"0" doc:"The version that was looked at; 0 where there was none"`
}

// AddinReportIn is what the add-in sends when somebody presses Report.
type AddinReportIn struct {
	Body AddinReport
}

// AddinReport names a mail that is reported, and by whom.
type AddinReport struct {
	Key               string `json:"key" trail:"-" minLength:"1" maxLength:"200" doc:"The key in the add-in's address"`
	Mailbox           string `json:"mailbox" trail:"-" minLength:"3" maxLength:"320" doc:"The address of who reports, as Outlook says"`
	Message           string `json:"message,omitempty" trail:"-" maxLength:"1000" doc:"The message's id in REST's form"`
	InternetMessageID string `json:"internet_message_id" trail:"-" minLength:"3" maxLength:"1000" doc:"The Message-ID"`
	Note              string `json:"note,omitempty" trail:"-" maxLength:"2000" doc:"What the reporter writes to it"`
}

// AddinTaken says that a report was taken.
type AddinTaken struct {
	ID    string `json:"id"`
	Again bool   `json:"again" doc:"It had been reported before by the same person"`
}
