package api

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"

	"github.com/spf13/cobra"

	"tocsin.dev"
	"tocsin.dev/collect"
	"tocsin.dev/detect/sigma"
)

// loadOwn is `tocsin sigma load FOLDER`: each file of it is a rule; one whose title is there already is given the file's text.
func loadOwn(connect func() (*Client, error)) *cobra.Command {
	var in ListIn
	var state string
	c := &cobra.Command{
		Use: "load FOLDER", Short: "Load a folder of Sigma rules; what is wrong with one stops no other", Args: cobra.ExactArgs(1), SilenceUsage: true,
		Example: "  tocsin sigma load ./rules --state testing",
	}
	c.Flags().StringVar((*string)(&in.Tenant), "tenant", "", "The tenant's id")
	c.Flags().StringVar(&state, "state", "", "what each shall be then: testing, live, off or draft; as it is where this is not given")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := connect()
		if err != nil {
			return err
		}
		files, err := sigma.ReadFiles(args[0])
		if err != nil {
			return tocsin.Problemf(tocsin.Invalid, "Name a folder of .yml files, or one such file.", "The rules cannot be read: %v.", err)
		}
		if err := (&run{cmd: cmd, client: client, in: reflect.ValueOf(&in).Elem()}).whichTenant(cmd.Context()); err != nil {
			return err
		}
		had := map[string]OwnRule{}
		for in.Limit = 200; ; {
			var p Page[OwnRule]
			if err := client.Do(cmd.Context(), "sigma list", in, &p); err != nil {
				return err
			}
			for _, r := range p.Items {
				had[r.Title] = r
			}
			if in.After = p.Next; in.After == "" {
				break
			}
		}
		bad, first := 0, map[string]string{}
		for _, f := range files {
			if err := f.Err; err == nil && first[f.Head().Title] != "" { // either would be given the other's text each time
				f.Err = fmt.Errorf("%s has its title, %q; give it another", first[f.Head().Title], f.Head().Title)
			} else if err == nil {
				first[f.Head().Title] = f.Path
			}
			what, err := loadOne(cmd, client, in.In, &f, had, state)
			if err != nil {
				bad++
				what = cmp.Or(what, "refused") + ": " + err.Error()
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", f.Path, strings.ReplaceAll(what, "\n", "\n  "))
		}
		if bad > 0 {
			return tocsin.Problemf(tocsin.Invalid, "What is wrong with each stands above; the others are loaded.", "%s could not be loaded as asked.", plural(bad, "file"))
		}
		return nil
	}
	return c
}

// loadOne loads a file, and says what was done, with an error too where that is not all.
func loadOne(cmd *cobra.Command, client *Client, in In, f *sigma.File, had map[string]OwnRule, state string) (string, error) {
	if f.Err != nil {
		return "", f.Err
	}
	var got OwnRuleDetail
	what := "added as " + collect.OwnDraft
	if r, ok := had[f.Head().Title]; ok {
		at := ByID{In: in, ID: r.ID}
		if err := client.Do(cmd.Context(), "sigma get", at, &got); err != nil {
			return "", err
		}
		if what = "unchanged"; got.Text != string(f.Text) {
			what = "changed"
			if err := client.Do(cmd.Context(), "sigma update", UpdateOwnRuleIn{ByIDAct: ByIDAct{ByID: at}, Body: OwnRuleEdit{Text: string(f.Text), Version: got.Version}}, &got); err != nil {
				return "", err
			}
		}
	} else if err := client.Do(cmd.Context(), "sigma create", CreateOwnRuleIn{In: in, Body: OwnRuleText{Text: string(f.Text)}}, &got); err != nil {
		return "", err
	}
	had[got.Title] = got.OwnRule
	if state == "" || state == got.State {
		return what + ", " + got.Name, nil
	}
	err := client.Do(cmd.Context(), "sigma set", SetOwnRuleIn{ByIDAct: ByIDAct{ByID: ByID{In: in, ID: got.ID}}, Body: OwnRuleState{State: state, Version: got.Version}}, &got)
	if err != nil {
		return what + ", but not set " + state, err
	}
	return what + ", now " + state + ", " + got.Name, nil
}
