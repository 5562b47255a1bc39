package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// A platter is a file system in the memory of a process of its own, and behaves as a disk does when one is unlucky:
//
//   - When the power is cut, what was not synced is gone. Names are kept as ext4 and XFS keep them: their changes are written
//     in order, all of them with the next fsync of any file, and those since the last one are undone. The bytes of a file are
//     there as they were at its own last fsync, and no later; or, the other unlucky case, any of the pages that were written
//     since may be there as well, and others not, whatever the order in which they were written.
//   - It can be full, and it can be slow to sync.
type platter struct {
	mu    sync.Mutex
	root  *entry
	kept  *entry // the names as of the last fsync
	named bool   // they have changed since
	off   atomic.Bool
	room  int64 // bytes that files may take
	used  int64
	delay atomic.Int64 // of a sync, ns
	syncs atomic.Int64
	ids   uint64
}

// entry is a file or a directory.
type entry struct {
	id       uint64
	mode     uint32
	uid, gid uint32
	links    uint32            // names that it has
	children map[string]*entry // nil: a file
	data     []byte
	dirty    map[int64]bool // pages written since its last fsync
	kept     []byte         // its bytes as of then
	shrunk   int64          // the least size since the last fsync of any file; -1: it was not cut
}

const pageSize = 4096

func (p *platter) entry(mode uint32) *entry {
	p.ids++
	e := &entry{id: p.ids, mode: mode, shrunk: -1, links: 1}
	if mode&syscall.S_IFMT == syscall.S_IFDIR {
		e.children = map[string]*entry{}
	} else {
		e.dirty = map[int64]bool{}
	}
	return e
}

// names copies the tree, not what the files hold. Cuts of files that are in the journal with the names are done.
func names(e *entry) *entry {
	if e.children == nil {
		return e
	}
	out := &entry{id: e.id, mode: e.mode, uid: e.uid, gid: e.gid, links: 1, shrunk: -1, children: make(map[string]*entry, len(e.children))}
	for name, c := range e.children {
		if c.children == nil && c.shrunk >= 0 {
			c.kept = c.kept[:min(int64(len(c.kept)), c.shrunk)]
			c.shrunk = -1
		}
		out.children[name] = names(c)
	}
	return out
}

// sync puts a file on the platter, and all names with it. mu is held.
func (p *platter) sync(e *entry) {
	if p.named {
		p.kept, p.named = names(p.root), false
	}
	if e.children != nil {
		return
	}
	if n := len(e.data) - len(e.kept); n > 0 {
		e.kept = append(e.kept, make([]byte, n)...)
	}
	e.kept = e.kept[:len(e.data)]
	for page := range e.dirty {
		at := page * pageSize
		if at < int64(len(e.data)) {
			copy(e.kept[at:min(at+pageSize, int64(len(e.data)))], e.data[at:])
		}
	}
	clear(e.dirty)
}

// cut makes of what is kept all that there is. luck is the part of the pages that were not synced and are there all the same.
func (p *platter) cut(random *rand.Rand, luck float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used = 0
	var lose func(e *entry) *entry
	lose = func(e *entry) *entry {
		out := p.entry(e.mode)
		out.uid, out.gid = e.uid, e.gid
		if e.children != nil {
			for name, c := range e.children {
				out.children[name] = lose(c)
			}
			return out
		}
		out.data = append(out.data, e.kept...)
		for page := range e.dirty {
			at := page * pageSize
			if at >= int64(len(e.data)) || random.Float64() >= luck {
				continue
			}
			end := min(at+pageSize, int64(len(e.data)))
			if n := end - int64(len(out.data)); n > 0 {
				out.data = append(out.data, make([]byte, n)...)
			}
			copy(out.data[at:end], e.data[at:end])
		}
		out.kept = append(out.kept, out.data...)
		p.used += int64(len(out.data))
		return out
	}
	p.root = lose(p.kept)
	p.kept = names(p.root)
}

// at is an entry as the kernel sees it.
type atEntry struct {
	fs.Inode
	p *platter
	e *entry
}

var _ interface {
	fs.NodeLookuper
	fs.NodeGetattrer
	fs.NodeSetattrer
	fs.NodeCreater
	fs.NodeOpener
	fs.NodeReader
	fs.NodeWriter
	fs.NodeFsyncer
	fs.NodeMkdirer
	fs.NodeUnlinker
	fs.NodeLinker
	fs.NodeRmdirer
	fs.NodeRenamer
	fs.NodeReaddirer
	fs.NodeStatfser
	fs.NodeFlusher
} = (*atEntry)(nil)

