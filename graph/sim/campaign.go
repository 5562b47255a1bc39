package sim

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"net/url"
	"strings"
	"time"

	"tocsin.dev"
)

// Campaign is one bad mail in many variants over many mailboxes, among mails that look like it and are innocent. The same
// campaign in the same world is the same, byte for byte; what its mails say is made only when somebody asks.
type Campaign struct {
	Name      string   `json:"name"`
	Wave      int      `json:"wave"`      // of the campaign: another has other numbers, and new variants
	Mails     int      `json:"mails"`     // bad ones; each mailbox gets one before any gets two
	Innocents int      `json:"innocents"` // that look like them
	Over      Duration `json:"over"`      // until now, over which they came; 0: all of them now
	Fresh     bool     `json:"fresh"`     // all lie unread in the inbox; otherwise some were read, flagged, sorted, moved and deleted
}

// Planted is one mail of a campaign, as it was put into a mailbox.
type Planted struct {
	Mailbox    string    `json:"mailbox"`
	Person     string    `json:"person"` // Entra object id
	ID         string    `json:"id"`     // the immutable one
	MessageID  string    `json:"message_id"`
	Sender     string    `json:"sender"`
	Subject    string    `json:"subject"`
	Attachment string    `json:"attachment,omitempty"` // its name
	SHA256     string    `json:"sha256,omitempty"`     // of it
	URL        string    `json:"url,omitempty"`        // that it links to, as the mail has it
	Folder     string    `json:"folder"`               // a well-known name, or an id
	Received   time.Time `json:"received"`
	Innocent   bool      `json:"innocent,omitempty"`
}

// Wave is what became of a campaign: the truth that a search is held against.
type Wave struct {
	Campaign
	Domain  string    `json:"domain"` // to which every bad mail links, and no innocent one: some through Safe Links, none in the text that is read
	Planted []Planted `json:"planted"`
}

// Bad are the wave's bad mails, by id.
func (w *Wave) Bad() map[string]Planted { return w.of(false) }

// Innocent are those that look like them, by id.
func (w *Wave) Innocent() map[string]Planted { return w.of(true) }

func (w *Wave) of(innocent bool) map[string]Planted {
	out := map[string]Planted{}
	for _, p := range w.Planted {
		if p.Innocent == innocent {
			out[p.ID] = p
		}
	}
	return out
}

// Variants of a campaign's mails.
var (
	campaignSubjects = []string{"Overdue invoice %d", "Invoice %d is overdue", "Reminder: invoice %d", "Final notice - invoice %d", "Ihre Rechnung %d ist überfällig", "RE: invoice %d", "Inv\u043eice %d", "[EXTERNAL] Invoice %d awaits payment"}
	campaignSenders  = []string{"fabrikam-billing.example", "freight-invoices.example", "fabrlkamfreight.example", "accounts-payable.example", "invoice-desk.example"}
	campaignBoxes    = []string{"billing", "invoices", "accounts", "ar", "noreply"}
	campaignNames    = []string{"Accounts", "Billing Department", "Fabrikam Accounts", "Invoice Desk"}
	campaignFiles    = []string{"Invoice_%d.html", "INV-%d.htm", "Remittance %d.html", "Rechnung_%d.html", "Statement-%d.zip"}
	campaignHosts    = []string{"secure", "login", "view", "docs", "portal"}
)

// campaignDomain is where every bad mail of a campaign leads.
const campaignDomain = "pay-portal.example"

// sower makes a campaign's mails, each from its number.
type sower struct {
	Campaign
	base uint64
}

func (w *world) sower(c Campaign) sower {
	h := fnv.New64a()
	h.Write([]byte(c.Name))
	return sower{c, mix(w.seed.at(askCampaign, c.Wave) ^ h.Sum64())}
}

func (c sower) at(question, k int) uint64 { return mix(c.base + uint64(question)<<40 + uint64(k)) }

func pick(list []string, h uint64) string { return list[h%uint64(len(list))] }

// number is the invoice's that the k-th mail is about.
func (c sower) number(k int) int { return 20000 + int(c.at(1, k)%70000) }

// link is where the k-th bad mail leads; one in four goes through Safe Links.
func (c sower) link(k int) string {
	h := c.at(2, k)
	link := fmt.Sprintf("https://%s.%s/i/%d?u=%08x", pick(campaignHosts, h), campaignDomain, c.number(k), uint32(h>>20))
	if h>>8%4 == 0 {
		link = "https://eur01.safelinks.protection.outlook.com/?url=" + url.QueryEscape(link) + "&data=05%7C02%7C&reserved=0"
	}
	return link
}

