package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/investigate"
	"tocsin.dev/remediate"
)

// actionsView is what the list of actions shows.
type actionsView struct {
	Query   url.Values
	In      api.ActionsIn
	Page    api.Page[api.Action]
	Waiting []api.Action  // for approval, on top of the first piece
	Mails   []api.MailAct // acts on mails that wait or are under way, on top of those
	Person  string        // the name of the person that is filtered by
}

// actionTabs are the ways of looking at actions.
var actionTabs = []struct {
	Name, Show string
	States     []remediate.State
}{
	{"All", "", nil},
	{"Waiting for approval", "waiting", []remediate.State{remediate.Waiting}},
	{"Under way", "running", []remediate.State{remediate.Planned, remediate.Approved, remediate.Running, remediate.Done, remediate.Undoing}},
	{"Done", "done", []remediate.State{remediate.Verified}},
	{"Undone", "undone", []remediate.State{remediate.Undone}},
	{"Not done", "failed", []remediate.State{remediate.Failed, remediate.Refused, remediate.Unknown, remediate.Cancelled}},
}

func (v actionsView) filtered() bool {
	return v.Query.Get("show") != "" || v.Query.Get("kind") != "" || v.Query.Get("person") != "" || v.Query.Get("after") != ""
}

func (w *web) actions(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	v := actionsView{Query: kept(r), In: api.ActionsIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: pageSize, After: q.Get("after")}, Person: tocsin.PersonID(q.Get("person")), App: q.Get("app"), Run: q.Get("run")}}
	for _, t := range actionTabs {
		if t.Show == q.Get("show") {
			v.In.State = t.States
		}
	}
	if k := remediate.Kind(q.Get("kind")); k != "" {
		v.In.Kind = []remediate.Kind{k}
	}
	var err error
	if v.Page, err = w.svc.ListActions(r.Context(), v.In); err != nil {
		return nil, err
	}
	if q.Get("after") == "" && q.Get("show") == "" {
		waiting, err := w.svc.ListActions(r.Context(), api.ActionsIn{In: v.In.In, Paging: api.Paging{Limit: 20}, State: []remediate.State{remediate.Waiting}})
		if err != nil {
			return nil, err
		}
		v.Waiting = waiting.Items
		mails, err := w.svc.ListMailActs(r.Context(), api.MailActsIn{In: v.In.In, Paging: api.Paging{Limit: 10}, State: []investigate.ActState{investigate.ActWaiting, investigate.ActRunning, investigate.ActStopping}})
		if err != nil {
			return nil, err
		}
		v.Mails = mails.Items
	}
	if v.In.Person != "" {
		v.Person = w.personName(r, p.Tenant.ID, v.In.Person)
	}
	return actionsPage(p, v), nil
}

func (w *web) action(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	d, err := w.svc.GetAction(r.Context(), api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: r.PathValue("id")})
	if err != nil {
		return nil, err
	}
	p.Title = actWord(d.Kind)
	return actionPage(p, d), nil
}

// planView is what the dry run shows before an action is asked for.
type planView struct {
	Ask  api.ActionNew
	Plan api.ActionPlan
	Rule *api.MailRuleDetail // as it was seen last
	Of   string              // of an undo: the action's id
	Key  string              // so that pressing twice asks once
}

// actionNew shows what an action would do, and asks for it.
func (w *web) actionNew(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	ask := api.ActionNew{Kind: remediate.Kind(q.Get("kind")), Person: tocsin.PersonID(q.Get("person")), App: q.Get("app"), Target: q.Get("target"), Finding: q.Get("finding"), Why: "dry run"}
	plan, err := w.svc.PlanAction(r.Context(), api.PlanActionIn{In: api.In{Tenant: p.Tenant.ID}, Body: ask})
	if err != nil {
		return nil, err
	}
	v := planView{Ask: ask, Plan: plan, Key: tocsin.NewID()}
	if ask.Kind.OnRule() {
		d, err := w.svc.GetRule(r.Context(), api.RuleIn{ByPerson: api.ByPerson{In: api.In{Tenant: p.Tenant.ID}, Person: ask.Person}, ID: ask.Target})
		if err != nil {
			return nil, err
		}
		v.Rule = &d
	}
	p.Title = actWord(ask.Kind)
	return planPage(p, v), nil
}

// actionUndo shows what undoing an action would do, and asks for it.
func (w *web) actionUndo(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	id := r.PathValue("id")
	plan, err := w.svc.PlanUndo(r.Context(), api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: p.Tenant.ID}, ID: id}})
	if err != nil {
		return nil, err
	}
	p.Title = "Undo"
	return planPage(p, planView{Plan: plan, Of: id, Key: tocsin.NewID()}), nil
}

