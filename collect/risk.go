package collect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"tocsin.dev"
	"tocsin.dev/detect"
	"tocsin.dev/detect/rule"
	"tocsin.dev/store"
)

// How much a person is at risk is what their stories and open findings weigh: the weightiest whole, each further one half as much as
// the one before, all of it less by half for every thirty days that nothing new came. What Microsoft's Identity Protection says of
// them, what they may do and how they are protected comes on top. It is reckoned whenever one of these changes, and once a day while
// it decays.

const (
	riskHalf  = 30 * 24 * time.Hour
	riskTerms = 8 // are named, of what is found
	riskAgain = 24 * time.Hour
)

// weight is something that was found, as a risk takes it in.
type weight struct {
	risk int
	why  string
	last time.Time
}

// weights are the stories that are open and the findings that are in none.
func weights(found []aboutPerson, stories []rule.Story) []weight {
	var out []weight
	within := map[string]bool{}
	for i := range stories {
		s := &stories[i]
		last := s.Ended()
		for _, p := range s.Parts {
			within[p.ID] = true
		}
		if s.Open() == 0 {
			continue
		}
		out = append(out, weight{s.Score, fmt.Sprintf("story of %d findings: %s", len(s.Parts), s.Title), last})
	}
	for _, f := range found {
		if f.Open && f.Risk > 0 && !within[f.ID] && f.Rule != rule.AccountTakeover {
			out = append(out, weight{f.Risk, f.Title, f.last})
		}
	}
	return out
}

// account is what weighs in a risk besides what was found.
type account struct {
	enabled    bool // or not known
	roles      []string
	unfactored bool   // known to have registered no second factor
	level      string // by Identity Protection
	confirmed  bool
}