// file is the k-th bad mail's attachment, which one in four has not. Its bytes are its variant's.
func (c sower) file(k int) (attachment, bool) {
	h := c.at(3, k)
	if h%4 == 0 {
		return attachment{}, false
	}
	n := h >> 4 % uint64(len(campaignFiles))
	name := fmt.Sprintf(campaignFiles[n], c.number(k))
	page := fmt.Appendf(nil, "<html><head><title>Invoice</title></head><body><form action=\"https://docs.%s/%d/%d\"><input name=\"password\"></form></body></html>\n", campaignDomain, c.Wave, n)
	if strings.HasSuffix(name, ".zip") {
		return attachment{name: name, kind: "application/zip", data: zipped("invoice.html", page)}, true
	}
	return attachment{name: name, kind: "text/html", data: page}, true
}

func zipped(name string, data []byte) []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	f, err := z.Create(name)
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		panic("sim: what is written into memory does not fail: " + err.Error())
	}
	return out.Bytes()
}

// letter is what the k-th bad mail says.
func (c sower) letter(k int, first string) letter {
	h := c.at(4, k)
	sum := fmt.Sprintf("EUR %d.%02d", 400+h%9000, h>>16%100)
	greeting := pick([]string{"Dear ", "Hello ", "Guten Tag ", "Dear Mr. or Ms. "}, h>>24)
	l := letter{headers: []header{{"Authentication-Results", "spf=pass; dkim=none; dmarc=none action=none"}, {"X-Mailer", pick([]string{"PHPMailer 6.9.1", "Leaf PHPMailer 2.8"}, h>>32)}}}
	l.html = fmt.Sprintf(`<html><head><style>p{font-family:Calibri}</style></head><body><p>%s%s,</p><p>our records show that invoice %d over %s has not been settled. To avoid a late fee please <a href="%s">view the invoice</a> today.</p><p>Regards,<br>Accounts</p></body></html>`,
		greeting, first, c.number(k), sum, strings.ReplaceAll(c.link(k), "&", "&amp;"))
	if f, ok := c.file(k); ok {
		l.attachments = []attachment{f}
	}
	return l
}

// innocent is what the k-th mail says that looks like a bad one and is none: a true invoice of a partner, one whose link only
// begins like the bad one's, or a colleague who warns of it.
func (c sower) innocent(k int) letter {
	n := c.number(k)
	switch c.at(5, k) % 5 {
	case 0:
		return letter{html: fmt.Sprintf(`<html><body><p>Careful: somebody sends invoices that lead to hxxps://secure.pay-portal[.]example. I got one about invoice %d. Do not open them.</p></body></html>`, n)}
	case 1:
		return letter{html: fmt.Sprintf(`<html><body><p>Dear customer,</p><p>invoice %d is ready: <a href="https://%s.%s/i/%d">view the invoice</a>.</p></body></html>`, n, campaignDomain, "tailspintoys.com", n)}
	}
	return letter{html: fmt.Sprintf(`<html><body><p>Dear customer,</p><p>our records show that invoice %d has not been settled. Please <a href="https://portal.tailspintoys.com/invoices/%d">view the invoice</a>.</p><p>Regards,<br>Accounts</p></body></html>`, n, n),
		attachments: []attachment{{name: fmt.Sprintf("Invoice_%d.pdf", n), kind: "application/pdf", data: paper(c.at(6, k))}}}
}

