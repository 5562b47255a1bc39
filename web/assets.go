package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"sync"
	"time"
)

//go:embed static
var static embed.FS

// file is an asset with the tag that its address carries, so that it can be kept for ever.
type file struct {
	body []byte
	tag  string
}

var files = sync.OnceValue(func() map[string]file {
	out := map[string]file{}
	entries, err := fs.ReadDir(static, "static")
	if err != nil {
		panic(err) // embedded: cannot happen once it compiled
	}
	for _, e := range entries {
		b, err := static.ReadFile("static/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(b)
		out[e.Name()] = file{b, base64.RawURLEncoding.EncodeToString(sum[:9])}
	}
	return out
})

// asset is the address of one of our files.
func asset(name string) string { return "/static/" + name + "?" + files()[name].tag }

var types = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".md": "text/plain; charset=utf-8"}

// serveAsset answers with one of our files; with its tag in the address it may be kept for a year.
func serveAsset(rw http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	f, ok := files()[name]
	if !ok {
		http.NotFound(rw, r)
		return
	}
	rw.Header().Set("Content-Type", types[path.Ext(name)])
	rw.Header().Set("ETag", `"`+f.tag+`"`)
	if r.URL.RawQuery == f.tag {
		rw.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		rw.Header().Set("Cache-Control", "no-cache")
	}
	http.ServeContent(rw, r, name, time.Time{}, bytes.NewReader(f.body))
}

// htmxConfig keeps htmx within the policy: no styles of its own, nothing evaluated, what is open stays open in a morph.
const htmxConfig = `{"includeIndicatorCSS":false,"defaultTimeout":20000,"extensions":"sse","history":"reload","morphIgnore":["data-htmx-powered","open"]}`