// begin locks the platter; EIO when the power is off.
func (a *atEntry) begin() syscall.Errno {
	a.p.mu.Lock()
	if a.p.off.Load() {
		a.p.mu.Unlock()
		return syscall.EIO
	}
	return 0
}

func (a *atEntry) attr(e *entry, out *fuse.Attr) {
	out.Ino, out.Mode, out.Size, out.Nlink, out.Blksize = e.id, e.mode, uint64(len(e.data)), e.links, pageSize
	out.Owner = fuse.Owner{Uid: e.uid, Gid: e.gid}
	out.Blocks = (out.Size + 511) / 512
}

func (a *atEntry) child(ctx context.Context, e *entry, out *fuse.EntryOut) *fs.Inode {
	a.attr(e, &out.Attr)
	return a.NewInode(ctx, &atEntry{p: a.p, e: e}, fs.StableAttr{Mode: e.mode & syscall.S_IFMT, Ino: e.id})
}

func (a *atEntry) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if no := a.begin(); no != 0 {
		return nil, no
	}
	defer a.p.mu.Unlock()
	e := a.e.children[name]
	if e == nil {
		return nil, syscall.ENOENT
	}
	return a.child(ctx, e, out), 0
}

func (a *atEntry) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	if no := a.begin(); no != 0 {
		return no
	}
	defer a.p.mu.Unlock()
	a.attr(a.e, &out.Attr)
	return 0
}

func (a *atEntry) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if no := a.begin(); no != 0 {
		return no
	}
	defer a.p.mu.Unlock()
	if mode, ok := in.GetMode(); ok {
		a.e.mode, a.p.named = a.e.mode&syscall.S_IFMT|mode&0o7777, true
	}
	if size, ok := in.GetSize(); ok {
		if no := a.resize(int64(size)); no != 0 {
			return no
		}
	}
	a.attr(a.e, &out.Attr)
	return 0
}

// made is a new entry, of whoever asks for it.
func (a *atEntry) made(ctx context.Context, mode uint32) *entry {
	a.p.named = true
	e := a.p.entry(mode)
	if who, ok := fuse.FromContext(ctx); ok {
		e.uid, e.gid = who.Uid, who.Gid
	}
	return e
}

// resize makes a file shorter, or longer by zeros.
func (a *atEntry) resize(size int64) syscall.Errno {
	e, p := a.e, a.p
	grow := size - int64(len(e.data))
	if grow > 0 && p.used+grow > p.room {
		return syscall.ENOSPC
	}
	p.used += grow
	if grow > 0 {
		for page := int64(len(e.data)) / pageSize; page*pageSize < size; page++ {
			e.dirty[page] = true
		}
		e.data = append(e.data, make([]byte, grow)...)
		return 0
	}
	e.data = e.data[:size]
	if e.shrunk < 0 || size < e.shrunk {
		e.shrunk, p.named = size, true
	}
	return 0
}

func (a *atEntry) Create(ctx context.Context, name string, _, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if no := a.begin(); no != 0 {
		return nil, nil, 0, no
	}
	defer a.p.mu.Unlock()
	if a.p.used >= a.p.room {
		return nil, nil, 0, syscall.ENOSPC
	}
	e := a.made(ctx, syscall.S_IFREG|mode&0o7777)
	a.e.children[name] = e
	return a.child(ctx, e, out), nil, 0, 0
}

func (a *atEntry) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if no := a.begin(); no != 0 {
		return nil, 0, no
	}
	defer a.p.mu.Unlock()
	if flags&syscall.O_TRUNC != 0 {
		return nil, 0, a.resize(0)
	}
	return nil, fuse.FOPEN_KEEP_CACHE, 0
}

func (a *atEntry) Flush(context.Context, fs.FileHandle) syscall.Errno { return 0 }

func (a *atEntry) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if no := a.begin(); no != 0 {
		return nil, no
	}
	defer a.p.mu.Unlock()
	if off >= int64(len(a.e.data)) {
		return fuse.ReadResultData(nil), 0
	}
	return fuse.ReadResultData(dest[:copy(dest, a.e.data[off:])]), 0
}

func (a *atEntry) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	if no := a.begin(); no != 0 {
		return 0, no
	}
	defer a.p.mu.Unlock()
	end := off + int64(len(data))
	if end > int64(len(a.e.data)) {
		if no := a.resize(end); no != 0 {
			return 0, no
		}
	}
	copy(a.e.data[off:end], data)
	for page := off / pageSize; page*pageSize < end; page++ {
		a.e.dirty[page] = true
	}
	return uint32(len(data)), 0
}

func (a *atEntry) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	if d := time.Duration(a.p.delay.Load()); d > 0 {
		time.Sleep(d)
	}
	if no := a.begin(); no != 0 {
		return no
	}
	defer a.p.mu.Unlock()
	a.p.syncs.Add(1)
	a.p.sync(a.e)
	return 0
}

