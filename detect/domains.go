package detect

import (
	"strings"

	"golang.org/x/net/idna"
	"tocsin.dev"
)

// freeMail are domains where anybody gets a mailbox for nothing, or for an hour.
var freeMail = func() map[string]bool {
	m := map[string]bool{}
	for _, d := range strings.Fields(`gmail.com googlemail.com outlook.com outlook.de outlook.fr hotmail.com hotmail.co.uk hotmail.fr hotmail.de live.com live.co.uk msn.com
		yahoo.com yahoo.co.uk yahoo.fr yahoo.de yahoo.co.jp ymail.com aol.com icloud.com me.com mac.com proton.me protonmail.com protonmail.ch pm.me tutanota.com tuta.io tuta.com
		gmx.com gmx.de gmx.net gmx.at gmx.ch web.de t-online.de freenet.de mail.com email.com inbox.com zoho.com zohomail.eu fastmail.com hushmail.com mailfence.com
		mail.ru bk.ru inbox.ru list.ru yandex.ru yandex.com rambler.ru ukr.net qq.com foxmail.com 163.com 126.com sina.com sohu.com naver.com daum.net hanmail.net
		free.fr orange.fr laposte.net wanadoo.fr libero.it virgilio.it alice.it seznam.cz wp.pl o2.pl onet.pl interia.pl uol.com.br bol.com.br rediffmail.com
		mailinator.com guerrillamail.com 10minutemail.com yopmail.com temp-mail.org trashmail.com sharklasers.com dispostable.com`) {
		m[d] = true
	}
	return m
}()

// FreeMail says whether anybody can have a mailbox at the address's domain.
func FreeMail(addr string) bool { return freeMail[tocsin.Address{Address: addr}.Domain()] }

// Resembles gives the accepted domain that addr's domain looks like without being it (fabrikarn.com, fabríkam.com,
// fabrikam.co, fabrikam-mail.com), or false.
func (o *Org) Resembles(addr string) (string, bool) {
	domain := tocsin.Address{Address: addr}.Domain()
	if _, under := o.Under(addr); domain == "" || under || o.Domains[domain] || freeMail[domain] {
		return "", false
	}
	name := shape(domain)
	for own := range o.Domains {
		if strings.HasPrefix(own, "*.") || strings.HasSuffix(own, ".onmicrosoft.com") {
			continue
		}
		mine := shape(own)
		if len(mine) >= 6 && near(name, mine) || len(mine) >= 4 && name == mine {
			return own, true
		}
	}
	return "", false
}

// Under gives the accepted domain that addr's domain lies under without being accepted itself, or false.
func (o *Org) Under(addr string) (string, bool) {
	domain := tocsin.Address{Address: addr}.Domain()
	for i := strings.IndexByte(domain, '.'); i >= 0; i = strings.IndexByte(domain, '.') {
		domain = domain[i+1:]
		if o.Domains[domain] {
			return domain, true
		}
	}
	return "", false
}

// shape is the part of a domain that names its owner, as it looks: without the top level, rn read as m, 0 as o.
func shape(domain string) string {
	if u, err := idna.ToUnicode(domain); err == nil {
		domain = u
	}
	labels := strings.Split(domain, ".")
	at := max(0, len(labels)-2)
	if at > 0 && len(labels[at]) <= 3 && len(labels[len(labels)-1]) == 2 { // example.co.uk
		at--
	}
	s := strings.NewReplacer("rn", "m", "vv", "w", "0", "o", "1", "l", "5", "s", "-", "").Replace(Skeleton(labels[at]))
	return s
}

// near says whether a differs from b by at most one letter, or is b with an affix such as mail, online, group.
func near(a, b string) bool {
	if a == b {
		return true
	}
	if rest, ok := strings.CutPrefix(a, b); ok && affixes[rest] {
		return true
	}
	return apart(a, b) == 1
}

var affixes = map[string]bool{"mail": true, "email": true, "online": true, "group": true, "inc": true, "corp": true, "ltd": true, "llc": true, "co": true, "com": true, "hq": true, "office": true, "secure": true, "support": true}

// apart is 0 for equal, 1 where one letter is changed, missing, added or two neighbours are swapped, 2 for more.
func apart(a, b string) int {
	if a == b {
		return 0
	}
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return 2
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		if a[i:] == b[i+1:] {
			return 1
		}
		return 2
	}
	if a[i+1:] == b[i+1:] {
		return 1
	}
	if i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:] {
		return 1
	}
	return 2
}

// OwnName says whether an address seems to be the person's own elsewhere: its local part holds the person's surname and
// given name, or is the local part of their address here.
func OwnName(addr, own, name string) bool {
	local := letters(localPart(addr))
	if len(local) < 4 {
		return false
	}
	if local == letters(localPart(own)) {
		return true
	}
	words := tokens(Fold(name))
	if len(words) < 2 {
		return false
	}
	first, last := words[0], words[len(words)-1]
	return len(last) >= 3 && strings.Contains(local, last) && local[0] == first[0] || strings.Contains(local, first) && strings.Contains(local, last)
}

func localPart(addr string) string {
	s, _, _ := strings.Cut(tocsin.CanonicalAddress(addr), "@")
	s, _, _ = strings.Cut(s, "+")
	return s
}

func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 0x80 {
			return r
		}
		return -1
	}, Fold(s))
}

// SameMailbox is the address by which mail to a reaches one mailbox: without +tag, and without the dots that Gmail does
// not heed.
func SameMailbox(addr string) string {
	addr = tocsin.CanonicalAddress(addr)
	at := strings.LastIndexByte(addr, '@')
	if at < 0 {
		return addr
	}
	local, domain := addr[:at], addr[at+1:]
	if i := strings.IndexByte(local, '+'); i > 0 {
		local = local[:i]
	}
	if domain == "googlemail.com" {
		domain = "gmail.com"
	}
	if domain == "gmail.com" {
		local = strings.ReplaceAll(local, ".", "")
	}
	return local + "@" + domain
}
