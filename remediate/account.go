package remediate

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin.dev/graph"
)

// account is what is read of an account before it is touched. https://learn.microsoft.com/graph/api/resources/user
type account struct {
	Enabled  *bool     `json:"accountEnabled"`
	Synced   bool      `json:"onPremisesSyncEnabled"`
	Sessions time.Time `json:"signInSessionsValidFromDateTime"`
	Password time.Time `json:"lastPasswordChangeDateTime"`
}

// accountIn reads what was kept of an account; what is null stays zero.
func accountIn(raw json.RawMessage) (a account) {
	if json.Unmarshal(raw, &a) != nil {
		return account{}
	}
	return a
}

func lookAccount(ctx context.Context, gc *graph.Client, t target) (seen, error) {
	var raw json.RawMessage
	err := gc.Get(ctx, "users.account", graph.P{"user": t.object}, &raw)
	return seen{raw: bare(raw)}, err
}

// sessionsRevoked: only our own sending counts, that the date is late says nothing of it.
func sessionsRevoked(s *step, now seen) (bool, error) {
	return s.dated(accountIn(s.Plan.Before).Sessions, accountIn(now.raw).Sessions), nil
}

// dated says whether a date that Microsoft sets to the second tells of what was sent: it is later than before; or the same, where
// Microsoft has accepted it and the one before was of the same second.
func (s *step) dated(before, now time.Time) bool {
	if s.Sent.IsZero() {
		return false
	}
	return now.After(before) || s.State == Done && !now.Before(s.Sent.Truncate(time.Second))
}

func revokeSessions(ctx context.Context, s *step) (string, error) {
	return "", s.gc.Act(ctx, "users.revokeSignInSessions", graph.P{"user": s.Object}, nil, nil)
}

func passwordChanged(s *step, now seen) (bool, error) {
	return s.dated(accountIn(s.Plan.Before).Password, accountIn(now.raw).Password), nil
}

// newPassword sets a password that is told to nobody and kept nowhere, and that has to be changed at the next sign-in.
func newPassword(ctx context.Context, s *step) (string, error) {
	profile := map[string]any{"password": "Ts4!" + strings.ToLower(rand.Text()) + rand.Text(), "forceChangePasswordNextSignIn": true}
	return "", s.gc.Act(ctx, "users.newPassword", graph.P{"user": s.Object}, map[string]any{"passwordProfile": profile}, nil)
}

func planRevoke(p *Plan, f *Draft, _ seen) {
	p.Does = "Ends the sessions of " + f.whom.who + " by making every token that was given out until now invalid."
	p.Touches = []string{"the sign-in sessions of " + f.whom.who + ", on every device"}
	p.Not = []string{
		"An access token that is out already works until it runs out, for about an hour, except where Microsoft evaluates access continuously.",
		"The password, the sign-in methods and the apps that were consented to stay as they are.",
	}
	p.Undo = "It cannot be undone: the person signs in again."
}

func planSuspend(p *Plan, f *Draft, now seen) {
	p.Does = "Disables the account of " + f.whom.who + ": nobody can sign in with it any more."
	p.Touches = []string{"the account of " + f.whom.who}
	p.Not = []string{
		"Sessions that are open end only when their tokens run out or are refreshed: revoke the sessions as well.",
		"Mail still comes in, and inbox rules still run.",
	}
	p.Undo, p.CanUndo = "It can be undone: the account is enabled again.", true
	p.already(now, now.raw != nil && !isOn(now.raw, "accountEnabled"), "The account is disabled already.")
	p.synced(f, now, "Disable it in Active Directory, from where it is synced.")
}

func planReinstate(p *Plan, f *Draft, now seen) {
	p.Does = "Enables the account of " + f.whom.who + ": it can sign in again."
	p.Touches = []string{"the account of " + f.whom.who}
	p.Undo, p.CanUndo = "It can be undone: the account is disabled again.", true
	p.already(now, now.raw != nil && isOn(now.raw, "accountEnabled"), "The account is enabled already.")
	p.synced(f, now, "Enable it in Active Directory, from where it is synced.")
}