// riskOf adds up a person's risk; again is when it is to be reckoned again, zero for not before something happens.
func riskOf(now time.Time, list []weight, a account) (terms detect.Terms, again time.Time) {
	points := func(w weight) float64 {
		age := max(now.Sub(w.last), 0)
		return float64(w.risk) * math.Exp2(-float64(age)/float64(riskHalf))
	}
	slices.SortStableFunc(list, func(x, y weight) int { return cmp.Compare(points(y), points(x)) })
	share, sum := 1.0, 0
	for i, w := range list {
		n := int(math.Round(points(w) * share))
		if n == 0 || i == riskTerms {
			break
		}
		why := w.why
		if days := int(now.Sub(w.last).Hours() / 24); days > 0 {
			why += fmt.Sprintf(", %d of %d after %s", int(math.Round(points(w))), w.risk, plural(days, "day"))
		}
		terms.Add(n, why)
		sum, share = sum+n, share/2
	}
	if n := map[string]int{"high": 40, "medium": 20, "low": 8}[a.level]; n > 0 || a.confirmed {
		why := "Microsoft's Identity Protection: " + a.level
		if a.confirmed {
			n, why = 60, "confirmed as taken over in Microsoft's Identity Protection"
		}
		terms.Add(n, why)
		sum += n
	}
	if sum == 0 {
		return nil, time.Time{}
	}
	if len(a.roles) > 0 {
		terms.Add(max(1, sum/4), "administrator: "+a.roles[0]+others(len(a.roles)-1))
	}
	if a.unfactored {
		terms.Add(max(1, sum/10), "no second factor is registered")
	}
	if !a.enabled {
		terms.Add(-sum/2, "the account is blocked")
	}
	if len(list) > 0 {
		again = now.Add(riskAgain)
	}
	return terms, again
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

func others(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// about is what weighs in a person's risk of what was found.
type about struct {
	found   []aboutPerson
	stories []rule.Story
}

// reckoned writes how much people are at risk, and where that changed, that it did. What each statement reads and writes is of all of
// them: one by one it took most of the time.
func reckoned(ctx context.Context, t *store.Tenant, now time.Time, of map[tocsin.PersonID]about) error {
	people := sortedKeys(of)
	if len(people) == 0 {
		return nil
	}
	accounts, err := accountsOf(ctx, t, people)
	if err != nil {
		return err
	}
	before := map[tocsin.PersonID]int{}
	if err := each(ctx, t, func(scan func(...any) error) error {
		var p tocsin.PersonID
		var risk int
		var judged int64 // asked for so that the rows are found by their key: an index that has the risk of everybody would be read whole
		err := scan(&p, &risk, &judged)
		before[p] = risk
		return err
	}, `select person, risk, judged from identity_risk where tenant = $1 and person in (`+store.In(len(people), 2)+`)`, anys(people)...); err != nil {
		return err
	}
	var risks, changes [][]any
	for _, p := range people {
		terms, again := riskOf(now, weights(of[p].found, of[p].stories), accounts[p])
		sum := 0
		for _, x := range terms {
			sum += x.Points
		}
		risk, due := min(100, max(0, sum)), int64(0)
		if !again.IsZero() {
			due = tocsin.Millis(again)
		}
		body, err := encode(append(detect.Terms{}, terms...))
		if err != nil {
			return err
		}
		risks = append(risks, []any{string(p), risk, string(body), tocsin.Millis(now), due})
		if before[p] == risk {
			continue
		}
		why := "Nothing weighs any more."
		if len(terms) > 0 {
			why = terms[0].Why
		}
		changes = append(changes, []any{string(p), tocsin.Millis(now), risk, why})
	}
	if err := t.Insert(ctx, store.Into{Table: "identity_risk", Columns: []string{"person", "risk", "terms", "judged", "due"}, Key: []string{"person"}}, risks); err != nil {
		return err
	}
	// No fact of its own: what changed it is told.
	return t.Insert(ctx, store.Into{Table: "identity_risk_change", Columns: []string{"person", "at", "risk", "why"}, Key: []string{"person", "at"}}, changes)
}

// accountsOf are people's accounts as they weigh in their risks.
func accountsOf(ctx context.Context, t *store.Tenant, people []tocsin.PersonID) (map[tocsin.PersonID]account, error) {
	out, of := make(map[tocsin.PersonID]account, len(people)), map[string]tocsin.PersonID{}
	for _, p := range people {
		out[p] = account{enabled: true}
	}
	change := func(p tocsin.PersonID, do func(*account)) {
		a := out[p]
		do(&a)
		out[p] = a
	}
	in := store.In(len(people), 2)
	if err := each(ctx, t, func(scan func(...any) error) error {
		var p tocsin.PersonID
		var object string
		var enabled *bool
		err := scan(&p, &object, &enabled)
		of[object] = p
		change(p, func(a *account) { a.enabled = enabled == nil || *enabled })
		return err
	}, `select person, object_id, enabled from person where tenant = $1 and person in (`+in+`)`, anys(people)...); err != nil {
		return nil, err
	}
	if err := each(ctx, t, func(scan func(...any) error) error {
		var p tocsin.PersonID
		var name string
		err := scan(&p, &name)
		change(p, func(a *account) { a.roles = append(a.roles, name) })
		return err
	}, `select m.person, d.name from role_member m join directory_role d on d.tenant = m.tenant and d.id = m.role where m.tenant = $1 and m.person in (`+in+`)
		union select person, name from role_holding where tenant = $1 and person in (`+in+`) order by 1, 2`, anys(people)...); err != nil {
		return nil, err
	}
	objects := sortedKeys(of)
	if len(objects) == 0 {
		return out, nil
	}
	these := store.In(len(objects), 2)
	if err := each(ctx, t, func(scan func(...any) error) error {
		var id, body string
		err := scan(&id, &body)
		var r struct {
			Registered *bool `json:"isMfaRegistered"`
		}
		change(of[id], func(a *account) {
			a.unfactored = json.Unmarshal([]byte(body), &r) == nil && r.Registered != nil && !*r.Registered
		})
		return err
	}, `select id, body from state_object where tenant = $1 and path = '/reports/authenticationMethods/userRegistrationDetails' and deleted = 0 and id in (`+these+`)`, anys(objects)...); err != nil {
		return nil, err
	}
	err := each(ctx, t, func(scan func(...any) error) error {
		var id, level, state string
		err := scan(&id, &level, &state)
		change(of[id], func(a *account) {
			a.confirmed = state == "confirmed"
			if state == "at_risk" || a.confirmed {
				a.level = level
			}
		})
		return err
	}, `select object_id, level, state from protection where tenant = $1 and object_id in (`+these+`)`, anys(objects)...)
	return out, err
}

// decay reckons people's risks anew for the time that passed alone: their stories stay as they are.
func decay(ctx context.Context, t *store.Tenant, now time.Time, people []tocsin.PersonID) error {
	if len(people) == 0 {
		return nil
	}
	// Two that reckon at once wait for each other here, as in joinedOne.
	if _, err := t.Exec(ctx, `update identity_risk set judged = judged where tenant = $1 and person in (`+store.In(len(people), 2)+`)`, anys(people)...); err != nil {
		return err
	}
	found, err := foundAbout(ctx, t, people...)
	if err != nil {
		return err
	}
	of := map[tocsin.PersonID]about{}
	for _, p := range people {
		of[p] = about{found[p], rule.Join(parted(found[p]))}
	}
	return reckoned(ctx, t, now, of)
}

// sweepRisk reckons anew how much those are at risk whom facts concern: about whose findings somebody decided, whose account or
// roles changed, of whom Identity Protection says something else.
func sweepRisk(ctx context.Context, tx *store.Tx, facts []store.Fact) error {
	by := map[tocsin.TenantID]map[tocsin.PersonID]bool{}
	for _, f := range facts {
		switch f.Kind {
		case "finding.decided", "finding.lapsed", "person.changed", "role.changed", "protection.changed":
			if f.Person == "" {
				continue
			}
			if by[f.Tenant] == nil {
				by[f.Tenant] = map[tocsin.PersonID]bool{}
			}
			by[f.Tenant][tocsin.PersonID(f.Person)] = true
		}
	}
	for _, id := range sortedKeys(by) {
		t := tx.Tenant(id)
		for some := range slices.Chunk(sortedKeys(by[id]), 400) {
			var people []tocsin.PersonID
			if err := each(ctx, t, func(scan func(...any) error) error {
				var p tocsin.PersonID
				err := scan(&p)
				people = append(people, p)
				return err
			}, `select person from identity_risk where tenant = $1 and person in (`+store.In(len(some), 2)+`)
				union select person from protection where tenant = $1 and person in (`+store.In(len(some), 2)+`) order by person`, anys(some)...); err != nil {
				return err
			}
			if err := joined(ctx, t, t.Tx().Clock().Now(), people); err != nil {
				return err
			}
		}
	}
	return nil
}

// AgeRisks reckons anew the risks that decayed for a day, and those that were never reckoned though something was found. It is
// called now and then.
func AgeRisks(ctx context.Context, st *store.Store) error {
	return inEach(ctx, st, func(id tocsin.TenantID) error {
		for some, args := range map[string][]any{decayed: {tocsin.Millis(st.Clock().Now())}, unreckoned: nil} {
			for last := tocsin.PersonID(""); ; {
				people, err := ageSome(ctx, st, id, some, append([]any{string(last)}, args...)...)
				if err != nil {
					return fmt.Errorf("reckon the risks of %s: %w", id, err)
				}
				if len(people) < ageAtOnce {
					break
				}
				if some == unreckoned {
					last = people[len(people)-1]
				}
			}
		}
		return nil
	})
}

// inEach does something in every tenant. One tenant's trouble is not the others'.
func inEach(ctx context.Context, st *store.Store, do func(tocsin.TenantID) error) error {
	var all []tocsin.TenantID
	err := st.View(ctx, func(tx *store.Tx) (err error) {
		all, err = tenants(ctx, tx)
		return err
	})
	for _, id := range all {
		err = errors.Join(err, do(id))
	}
	return err
}

const ageAtOnce = 100

// Whose risk is reckoned anew: those due until $3, the longest due first, who are due later once they are; in the order of the ids all of
// them would be sorted for each hundred. And whose was never reckoned, in the order of their ids behind $2, so that each is come to once.
var (
	decayed = fmt.Sprintf(`select person from identity_risk where tenant = $1 and person > $2 and due > 0 and due <= $3 order by due limit %d`, ageAtOnce)
	// Each person is come to by the index, whose findings are not read one by one.
	unreckoned = fmt.Sprintf(`select distinct person from finding f where tenant = $1 and person > $2 and status in ('open', 'in_work')
		and not exists (select 1 from identity_risk r where r.tenant = $1 and r.person = f.person) order by person limit %d`, ageAtOnce)
)

// ageSome reckons anew the risks of the next people whom the statement some names, and gives them.
func ageSome(ctx context.Context, st *store.Store, tenant tocsin.TenantID, some string, args ...any) (people []tocsin.PersonID, err error) {
	now := st.Clock().Now()
	err = st.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
		people = nil
		return each(ctx, t, func(scan func(...any) error) error {
			var p tocsin.PersonID
			err := scan(&p)
			people = append(people, p)
			return err
		}, some, args...)
	})
	if err != nil || len(people) == 0 {
		return nil, err
	}
	do := joined
	if some == decayed {
		do = decay
	}
	return people, st.UpdateTenant(store.Patient(ctx), tenant, func(t *store.Tenant) error { return do(ctx, t, now, people) })
}