// Campaign puts a campaign's mails into mailboxes, and gives the truth of them. Whoever subscribed is told.
func (s *Sim) Campaign(c Campaign) (*Wave, error) {
	if c.Mails < 1 || c.Innocents < 0 || c.Mails+c.Innocents > 1_000_000 || c.Over < 0 {
		return nil, errors.New("sim: a campaign has between one and a million mails, that came until now")
	}
	if c.Name == "" {
		c.Name = "invoices"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &Wave{Campaign: c, Domain: campaignDomain}
	sow := s.world.sower(c)
	bad, good := s.world.strewn(sow.at(7, 0)), s.world.strewn(sow.at(7, 1))
	now, total := s.clock.Now().Truncate(time.Second), c.Mails+c.Innocents
	for n, k, j := 0, 0, 0; n < total; n++ {
		at := now.Add(-time.Duration(c.Over) + time.Duration(int64(c.Over)/int64(total)*int64(n+1))).Truncate(time.Second)
		innocent := j*c.Mails < k*c.Innocents || k == c.Mails // evenly among the others
		next := bad
		if innocent {
			next = good
		}
		p := next()
		if p == nil {
			return nil, errors.New("sim: nobody has a mailbox")
		}
		planted, err := s.sow(sow, p, map[bool]int{false: k, true: j}[innocent], innocent, at)
		if err != nil {
			return nil, err
		}
		out.Planted = append(out.Planted, planted)
		if innocent {
			j++
		} else {
			k++
		}
	}
	s.world.campaigns = append(s.world.campaigns, out)
	return out, nil
}

// Campaigns are those that there were.
func (s *Sim) Campaigns() []*Wave {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return append([]*Wave{}, s.world.campaigns...)
}

// strewn gives one person with a mailbox after another, none twice before all had their turn; nil where there is none.
func (w *world) strewn(h uint64) func() *person {
	n := w.count()
	i, step := int(h%uint64(n)), n*61/100+1
	for ; divisor(step, n) > 1; step++ {
	}
	return func() *person {
		for range n {
			i = (i + step) % n
			if p := w.person(i); p != nil && p.hasBox() && !p.scopedOut {
				return p
			}
		}
		return nil
	}
}

func divisor(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// sow puts the k-th bad or innocent mail into a mailbox.
func (s *Sim) sow(c sower, p *person, k int, innocent bool, at time.Time) (Planted, error) {
	h := c.at(8, k)
	m := &message{folder: inbox, subject: fmt.Sprintf(pick(campaignSubjects, h), c.number(k)), to: []tocsin.Address{{Name: p.display, Address: p.mail}},
		received: at, sent: at.Add(-3 * time.Second), modified: at, arrived: at}
	by := "campaign " + c.Name
	out := Planted{Mailbox: p.mail, Person: p.id, Subject: m.subject, Received: at, Innocent: innocent}
	first := p.first
	if first == "" {
		first = p.display
	}
	if innocent {
		by += " (innocent)"
		m.from = tocsin.Address{Name: "Tailspin Accounts", Address: "billing@tailspintoys.com"}
		if c.at(5, k)%5 == 0 {
			q := s.world.colleague(p)
			m.from = tocsin.Address{Name: q.display, Address: q.mail}
		}
		m.letter = func() letter { return c.innocent(k) }
	} else {
		m.from = tocsin.Address{Name: pick(campaignNames, h>>8), Address: pick(campaignBoxes, h>>16) + "@" + pick(campaignSenders, h>>24)}
		m.letter = func() letter { return c.letter(k, first) }
		out.URL = c.link(k)
	}
	for _, f := range m.letter().attachments {
		sum := sha256.Sum256(f.data)
		m.attached, out.Attachment, out.SHA256 = true, f.name, hex.EncodeToString(sum[:])
	}
	if !c.Fresh {
		c.lived(m, c.at(9, k))
	}
	s.world.stamp(m)
	if err := s.came(by, "received", at, p, m); err != nil {
		return Planted{}, err
	}
	out.Sender, out.ID, out.MessageID, out.Folder = m.from.Address, s.world.messageID(p.i, m, true), s.world.internetID(p.i, m), s.folderName(p, m.folder)
	return out, nil
}

// lived lets people have done with a mail what they do.
func (c sower) lived(m *message, h uint64) {
	switch n := h % 100; {
	case n < 6:
		m.folder = deleted
	case n < 11:
		m.folder = junk
	case n < 15:
		m.folder = firstCustom
	case n < 18:
		m.folder = archive
	case n < 20:
		m.folder = recoverable
	}
	h >>= 8
	m.read = h%3 == 0
	switch h >> 8 % 32 {
	case 0:
		m.flag = "flagged"
	case 1:
		day := &flagDate{m.received.Truncate(24 * time.Hour).Format("2006-01-02T15:04:05.0000000"), "UTC"}
		m.flag, m.flagDates = "flagged", &flagDates{start: day, due: day}
	case 2:
		m.categories = []string{"Red category"}
	case 3:
		m.categories = []string{"Blue category", "Projects"}
	}
}