// actionCreate asks for an action, and leads to where its progress shows.
func (w *web) actionCreate(r *http.Request) (string, *notice, error) {
	f, tenant := r.PostFormValue, tocsin.TenantID(r.PathValue("tenant"))
	ask := api.ActionNew{Kind: remediate.Kind(f("kind")), Person: tocsin.PersonID(f("person")), App: f("app"), Target: f("target"), Finding: f("finding"), Why: trim(f("why")), Seen: f("seen"), Force: f("force") == "yes"}
	back := with(tenantAt(tenant, "actions", "new"), "kind", f("kind"), "person", f("person"), "app", f("app"), "target", f("target"), "finding", f("finding"))
	a, err := w.svc.CreateAction(r.Context(), api.CreateActionIn{In: api.In{Tenant: tenant}, Key: api.Key{Key: f("key")}, Body: ask})
	if err != nil {
		return back, nil, err
	}
	return tenantAt(tenant, "actions", a.ID), asked(a), nil
}

// asked says what became of asking.
func asked(a api.Action) *notice {
	if a.State == remediate.Waiting {
		return &notice{Kind: "good", What: "It is written down and waits for approval by a second person."}
	}
	return &notice{Kind: "good", What: "It is written down and goes ahead by itself."}
}

// actionDo decides an action, or undoes it.
func (w *web) actionDo(r *http.Request) (string, *notice, error) {
	f, tenant, id := r.PostFormValue, tocsin.TenantID(r.PathValue("tenant")), r.PathValue("id")
	to := tenantAt(tenant, "actions", id)
	at := api.ByIDAct{ByID: api.ByID{In: api.In{Tenant: tenant}, ID: id}, Key: api.Key{Key: f("key")}}
	in := api.ActionDecideIn{ByIDAct: at, Body: api.ActionNote{Note: trim(f("note"))}}
	var err error
	said := ""
	switch r.PathValue("do") {
	case "approve":
		_, err = w.svc.ApproveAction(r.Context(), in)
		said = "Approved: it goes ahead by itself."
	case "refuse":
		_, err = w.svc.RefuseAction(r.Context(), in)
		said = "Refused: nothing is done."
	case "cancel":
		_, err = w.svc.CancelAction(r.Context(), in)
		said = "Cancelled: nothing is done."
	case "undo":
		a, err := w.svc.UndoAction(r.Context(), api.UndoIn{ByIDAct: at, Body: api.UndoNew{Why: trim(f("why")), Force: f("force") == "yes"}})
		if err != nil {
			return tenantAt(tenant, "actions", id, "undo"), nil, err
		}
		return tenantAt(tenant, "actions", a.ID), asked(a), nil
	default:
		return to, nil, tocsin.Problemf(tocsin.NotFound, "Use the buttons of the page.", "There is nothing of that name to do.")
	}
	if err != nil {
		return to, nil, err
	}
	return to, &notice{Kind: "good", What: said}, nil
}

func (w *web) response(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	s, err := w.svc.GetResponse(r.Context(), api.In{Tenant: p.Tenant.ID})
	if err != nil {
		return nil, err
	}
	mails, err := w.svc.GetMailActSettings(r.Context(), api.In{Tenant: p.Tenant.ID})
	if err != nil {
		return nil, err
	}
	return responsePage(p, s, mails), nil
}

func (w *web) responseSet(r *http.Request) (string, *notice, error) {
	tenant := tocsin.TenantID(r.PathValue("tenant"))
	to := tenantAt(tenant, "settings", "response")
	n := api.ResponseNew{Approval: r.PostFormValue("approval"), Kinds: slices.Concat([]string{}, r.PostForm["kinds"]), Spared: []string{}}
	var bad error
	number := func(name string) int {
		v, err := strconv.Atoi(trim(r.PostFormValue(name)))
		if err != nil {
			bad = tocsin.Problemf(tocsin.Invalid, "Give a whole number; 0 is no limit.", "That is not a number.")
		}
		return v
	}
	hour, once := number("per_hour"), number("at_once")
	n.PerHour, n.AtOnce = &hour, &once
	n.Version = int64(number("version"))
	if bad != nil {
		return to, nil, bad
	}
	for _, line := range strings.FieldsFunc(r.PostFormValue("spared"), func(c rune) bool { return c == '\n' || c == ',' || c == ';' || c == '\r' }) {
		if line = trim(line); line != "" {
			n.Spared = append(n.Spared, line)
		}
	}
	_, err := w.svc.SetResponse(r.Context(), api.SetResponseIn{In: api.In{Tenant: tenant}, Body: n})
	return to, &notice{Kind: "good", What: "The settings hold from now on, also for what waits."}, err
}

