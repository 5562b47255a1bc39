package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin.dev"
	"tocsin.dev/secret"
	"tocsin.dev/secret/reseal"
)

// key is what replaces the key that seals credentials. It works on the store itself, whether the server runs or not, with the
// server's settings.
func key() *cobra.Command {
	c := &cobra.Command{Use: "key", Short: "The key that seals credentials: what it sealed, and another in its place",
		Long: "The key that seals credentials at rest. These commands work on the store itself, with the settings of the server\n(--config, --set, the environment); the server may run meanwhile. See docs/key.md."}
	c.AddCommand(keyStatus(), keyRotate(), keyRetire(), keyNew())
	return c
}

func keyStatus() *cobra.Command {
	var asJSON bool
	return keyCommand(&cobra.Command{Use: "status", Short: "Say which keys there are, what each sealed, and whether one can be removed"}, &asJSON,
		func(ctx context.Context, cmd *cobra.Command, r *reseal.Rotation) error {
			rep, err := r.Status(ctx)
			if err != nil {
				return err
			}
			return printKeys(cmd.OutOrStdout(), &rep, asJSON)
		})
}

func keyRotate() *cobra.Command {
	var asJSON, leave bool
	c := keyCommand(&cobra.Command{Use: "rotate", Short: "Put a new key in the place of the one that seals, and seal everything anew",
		Long: `Put a new key in the place of the one that seals, and seal everything anew that older keys sealed.

A key in a file is replaced here. Where the key is given (key.command, TOCSIN_KEY_VALUE), give the new one first and the old
one behind it, and this seals everything with the first. Killed at any point, it is run again and goes on. The old key stays
until tocsin key retire removes it.`}, &asJSON,
		func(ctx context.Context, cmd *cobra.Command, r *reseal.Rotation) error {
			r.Leave = leave
			if !asJSON {
				r.Told = func(what string, n int) { fmt.Fprintf(cmd.ErrOrStderr(), "Sealed anew: %d of %s.\n", n, what) }
			}
			rep, err := r.Run(ctx)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if !asJSON {
				if rep.Resumed {
					fmt.Fprintln(out, "A rotation that was cut short was finished.")
				}
				if rep.Made != 0 {
					fmt.Fprintf(out, "The key %s was made and seals from now on.\n", rep.Made)
				}
				fmt.Fprintf(out, "%d secrets were sealed anew.\n", rep.Resealed)
			}
			return unopened(&rep, printKeys(out, &rep, asJSON))
		})
	c.Flags().BoolVar(&leave, "leave-unopened", false, "go on although some secrets were sealed with a key that is not here")
	return c
}

func keyRetire() *cobra.Command {
	var asJSON bool
	return keyCommand(&cobra.Command{Use: "retire", Short: "Remove the old keys from the key file, once nothing is sealed with them"}, &asJSON,
		func(ctx context.Context, cmd *cobra.Command, r *reseal.Rotation) error {
			rep, err := r.Retire(ctx)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if !asJSON {
				for _, id := range rep.Removed {
					fmt.Fprintf(out, "The key %s was removed. Backups of the database from before the rotation need it: keep a copy of the old key file with them.\n", id)
				}
				if len(rep.Removed) == 0 {
					fmt.Fprintln(out, "There is no old key to remove.")
				}
			}
			return printKeys(out, &rep, asJSON)
		})
}

func keyNew() *cobra.Command {
	return &cobra.Command{Use: "new", Short: "Print a fresh key, to be kept in a vault or encrypted by a key management service", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), secret.Fresh())
			return err
		}}
}

// keyCommand is a command with the server's settings.
func keyCommand(c *cobra.Command, asJSON *bool, do func(context.Context, *cobra.Command, *reseal.Rotation) error) *cobra.Command {
	c.Args = cobra.NoArgs
	load := settings(c)
	c.Flags().BoolVar(asJSON, "json", false, "print one JSON object")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		conf, err := load()
		if err != nil {
			return err
		}
		r, err := conf.Rotation(cmd.Context())
		if err != nil {
			return err
		}
		defer r.Store.Close()
		if w := r.Keeper.Warn(); w != "" {
			fmt.Fprintln(cmd.ErrOrStderr(), "Warning: "+w)
		}
		return do(cmd.Context(), cmd, r)
	}
	return c
}

// unopened has a rotation fail that left something behind.
func unopened(rep *reseal.Report, err error) error {
	if err != nil || len(rep.Unopened) == 0 {
		return err
	}
	return tocsin.Problemf(tocsin.Invalid, "Enter these again: "+strings.Join(rep.Unopened, "; ")+".", "Some of what is sealed does not open, and stays as it was.")
}

func printKeys(out io.Writer, rep *reseal.Report, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(rep)
	}
	for _, k := range rep.Keys {
		state := "opens what it sealed"
		switch {
		case k.Seals:
			state = "seals"
		case !k.Held && k.ID == 0:
			state = "no key: these are damaged"
		case !k.Held:
			state = "is not here"
		case k.Uses == 0 && rep.Given:
			state = "is used by nothing: give it no longer"
		case k.Uses == 0:
			state = "is used by nothing: tocsin key retire removes it"
		}
		fmt.Fprintf(out, "Key %s %s.\n", k.Name, state)
		for _, what := range slices.Sorted(maps.Keys(k.What)) {
			fmt.Fprintf(out, "  %6d %s\n", k.What[what], what)
		}
	}
	switch {
	case rep.Began.IsZero():
		fmt.Fprintln(out, "It was never rotated.")
	case rep.Ended.IsZero():
		fmt.Fprintf(out, "A rotation that began at %s was cut short: tocsin key rotate finishes it.\n", rep.Began.UTC().Format(time.RFC3339))
	default:
		fmt.Fprintf(out, "Rotated last at %s.\n", rep.Ended.UTC().Format(time.RFC3339))
	}
	for _, s := range rep.Servers {
		fmt.Fprintf(out, "The server %s runs with it.\n", s)
	}
	return nil
}
