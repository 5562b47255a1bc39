package remediate

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"tocsin.dev/collect"
	"tocsin.dev/detect/posture"
	"tocsin.dev/store"
)

// microsoft is the tenant whose Microsoft's own applications are.
const microsoft = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"

// guards are what keeps an action from doing more harm than good, whoever asks: they hold when it is asked for and again when
// it begins. raw is the target as it was read, or what is brought back; empty where it was not read.
func guards(ctx context.Context, t *store.Tenant, kind Kind, w whom, raw json.RawMessage, s Settings) (out []Stop, err error) {
	if !w.there {
		what := "The person was deleted from the directory."
		if w.app != "" {
			what = "The application is no longer in the tenant."
		}
		out = append(out, Stop{What: what, Do: "There is nothing to act on any more."})
	}
	if w.guest && (kind == RevokeSessions || kind == ForcePassword) {
		what := map[Kind]string{RevokeSessions: "their sessions cannot be revoked here", ForcePassword: "their password is kept there"}[kind]
		out = append(out, Stop{What: "The person is a guest, who signs in at their own organisation: " + what + ".", Do: "Disable the guest's account, and tell their organisation."})
	}
	if s.spares(w) {
		out = append(out, Stop{What: "This person is spared: the settings keep them from being acted on.", Do: "Only an owner may do it nevertheless.", Force: "owner"})
	}
	if w.app != "" {
		stops, err := guardApp(ctx, t, kind, w)
		return append(out, stops...), err
	}
	if kind.takesWork() {
		stop, err := emergency(ctx, t, w)
		if err != nil {
			return nil, err
		}
		out = append(out, stop...)
	}
	if kind == Suspend || kind == RemoveRole && isGlobal(raw) {
		stop, err := lastAdministrator(ctx, t, kind, w)
		if err != nil {
			return nil, err
		}
		out = append(out, stop...)
	}
	return out, nil
}

// takesWork says whether somebody may be kept from signing in by it, or from what they are there for.
func (k Kind) takesWork() bool {
	switch k {
	case Suspend, ForcePassword, RemoveMethods, RemoveRole, RemoveEligibility:
		return true
	}
	return false
}

func isGlobal(raw json.RawMessage) bool {
	h, err := heldIn(raw)
	return err == nil && strings.EqualFold(h.Role, globalAdministrator)
}

// guardApp keeps our own application and Microsoft's from being taken.
func guardApp(ctx context.Context, t *store.Tenant, kind Kind, w whom) ([]Stop, error) {
	if kind.Undo() == "" || kind == EnableApp {
		return nil, nil // giving back takes nothing
	}
	var ours string
	err := t.QueryRow(ctx, `select name from connection where tenant = $1 and lower(client_id) = lower($2) and state not in ('closed', 'closing') limit 1`, w.app).Scan(&ours)
	if err == nil {
		return []Stop{{What: "The application is Tocsin's own: the connection " + ours + " goes by it.", Do: "Close the connection first, if that is what you mean."}}, nil
	}
	if !errors.Is(err, store.ErrNone) {
		return nil, err
	}
	if strings.EqualFold(w.owner, microsoft) {
		return []Stop{{What: "The application is Microsoft's own: parts of Microsoft 365 may stop working.", Do: "Only an owner may do it nevertheless.", Force: "owner"}}, nil
	}
	return nil, nil
}

// emergency warns of an account that every policy leaves out by name, as is done for the one that opens when all else is shut.
func emergency(ctx context.Context, t *store.Tenant, w whom) ([]Stop, error) {
	const policies = "/identity/conditionalAccess/policies"
	now := t.Tx().Clock().Now()
	snap, err := collect.StateOf(ctx, t, now, func(path string) bool { return path == policies })
	if err != nil {
		return nil, err
	}
	if !slices.Contains(posture.NewState(snap, now).Emergency(), strings.ToLower(w.object)) {
		return nil, nil
	}
	return []Stop{{What: "Every conditional access policy leaves this account out by name: it looks like an emergency account (break glass).", Do: "Only an owner may do it nevertheless.", Force: "owner"}}, nil
}

// lastAdministrator refuses what would leave the tenant without a Global Administrator who can sign in, counting those away
// of whom the same is under way or was just done.
func lastAdministrator(ctx context.Context, t *store.Tenant, kind Kind, w whom) ([]Stop, error) {
	var known int
	if err := t.QueryRow(ctx, `select count(*) from directory_role where tenant = $1`).Scan(&known); err != nil {
		return nil, err
	}
	if known == 0 {
		return []Stop{{What: "Whether this is the last Global Administrator is not known: directory roles were not read.", Do: "Look in Entra, and confirm it here.", Force: "analyst"}}, nil
	}
	holders := func(but, and string, args ...any) (n int, err error) {
		err = t.QueryRow(ctx, `select count(distinct m.object_id) from role_member m join directory_role r on r.tenant = m.tenant and r.id = m.role
			join person p on p.tenant = m.tenant and p.object_id = m.object_id
			where m.tenant = $1 and lower(r.template) = '`+globalAdministrator+`' and p.deleted = 0 and coalesce(p.enabled, true) and m.object_id `+but+` $2 `+and, args...).Scan(&n)
		return n, err
	}
	own, err := holders("=", "", w.object)
	if err != nil || own == 0 {
		return nil, err
	}
	others, err := holders("<>", `and not exists (select 1 from action a where a.tenant = m.tenant and a.object_id = m.object_id and a.kind in ('suspend', 'remove_admin_role')
		and (a.state in ('planned', 'waiting_approval', 'approved', 'running', 'done') or a.state = 'verified' and a.ended > m.seen))`, w.object)
	if err != nil || others > 0 {
		return nil, err
	}
	return []Stop{{What: "This is the last Global Administrator who can sign in: nobody could administer the tenant any more.", Do: "Make somebody else Global Administrator first."}}, nil
}

// roleName is a role's name, as it was last read; its id where it was not.
func roleName(ctx context.Context, t *store.Tenant, id string) (string, error) {
	name := ""
	err := t.QueryRow(ctx, `select name from state_object where tenant = $1 and path = '/roleManagement/directory/roleDefinitions' and id = $2`, id).Scan(&name)
	if errors.Is(err, store.ErrNone) {
		err = t.QueryRow(ctx, `select name from directory_role where tenant = $1 and template = $2 limit 1`, id).Scan(&name)
	}
	if errors.Is(err, store.ErrNone) {
		return id, nil
	}
	return name, err
}