// actWord is what an action does, as a button or a heading says it.
func actWord(k remediate.Kind) string {
	if w, ok := actWords[k]; ok {
		return w[0]
	}
	return sentence(string(k))
}

// actWords are the kinds as buttons and headings say them, what each is for, and its icon.
var actWords = map[remediate.Kind][3]string{
	remediate.RevokeSessions:    {"Revoke sessions", "Signs the person out everywhere. Cannot be undone.", "leave"},
	remediate.Suspend:           {"Disable the account", "Nobody can sign in with it. Can be undone.", "pause"},
	remediate.Reinstate:         {"Enable the account", "It can sign in again. Can be undone.", "undo"},
	remediate.ForcePassword:     {"Force a new password", "The old one is good no more. Cannot be undone.", "key"},
	remediate.RemoveMethods:     {"Remove sign-in methods", "A second factor has to be registered again. Cannot be undone.", "trash"},
	remediate.ConfirmRisk:       {"Confirm the risk", "Tells Microsoft that the account was taken over. Cannot be undone.", "alert"},
	remediate.DismissRisk:       {"Dismiss the risk", "Tells Microsoft that there is none. Cannot be undone.", "check"},
	remediate.DisableRule:       {"Disable the rule", "The rule stays, and no longer runs. Can be undone.", "pause"},
	remediate.DeleteRule:        {"Delete the rule", "The rule goes, and is kept here. Can be undone.", "trash"},
	remediate.EnableRule:        {"Enable the rule again", "", "undo"},
	remediate.RestoreRule:       {"Restore the rule", "", "undo"},
	remediate.RemoveRole:        {"Take the role", "The role goes at once. Can be undone.", "trash"},
	remediate.ReturnRole:        {"Give the role again", "", "undo"},
	remediate.RemoveEligibility: {"Take the right to the role", "It can be activated no more. Can be undone.", "trash"},
	remediate.ReturnEligibility: {"Give the right to the role again", "", "undo"},
	remediate.RevokeGrant:       {"Revoke the consent", "People can consent again, where policy lets them. Can be undone.", "trash"},
	remediate.ReturnGrant:       {"Give the consent again", "", "undo"},
	remediate.RemovePermission:  {"Take the permission", "The application loses it. Can be undone.", "trash"},
	remediate.ReturnPermission:  {"Give the permission again", "", "undo"},
	remediate.DisableApp:        {"Disable the application", "Nobody can sign in to it. Can be undone.", "pause"},
	remediate.EnableApp:         {"Enable the application", "It can be used again. Can be undone.", "undo"},
}

// onWord is what a sort of target is called.
func onWord(on remediate.On) string {
	switch on {
	case remediate.OnRole, remediate.OnEligibility:
		return "Role"
	case remediate.OnGrant:
		return "Consent"
	case remediate.OnPermission:
		return "Permission"
	}
	return "Target"
}

// actTitle is what an act does, and to which of several.
func actTitle(a api.Act) string {
	if a.Name == "" {
		return actWord(a.Kind)
	}
	return actWord(a.Kind) + ": " + a.Name
}

// actsOff are those that cannot be done now, for the reason that each says.
func actsOff(acts []api.Act) []api.Act {
	return slices.DeleteFunc(slices.Clone(acts), func(a api.Act) bool { return a.Off == "" || a.Now != "" })
}

// kindMeans says in a phrase what an action is for.
func kindMeans(k remediate.Kind) string { return actWords[k][1] }

func kindIcon(k remediate.Kind) string {
	if w, ok := actWords[k]; ok {
		return w[2]
	}
	return "undo"
}

// kindTakes says whether the button is one of danger: something goes.
func kindTakes(k remediate.Kind) bool {
	return k == remediate.RevokeSessions || k.Hard() || kindIcon(k) == "trash"
}

// actionState is a state's shape and word.
func actionState(s remediate.State) (kind, word string) {
	w, ok := map[remediate.State][2]string{
		remediate.Planned: {"busy", "Planned"}, remediate.Waiting: {"part", "Waiting for approval"}, remediate.Approved: {"busy", "Approved"}, remediate.Running: {"busy", "Running"},
		remediate.Done: {"busy", "Done, being verified"}, remediate.Verified: {"ok", "Verified"}, remediate.Undoing: {"busy", "Being undone"}, remediate.Undone: {"off", "Undone"},
		remediate.Failed: {"bad", "Failed"}, remediate.Refused: {"off", "Refused"}, remediate.Unknown: {"unknown", "Outcome unknown"}, remediate.Cancelled: {"off", "Cancelled"},
	}[s]
	if !ok {
		return "unknown", sentence(string(s))
	}
	return w[0], w[1]
}

