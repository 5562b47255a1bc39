package mail

import (
	"encoding/base64"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// findLinks adds the links that stand in text as people and programs write them: with a scheme ("hxxp" is how they are written to be
// harmless), or beginning with www.
func (r *reader) findLinks(text, where string) {
	scheme, www := -1, -1 // where the next of each stands
	for at := 0; at < len(text); {
		if scheme < at {
			scheme = nextAt(text, at, "://")
		}
		if www < at {
			www = min(nextAt(text, at, "www."), nextAt(text, at, "WWW."))
		}
		begin, from := www, www+4
		if scheme <= www {
			if scheme == len(text) {
				return
			}
			begin, from = schemeBefore(text, at, scheme), scheme+3
		} else if www > 0 && isLetter(text[www-1]) {
			begin = -1
		}
		if begin < 0 {
			at = from
			continue
		}
		end := from
		for end < len(text) && end-begin < 4096 && !ends(text, end) {
			end++
		}
		if len(r.m.Links) >= MaxLinks {
			r.lose(LostLinks, "the mail has more than %d links; the rest was not read", MaxLinks)
			return
		}
		if end > from {
			r.link(trimLink(strings.ToValidUTF8(text[begin:end], "")), "", where, false)
		}
		at = end
	}
}

// nextAt is where what stands next, at the end where nowhere.
func nextAt(text string, at int, what string) int {
	if i := strings.Index(text[at:], what); i >= 0 {
		return at + i
	}
	return len(text)
}

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// schemeBefore is where the scheme before "://" begins; -1 where none does.
func schemeBefore(text string, least, at int) int {
	i := at
	for i > least && at-i < 6 && isLetter(text[i-1]) {
		i--
	}
	switch strings.ToLower(text[i:at]) {
	case "http", "https", "hxxp", "hxxps", "ftp":
		return i
	}
	return -1
}

// ends says whether a link ends before the byte at i: at blanks, quotes, brackets of markup, and letters that are not seen.
func ends(text string, i int) bool {
	c := text[i]
	switch {
	case c <= ' ' || c == '<' || c == '>' || c == '"' || c == 0x7f:
		return true
	case c == 0xc2:
		return strings.HasPrefix(text[i:], "\u00a0")
	case c == 0xe2:
		return strings.HasPrefix(text[i:], "\u200b") || strings.HasPrefix(text[i:], "\u200e") || strings.HasPrefix(text[i:], "\u200f") || strings.HasPrefix(text[i:], "\u2028")
	case c == 0xe3:
		return strings.HasPrefix(text[i:], "\u3000")
	}
	return false
}

// trimLink takes off what belongs to the sentence around a link.
func trimLink(s string) string {
	for range 20 {
		t := strings.TrimRight(s, ".,;:!?'*_~|\\”’»…")
		for _, pair := range []string{"()", "[]", "{}"} {
			if strings.HasSuffix(t, pair[1:]) && strings.Count(t, pair[:1]) < strings.Count(t, pair[1:]) {
				t = t[:len(t)-1]
			}
		}
		if t == s {
			break
		}
		s = t
	}
	return s
}

// link adds a link, unless it leads nowhere or is there already, and gives its place; -1 where there is none.
func (r *reader) link(link, text, where string, picture bool) int {
	if r.read&ReadLinks == 0 && where != InAttachment && where != InQR {
		return -1
	}
	link = squeezeURL(link)
	if !leads(link) {
		return -1
	}
	if len(link) > 8192 {
		link = link[:8192]
		r.fault("a link is longer than 8 KB; the rest of it was not read")
	}
	key := where + link
	if r.seen[key] {
		return -1
	}
	if len(r.m.Links) >= MaxLinks {
		r.lose(LostLinks, "the mail has more than %d links; the rest was not read", MaxLinks)
		return -1
	}
	if r.seen == nil {
		r.seen = map[string]bool{}
	}
	r.seen[key] = true
	r.m.Links = append(r.m.Links, NewLink(link, text, where))
	at := len(r.m.Links) - 1
	r.m.Links[at].Picture = picture
	return at
}

// NewLink is a link with its wrappings taken off and its domain told.
func NewLink(link, text, where string) Link {
	l := Link{URL: Unwrap(link), Text: text, Where: where}
	if l.URL != link {
		l.Original = link
	}
	l.Host = Host(l.URL)
	l.Domain = Registrable(l.Host)
	return l
}

// squeezeURL takes out of a link what programs that follow it pass over: line ends, tabs, blanks around it.
func squeezeURL(s string) string {
	s = strings.TrimSpace(s)
	if strings.ContainsAny(s, "\r\n\t") {
		s = strings.NewReplacer("\r", "", "\n", "", "\t", "").Replace(s)
	}
	return s
}

// leads says whether a link leads to somewhere else than the mail itself.
func leads(s string) bool {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok {
		return len(s) > 4 && strings.EqualFold(s[:4], "www.") || strings.HasPrefix(s, "//")
	}
	if rest == "" {
		return false
	}
	switch strings.ToLower(scheme) {
	case "http", "https", "ftp", "hxxp", "hxxps", "file", "ms-settings", "search-ms", "ms-msdt", "tel", "sms":
		return true
	case "mailto", "cid", "mid", "data", "javascript", "about", "blob", "vbscript":
		return false
	}
	return strings.HasPrefix(rest, "//") || strings.HasPrefix(strings.ToLower(s), "www.")
}

// Unwrap takes off the wrappings that mail filters put around links: Microsoft Safe Links, Proofpoint URL Defense (1 to 3),
// Barracuda, Google's and Bing's redirects; up to three, one within the other. Those that can be resolved by their maker alone (Mimecast, Cisco)
// stay.
func Unwrap(link string) string {
	for range 3 {
		inner := unwrap(link)
		if inner == "" || inner == link || !leads(inner) {
			break
		}
		link = inner
	}
	return link
}

func unwrap(link string) string {
	host := Host(link)
	query := func(name string) string {
		_, q, _ := strings.Cut(link, "?")
		values, _ := url.ParseQuery(strings.ReplaceAll(q, "&amp;", "&"))
		return values.Get(name)
	}
	switch {
	case strings.HasSuffix(host, ".safelinks.protection.outlook.com"), strings.HasSuffix(host, ".safelinks.protection.office365.us"), strings.HasSuffix(host, ".safelinks.protection.partner.outlook.cn"):
		return query("url")
	case host == "urldefense.proofpoint.com" && strings.Contains(link, "/v2/"):
		u := strings.NewReplacer("-", "%", "_", "/").Replace(query("u"))
		inner, err := url.QueryUnescape(u)
		if err != nil {
			return ""
		}
		return inner
	case host == "urldefense.proofpoint.com":
		return query("u")
	case host == "urldefense.com" || host == "urldefense.us":
		return urlDefense3(link)
	case host == "linkprotect.cudasvc.com":
		return query("a")
	case (host == "www.google.com" || host == "google.com") && strings.Contains(link, "/url?"):
		if q := query("q"); q != "" {
			return q
		}
		return query("url")
	}
	return ""
}

// urlDefense3 takes Proofpoint's third wrapping off: the link with "*" for letters that stand base64 encoded behind it, and "**" with
// a letter for a run of them.
func urlDefense3(link string) string {
	_, rest, ok := strings.Cut(link, "/v3/__")
	if !ok {
		return ""
	}
	end := strings.LastIndex(rest, "__;")
	if end < 0 {
		return ""
	}
	inner, tail := rest[:end], rest[end+3:]
	if i := strings.IndexByte(tail, '!'); i >= 0 {
		tail = tail[:i]
	}
	letters, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(tail, "="))
	if err != nil {
		return inner
	}
	const runs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	held := []rune(string(letters))
	var out strings.Builder
	for i := 0; i < len(inner); i++ {
		n := 1
		switch {
		case inner[i] != '*':
			out.WriteByte(inner[i])
			continue
		case i+2 < len(inner) && inner[i+1] == '*':
			if n = strings.IndexByte(runs, inner[i+2]) + 2; n < 2 {
				n = 1
			} else {
				i += 2
			}
		}
		n = min(n, len(held))
		out.WriteString(string(held[:n]))
		held = held[n:]
	}
	s := out.String()
	// Their gateways write "https:/host" for "https://host".
	if i := strings.Index(s, ":/"); i > 0 && !strings.HasPrefix(s[i:], "://") {
		s = s[:i] + "://" + s[i+2:]
	}
	return s
}

