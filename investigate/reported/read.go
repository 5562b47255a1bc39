package reported

import (
	"net/mail"
	"path"
	"regexp"
	"strings"
	"time"

	mime "tocsin.dev/mail"
)

// Most mails that are taken from one report: who attaches more is answered for these.
const mostInOne = 20

// Report is what a message to the reports mailbox says.
type Report struct {
	From    mime.Address
	Inside  bool   // Exchange says that it was sent by somebody who was signed in to this tenant
	Note    string // what the reporter wrote
	Machine bool   // no person wrote it: an automatic answer, a bounce
	Mails   []Reported
}

// Reported is a mail within a report: whole (Raw), or what a forwarding tells of it.
type Reported struct {
	Raw       []byte
	MessageID []string // candidates, the likeliest first; with angle brackets
	Sender    string
	Name      string
	Subject   string
	Date      time.Time // zero where it is not told, or in a form that we do not read
}

// Read finds in a message to the reports mailbox which mails it reports.
func Read(raw []byte) Report {
	m := mime.ParseParts(raw, mime.ReadText|mime.ReadHashes)
	r := Report{Inside: strings.EqualFold(strings.TrimSpace(m.Get("X-MS-Exchange-Organization-AuthAs")), "Internal"), Machine: machine(m)}
	if len(m.From) > 0 {
		r.From = m.From[0]
	}
	for i := range m.Attachments {
		a := &m.Attachments[i]
		if !isMail(a) || len(a.Content()) == 0 || len(r.Mails) >= mostInOne {
			continue
		}
		r.Mails = append(r.Mails, whole(a.Content()))
	}
	if len(r.Mails) > 0 {
		r.Note = noteIn(m.Text)
		return r
	}
	if f, before, ok := forwarded(m.Text); ok {
		f.MessageID = ids(m)
		r.Note, r.Mails = noteIn(before), []Reported{f}
	} else if id := ids(m); len(id) > 0 && isForward(m.Subject) {
		r.Note, r.Mails = noteIn(m.Text), []Reported{{MessageID: id, Subject: bareSubject(m.Subject)}}
	}
	return r
}

// whole is a mail that is attached.
func whole(raw []byte) Reported {
	m := mime.ParseParts(raw, 0)
	out := Reported{Raw: raw, Subject: m.Subject, Date: m.Received}
	if out.Date.IsZero() {
		out.Date = m.Date
	}
	if len(m.From) > 0 {
		out.Sender, out.Name = m.From[0].Address, m.From[0].Name
	}
	if m.MessageID != "" {
		out.MessageID = []string{"<" + m.MessageID + ">"}
	}
	return out
}

// isMail says whether an attachment is a mail, by whatever name a program gives it.
func isMail(a *mime.Attachment) bool {
	return a.Type == "message/rfc822" || a.Type == "message/global" || strings.EqualFold(path.Ext(a.Name), ".eml")
}

// machine says whether a mail was written by no person: https://www.rfc-editor.org/rfc/rfc3834#section-5.
func machine(m *mime.Message) bool {
	auto := strings.ToLower(strings.TrimSpace(m.Get("Auto-Submitted")))
	if auto != "" && auto != "no" || m.Get("X-Tocsin-Reply") != "" {
		return true
	}
	kind, _, _ := strings.Cut(strings.ToLower(m.Get("Content-Type")), ";")
	return strings.TrimSpace(kind) == "multipart/report"
}

// ids are the Message-IDs of what a mail answers or forwards: Outlook and others write the original's last.
func ids(m *mime.Message) (out []string) {
	add := func(id string) {
		if id = strings.Trim(strings.TrimSpace(id), "<>"); id != "" {
			for _, had := range out {
				if had == "<"+id+">" {
					return
				}
			}
			out = append(out, "<"+id+">")
		}
	}
	add(m.InReplyTo)
	for i := len(m.References) - 1; i >= 0 && len(out) < 3; i-- {
		add(m.References[i])
	}
	return out
}

// What programs write before what they forward, in the languages that Outlook is used in most: sender, date, recipient, subject.
var labels = func() map[string]string {
	labels := map[string]string{}
	for kind, words := range map[string]string{
		"from":    "from von de da van från fra lähettäjä od feladó de la kimden от differentsender",
		"sent":    "sent date gesendet datum envoyé enviado enviada inviato data verzonden skickat sendt dato lähetetty wysłano odesláno elküldve trimis gönderilme tarihi отправлено дата",
		"to":      "to an à para a aan till til vastaanottaja do komu címzett către kime кому",
		"subject": "subject betreff objet asunto assunto oggetto onderwerp ämne emne aihe temat předmět tárgy subiect konu тема",
	} {
		for _, w := range strings.Fields(words) {
			labels[w] = kind
		}
	}
	for w, kind := range map[string]string{"差出人": "from", "发件人": "from", "寄件者": "from", "보낸 사람": "from", "送信日時": "sent", "发送时间": "sent", "寄件日期": "sent", "보낸 날짜": "sent",
		"宛先": "to", "收件人": "to", "收件者": "to", "받는 사람": "to", "件名": "subject", "主题": "subject", "主旨": "subject", "제목": "subject", "gönderilme tarihi": "sent"} {
		labels[w] = kind
	}
	return labels
}()