// actionStep is a step of an action's way, for the bar; the states on it in order.
type actionStep struct {
	Word   string
	States []remediate.State
}

// actionSteps is the way of an action, with approval where it needs one.
func actionSteps(d api.ActionDetail) []actionStep {
	steps := []actionStep{{"Planned", []remediate.State{remediate.Planned}}}
	if d.Plan.Approval {
		steps = append(steps, actionStep{"Approval", []remediate.State{remediate.Waiting}})
	}
	steps = append(steps, actionStep{"Approved", []remediate.State{remediate.Approved}}, actionStep{"Running", []remediate.State{remediate.Running}},
		actionStep{"Done", []remediate.State{remediate.Done}}, actionStep{"Verified", []remediate.State{remediate.Verified}})
	switch d.State {
	case remediate.Undoing, remediate.Undone:
		_, word := actionState(d.State)
		steps = append(steps, actionStep{word, []remediate.State{d.State}})
	case remediate.Failed, remediate.Refused, remediate.Unknown, remediate.Cancelled:
		_, word := actionState(d.State)
		came := []actionStep{}
		for _, s := range steps {
			if slices.ContainsFunc(d.History, func(h api.ActionChange) bool { return has(s.States, remediate.State(h.Change)) }) {
				came = append(came, s)
			}
		}
		steps = append(came, actionStep{word, []remediate.State{d.State}})
	}
	return steps
}

// actionChangeWord is a line of an action's history.
func actionChangeWord(c string) string {
	if w, ok := map[string]string{"planned": "Asked for", "waiting_approval": "Waits for approval", "sending": "Sent to Microsoft", "throttled": "Microsoft asked to wait", "no_answer": "No answer",
		"reading_back": "Not shown yet", "held": "Held back", "done": "Accepted", "acted": "Done", "verified": "Verified by reading back", "running": "Begun", "undoing": "Being undone"}[c]; ok {
		return w
	}
	return sentence(c)
}

func actionKnot(c string) string {
	switch c {
	case "verified", "undone":
		return "k-ok"
	case "failed", "unknown":
		return "k-critical"
	case "waiting_approval", "throttled", "no_answer", "held", "refused", "cancelled":
		return "k-high"
	case "approved", "sending", "done":
		return "k-accent"
	}
	return ""
}

func planTarget(p *page, v planView) string {
	if v.Of != "" {
		return p.at("actions", v.Of, "undo")
	}
	return p.at("actions")
}

// planBack is where one came from.
func planBack(p *page, v planView) string {
	switch {
	case v.Of != "":
		return p.at("actions", v.Of)
	case v.Ask.Finding != "":
		return p.at("findings", v.Ask.Finding)
	case v.Ask.Kind.OnRule():
		return p.at("rules", string(v.Ask.Person), v.Ask.Target)
	case v.Ask.App != "":
		return p.at("applications", v.Ask.App)
	}
	return p.at("identities", string(v.Ask.Person))
}

// actLink leads to the dry run of an act.
func actLink(p *page, a api.Act, person tocsin.PersonID, app, finding string) string {
	return with(p.at("actions", "new"), "kind", string(a.Kind), "person", string(person), "app", app, "target", a.Target, "finding", finding)
}

// offTogether are acts that cannot be done, those of one reason together: their names stand in Name.
func offTogether(off []api.Act) (out []api.Act) {
	for _, a := range off {
		a.Name = actTitle(a)
		i := slices.IndexFunc(out, func(b api.Act) bool { return b.Off == a.Off && b.Mend == a.Mend })
		switch {
		case i < 0:
			out = append(out, a)
		case strings.HasPrefix(a.Name, actWord(a.Kind)+": ") && out[i].Kind == a.Kind:
			out[i].Name += ", " + strings.TrimPrefix(a.Name, actWord(a.Kind)+": ")
		default:
			out[i].Name += "; " + a.Name
		}
	}
	return out
}

// ruleActs are the acts on a rule's own page: those on the rule. A rule that is gone has none.
func ruleActs(acts []api.Act) []api.Act {
	return slices.DeleteFunc(slices.Clone(acts), func(a api.Act) bool { return !a.Kind.OnRule() })
}
