package server

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	proveKills = flag.Int("prove.kills", 0, "how often TestProve… strikes at a random moment, with each kind of blow; 0: they are not run")
	proveOnly  = flag.String("prove.only", "", "the blows of TestProve… whose names hold this; none: all")
	proveRate  = flag.Float64("prove.rate", 5000, "changes of mail a second in TestProve…, at most: it is what the machine carries otherwise")
	proveUsers = flag.Int("prove.users", 300, "people in TestProve…")
)

// blow is a kill of one kind.
type blow struct {
	name   string
	strike func(f *fleet, random *rand.Rand) (mend func())
}

func one(list func(*fleet) []*machine) func(*fleet, *rand.Rand) func() {
	return func(f *fleet, random *rand.Rand) func() {
		all := list(f)
		m := all[random.IntN(len(all))]
		m.kill()
		return m.start
	}
}

var blows = []blow{
	{"kill -9 of a server", one(func(f *fleet) []*machine { return f.servers })},
	{"kill -9 of a log node", one(func(f *fleet) []*machine { return f.nodes })},
	{"kill -9 of the database", func(f *fleet, _ *rand.Rand) func() { f.pg.Kill(); return f.pg.Start }},
	{"kill -9 of all at once", func(f *fleet, _ *rand.Rand) func() {
		everything := slices.Concat(f.servers, f.nodes)
		for _, m := range everything {
			_ = m.cmd.Process.Kill() // at once; waited for below
		}
		f.pg.Kill()
		for _, m := range everything {
			m.kill()
		}
		return func() {
			f.pg.Start()
			together(f.nodes)
			together(f.servers)
		}
	}},
}

// powerCut takes the power of disks, and of the machines that run on them. luck is the percentage of what was not synced that
// is there all the same.
func powerCut(name string, luck int64, of func(f *fleet, random *rand.Rand) (machines []*machine, disks []*disk)) blow {
	if luck > 0 {
		name += fmt.Sprintf(", %d %% of what was not synced is there", luck)
	}
	return blow{name, func(f *fleet, random *rand.Rand) func() {
		machines, disks := of(f, random)
		for _, d := range disks {
			d.tell("off", 0)
		}
		for _, m := range machines {
			m.kill()
		}
		tables := slices.Contains(disks, f.tablesDisk)
		if tables {
			f.pg.Kill()
		}
		return func() {
			for _, d := range disks {
				d.tell("on", luck)
			}
			if tables {
				f.pg.Start()
			}
			together(machines)
		}
	}}
}

func theServer(f *fleet, _ *rand.Rand) ([]*machine, []*disk) { return f.servers, f.disks }
func allNodes(f *fleet, _ *rand.Rand) ([]*machine, []*disk)  { return f.nodes, f.disks }
func oneNode(f *fleet, random *rand.Rand) ([]*machine, []*disk) {
	n := random.IntN(len(f.nodes))
	return f.nodes[n : n+1], f.disks[n : n+1]
}
func theTables(f *fleet, _ *rand.Rand) ([]*machine, []*disk) { return nil, []*disk{f.tablesDisk} }
func theRoom(f *fleet, _ *rand.Rand) ([]*machine, []*disk) {
	return f.nodes, append(slices.Clone(f.disks), f.tablesDisk)
}

var (
	cuts     = []blow{powerCut("power cut of the server", 0, theServer), powerCut("power cut of the server", 50, theServer)}
	roomCuts = []blow{powerCut("power cut of a log node", 0, oneNode), powerCut("power cut of all log nodes", 50, allNodes),
		powerCut("power cut of the database", 0, theTables), powerCut("power cut of the database", 50, theTables),
		powerCut("power cut of the log and the database", 0, theRoom), powerCut("power cut of the log and the database", 50, theRoom)}
)

// proof is what came of the blows of one kind.
type proof struct {
	kind                        string
	strikes                     int
	sending                     time.Duration
	acked, stored, twice, short int   // changes, changes, messages, messages
	failed                      int64 // POSTs that were not taken
}