func (a *atEntry) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if no := a.begin(); no != 0 {
		return nil, no
	}
	defer a.p.mu.Unlock()
	e := a.made(ctx, syscall.S_IFDIR|mode&0o7777)
	a.e.children[name] = e
	return a.child(ctx, e, out), 0
}

func (a *atEntry) Unlink(_ context.Context, name string) syscall.Errno {
	if no := a.begin(); no != 0 {
		return no
	}
	defer a.p.mu.Unlock()
	e := a.e.children[name]
	if e == nil {
		return syscall.ENOENT
	}
	if e.links--; e.links == 0 {
		a.p.used -= int64(len(e.data)) // whoever has it open still may write a little more than there is room for
	}
	delete(a.e.children, name)
	a.p.named = true
	return 0
}

func (a *atEntry) Link(_ context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if no := a.begin(); no != 0 {
		return nil, no
	}
	defer a.p.mu.Unlock()
	to, ok := target.(*atEntry)
	if !ok || to.e.children != nil || a.e.children[name] != nil {
		return nil, syscall.EINVAL
	}
	to.e.links++
	a.p.named = true
	a.e.children[name] = to.e
	a.attr(to.e, &out.Attr)
	return target.EmbeddedInode(), 0
}

func (a *atEntry) Rmdir(_ context.Context, name string) syscall.Errno {
	if no := a.begin(); no != 0 {
		return no
	}
	defer a.p.mu.Unlock()
	if e := a.e.children[name]; e == nil {
		return syscall.ENOENT
	} else if len(e.children) > 0 {
		return syscall.ENOTEMPTY
	}
	delete(a.e.children, name)
	a.p.named = true
	return 0
}

func (a *atEntry) Rename(_ context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if no := a.begin(); no != 0 {
		return no
	}
	defer a.p.mu.Unlock()
	dir, ok := to.(*atEntry)
	e := a.e.children[name]
	if !ok || e == nil || flags != 0 {
		return syscall.EINVAL
	}
	if old := dir.e.children[newName]; old != nil && old != e {
		if old.links--; old.links == 0 {
			a.p.used -= int64(len(old.data))
		}
	}
	delete(a.e.children, name)
	dir.e.children[newName] = e
	a.p.named = true
	return 0
}

func (a *atEntry) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	if no := a.begin(); no != 0 {
		return nil, no
	}
	defer a.p.mu.Unlock()
	var list []fuse.DirEntry
	for name, e := range a.e.children {
		list = append(list, fuse.DirEntry{Name: name, Ino: e.id, Mode: e.mode & syscall.S_IFMT})
	}
	return fs.NewListDirStream(list), 0
}

func (a *atEntry) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	out.Bsize, out.Frsize, out.NameLen = pageSize, pageSize, 255
	out.Blocks, out.Bfree = uint64(a.p.room/pageSize), uint64(max(0, a.p.room-a.p.used)/pageSize)
	out.Bavail, out.Files, out.Ffree = out.Bfree, 1<<20, 1<<20
	return 0
}

// platterOrders are those of the process that is the disk.
type platterOrders struct {
	Dir  string // where it is mounted
	Port int    // on which it is told what happens to it
}

// diskState is what the disk says of itself.
type diskState struct {
	Used, Syncs int64
}

// spin is the disk, until it is killed.
func spin(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var o platterOrders
	if err := json.Unmarshal(raw, &o); err != nil {
		return err
	}
	p := &platter{room: 1 << 40}
	p.root = p.entry(syscall.S_IFDIR | 0o755)
	p.kept = names(p.root)
	if err := p.mount(o.Dir); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 2))
	number := func(r *http.Request) (n int64) {
		fmt.Sscan(r.FormValue("n"), &n)
		return n
	}
	http.HandleFunc("POST /off", func(http.ResponseWriter, *http.Request) {
		p.mu.Lock() // so that nothing is half done when it answers
		p.off.Store(true)
		p.mu.Unlock()
	})
	http.HandleFunc("POST /on", func(w http.ResponseWriter, r *http.Request) {
		if err := syscall.Unmount(o.Dir, syscall.MNT_DETACH); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		p.cut(random, float64(number(r))/100)
		p.off.Store(false)
		if err := p.mount(o.Dir); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	http.HandleFunc("POST /room", func(_ http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.room = p.used + number(r)
	})
	http.HandleFunc("POST /delay", func(_ http.ResponseWriter, r *http.Request) {
		p.delay.Store(int64(time.Duration(number(r)) * time.Millisecond))
	})
	http.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		_ = json.NewEncoder(w).Encode(diskState{Used: p.used, Syncs: p.syncs.Load()})
	})
	fmt.Println("ready")
	return http.ListenAndServe(fmt.Sprint("127.0.0.1:", o.Port), nil)
}

