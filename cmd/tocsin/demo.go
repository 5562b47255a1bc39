package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/collect"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/server"
	"tocsin.dev/store"
	"tocsin.dev/story"
)

// The demo's world has two stories: what had happened before one looks, and the attack that happens while one does.
var (
	//go:embed demo-usual.story
	usual string
	//go:embed demo.story
	attack string
)

func demo() *cobra.Command {
	var users int
	var seed int64
	var listen, data string
	var over time.Duration
	c := &cobra.Command{
		Use: "demo", Short: "Run the whole product against a simulated tenant with an attack in it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case users < 1:
				return tocsin.Problemf(tocsin.Invalid, "Give --users 200, or leave it away.", "A tenant has at least one person: --users cannot be %d.", users)
			case over <= 0:
				return tocsin.Problemf(tocsin.Invalid, "Give --over 2m, or leave it away.", "The attack takes some time: --over cannot be %s.", over)
			}
			world, plot, err := stage(users, seed)
			if err != nil {
				return err
			}
			defer world.Close()
			conf := server.Defaults()
			conf.Listen, conf.Data = listen, data
			conf.Every.Rules, conf.Every.Directory, conf.Every.Settings = 10*time.Second, 20*time.Second, time.Minute
			conf.Every.Members = 20 * time.Second
			if data == "" {
				conf.Key.Value = base64.StdEncoding.EncodeToString(random(32)) // forgotten with the rest
				if conf.Data, err = os.MkdirTemp("", "tocsin-demo-"); err != nil {
					return err
				}
				defer os.RemoveAll(conf.Data)
			}
			return runDemo(cmd, conf, &theatre{world, plot, seed, over})
		},
	}
	c.Flags().IntVar(&users, "users", 200, "how many people the tenant has")
	c.Flags().Int64Var(&seed, "seed", 1, "the world is made from it")
	c.Flags().StringVar(&listen, "listen", server.Defaults().Listen, "address of the pages")
	c.Flags().StringVar(&data, "data", "", "directory to keep the demo in; forgotten where none is named")
	c.Flags().DurationVar(&over, "over", 2*time.Minute, "how long the attack takes")
	return c
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: https://pkg.go.dev/crypto/rand#Read
	return b
}

// theatre is where the demo plays: the simulated tenant, and the attack that is still to happen.
type theatre struct {
	world *sim.Sim
	plot  *story.Story
	seed  int64
	over  time.Duration
}

// stage makes the simulated tenant, and reads the attack.
func stage(users int, seed int64) (*sim.Sim, *story.Story, error) {
	before, err := story.Parse("demo-usual.story", strings.NewReader(usual))
	if err != nil {
		return nil, nil, err
	}
	plot, err := story.Parse("demo.story", strings.NewReader(attack))
	if err != nil {
		return nil, nil, err
	}
	world, err := sim.New(sim.Config{Users: users, Seed: seed, Stories: []*story.Story{before}, Quiet: true, Rate: 0.5, Reports: sim.Reports{Days: 3},
		Roles: connect.MakeGuide(connect.Read, connect.ByCredentials, nil, "", "").Names()})
	if err != nil {
		return nil, nil, err
	}
	return world, plot, nil
}

func runDemo(cmd *cobra.Command, conf server.Config, th *theatre) error {
	world := th.world
	ctx := cmd.Context()
	l, err := conf.Open()
	if err != nil {
		return err
	}
	conf.Hooks.URL = conf.Address(l) // the simulated tenant tells of mail there
	s, err := server.New(ctx, conf, server.Options{Log: logger(cmd.ErrOrStderr(), "warn", "text"), HTTP: world.Client(), Version: version()})
	if err != nil {
		return err
	}
	defer s.Close()
	password, err := claim(cmd, s)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	g, ctx := errgroup.WithContext(ctx)
	defer func() {
		stop()
		_ = g.Wait() // before the tables are closed
	}()
	g.Go(func() error { return s.Serve(ctx, l) })
	g.Go(func() error { return world.Run(ctx) })
	if err := joinDemo(ctx, s, world); err != nil {
		return err
	}
	wave, err := th.hunted()
	if err != nil {
		return err
	}
	if err := th.joinMail(ctx, s, wave); err != nil {
		return err
	}
	if err := th.joinInbox(ctx, s); err != nil {
		return err
	}
	g.Go(func() error {
		if err := th.remember(ctx, s); err != nil {
			return err
		}
		g.Go(func() error {
			if err := th.hunt(ctx, s, wave); err != nil {
				return err
			}
			return th.again(ctx)
		})
		return world.Live(th.plot, th.over)
	})
	invite(cmd.OutOrStdout(), conf.Address(l), password)
	return g.Wait()
}

