package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tocsin.dev/server"
)

func serve() *cobra.Command {
	var check, testClock bool
	c := &cobra.Command{
		Use: "serve", Short: "Run the server", Args: cobra.NoArgs,
		Long: "Run the server. Every setting can stand in a YAML file (--config), in the environment (a.b is TOCSIN_A_B) and on the command line (--set a.b=value).",
	}
	c.Flags().BoolVar(&check, "check", false, "print the settings, without secrets, and end")
	c.Flags().BoolVar(&testClock, "test-clock", false, "offer POST /test/clock, for tests against a simulated tenant")
	load := settings(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		conf, err := load()
		if err != nil {
			return err
		}
		if check {
			fmt.Fprint(cmd.OutOrStdout(), conf.Sheet())
			return nil
		}
		return run(cmd.Context(), cmd, conf, testClock)
	}
	return c
}

// settings gives the command the flags that settings come by, and what reads them.
func settings(c *cobra.Command) (load func() (server.Config, error)) {
	named := []string{"data", "listen", "url", "database"}
	file := c.Flags().String("config", "", "YAML file with settings")
	sets := c.Flags().StringArray("set", nil, "a setting, as path=value; may be given again")
	for _, name := range named {
		c.Flags().String(name, "", "the setting "+name)
	}
	return func() (server.Config, error) {
		flags := map[string]string{}
		for _, s := range *sets {
			k, v, _ := strings.Cut(s, "=")
			flags[k] = v
		}
		for _, name := range named {
			if f := c.Flags().Lookup(name); f.Changed {
				flags[name] = f.Value.String()
			}
		}
		return server.Load(*file, os.Environ(), flags)
	}
}

func run(ctx context.Context, cmd *cobra.Command, conf server.Config, testClock bool) error {
	server.Tune()
	log := logger(cmd.ErrOrStderr(), conf.Log.Level, conf.Log.Format)
	s, err := server.New(ctx, conf, server.Options{Log: log, Version: version(), TestClock: testClock})
	if err != nil {
		return err
	}
	defer s.Close()
	l, err := conf.Open()
	if err != nil {
		return err
	}
	address := conf.Address(l)
	fmt.Fprintln(cmd.OutOrStdout(), "Tocsin listens at "+address)
	link, err := s.API.SetupLink(ctx)
	if err != nil {
		return err
	}
	if link != "" {
		fmt.Fprintln(cmd.OutOrStdout(), "Nobody owns this server yet. Claim it, once, at "+address+"/setup?token="+link)
	}
	return s.Serve(ctx, l)
}
