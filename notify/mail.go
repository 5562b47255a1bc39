package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/textproto"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"tocsin.dev"
)

// SMTP is the mail server that e-mail goes out by. It is the operator's, so its address is not guarded.
type SMTP struct {
	Host     string
	Port     int // 0: what goes with TLS: 587, 465 or 25
	User     string
	Password string
	From     string // an address, or a name with one
	TLS      string // starttls (empty), implicit or none
	Roots    *x509.CertPool
}

// Ways in which SMTP is protected.
const (
	StartTLS = "starttls"
	Implicit = "implicit"
	Plain    = "none"
)

// client makes a client for one message.
func (s *SMTP) client() (*gomail.Client, error) {
	o := []gomail.Option{gomail.WithTimeout(within), gomail.WithHELO(helo(s.From)), gomail.WithoutNoop(),
		gomail.WithTLSConfig(&tls.Config{ServerName: s.Host, MinVersion: tls.VersionTLS12, RootCAs: s.Roots})}
	port := s.Port
	switch s.TLS {
	case Implicit:
		o = append(o, gomail.WithSSL())
		if port == 0 {
			port = 465
		}
	case Plain:
		o = append(o, gomail.WithTLSPolicy(gomail.NoTLS))
		if port == 0 {
			port = 25
		}
	default:
		o = append(o, gomail.WithTLSPolicy(gomail.TLSMandatory))
		if port == 0 {
			port = 587
		}
	}
	o = append(o, gomail.WithPort(port))
	if s.User != "" {
		o = append(o, gomail.WithUsername(s.User), gomail.WithPassword(s.Password), gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover))
	}
	return gomail.NewClient(s.Host, o...)
}

// helo is the name that the client gives: the sender's domain.
func helo(from string) string {
	_, domain, ok := strings.Cut(strings.TrimSuffix(strings.TrimSpace(from), ">"), "@")
	if !ok || domain == "" {
		return "localhost"
	}
	return domain
}

// compose is the message as an e-mail.
func (s *SMTP) compose(to []string, m *Message) (*gomail.Msg, error) {
	html, err := m.emailHTML()
	if err != nil {
		return nil, err
	}
	out := gomail.NewMsg()
	if err := errors.Join(out.From(s.From), out.To(to...)); err != nil {
		return nil, err
	}
	out.Subject(clean(m.Headline(), 200))
	out.SetMessageIDWithValue(m.ID + "@" + helo(s.From)) // the same at every try
	out.SetDateWithValue(m.Created)
	out.SetGenHeader(gomail.Header("Auto-Submitted"), "auto-generated")
	out.SetGenHeader(gomail.Header("X-Auto-Response-Suppress"), "All")
	out.SetUserAgent("Tocsin")
	out.SetBodyString(gomail.TypeTextPlain, m.emailText())
	out.AddAlternativeString(gomail.TypeTextHTML, html)
	return out, nil
}

// mail sends a message by e-mail.
func (a *Alerts) mail(ctx context.Context, c *Channel, m *Message) outcome {
	if err := a.mayMail(c.Kind); err != nil {
		p := tocsin.AsProblem(err)
		return outcome{because: "this server knows no mail server to send by", mend: p.Do}
	}
	to, err := recipients(c.Address)
	if err != nil {
		return outcome{because: "its recipients cannot be read", mend: "Enter them again."}
	}
	o := a.mailTo(ctx, to, m)
	if o.forever && len(to) > 1 { // one of them does not exist, say: the others are told all the same
		return a.mailEach(ctx, to, m)
	}
	return o
}

// mailEach sends a message to each recipient alone. It is taken when one of them takes it; what refused it is said.
func (a *Alerts) mailEach(ctx context.Context, to []string, m *Message) outcome {
	var last outcome
	var refused []string
	taken := 0
	for _, one := range to {
		o := a.mailTo(ctx, []string{one}, m)
		if o.ok {
			taken++
			continue
		}
		refused = append(refused, one)
		last = o
	}
	if taken == 0 {
		return last
	}
	o := outcome{ok: true, status: 250}
	if len(refused) > 0 {
		o.because, o.mend = "it was refused for "+strings.Join(refused, ", "), "See whether these addresses are right."
	}
	return o
}

// mailTo sends a message to recipients, in one conversation.
func (a *Alerts) mailTo(ctx context.Context, to []string, m *Message) outcome {
	msg, err := a.SMTP.compose(to, m)
	if err != nil {
		return outcome{because: "the e-mail could not be made: " + clean(err.Error(), 150), mend: "Have the operator look at smtp.from."}
	}
	client, err := a.SMTP.client()
	if err != nil {
		return outcome{because: "the mail server's settings do not fit together", mend: "Have the operator look at the settings smtp.…."}
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return mailed(err)
	}
	err = client.SendWithSMTPClient(conn, msg)
	_ = client.CloseWithSMTPClient(conn) // what was accepted is accepted, however the conversation ends
	return mailed(err)
}

// mailed is the outcome of what a mail server answered.
func mailed(err error) outcome {
	if err == nil {
		return outcome{ok: true, status: 250}
	}
	const look = "Have the operator look at the settings smtp.…."
	if e, ok := errors.AsType[*gomail.SendError](err); ok {
		o := outcome{status: e.ErrorCode()}
		o.because = "the mail server refused it"
		if o.status > 0 {
			o.because += ": " + clean(answerOf(err), 160)
		}
		switch e.Reason {
		case gomail.ErrSMTPRcptTo:
			o.because, o.mend = "the mail server refused a recipient: "+clean(answerOf(err), 160), "See whether the addresses are right."
			o.forever = !e.IsTemp() && o.status >= 500
		case gomail.ErrSMTPMailFrom:
			o.mend = "Have the operator see whether the mail server lets smtp.from send."
		case gomail.ErrAmbiguous, gomail.ErrGetRcpts, gomail.ErrGetSender:
			o.mend = look
		}
		return o
	}
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		o := outcome{status: e.Code, because: "the mail server answered: " + clean(e.Error(), 160), mend: look}
		if e.Code == 535 || e.Code == 534 || e.Code == 530 {
			o.because, o.mend = "the mail server does not accept our name and password", "Have the operator look at smtp.user and smtp.passwordfile."
		}
		return o
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return outcome{because: "the mail server's certificate is not one to trust", mend: look}
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return outcome{because: "the mail server did not answer in time", mend: look}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return outcome{because: "the mail server cannot be reached", mend: look}
	}
	return outcome{because: "the mail server could not be spoken with: " + clean(answerOf(err), 160), mend: look}
}

// answerOf is the innermost error's text: what the server said.
func answerOf(err error) string {
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return e.Error()
	}
	return err.Error()
}
