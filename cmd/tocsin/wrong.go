package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tocsin.dev"
)

// What is said of a wrong command line stands here, for every command: cobra and pflag say what they counted and parsed,
// not what to do.

// teach makes every command below c answer a wrong command line in our own words.
func teach(c *cobra.Command) {
	c.InitDefaultHelpCmd()
	c.InitDefaultCompletionCmd("x") // cobra would make it later, and untaught
	c.SetFlagErrorFunc(wrongFlag)
	teachArguments(c)
}

func teachArguments(c *cobra.Command) {
	if c.Name() == "help" {
		c.Args = func(c *cobra.Command, words []string) error {
			if found, rest, err := c.Root().Find(words); err == nil && len(rest) > 0 && found.HasSubCommands() {
				return noCommand(found, rest[0])
			}
			return nil
		}
		return
	}
	counts := c.Args
	if c.HasSubCommands() {
		counts = cobra.NoArgs
		if c.RunE == nil && c.Run == nil {
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if counts == nil || counts(c, args) == nil {
			return nil
		}
		return wrongArguments(c, args)
	}
	for _, sub := range c.Commands() {
		teachArguments(sub)
	}
}

// wrongArguments says what c takes in place of args.
func wrongArguments(c *cobra.Command, args []string) error {
	path := c.CommandPath()
	if c.HasSubCommands() {
		return noCommand(c, args[0])
	}
	wanted := arguments(c)
	switch {
	case len(wanted) == 0:
		return tocsin.Problemf(tocsin.Invalid, seeHelp("Leave it away", c), "%s takes no arguments, but was given %q.", path, args[0])
	case len(args) > len(wanted):
		return tocsin.Problemf(tocsin.Invalid, seeHelp("Leave it away", c), "%s takes only %s, but was given %q besides.", path, all(wanted), args[len(wanted)])
	}
	missing := wanted[len(args):]
	is := map[bool]string{true: "is", false: "are"}[len(missing) == 1]
	return tocsin.Problemf(tocsin.Invalid, seeHelp("Give it as: "+path+" "+strings.Join(wanted, " "), c), "%s %s missing.", all(missing), is)
}

// arguments are the names of what c takes, as its line of use has them.
func arguments(c *cobra.Command) []string {
	var out []string
	for _, word := range strings.Fields(c.Use)[1:] {
		if !strings.HasPrefix(word, "[") {
			out = append(out, word)
		}
	}
	return out
}

func all(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// noCommand refuses a word that c has no command for, with the one that may have been meant.
func noCommand(c *cobra.Command, word string) error {
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	do := seeHelp("", c)
	if near := nearest(word, names); near != "" {
		do = seeHelp("Perhaps "+c.CommandPath()+" "+near+" was meant", c)
	}
	return tocsin.Problemf(tocsin.Invalid, do, "%s has no command %q.", c.CommandPath(), word)
}

// seeHelp is what to do, and where to read of it.
func seeHelp(do string, c *cobra.Command) string {
	if do == "" {
		return "See " + c.CommandPath() + " --help."
	}
	return do + "; see " + c.CommandPath() + " --help."
}

// wrongFlag says what is wrong about a flag.
func wrongFlag(c *cobra.Command, err error) error {
	if words := c.Flags().Args(); c.HasSubCommands() && len(words) > 0 {
		return noCommand(c, words[0]) // of which the flag would be
	}
	if p, ok := errors.AsType[*tocsin.Problem](err); ok {
		return p
	}
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := "--" + e.GetSpecifiedName()
		if e.GetSpecifiedShortnames() != "" {
			name = "-" + e.GetSpecifiedName()
		}
		do := seeHelp("", c)
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := nearest(e.GetSpecifiedName(), names); near != "" {
			do = seeHelp("Perhaps --"+near+" was meant", c)
		}
		return tocsin.Problemf(tocsin.Invalid, do, "%s has no flag %s.", c.CommandPath(), name)
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return tocsin.Problemf(tocsin.Invalid, fmt.Sprintf("Give it as --%s=…", e.GetFlag().Name)+"; see "+c.CommandPath()+" --help.", "--%s has no value.", e.GetFlag().Name)
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return tocsin.Problemf(tocsin.Invalid, seeHelp("Give "+kindOf(e.GetFlag()), c), "--%s cannot be %q.", e.GetFlag().Name, e.GetValue())
	}
	return tocsin.Problemf(tocsin.Invalid, seeHelp("", c), "The command line cannot be read: %v.", err)
}

// kindOf says what a flag's value is.
func kindOf(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "int", "int64", "number":
		return "a whole number"
	case "float64":
		return "a number"
	case "duration":
		return "a duration such as 90s or 5m"
	case "bool", "":
		return "true or false"
	case "time":
		return "a time such as 2026-12-31, 2026-12-31T12:00:00Z or 90d"
	}
	return "another value"
}

// nearest is the name that differs from the word in one or two letters, or begins with it; empty where none does.
func nearest(word string, names []string) string {
	best, least := "", 3
	for _, name := range names {
		d := distance(word, name)
		if len(word) > 2 && strings.HasPrefix(name, word) {
			d = 1
		}
		if d < least && d < len(word) {
			best, least = name, d
		}
	}
	return best
}

// distance is how many characters must be put in, taken out or replaced to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			before, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, before+cost)
		}
	}
	return row[len(b)]
}