func planPassword(p *Plan, f *Draft, now seen) {
	p.Does = "Replaces the password of " + f.whom.who + " by one that nobody knows, and asks for another at the next sign-in."
	p.Touches = []string{"the password of " + f.whom.who}
	p.Not = []string{
		"The person needs a way back in: self-service password reset, or a temporary access pass from the service desk. No password is shown here.",
		"Sessions that are open may live on: revoke the sessions as well.",
		"The sign-in methods stay as they are.",
	}
	p.Undo = "It cannot be undone: the old password is known to nobody here."
	p.synced(f, now, "Reset it in Active Directory, from where it is synced.")
}

// synced stops what Microsoft lets only the directory do from which an account is synced.
func (p *Plan) synced(f *Draft, now seen, do string) {
	if accountIn(now.raw).Synced {
		p.Stops = append(p.Stops, Stop{What: "The account of " + f.whom.who + " is synced from Active Directory: Microsoft refuses the change here, or the next sync takes it back.", Do: do})
	}
}

// method is a sign-in method. https://learn.microsoft.com/graph/api/resources/authenticationmethod
type method struct {
	Type  string `json:"@odata.type"`
	ID    string `json:"id"`
	Name  string `json:"displayName"`
	Phone string `json:"phoneNumber"`
}

// methodKinds are the methods that can be removed, by their type, and how people call them. The password is none.
var methodKinds = map[string]struct{ call, word string }{
	"phone": {"phone", "telephone"}, "email": {"email", "e-mail address"}, "fido2": {"fido2", "security key or passkey"}, "microsoftAuthenticator": {"microsoftAuthenticator", "Microsoft Authenticator"},
	"softwareOath": {"softwareOath", "authenticator app (codes)"}, "temporaryAccessPass": {"temporaryAccessPass", "temporary access pass"}, "windowsHelloForBusiness": {"windowsHelloForBusiness", "Windows Hello"},
	"platformCredential": {"platformCredential", "platform credential"}, "external": {"externalAuthentication", "external method"},
}

// kind is phone of #microsoft.graph.phoneAuthenticationMethod.
func (m method) kind() string {
	return strings.TrimSuffix(strings.TrimPrefix(m.Type, "#microsoft.graph."), "AuthenticationMethod")
}

func (m method) String() string {
	k, ok := methodKinds[m.kind()]
	word := m.kind()
	if ok {
		word = k.word
	}
	switch {
	case m.Phone != "":
		return word + " " + m.Phone
	case m.Name != "":
		return word + " " + m.Name
	}
	return word
}

// lookMethods reads the sign-in methods, but for the password: all of them, or the one that is named.
func lookMethods(ctx context.Context, gc *graph.Client, t target) (s seen, err error) {
	s.gone = true
	kept := []json.RawMessage{}
	for raw, err := range graph.Pages[json.RawMessage](ctx, gc, "authentication.methods", graph.P{"user": t.object}) {
		if err != nil {
			return s, err
		}
		var m method
		if err := json.Unmarshal(raw, &m); err != nil {
			return s, err
		}
		if m.kind() == "password" || t.id != "" && m.ID != t.id {
			continue
		}
		s.gone, s.items, kept = false, append(s.items, item{m.ID, raw}), append(kept, raw)
	}
	s.raw, err = json.Marshal(kept)
	return s, err
}

// methodsIn are those that were kept.
func methodsIn(raw json.RawMessage) (out []method) {
	if json.Unmarshal(raw, &out) != nil {
		return nil
	}
	return out
}

// removeMethods removes one after another. The default one can be removed only when no other is left, and nobody tells which
// it is: what is refused is tried again after the others.
func removeMethods(ctx context.Context, s *step) (string, error) {
	now, err := lookMethods(ctx, s.gc, s.target())
	if err != nil {
		return "", err
	}
	left, done := methodsIn(now.raw), []string{}
	for len(left) > 0 {
		var again []method
		var refused error
		for i, m := range left {
			k, ok := methodKinds[m.kind()]
			if !ok {
				refused, again = fmt.Errorf("a method of the kind %s: %w", m.kind(), errUnknownMethod), append(again, m)
				continue
			}
			err := s.gc.Act(ctx, "authentication."+k.call+".delete", graph.P{"user": s.Object, "method": m.ID}, nil, nil)
			switch {
			case err == nil || is[*graph.NotFound](err):
				done = append(done, m.String())
			case is[*graph.Failed](err):
				refused, again = err, append(again, m)
			default:
				return "", &partial{err, done, texts(append(again, left[i:]...))}
			}
		}
		if len(again) == len(left) {
			return "", &partial{refused, done, texts(again)}
		}
		left = again
	}
	return "", nil
}

