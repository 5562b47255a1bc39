package connect

import (
	"context"
	"errors"
	"slices"

	"tocsin.dev"
	"tocsin.dev/graph"
	"tocsin.dev/store"
)

// What a connection was refused, or did not get, is kept by who asked and by the call, until whoever asked hears otherwise:
//
//	a source, the look     each round tells all that it met, and with that what it met no more
//	an act                 tells what it was refused; that stands until the connection is tested or the tenant's grants change,
//	                       since nobody asks again by himself
//
// A search of the audit log is between the two: a round in which nobody searches tells nothing.
//
//
// What lasts (a permission, a role, a log that is switched off) takes a capability away, whatever was granted. What passes
// (throttled, cut off, garbage) leaves it degraded with the reason, and off where nothing was ever read.

// Those who ask beside the sources, and the source that asks only when somebody wants it.
const (
	askedByLook   = "look"
	askedByAct    = "act"
	askedBySearch = "queries"
)

// Heard is what came of a round of asking.
type Heard struct {
	By   string  // a source's name
	Errs []error // what was refused or did not come; none when all went well
	News bool    // it went well for the first time, or after a round that did not
}

// refusal is a row of table refusal.
type refusal struct {
	call, because, mend string
	lasts               bool
}

// refusals are errs as they are kept, one for each call. What is nobody's refusal is left out: a pause, and what Tocsin
// holds back itself so as to keep a limit.
func refusals(errs []error) (out []refusal) {
	for _, err := range flat(errs) {
		if t, ok := errors.AsType[*graph.Throttled](err); errors.Is(err, graph.ErrPaused) || ok && t.Ours && !t.Asked {
			continue
		}
		p := Explain(err)
		r := refusal{call: graph.CallOf(err), because: p.What, mend: p.Do, lasts: lasts(err)}
		i := slices.IndexFunc(out, func(o refusal) bool { return o.call == r.call })
		switch {
		case i < 0:
			out = append(out, r)
		case r.lasts && !out[i].lasts:
			out[i] = r
		}
	}
	return out
}

// flat takes joined errors apart.
func flat(errs []error) (out []error) {
	for _, err := range errs {
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			out = append(out, flat(many.Unwrap())...)
		} else if err != nil {
			out = append(out, err)
		}
	}
	return out
}

// lasts says whether an answer stays as it is until somebody changes something.
func lasts(err error) bool {
	if d, ok := errors.AsType[*graph.Denied](err); ok {
		return !d.OutOfScope
	}
	if p, ok := errors.AsType[*tocsin.Problem](err); ok { // a refusal that whoever asked knows the reason of
		_, failed := errors.AsType[*graph.Failed](p.Err)
		return failed
	}
	return false
}

// Heard notes on the connection what came of a round: that its credentials no longer work, or work again; what it was
// refused, and what no longer.
func (s *Connections) Heard(ctx context.Context, c Connection, h Heard) error {
	for _, err := range h.Errs {
		if broke, err := s.broken(ctx, c, err); broke || err != nil {
			return err
		}
	}
	now, gone := s.Get(ctx, c.Tenant, c.ID)
	if gone != nil || now.stopped() {
		return nil // a late answer
	}
	signedIn := func(err error) bool { _, denied := errors.AsType[*graph.Denied](err); return denied }
	proves := len(h.Errs) == 0 || slices.ContainsFunc(h.Errs, signedIn) // what is refused a permission has signed in
	if now.State == Broken {
		// What was answered may have gone by a token of before, which is good for an hour after its secret is not, or may have
		// asked nothing: only a new sign-in says that the credential works again.
		if gc, err := s.Client(ctx, now); !proves || err != nil || gc.SignIn(ctx) != nil {
			return nil
		}
		if err := s.proven(ctx, now); err != nil {
			return err
		}
	}
	changed, err := s.keepRefusals(ctx, c, h.By, refusals(h.Errs))
	if err != nil || !changed && !h.News {
		return err
	}
	return s.rejudge(ctx, now)
}

// rejudge judges the capabilities by what is known now.
func (s *Connections) rejudge(ctx context.Context, c Connection) error {
	gc, err := s.Client(ctx, c)
	if err == nil {
		_, err = s.capabilities(ctx, c, gc)
	}
	if p, ok := errors.AsType[*tocsin.Problem](err); ok { // it was paused, or cannot sign in: said elsewhere
		s.Log.Info("capabilities were not judged", "tenant", c.Tenant, "because", p.What)
		return nil
	}
	return err
}

// keepRefusals puts what a round met in the place of what the one before had met.
func (s *Connections) keepRefusals(ctx context.Context, c Connection, by string, list []refusal) (changed bool, err error) {
	same := func(t *store.Tenant) (bool, error) {
		n := 0
		err := rowsOf(ctx, t, func(scan func(...any) error) error {
			var r refusal
			err := scan(&r.call, &r.because, &r.mend, &r.lasts)
			if slices.Contains(list, r) {
				n++
			} else {
				n = -len(list) - 1
			}
			return err
		}, `select call, because, mend, lasting from refusal where tenant = $1 and connection = $2 and (source = $3 or source = $4 and call = $5) order by call`,
			c.ID, by, askedByAct, sources[by])
		return n == len(list), err
	}
	err = s.Store.ViewTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		is, err := same(t)
		changed = !is
		return err
	})
	if err != nil || !changed {
		return false, err
	}
	return true, s.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		// What an act met at the call that the source rests on is over with the source's next answer.
		if _, err := t.Exec(ctx, `delete from refusal where tenant = $1 and connection = $2 and (source = $3 or source = $4 and call = $5)`, c.ID, by, askedByAct, sources[by]); err != nil {
			return err
		}
		return keepEach(ctx, t, c, by, list)
	})
}