var labelled = regexp.MustCompile(`^[\s>*|]*\**\s*([\p{L} ]{1,20}?)\s*\**\s*[::]\s*\**\s*(.*?)\**\s*$`)

// forwarded reads the head that a program writes before what it forwards; before is what the reporter wrote above it.
func forwarded(text string) (f Reported, before string, ok bool) {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i := 0; i < len(lines) && i < 400; i++ {
		if labelOf(lines[i]) != "from" {
			continue
		}
		got := map[string]string{}
		last := i + 12
		for j := i; j < len(lines) && j < last; j++ {
			kind := labelOf(lines[j])
			if kind == "" || got[kind] != "" {
				continue
			}
			got[kind] = strings.TrimSpace(labelled.FindStringSubmatch(lines[j])[2])
		}
		_, hasSubject := got["subject"]
		if !hasSubject || got["from"] == "" || got["sent"] == "" && got["to"] == "" {
			continue
		}
		f.Subject, f.Date = got["subject"], dateIn(got["sent"])
		f.Name, f.Sender = person(got["from"])
		return f, strings.Join(lines[:i], "\n"), true
	}
	return f, "", false
}

func labelOf(l string) string {
	if len(l) > 1000 {
		return ""
	}
	m := labelled.FindStringSubmatch(l)
	if m == nil {
		return ""
	}
	return labels[strings.ToLower(strings.TrimSpace(m[1]))]
}

var (
	angled  = regexp.MustCompile(`[<\[]\s*(?:mailto:)?([^<>\[\]\s@]+@[^<>\[\]\s]+?)\s*[>\]]`)
	anyMail = regexp.MustCompile(`[^\s<>\[\]"'(),;:]+@[^\s<>\[\]"'(),;:]+`)
)

// person is the name and the address in what stands behind From:.
func person(s string) (name, address string) {
	if m := angled.FindStringSubmatchIndex(s); m != nil {
		return strings.Trim(strings.TrimSpace(s[:m[0]]), `"'`), s[m[2]:m[3]]
	}
	if a := anyMail.FindString(s); a != "" {
		return strings.Trim(strings.TrimSpace(strings.Replace(s, a, "", 1)), `"' `), a
	}
	return strings.Trim(s, `"'`), ""
}

var dateForms = []string{"Monday, January 2, 2006 3:04 PM", "Monday, January 2, 2006 3:04:05 PM", "Monday, 2 January 2006 15:04", "Monday, 2 January 2006 15:04:05", "2 January 2006 15:04", "January 2, 2006 3:04 PM",
	"Mon, Jan 2, 2006 at 3:04 PM", "2006-01-02 15:04", "02.01.2006 15:04", "2.1.2006 15:04", "02/01/2006 15:04"}

// dateIn reads a date as English programs write it, or with numbers; zero where it is none of these. Its zone is not told: it may be a day off.
func dateIn(s string) time.Time {
	s = strings.Join(strings.Fields(strings.NewReplacer("\u202f", " ", "\u00a0", " ").Replace(s)), " ")
	if at, err := mail.ParseDate(s); err == nil {
		return at
	}
	for _, form := range dateForms {
		if at, err := time.Parse(form, s); err == nil {
			return at
		}
	}
	return time.Time{}
}

var prefix = regexp.MustCompile(`(?i)^\s*(fwd?|wg|tr|rv|i|enc|doorst|vs|vb|pd|fs|videresendt|továbbítás)\s*(\[\d+\])?\s*[::]\s*`)

func isForward(subject string) bool { return prefix.MatchString(subject) }

// bareSubject is a subject without what forwarding puts before it.
func bareSubject(s string) string {
	for prefix.MatchString(s) {
		s = prefix.ReplaceAllString(s, "")
	}
	return strings.TrimSpace(s)
}

var rules = regexp.MustCompile(`(?m)^[\s>]*([-_=*]{3,}|-{2,}.*-{2,}|Begin forwarded message:?)\s*$`)

// noteIn is what a reporter wrote, without signs and empty lines, and not too long.
func noteIn(text string) string {
	text = strings.TrimSpace(rules.ReplaceAllString(text, ""))
	var out []string
	for _, l := range strings.Split(text, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	s := []rune(strings.Join(out, "\n"))
	if len(s) > 2000 {
		s = append(s[:1999], '…')
	}
	return string(s)
}
