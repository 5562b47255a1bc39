// Package remediate plans, waits for approval, acts, verifies, undoes.
//
// An [Action] is asked for by a person, with a [Plan] of what it will touch and what of it cannot be undone. It is a row
// before it is anything else: each step on its way is one transaction that moves the row's state forward, writes a line
// of its history and a fact. What is sent to Microsoft is written down before it goes ([Executor]), and whoever takes an
// action up again after a crash reads the target first: a rule that is off already was switched off, a rule that is gone
// was deleted, sessions whose date has moved were revoked. So nothing is done twice, and an answer that was lost, or says
// that it may not have worked, does no harm.
//
//	planned → waiting_approval → approved → running → done → verified → undoing → undone
//
// An undo is an action of its own, which names the one it undoes; so it is planned, limited, recorded and verified alike.
package remediate

import (
	"encoding/json"
	"slices"
	"time"

	"tocsin.dev"
)

// State is how far an action has come.
type State string

// The states. Refused is by an approver, or by us when what was planned no longer fits; unknown is that it was sent and
// nobody can tell whether it took effect.
const (
	Planned   State = "planned"
	Waiting   State = "waiting_approval"
	Approved  State = "approved"
	Running   State = "running"
	Done      State = "done"
	Verified  State = "verified"
	Failed    State = "failed"
	Refused   State = "refused"
	Unknown   State = "unknown"
	Undoing   State = "undoing"
	Undone    State = "undone"
	Cancelled State = "cancelled"
)

// States are all there are, in the order of an action's life.
var States = []State{Planned, Waiting, Approved, Running, Done, Verified, Undoing, Undone, Failed, Refused, Unknown, Cancelled}

// Alive are the states in which something is still to happen by itself or by a person.
var Alive = []State{Planned, Waiting, Approved, Running, Done}

// forward is where each state may go. Only an undo that came to nothing leads back: what was done is still so.
var forward = map[State][]State{
	Planned:  {Waiting, Approved},
	Waiting:  {Approved, Refused, Cancelled},
	Approved: {Waiting, Running, Cancelled, Failed, Refused},
	Running:  {Done, Verified, Failed, Refused, Unknown},
	Done:     {Verified, Failed, Unknown},
	Verified: {Undoing},
	Undoing:  {Undone, Verified},
}

func (s State) mayGo(to State) bool { return slices.Contains(forward[s], to) }

// Ended says whether nothing more happens to it by itself.
func (s State) Ended() bool { return !slices.Contains(Alive, s) && s != Undoing }

// Action is something done to a tenant, or to be done.
type Action struct {
	ID       string
	Kind     Kind
	State    State
	Person   tocsin.PersonID // empty where it is an application's
	Who      string          // the person's address, or the application's name
	Object   string          // the account's id at Microsoft, or the service principal's
	Target   string          // the id of what of these it is on; empty for the whole
	Name     string          // and its name
	Finding  string          // it was asked for on; may be empty
	Why      string
	Plan     Plan
	Forced   bool   // asked for in spite of what stands against it
	Undoes   string // the action that it undoes
	UndoneBy string // the action that undid it, or tries to

	AskedBy, AskedEmail       string // an account's id and address
	ApprovedBy, ApprovedEmail string
	Connection                string // through which it was sent
	Made                      string // the id of what was made again
	Because, Mend             string // why it is where it is, and what to do about it
	Tries                     int64  // how often it was sent

	Due, Created, Changed, Sent, Ended time.Time // changed: the state, last
	Version                            int64

	RunID string // the playbook's run of which it is a step; may be empty
	Step  int64  // those of a lower step come before
}

// Plan is what an action will do, as it was seen before: the dry run.
type Plan struct {
	Kind     Kind            `json:"kind"`
	Does     string          `json:"does"`               // a sentence
	Touches  []string        `json:"touches"`            // what will be changed, a phrase each
	Not      []string        `json:"not"`                // what it does not do, a sentence each
	CanUndo  bool            `json:"can_undo"`           //
	Undo     string          `json:"undo"`               // how, or why not, a sentence
	Lost     []string        `json:"lost,omitempty"`     // what an undo does not bring back, a sentence each
	Already  string          `json:"already,omitempty"`  // why there is nothing to do, a sentence
	Stops    []Stop          `json:"stops,omitempty"`    // what stands against it
	Approval bool            `json:"approval"`           // a second person must approve
	Before   json.RawMessage `json:"before,omitempty"`   // the target as Microsoft gave it, as evidence
	Beside   []Place         `json:"beside,omitempty"`   // what else of its sort there was, before
	Seen     string          `json:"seen,omitempty"`     // stands for the target's state, to tell whether it has changed
	At       time.Time       `json:"at"`                 // when the target was read
	Way      string          `json:"way,omitempty"`      // the connection's name
	Original json.RawMessage `json:"original,omitempty"` // of an undo: the state that it brings back
}

// Place is an id and, of a rule, its place in the order.
type Place struct {
	ID       string `json:"id"`
	Sequence int    `json:"sequence"`
}

// Stop is a reason against an action.
type Stop struct {
	What string `json:"what"`
	Do   string `json:"do"`
	// Force says who may do it nevertheless: analyst, owner, or nobody where it is empty.
	Force string `json:"force,omitempty"`
}

// Who is somebody who asks or decides.
type Who struct {
	Account string // id; the same by every session and token
	Email   string
	Owner   bool // of the tenant
}

// Ask is what is asked for.
type Ask struct {
	Kind    Kind
	Person  tocsin.PersonID
	App     string // the service principal's id, where it is an application's
	Target  string // the id of what of these it is on
	Finding string
	Why     string
	Force   bool
	Seen    string // of the plan that was looked at; empty where none was
}

func stop(p *tocsin.Problem, force string) Stop { return Stop{What: p.What, Do: p.Do, Force: force} }
