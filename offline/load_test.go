package offline

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"tocsin.dev"
)

// busy makes JSON lines as a busy tenant writes them, without end: mostly files and mail that nobody judges, a third of sign-ins
// and mail access that rules look at, out of order by up to an hour, one in fifty repeated.
type busy struct {
	random *rand.Rand
	n      int
	rest   []byte
	last   []byte
	left   int64 // bytes still to give
}

func newBusy(size int64) *busy { return &busy{random: rand.New(rand.NewPCG(1, 2)), left: size} }

const filler = `"OrganizationId":"7d3b9a00-0000-4000-8000-000000000001","RecordType":6,"UserKey":"i:0h.f|membership|1003200012345678@live.com","Version":1,"CorrelationId":"5b1fa3a0-20c3-5000-8f2f-12fd0b6c7a1d","EventSource":"SharePoint","ItemType":"File","ListId":"a6ed3a43-cd0c-4b19-8be1-0a8a8ab1a2b3","Site":"7b1e2c3d-0000-4000-8000-000000000002","UserAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36","WebId":"c0ffee00-0000-4000-8000-000000000003","HighPriorityMediaProcessing":false,"SourceFileExtension":"docx","SiteUrl":"https://fabrikam.sharepoint.com/sites/finance/","SourceRelativeUrl":"Shared Documents/2026"`

func (b *busy) line() []byte {
	if b.n++; b.n%50 == 0 && b.last != nil {
		return b.last
	}
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).Add(time.Duration(b.n)*200*time.Millisecond - time.Duration(b.random.IntN(3600))*time.Second)
	user := fmt.Sprintf("user%d@fabrikam.com", b.random.IntN(5000))
	head := fmt.Sprintf(`{"CreationTime":"%s","Id":"%08x-0000-4000-8000-%012x",`, at.Format("2006-01-02T15:04:05"), b.n, b.n)
	ip := fmt.Sprintf(`"ClientIP":"10.%d.%d.%d"`, b.random.IntN(4), b.random.IntN(256), b.random.IntN(256))
	switch k := b.random.IntN(100); {
	case k < 20:
		return fmt.Appendf(nil, `%s"Operation":"UserLoggedIn","Workload":"AzureActiveDirectory","UserType":0,"UserId":"%s",%s,"ResultStatus":"Success",%s,"ExtendedProperties":[{"Name":"RequestType","Value":"OAuth2:Authorize"}]}`+"\n", head, user, ip, filler)
	case k < 23:
		return fmt.Appendf(nil, `%s"Operation":"UserLoginFailed","Workload":"AzureActiveDirectory","UserType":0,"UserId":"%s",%s,"LogonError":"InvalidUserNameOrPassword","ErrorNumber":"50126",%s}`+"\n", head, user, ip, filler)
	case k < 38:
		return fmt.Appendf(nil, `%s"Operation":"MailItemsAccessed","Workload":"Exchange","UserType":0,"UserId":"%s","MailboxOwnerUPN":"%s",%s,"ClientAppId":"9199bf20-a13f-4107-85dc-02114787ef48","OperationCount":3,"OperationProperties":[{"Name":"MailAccessType","Value":"Bind"},{"Name":"IsThrottled","Value":"False"}],%s}`+"\n", head, user, user, ip, filler)
	case k == 99 && b.n%10 == 0:
		return fmt.Appendf(nil, `%s"Operation":"New-InboxRule","Workload":"Exchange","UserType":2,"UserId":"%s",%s,"Parameters":[{"Name":"Name","Value":"Sort"},{"Name":"SubjectContainsWords","Value":"newsletter"},{"Name":"MoveToFolder","Value":"News"}],%s}`+"\n", head, user, ip, filler)
	}
	op := []string{"FileAccessed", "FileModified", "PageViewed", "FilePreviewed", "Send", "Update"}[b.random.IntN(6)]
	return fmt.Appendf(nil, `%s"Operation":"%s","Workload":"SharePoint","UserType":0,"UserId":"%s",%s,%s}`+"\n", head, op, user, ip, filler)
}

func (b *busy) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		if b.left <= 0 {
			return 0, io.EOF
		}
		b.rest = b.line()
		b.last = b.rest
		b.left -= int64(len(b.rest))
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// megabytesOf is the size of a test's stream: TOCSIN_STREAM_MB, else what is usual.
func megabytesOf(usual int64) int64 {
	if n, err := strconv.ParseInt(os.Getenv("TOCSIN_STREAM_MB"), 10, 64); err == nil && n > 0 {
		return n << 20
	}
	return usual << 20
}

// BenchmarkAnalyze reads a stream of 200 MB where TOCSIN_STREAM_MB says so, else a shorter one.
func BenchmarkAnalyze(b *testing.B) {
	size := megabytesOf(24)
	records := 0
	for b.Loop() {
		sum, err := Analyze(context.Background(), Options{Files: []string{"-"}, Stdin: newBusy(size), Domains: []string{"fabrikam.com"}}, func(tocsin.Finding) {})
		if err != nil {
			b.Fatal(err)
		}
		records += sum.Records
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(size)*float64(b.N)/(1<<20)/b.Elapsed().Seconds(), "MB/s")
}

// TestMemory reads a stream several times as large as what may be held, in runs of 2 MB, and watches the heap.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("a long stream")
	}
	size := megabytesOf(32)
	watch := &heapWatch{src: newBusy(size)}
	sum, err := Analyze(context.Background(), Options{Files: []string{"-"}, Stdin: watch, Domains: []string{"fabrikam.com"}, RunSize: 2 << 20, TempDir: t.TempDir()},
		func(tocsin.Finding) { watch.look() })
	if err != nil {
		t.Fatal(err)
	}
	const most = 112 << 20
	t.Logf("%d MB, %d records, %d judged, %d runs, heap at most %d MB", size>>20, sum.Records, sum.Judged, sum.Runs, watch.most>>20)
	if watch.most > most {
		t.Errorf("the heap grew to %d MB, more than %d", watch.most>>20, most>>20)
	}
	if sum.Runs < 3 || sum.Repeated == 0 || sum.Broken > 0 {
		t.Errorf("%d runs, %d repeated, broken %v", sum.Runs, sum.Repeated, sum.First)
	}
}

// heapWatch looks at the heap at every 8 MB that are read.
type heapWatch struct {
	src  io.Reader
	read int
	most uint64
}

func (h *heapWatch) Read(p []byte) (int, error) {
	n, err := h.src.Read(p)
	if h.read += n; h.read > 8<<20 {
		h.read = 0
		h.look()
	}
	return n, err
}

func (h *heapWatch) look() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h.most = max(h.most, m.HeapInuse)
}
