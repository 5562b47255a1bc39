package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tink-crypto/tink-go/v2/keyset"

	"tocsin.dev"
)

const (
	commandTime = 30 * time.Second
	mostPrinted = 64 << 10 // bytes; a keyset of a hundred keys is some 20 kB
)

// runCommand runs the command and reads the key that it prints. It gets the environment without Tocsin's own settings and an
// empty standard input. What it prints is in no error and no log: of either kind, since a tool may show in its complaint what
// it was to keep.
func runCommand(ctx context.Context, command string, limit time.Duration) (*keyset.Handle, error) {
	words, err := Words(command)
	if err != nil {
		return nil, err
	}
	if limit <= 0 {
		limit = commandTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "TOCSIN_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	out := &limited{most: mostPrinted}
	cmd.Stdout = out
	cmd.WaitDelay = time.Second // for what it started and that holds its output open
	alone(cmd)
	err = cmd.Run()
	const byHand = "Run it by hand, as Tocsin's user, to see what it says."
	problem := func(do, what string, args ...any) error {
		p := tocsin.Problemf(tocsin.Unavailable, do, "The command in key.command "+what, args...)
		p.Err = err
		return p
	}
	if errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil {
		err = nil // it has ended, and something that it started lives on
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, problem("See that it asks nothing and reaches the service, or give it longer (key.timeout). "+byHand, "(%s) did not end within %v.", words[0], limit)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist):
		return nil, problem("Install it, or give its whole path.", "(%s) was not found.", words[0])
	case errors.Is(err, os.ErrPermission):
		return nil, problem("Let Tocsin's user run it.", "(%s) may not be run.", words[0])
	case errors.As(err, &exit):
		return nil, problem(byHand, "(%s) failed: %s.", words[0], exit.ProcessState)
	case err != nil:
		return nil, problem(byHand, "(%s) could not be run.", words[0])
	case out.more:
		return nil, problem("Have it print the key alone.", "(%s) printed more than %d kB.", words[0], mostPrinted>>10)
	}
	if keys, ok := parsePrinted(out.text); ok {
		return keys, nil
	}
	return nil, problem("Have it print 32 bytes in base64, such as tocsin key new makes, or the content of a key file, and nothing else.", "(%s) printed %s.", words[0], sizeOf(len(out.text)))
}

func sizeOf(n int) string {
	if n == 0 {
		return "nothing"
	}
	return fmt.Sprintf("%d bytes that are no key", n)
}

// parsePrinted reads what a command printed: a key as text, or 32 bytes as they are. Of these not all can be printed: a text of
// 32 letters that says what went wrong is no key.
func parsePrinted(out []byte) (*keyset.Handle, bool) {
	if len(out) == 32 && (!utf8.Valid(out) || bytes.ContainsFunc(out, func(r rune) bool { return !unicode.IsPrint(r) && !unicode.IsSpace(r) })) {
		return keysOf([][]byte{bytes.Clone(out)})
	}
	return parse(out)
}

// limited keeps what is written up to most bytes.
type limited struct {
	text []byte
	most int
	more bool
}

func (l *limited) Write(p []byte) (int, error) {
	room := min(l.most-len(l.text), len(p))
	l.text, l.more = append(l.text, p[:room]...), l.more || room < len(p)
	return len(p), nil
}

// Words are the program and the arguments of a command, which no shell sees: words stand apart by blanks; what stands in '…' or
// "…" is one word, or part of one; a backslash takes the next character as it is, in "…" only a quote or a backslash. What a
// shell would act on (| & ; < > $ ` ( ) * ? #) is refused outside of quotes, for it would do nothing here.
func Words(command string) ([]string, error) {
	var out []string
	var word strings.Builder
	inWord := false
	wrong := func(what string) ([]string, error) {
		return nil, tocsin.Problemf(tocsin.Invalid, "Put it in quotes, or write a script and name that.", "The command in key.command is run without a shell, and %s.", what)
	}
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case c == 0:
			return wrong("has a null in it")
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if inWord {
				out = append(out, word.String())
				word.Reset()
				inWord = false
			}
		case c == '\'' || c == '"':
			inWord = true
			end := i + 1
			for ; end < len(command) && command[end] != c; end++ {
				if c == '"' && command[end] == '\\' && end+1 < len(command) && (command[end+1] == '"' || command[end+1] == '\\') {
					end++
				}
				if command[end] == 0 {
					return wrong("has a null in it")
				}
				word.WriteByte(command[end])
			}
			if end == len(command) {
				return wrong("a quote in it is not closed")
			}
			i = end
		case c == '\\':
			if i++; i == len(command) {
				return wrong("ends with a backslash")
			}
			if command[i] == 0 {
				return wrong("has a null in it")
			}
			inWord = true
			word.WriteByte(command[i])
		case strings.IndexByte("|&;<>$`()*?#", c) >= 0:
			return wrong(fmt.Sprintf("has a %c", c))
		default:
			inWord = true
			word.WriteByte(c)
		}
	}
	if inWord {
		out = append(out, word.String())
	}
	if len(out) == 0 || out[0] == "" {
		return nil, tocsin.Problemf(tocsin.Invalid, "Name the program and what it is to be given, such as vault kv get -field=key secret/tocsin.", "The setting key.command names no program.")
	}
	return out, nil
}