// joinDemo connects the simulated tenant as the design has it: an app to read, and another to respond, so that the attack can
// be stopped.
func joinDemo(ctx context.Context, s *server.Server, world *sim.Sim) error {
	in := world.Access()
	other, secret := world.AddApp("Tocsin, to respond", connect.MakeGuide(connect.Respond, connect.ByCredentials, nil, "", "").Names()...)
	highest, key := world.AddApp("Tocsin, privileged", connect.MakeGuide(connect.Privileged, connect.ByCredentials, nil, "", "").Names()...)
	n := connect.New{Tenant: in.Tenant, Client: in.ClientID, Secret: in.ClientSecret, Cloud: "own", Own: connect.Own{Authority: in.Authority, Graph: in.Graph}}
	conn, err := s.Connections.Create(ctx, demoOwner, n)
	if p, ok := errors.AsType[*tocsin.Problem](err); ok && p.Code == tocsin.Conflict {
		return nil // --data of an earlier demo
	}
	if err != nil {
		return err
	}
	n.Tier, n.Client, n.Secret = connect.Respond, other, secret
	if _, err := s.Connections.Create(ctx, demoOwner, n); err != nil {
		return err
	}
	n.Tier, n.Client, n.Secret = connect.Privileged, highest, key
	if _, err := s.Connections.Create(ctx, demoOwner, n); err != nil {
		return err
	}
	return trust(ctx, s, conn.Tenant)
}

// pastDays is for how long before the attack the demo's people wrote each other, so that it is known what is usual for them.
const pastDays = 42

// remember brings in what the demo's people wrote each other before anybody looked, once they are known: a day that is not as usual
// shows only to those who know the usual ones.
func (th *theatre) remember(ctx context.Context, s *server.Server) error {
	tenant := tocsin.TenantID(th.world.Access().Tenant)
	var people []string
	for old := 0; len(people) == 0; {
		err := s.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
			people = nil
			var read int64
			err := t.QueryRow(ctx, `select succeeded from source where tenant = $1 and name = 'users'`).Scan(&read)
			if errors.Is(err, store.ErrNone) || err == nil && read == 0 {
				return nil // they are not known yet
			}
			if err != nil {
				return err
			}
			if err := t.QueryRow(ctx, `select count(*) from event where tenant = $1 and at < $2`, s.Clock.Now().AddDate(0, 0, -7)).Scan(&old); err != nil || old > 0 {
				return err
			}
			rows, err := t.Query(ctx, `select case when mail <> '' then mail else upn end from person where tenant = $1 and deleted = 0 and kind <> 'guest' order by person`)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var p string
				if err := rows.Scan(&p); err != nil {
					return err
				}
				people = append(people, p)
			}
			return rows.Err()
		})
		if err != nil || old > 0 { // a kept demo remembers
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
	var mails []collect.PastMail
	for _, l := range sim.Past(th.seed, s.Clock.Now(), pastDays, people) {
		mails = append(mails, collect.PastMail(l))
	}
	if _, err := collect.StorePast(ctx, s.Store, tenant, mails); err != nil {
		return err
	}
	return th.settle(ctx, s, tenant)
}

// settle waits until that is learned and mail is told of, for half a minute at most: an attack that nobody sees shows nothing.
func (th *theatre) settle(ctx context.Context, s *server.Server, tenant tocsin.TenantID) error {
	for range 150 {
		var learned, waiting int
		err := s.Store.ViewTenant(ctx, tenant, func(t *store.Tenant) error {
			return t.QueryRow(ctx, `select (select count(*) from learned l where l.tenant = $1 and l.began > 0), (select count(*) from person p where p.tenant = $1 and p.mailbox in ('read', 'unknown') and p.deleted = 0
				and not exists (select 1 from subscription s where s.tenant = $1 and s.person = p.person and s.state = 'on'))`).Scan(&learned, &waiting)
		})
		if err != nil || learned > 0 && waiting == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}

// trust makes the partner of the demo's stories a trusted one.
func trust(ctx context.Context, s *server.Server, tenant tocsin.TenantID) error {
	ctx = api.WithCaller(ctx, api.Caller{Email: demoOwner, By: "session", Grants: []api.Grant{{Tenant: api.Everywhere, Role: api.Owner}}})
	in := api.CreatePartnerIn{Body: api.PartnerNew{Domain: "contoso-logistics.example", Owner: demoOwner,
		Reason: "The carrier whose papers are archived with them", Expires: s.Clock.Now().AddDate(1, 0, 0)}}
	in.Tenant = tenant
	_, err := s.API.CreatePartner(ctx, in)
	return err
}

const demoOwner = "demo@tocsin.example"

// claim makes the demo's owner, unless a kept demo has one.
func claim(cmd *cobra.Command, s *server.Server) (password string, err error) {
	link, err := s.API.SetupLink(cmd.Context())
	if err != nil || link == "" {
		return "", err
	}
	password = strings.ToLower(rand.Text()[:16])
	return password, s.Claim(cmd.Context(), link, demoOwner, "Demo", password)
}

func invite(w io.Writer, address, password string) {
	fmt.Fprintf(w, "\n  Tocsin watches a simulated Microsoft 365 tenant with an attack in it.\n\n  Open      %s\n  Sign in   %s\n", address, demoOwner)
	if password != "" {
		fmt.Fprintf(w, "  Password  %s\n\n", password)
	} else {
		fmt.Fprint(w, "  Password  as when this demo was first run\n\n")
	}
}