func (p proof) String() string {
	return fmt.Sprintf("PROVED  %-62s %4d times, at %5.0f changes a second: acknowledged %8d, stored %8d, acknowledged minus stored %d, duplicates %d, out of order 0; %d POSTs refused, %d messages came and went unseen",
		p.kind, p.strikes, float64(p.acked)/max(1, p.sending.Seconds()), p.acked, p.stored, p.acked-p.stored, p.twice, p.failed, p.short)
}

// carried is how many changes a second the installation takes in and folds while nothing happens to it: more and more are sent until
// two seconds do not suffice to fold what is left. To send more would make its answers slow, and Microsoft throws away what an
// address is slow to take, which is no loss of ours and no proof of anything.
func (f *fleet) carried() (most float64) {
	f.Helper()
	defer f.open()()
	for rate := min(150, *proveRate); ; rate = min(1.5*rate, *proveRate) {
		f.w.SetRate(rate, 0)
		time.Sleep(3 * time.Second)
		f.w.SetRate(0, 0)
		ended := time.Now()
		f.settled()
		if time.Since(ended) > 2*time.Second {
			return max(most, 150)
		}
		if most = rate; rate >= *proveRate {
			return most
		}
	}
}

// beat strikes so often with each kind, at random moments under traffic, mends, and holds the end to the truth now and then.
func (f *fleet) beat(what string, kinds []blow, strikes int) {
	f.Helper()
	rate := f.carried()
	f.Logf("PROVING %s with %d people: it carries %.0f changes a second, which it is sent", what, *proveUsers, rate)
	random := rand.New(rand.NewPCG(uint64(strikes), 7))
	last, failed := f.proven(), f.w.Deliveries().Failed
	var done []string
	for _, kind := range kinds {
		if !strings.Contains(kind.name, *proveOnly) {
			continue
		}
		p := proof{kind: kind.name}
		for n := range strikes {
			began := time.Now()
			f.w.SetRate(rate, 0)
			time.Sleep(time.Duration(random.Int64N(int64(1500 * time.Millisecond))))
			f.alive()
			mend := kind.strike(f, random)
			time.Sleep(time.Duration(random.Int64N(int64(time.Second))))
			mend()
			p.strikes++
			p.sending += time.Since(began)
			if n%25 < 24 && n < strikes-1 {
				continue
			}
			f.w.SetRate(0, 0)
			a := f.proven()
			if f.Failed() {
				f.Logf("after %d blows: %s", n+1, kind.name)
				return
			}
			d := f.w.Deliveries()
			p.acked, p.stored, p.twice, p.short = p.acked+a.Acked-last.Acked, p.stored+a.Stored-last.Stored, p.twice+a.Twice-last.Twice, p.short+a.short()-last.short()
			p.failed += d.Failed - failed
			last, failed = a, d.Failed
		}
		f.Log(p)
		done = append(done, p.String())
	}
	if len(done) == 0 {
		f.Fatalf("no blow is named %q", *proveOnly)
	}
	f.Logf("PROVED  %s:\n%s", what, strings.Join(done, "\n"))
}

func proves(t *testing.T) {
	t.Helper()
	if *proveKills == 0 {
		t.Skip("make prove runs it")
	}
}

// TestProveKillsOfACluster is the long form of TestCluster.
func TestProveKillsOfACluster(t *testing.T) {
	proves(t)
	fleetOf(t, 2, *proveUsers).beat("two servers, three log nodes, PostgreSQL", blows, *proveKills)
}

// TestProveKillsOfOne kills the single server with its journal and tables.
func TestProveKillsOfOne(t *testing.T) {
	proves(t)
	fleetOf(t, 1, *proveUsers).beat("one server, its journal, SQLite", blows[:1], *proveKills)
}

// TestProvePowerCuts is the long form of TestDisk.
func TestProvePowerCuts(t *testing.T) {
	proves(t)
	fleetOf(t, 1, *proveUsers, newDisk(t)).beat("one server, its journal, SQLite", cuts, *proveKills)
}

// TestProvePowerCutsOfACluster takes the power of one node, of all three, of PostgreSQL, and of all of these at once.
func TestProvePowerCutsOfACluster(t *testing.T) {
	proves(t)
	fleetOf(t, 2, *proveUsers, newDisk(t), newDisk(t), newDisk(t), newDisk(t)).beat("two servers, three log nodes, PostgreSQL, each on a disk of its own", roomCuts, *proveKills)
}