func (p *platter) mount(dir string) error {
	long := time.Hour // the kernel is the only one who changes anything
	_, err := fs.Mount(dir, &atEntry{p: p, e: p.root}, &fs.Options{EntryTimeout: &long, AttrTimeout: &long,
		MountOptions: fuse.MountOptions{AllowOther: true, DirectMountStrict: true, FsName: "platter", Name: "platter", MaxWrite: 1 << 20, DirectMountFlags: syscall.MS_NOSUID | syscall.MS_NODEV}})
	return err
}

// disk is a platter's process, as a test sees it.
type disk struct {
	*machine
	dir, url string
}

// canMount says why no disk can be mounted here.
func canMount() error {
	if os.Geteuid() != 0 {
		return errors.New("the user is not root")
	}
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// newDisk mounts one. Where the kernel or the user's rights do not allow it, the test is skipped and says so.
func newDisk(t *testing.T) *disk {
	t.Helper()
	if err := canMount(); err != nil {
		t.Skipf("NOT TESTED ON A DISK THAT FAILS: it takes /dev/fuse and root (%v)", err)
	}
	dir, err := os.MkdirTemp("", "tocsin-disk-")
	if err == nil {
		err = os.Chmod(dir, 0o755) // PostgreSQL is another user
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) }) // what could not be unmounted stays
	port := ports(t, 1)[0]
	d := &disk{dir: dir, url: fmt.Sprint("http://127.0.0.1:", port), machine: &machine{t: t, name: "disk", env: "TOCSIN_TEST_DISK", orders: platterOrders{Dir: dir, Port: port}}}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }) // once its process has gone
	d.start()
	return d
}

// tell has something happen to the disk.
func (d *disk) tell(what string, n int64) {
	d.t.Helper()
	resp, err := http.Post(fmt.Sprintf("%s/%s?n=%d", d.url, what, n), "", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	if said, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		d.t.Fatalf("the disk says %s", said)
	}
}

func (d *disk) state() (s diskState) {
	d.t.Helper()
	resp, err := http.Get(d.url + "/")
	if err == nil {
		defer resp.Body.Close()
		err = json.NewDecoder(resp.Body).Decode(&s)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// TestThePlatter: what the tests of power cuts rest on. What was synced stays, what was not is gone, names are kept in order.
func TestThePlatter(t *testing.T) {
	d := newDisk(t)
	// A process of its own writes, so that this one never waits for its own disk.
	run := func(script string) string {
		out, err := exec.Command("/bin/sh", "-c", "cd "+d.dir+" && "+script).CombinedOutput()
		if err != nil {
			return errors.Join(err, errors.New(string(out))).Error()
		}
		return strings.TrimSpace(string(out))
	}
	steps := []struct{ do, want string }{
		{"mkdir a && echo one > a/kept && sync a/kept && echo two >> a/kept && cat a/kept", "one\ntwo"},
		{"echo new > a/new && mv a/new a/moved && ls a", "kept\nmoved"},
	}
	for _, s := range steps {
		if got := run(s.do); got != s.want {
			t.Errorf("%s: got %q, want %q", s.do, got, s.want)
		}
	}
	cut := func(luck int64) {
		d.tell("off", 0)
		if got := run("cat a/kept"); !strings.Contains(got, "exit status") {
			t.Errorf("without power got %q", got)
		}
		d.tell("on", luck)
	}
	cut(0)
	if got := run("ls a; cat a/kept"); got != "kept\none" {
		t.Errorf("after the cut got %q", got)
	}
	run("echo three > a/x && sync a/x && echo four > a/y && mv a/y a/x && sync a/kept")
	cut(0)
	if got := run("cat a/x; ls a"); got != "kept\nx" {
		t.Errorf("a rename was kept and the bytes were not: got %q", got)
	}
	run("echo five > a/x")
	cut(100)
	if got := run("cat a/x"); got != "five" {
		t.Errorf("what was lucky is %q", got)
	}
	d.tell("room", 10_000)
	if got := run("head -c 50000 /dev/zero > a/full; wc -c < a/full; cat a/kept"); !strings.Contains(got, "No space left") || !strings.Contains(got, "one") {
		t.Errorf("on a full disk got %q", got)
	}
	before := d.state()
	if run("sync a/kept"); d.state().Syncs <= before.Syncs {
		t.Errorf("syncs are not seen: %+v, %+v", before, d.state())
	}
}
