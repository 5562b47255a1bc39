package api

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/net/idna"
	"tocsin.dev"
	"tocsin.dev/store"
)

// ListPartners lists the domains outside that are trusted, by name.
func (s *Service) ListPartners(ctx context.Context, in ListIn) (Page[Partner], error) {
	return view(ctx, s, "partners list", in, func(ctx context.Context, t *store.Tenant, _ Caller) (Page[Partner], error) {
		var p Page[Partner]
		after, err := parseCursor(in.After, "partners", 1)
		if err != nil {
			return p, err
		}
		n := in.limit()
		q := (&query{}).add("select domain, owner, reason, expires, created from partner where tenant = $1 and domain > ? order by domain limit ?", after.text(0), n+1)
		rows, err := find(ctx, t, q, (*partnerRow).fields)
		if err != nil {
			return p, err
		}
		list := make([]Partner, len(rows))
		for i := range rows {
			list[i] = rows[i].view(s)
		}
		p = paged(list, n, func(v Partner) string { return cursor("partners", v.Domain) })
		return total(in.Paging, p, func() (int, bool, error) { return counted(ctx, t, (&query{}).add("partner where tenant = $1")) })
	})
}

type partnerRow struct {
	Partner
	expires, created int64
}

func (r *partnerRow) fields() []any {
	return []any{&r.Domain, &r.Owner, &r.Reason, &r.expires, &r.created}
}

func (r *partnerRow) view(s *Service) Partner {
	r.Expires, r.Created = tocsin.FromMillis(r.expires), tocsin.FromMillis(r.created)
	r.Expired = !r.Expires.After(s.now())
	return r.Partner
}

// CreatePartner trusts a domain outside until a date, or renews that.
func (s *Service) CreatePartner(ctx context.Context, in CreatePartnerIn) (Partner, error) {
	return act(ctx, s, "partners create", in, func(ctx context.Context, t *store.Tenant, c Caller) (Partner, error) {
		b, err := s.partnerAsked(ctx, t, in.Body)
		if err != nil {
			return Partner{}, err
		}
		domain, owner, reason := b.Domain, b.Owner, b.Reason
		r := partnerRow{Partner: Partner{Domain: domain, Owner: owner, Reason: reason}, expires: tocsin.Millis(b.Expires), created: tocsin.Millis(s.now())}
		err = t.QueryRow(ctx, `insert into partner (tenant, domain, owner, reason, expires, created) values ($1, $2, $3, $4, $5, $6)
			on conflict (tenant, domain) do update set owner = excluded.owner, reason = excluded.reason, expires = excluded.expires returning created`,
			domain, owner, reason, r.expires, r.created).Scan(&r.created)
		if err != nil {
			return Partner{}, err
		}
		return r.view(s), settingsFact(ctx, t, "settings.changed", domain, c.Email, "partner trusted")
	})
}

// CheckPartner says why CreatePartner would refuse, and changes nothing.
func (s *Service) CheckPartner(ctx context.Context, in CreatePartnerIn) error {
	_, err := view(ctx, s, "partners create", in, func(ctx context.Context, t *store.Tenant, _ Caller) (None, error) {
		_, err := s.partnerAsked(ctx, t, in.Body)
		return None{}, err
	})
	return err
}

// partnerAsked is a partner in the form in which it is kept, refused where it can be none.
func (s *Service) partnerAsked(ctx context.Context, t *store.Tenant, b PartnerNew) (PartnerNew, error) {
	var err error
	if b.Domain, err = domainName(b.Domain); err != nil {
		return b, err
	}
	if err := ends(b.Expires, s.now()); err != nil {
		return b, err
	}
	b.Owner, b.Reason = strings.TrimSpace(b.Owner), strings.TrimSpace(b.Reason)
	if b.Owner == "" || b.Reason == "" {
		return b, invalid("Say who answers for it, and why it is trusted.", "The owner or the reason is missing.")
	}
	if publicMail[b.Domain] {
		return b, invalid("Excuse single addresses with an exception instead.", "%s gives addresses to anybody, so it cannot be trusted as a whole.", b.Domain)
	}
	own, err := number(ctx, t, (&query{}).add("select count(*) from domain where tenant = $1 and lower(name) = ?", b.Domain))
	if err == nil && own > 0 {
		err = invalid("Give a domain of somebody else.", "%s is an accepted domain of the tenant: it counts as inside already.", b.Domain)
	}
	return b, err
}

// publicMail are some domains at which anybody can have an address.
var publicMail = map[string]bool{"gmail.com": true, "googlemail.com": true, "outlook.com": true, "hotmail.com": true, "live.com": true, "msn.com": true, "yahoo.com": true,
	"icloud.com": true, "me.com": true, "aol.com": true, "gmx.de": true, "gmx.net": true, "gmx.com": true, "web.de": true, "proton.me": true, "protonmail.com": true,
	"mail.ru": true, "yandex.ru": true, "yandex.com": true, "qq.com": true, "163.com": true, "tutanota.com": true, "zoho.com": true, "mail.com": true}

// domainName is a domain in the form in which it is compared: lower case, punycode.
func domainName(s string) (string, error) {
	s = strings.TrimPrefix(strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), "."), "@")
	d, err := idna.Lookup.ToASCII(s)
	if err != nil || !strings.Contains(d, ".") || strings.ContainsAny(d, "/: *") {
		return "", invalid("Give a domain such as partner.example.", "%q is not a domain.", s)
	}
	return d, nil
}

// DeletePartner trusts a domain no longer: what goes there is judged again.
func (s *Service) DeletePartner(ctx context.Context, in PartnerIn) (None, error) {
	return act(ctx, s, "partners delete", in, func(ctx context.Context, t *store.Tenant, c Caller) (None, error) {
		var domain string
		err := t.QueryRow(ctx, `delete from partner where tenant = $1 and domain = $2 returning domain`, strings.ToLower(in.Domain)).Scan(&domain)
		if errors.Is(err, store.ErrNone) {
			return None{}, notFound("partner")
		}
		if err != nil {
			return None{}, err
		}
		return None{}, settingsFact(ctx, t, "settings.changed", domain, c.Email, "partner no longer trusted")
	})
}
