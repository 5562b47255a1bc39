// Command tocsin is a self-hosted security and mail server for Microsoft 365.
//
// Rules of its surface: what was asked for goes to standard output, everything else to standard error; an error is one
// sentence that says what happened and one that says what to do, after "tocsin: ", and the exit status is 1; --json
// prints one object a line; colour only on a terminal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/offline"
	"tocsin.dev/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := root().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "tocsin: "+sentence(err))
		stop()
		os.Exit(1)
	}
}

// sentence is err as a person may read it: a problem's words, else cobra's of a wrong flag.
func sentence(err error) string {
	if p, ok := errors.AsType[*tocsin.Problem](err); ok {
		if p.Code == tocsin.Internal && p.Err != nil {
			return p.Error() + " (" + p.Err.Error() + ")"
		}
		return p.Error()
	}
	return err.Error()
}

func root() *cobra.Command {
	c := &cobra.Command{Use: "tocsin", Short: "Security and mail server for Microsoft 365", SilenceErrors: true, SilenceUsage: true, Version: version()}
	c.AddCommand(serve(), demo(), simulate(), offline.Command(), offline.Posture(new(tocsin.Clock)), offline.Backtest(), offline.Match(new(tocsin.Clock)), key())
	c.AddCommand(api.Snapshot(client))
	c.AddCommand(api.Commands(client)...)
	teach(c)
	return c
}

// version is the module's version, or the revision it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "dev-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "dev"
}

// client is the API's, from the environment: TOCSIN_SERVER, TOCSIN_TOKEN, and TOCSIN_CA for an authority of one's own.
func client() (*api.Client, error) {
	token := os.Getenv("TOCSIN_TOKEN")
	if token == "" {
		return nil, tocsin.Problemf(tocsin.Denied, "Make one under Settings → API tokens and put it into TOCSIN_TOKEN; TOCSIN_SERVER is the server's address.", "There is no API token.")
	}
	return api.NewClient(or(os.Getenv("TOCSIN_SERVER"), "http://"+server.Defaults().Listen), token, os.Getenv("TOCSIN_CA"))
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// logger is the server's log, on standard error.
func logger(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
