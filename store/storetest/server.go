//go:build unix

package storetest

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// reap starts the server and waits until the test process has ended, however it ended: its end of the pipe on standard
// input is closed then. It stops the server and removes its directory.
const reap = `
dir=$1; bin=$2
"$bin/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c fsync=off -c full_page_writes=off \
	-c max_connections=300 -c shared_buffers=64MB -c max_wal_size=256MB >"$dir/log" 2>&1 &
server=$!
cat >/dev/null
kill -QUIT "$server" 2>/dev/null
wait "$server"
rm -rf "$dir"
`

// alive is the pipe's end that is never closed but by the end of the process.
var alive io.WriteCloser

// start runs PostgreSQL in a temporary directory, on a socket there. Root cannot be its user; postgres is, then.
func start() (string, error) {
	bin := installed()
	if bin == "" {
		return "", errAbsent
	}
	dir, err := os.MkdirTemp("", "tocsin-pg-")
	if err != nil {
		return "", err
	}
	as, err := whom(dir)
	if err != nil {
		return "", err
	}
	initdb := exec.Command(bin+"/initdb", "--no-sync", "-A", "trust", "-U", "tocsin", "-E", "UTF8", "--locale=C", "-D", dir+"/data")
	initdb.Dir, initdb.SysProcAttr = dir, &syscall.SysProcAttr{Credential: as}
	if out, err := initdb.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	reaper := exec.Command("/bin/sh", "-c", reap, "sh", dir, bin)
	reaper.Dir = dir
	reaper.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setsid: true} // an interrupt at the terminal is not for it
	if alive, err = reaper.StdinPipe(); err != nil {
		return "", err
	}
	if err := reaper.Start(); err != nil {
		return "", err
	}
	addr := "postgres://tocsin@/postgres?host=" + url.QueryEscape(dir)
	return addr, ready(addr, dir)
}

// installed is the directory of the newest PostgreSQL's binaries: Debian's place, or where the path finds them.
func installed() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the pattern is well-formed
	best, version := "", 0
	for _, f := range found {
		if v, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(f)))); err == nil && v > version {
			best, version = filepath.Dir(f), v
		}
	}
	if best != "" {
		return best
	}
	if f, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(f)
	}
	return ""
}

// whom is the user to run as, to whom dir is given; nil for ourselves.
func whom(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("root cannot run PostgreSQL, and: %w", err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2, os.Chown(dir, uid, gid)); err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// ready waits until the server answers.
func ready(addr, dir string) error {
	db, err := sql.Open("pgx", addr)
	if err != nil {
		return err
	}
	defer db.Close()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if err = db.Ping(); err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(dir + "/log") // the error is told without it, if need be
			return fmt.Errorf("PostgreSQL does not come up: %w: %s", err, log)
		}
	}
}