func keepEach(ctx context.Context, t *store.Tenant, c Connection, by string, list []refusal) error {
	for _, r := range list {
		if _, err := t.Exec(ctx, `insert into refusal (tenant, connection, source, call, because, mend, lasting, at) values ($1, $2, $3, $4, $5, $6, $7, $8)
			on conflict (tenant, connection, source, call) do update set because = excluded.because, mend = excluded.mend, lasting = excluded.lasting, at = excluded.at`,
			c.ID, by, r.call, r.because, r.mend, r.lasts, tocsin.Millis(t.Tx().Clock().Now())); err != nil {
			return err
		}
	}
	return nil
}

// Refused notes what came of an act, or of anything that is asked once: that the credentials no longer work, or work (nil);
// that a call is refused for good. What passes is said where it was asked, and not here: it is not asked again by itself.
func (s *Connections) Refused(ctx context.Context, c Connection, err error) error {
	if revoked(err) {
		_, note := s.broken(ctx, c, err)
		return note
	}
	now, gone := s.Get(ctx, c.Tenant, c.ID)
	if gone != nil || now.stopped() {
		return nil // a late answer
	}
	d, denied := errors.AsType[*graph.Denied](err)
	if err != nil && !denied {
		return nil
	}
	if now.State == Broken { // what is refused a permission has signed in
		if err := s.proven(ctx, now); err != nil {
			return err
		}
	}
	if denied && !d.OutOfScope { // else it is one mailbox's own
		r := refusals([]error{err})
		if d.Code != graph.RoleMissing && len(d.Permissions) > 0 {
			r[0].because, r[0].mend = "Microsoft refused it, though "+d.Permissions[0]+" seemed granted.", grant(d.Permissions[:1])
		}
		if err := s.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error { return keepEach(ctx, t, c, askedByAct, r) }); err != nil {
			return err
		}
	}
	return s.rejudge(ctx, now)
}

// askAnew forgets what acts and searches were refused, and has the sources that were refused something asked again at once.
func (s *Connections) askAnew(ctx context.Context, c Connection) error {
	return s.Store.UpdateTenant(ctx, c.Tenant, func(t *store.Tenant) error {
		if _, err := t.Exec(ctx, `update source set due = 0 where tenant = $1 and (failed > succeeded or name in (select source from refusal where tenant = $1 and connection = $2))`, c.ID); err != nil {
			return err
		}
		return forgetAsked(ctx, t, c.ID)
	})
}

// forgetAsked forgets what acts and searches were refused.
func forgetAsked(ctx context.Context, t *store.Tenant, id string) error {
	_, err := t.Exec(ctx, `delete from refusal where tenant = $1 and connection = $2 and source in ('`+askedByAct+`', '`+askedBySearch+`')`, id)
	return err
}

// sources are the calls that each source rests on: what it was refused by another call, or by none, counts against that.
var sources = map[string]string{"domains": "organization.list", "users": "users.delta", "groups": "groups.delta", "contacts": "contacts.delta", "members": "groups.transitiveMembers",
	"access": "conditionalAccess.policies", "privileges": "roleManagement.assignments", "registrations": "reports.registrations", "applications": "applications.list",
	"settings_of_people": "groups.list", "devices": "managedDevices.list", "joined": "devices.list", "sharing": "sharepoint.settings", "sites": "sites.list",
	"roles": "directoryRoles.list", "rules": "messageRules.list", "settings": "mailboxSettings.get", "audit": "activity.content.list",
	"sign_ins": "signIns.list", "token_sign_ins": "signIns.list", "directory_audits": "directoryAudits.list",
	"exchange": "exchange.command", "folder_rights": "exchange.folderPermissions", askedByLook: "servicePrincipals.byAppId", askedBySearch: "auditQueries.create"}

// needed says whether a capability rests on the call.
func needed(call string) bool {
	return slices.ContainsFunc(Capabilities, func(c Capability) bool { return slices.Contains(c.Needs, call) || slices.Contains(c.Helps, call) })
}

// refused adds what the connection was refused, by call.
func (is *Standing) refused(ctx context.Context, t *store.Tenant, id string) error {
	is.Refused, is.Mends, is.Passing = map[string]string{}, map[string]string{}, map[string]Passing{}
	return rowsOf(ctx, t, func(scan func(...any) error) error {
		var r refusal
		var by string
		var read int64
		if err := scan(&by, &r.call, &r.because, &r.mend, &r.lasts, &read); err != nil {
			return err
		}
		own := needed(r.call)
		if !own {
			r.call = sources[by]
		}
		switch {
		case r.call == "":
		case !r.lasts:
			is.Passing[r.call] = Passing{Because: r.because, Mend: r.mend, Never: read == 0}
		default:
			is.Refused[r.call] = r.because
			if !own || !notGranted(r.because) {
				is.Mends[r.call] = r.mend
			}
		}
		return nil
	}, `select r.source, r.call, r.because, r.mend, r.lasting, coalesce(s.succeeded, 1) from refusal r left join source s on s.tenant = r.tenant and s.name = r.source
		where r.tenant = $1 and r.connection = $2 order by r.source, r.call`, id)
}
