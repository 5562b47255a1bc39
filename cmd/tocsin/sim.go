package main

import (
	"encoding/json"
	"errors"
	"net"
	"os"

	"github.com/spf13/cobra"

	"tocsin.dev"
	"tocsin.dev/connect"
	"tocsin.dev/graph/sim"
	"tocsin.dev/story"
)

func simulate() *cobra.Command {
	var conf sim.Config
	var listen, control string
	var stories []string
	c := &cobra.Command{
		Use: "sim", Short: "Run only the simulated Microsoft 365", Args: cobra.NoArgs,
		Long: "Run only the simulated Microsoft 365, over TLS with a certificate authority of its own. Prints one line of JSON when it serves; save it as sim.json for `tocsin connections create --from sim.json`.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if conf.Users < 1 {
				return tocsin.Problemf(tocsin.Invalid, "Give --users 200, or leave it away.", "A tenant has at least one person: --users cannot be %d.", conf.Users)
			}
			if conf.Rate < 0 {
				return tocsin.Problemf(tocsin.Invalid, "Give --rate 2, or leave it away.", "There cannot be fewer than no events: --rate cannot be %g.", conf.Rate)
			}
			var err error
			if conf.Stories, err = readStories(stories); err != nil {
				return err
			}
			conf.Log = logger(cmd.ErrOrStderr(), "info", "text")
			s, err := sim.New(conf)
			if err != nil {
				return err
			}
			defer s.Close()
			if err := shareMailbox(s); err != nil {
				return err
			}
			running, err := s.Serve(cmd.Context(), listen, control)
			if listening, ok := errors.AsType[*net.OpError](err); ok {
				return tocsin.Problemf(tocsin.Invalid, "Give --listen and --control addresses that are free, such as 127.0.0.1:0.", "The simulator cannot listen: %v.", listening.Err)
			}
			if err != nil {
				return err
			}
			if err := json.NewEncoder(cmd.OutOrStdout()).Encode(running); err != nil {
				return err
			}
			return running.Wait()
		},
	}
	c.Flags().IntVar(&conf.Users, "users", 200, "how many people")
	c.Flags().Int64Var(&conf.Seed, "seed", 1, "the world is made from it")
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "address of Graph and the sign-in")
	c.Flags().StringVar(&control, "control", "127.0.0.1:0", "address of the control listener")
	c.Flags().Float64Var(&conf.Rate, "rate", 0, "mail events a second")
	c.Flags().StringArrayVar(&stories, "story", nil, "file with a story to play; may be given again")
	c.Flags().StringVar(&conf.TruthPath, "truth", "", "file for the ground truth")
	return c
}

// shareMailbox has the app ask for what a team inbox wants, and the service account be a member of a shared mailbox: see docs/inbox.md.
func shareMailbox(s *sim.Sim) error {
	s.RequestScopes(s.ClientID(), connect.InboxScopes...)
	box, err := s.AddShared("Invoices", "invoices")
	if err != nil {
		return err
	}
	return s.Share(box, "service", sim.FullAccess, sim.SendAs)
}

func readStories(files []string) ([]*story.Story, error) {
	var out []*story.Story
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, tocsin.Problemf(tocsin.Invalid, "Name a file that is there.", "The story %s cannot be read.", name)
		}
		s, err := story.Parse(name, f)
		f.Close()
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}
