//go:build unix

package storetest

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Own is a PostgreSQL that one test has for itself, to kill.
type Own struct {
	Address string // of its only database
	tb      testing.TB
	dir     string // of its socket and its log
	data    string
	bin     string
	as      *syscall.Credential
	cmd     *exec.Cmd
}

// PostgresToKill starts a PostgreSQL of the test's own, as it is installed: it syncs what it commits. It is gone after the
// test. Where none is installed the test is skipped, or fails where the environment says CI. Its data lie below the
// directory given, which everybody can reach, or, where that is empty, in one of its own.
func PostgresToKill(tb testing.TB, below string) *Own {
	tb.Helper()
	o := &Own{tb: tb, bin: installed()}
	if o.bin == "" {
		if os.Getenv("CI") != "" {
			tb.Fatal(errAbsent)
		}
		tb.Skip("NOT TESTED ON POSTGRESQL: none is installed")
	}
	var err error
	if o.dir, err = os.MkdirTemp("", "tocsin-pg-"); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		o.Kill()
		os.RemoveAll(o.dir)
	})
	if o.as, err = whom(o.dir); err != nil {
		tb.Fatal(err)
	}
	o.data = filepath.Join(cmp.Or(below, o.dir), "data")
	initdb := exec.Command(o.bin+"/initdb", "-A", "trust", "-U", "tocsin", "-E", "UTF8", "--locale=C", "-D", o.data)
	if below == "" { // what is never without power need not be synced
		initdb.Args = append(initdb.Args, "--no-sync")
	}
	initdb.Dir, initdb.SysProcAttr = o.dir, &syscall.SysProcAttr{Credential: o.as}
	if out, err := initdb.CombinedOutput(); err != nil {
		tb.Fatalf("initdb: %v: %s", err, out)
	}
	o.Address = "postgres://tocsin@/postgres?host=" + url.QueryEscape(o.dir)
	o.Start()
	return o
}

// Start starts it, and returns when it answers.
func (o *Own) Start() {
	o.tb.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := o.launch()
		if err == nil {
			return
		}
		if o.Kill(); time.Now().After(deadline) { // what is left of the one that was killed may still hold its memory
			o.tb.Fatal(err)
		}
	}
}

func (o *Own) launch() error {
	log, err := os.OpenFile(o.dir+"/log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	o.cmd = exec.Command(o.bin+"/postgres", "-D", o.data, "-k", o.dir, "-c", "listen_addresses=", "-c", "max_connections=200", "-c", "shared_buffers=32MB", "-c", "max_wal_size=256MB")
	o.cmd.Dir, o.cmd.Stdout, o.cmd.Stderr = o.dir, log, log
	o.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: o.as, Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := o.cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	cmd := o.cmd
	go func() { ended <- cmd.Wait() }()
	up := make(chan error, 1)
	go func() { up <- ready(o.Address, o.dir) }()
	select {
	case err := <-up:
		return err
	case err := <-ended:
		said, _ := os.ReadFile(o.dir + "/log") // the error is told without it, if need be
		return fmt.Errorf("PostgreSQL ended: %w: %s", err, said[max(0, len(said)-2000):])
	}
}

// Kill ends every process of it at once, as the kernel does to one without memory.
func (o *Own) Kill() {
	if o.cmd == nil || o.cmd.Process == nil {
		return
	}
	pid := o.cmd.Process.Pid
	_ = syscall.Kill(pid, syscall.SIGSTOP) // so that it starts no more
	all := append([]int{pid}, childrenOf(pid)...)
	for _, p := range all {
		_ = syscall.Kill(p, syscall.SIGKILL) // one that has ended by itself
	}
	o.cmd = nil
}

// childrenOf are the processes that a process started.
func childrenOf(pid int) (out []int) {
	found, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	for _, f := range found {
		raw, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(raw), ") ") // pid (name) state ppid
		fields := strings.Fields(rest)
		n, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			out = append(out, n)
		}
	}
	return out
}