var errUnknownMethod = errors.New("Tocsin does not know it")

func texts(list []method) []string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = m.String()
	}
	return out
}

func planMethods(p *Plan, f *Draft, now seen) {
	p.Does = "Removes every sign-in method of " + f.whom.who + " but the password, so that a second factor has to be registered again."
	if f.Ask.Target != "" {
		p.Does = "Removes one sign-in method of " + f.whom.who + "."
	}
	for _, m := range methodsIn(now.raw) {
		p.Touches = append(p.Touches, m.String())
	}
	p.Not = []string{
		"Who knows the password can register a method as well, until policy asks for more: force a new password first, and revoke the sessions.",
		"The person needs a temporary access pass, or a place from where registering is allowed.",
	}
	p.Undo = "It cannot be undone: a method can be registered by the person alone."
	if now.raw != nil && now.gone {
		p.Already = "No sign-in method is registered but the password."
		if f.Ask.Target != "" {
			p.Already = "The sign-in method is no longer there."
		}
	}
}

// lookRisk reads what Identity Protection holds of a person; of whom it holds nothing it tells nothing.
// https://learn.microsoft.com/graph/api/resources/riskyuser
func lookRisk(ctx context.Context, gc *graph.Client, t target) (seen, error) {
	var raw json.RawMessage
	err := gc.Get(ctx, "riskyUsers.get", graph.P{"person": t.object}, &raw)
	if is[*graph.NotFound](err) {
		return seen{raw: json.RawMessage(`{"riskState":"none"}`)}, nil
	}
	return seen{raw: bare(raw)}, err
}

func riskState(raw json.RawMessage) string {
	var r struct{ RiskState string }
	if json.Unmarshal(raw, &r) != nil {
		return ""
	}
	return r.RiskState
}

func riskConfirmed(_ *step, now seen) (bool, error) {
	return riskState(now.raw) == "confirmedCompromised", nil
}

func riskDismissed(_ *step, now seen) (bool, error) {
	switch riskState(now.raw) {
	case "dismissed", "none", "remediated", "confirmedSafe":
		return true, nil
	}
	return false, nil
}

func sayRisk(call string) func(context.Context, *step) (string, error) {
	return func(ctx context.Context, s *step) (string, error) {
		return "", s.gc.Act(ctx, call, nil, map[string]any{"userIds": []string{s.Object}}, nil)
	}
}

func planConfirm(p *Plan, f *Draft, now seen) {
	p.Does = "Tells Microsoft that " + f.whom.who + " was taken over: their risk becomes high."
	p.Touches = []string{"the risk of " + f.whom.who + " in Identity Protection"}
	p.Not = []string{"What follows is what your risk policies say: where there are none, nothing is blocked. Revoke the sessions as well."}
	p.Undo = "It cannot be taken back as if it had not been said; the risk can be dismissed when the account is safe."
	if riskState(now.raw) == "confirmedCompromised" {
		p.Already = "Microsoft has it so already."
	}
}

func planDismiss(p *Plan, f *Draft, now seen) {
	p.Does = "Tells Microsoft that the risk of " + f.whom.who + " is none: it is taken from the person and from their detections."
	p.Touches = []string{"the risk of " + f.whom.who + " in Identity Protection"}
	p.Not = []string{"It is not learned from: what was right to be warned of is warned of again."}
	p.Undo = "It cannot be undone: what was dismissed is not at risk again until something new is detected."
	if done, _ := riskDismissed(nil, now); done && now.raw != nil {
		p.Already = "Microsoft holds no risk of this person."
	}
}