// Host is the host that a link leads to, in lower case and ASCII, without port; empty where there is none.
func Host(link string) string {
	rest := link
	if i := strings.Index(link, ":"); i >= 0 && !strings.HasPrefix(link, "//") && !strings.EqualFold(link[:min(4, len(link))], "www.") {
		rest = link[i+1:]
		if !strings.HasPrefix(strings.ReplaceAll(rest, `\`, "/"), "/") {
			return ""
		}
	}
	rest = strings.TrimLeft(rest, `/\`)
	if i := strings.IndexAny(rest, `/\?#`); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 { // name and password before the host
		rest = rest[i+1:]
	}
	if strings.HasPrefix(rest, "[") {
		if i := strings.IndexByte(rest, ']'); i > 0 {
			return strings.ToLower(rest[1:i])
		}
		return ""
	}
	rest, _, _ = strings.Cut(rest, ":")
	return hostName(rest)
}

// hostName is a host's name as the network takes it.
func hostName(s string) string {
	if strings.Contains(s, "%") {
		if plain, err := url.PathUnescape(s); err == nil {
			s = plain
		}
	}
	s = strings.ReplaceAll(s, "[.]", ".") // how it is written to be harmless
	s = strings.Trim(strings.ToLower(s), ". ")
	if len(s) > 253 {
		return ""
	}
	ascii := true
	for i := range len(s) {
		if s[i] >= 0x80 {
			ascii = false
		}
	}
	if !ascii {
		if a, err := idna.Lookup.ToASCII(s); err == nil {
			s = a
		} else if a, err := idna.Punycode.ToASCII(s); err == nil {
			s = strings.ToLower(a)
		}
	}
	return s
}

// Registrable is the domain that somebody registered to have this host, as contoso.co.uk of mail.contoso.co.uk; the address itself of an
// IP address, and the host where it is a public suffix itself.
func Registrable(host string) string {
	if host == "" {
		return ""
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	if d, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return d
	}
	return host
}
